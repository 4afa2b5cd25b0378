//! Why there is no image.

use partita_engine::code::CodeError;
use partita_orchestrators::docker::{PreflightError, Trouble};

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The engine is not there, or not fit.
    #[error(transparent)]
    Engine(#[from] PreflightError),
    /// There is no engine, and this stack cannot do without.
    #[error(
        "{0}; or do without, for which a stack has an image builder of flavor `native` and a container registry"
    )]
    NoEngine(PreflightError),
    /// The engine went away.
    #[error("the Docker engine cannot be reached any more: {0}")]
    Away(String),
    /// Somebody ended it.
    #[error("the images are not built, since that was cancelled")]
    Cancelled,
    /// The image that one is built on is not to be had.
    #[error("{0}")]
    Parent(String),
    /// The build failed.
    #[error("the image of {steps} cannot be built: {why}")]
    Build {
        /// The steps, in words.
        steps: String,
        /// What went wrong, in the words of whatever did.
        why: String,
    },
    /// The registry refused something.
    #[error("{0}")]
    Registry(String),
    /// A registry is out of reach.
    #[error("{0}")]
    RegistryAway(String),
    /// What a Dockerfile may copy cannot be read.
    #[error(transparent)]
    Context(#[from] CodeError),
    /// The system refuses something.
    #[error("`{path}` cannot be written: {error}; images are prepared there")]
    System {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}

impl ImageError {
    /// Returns whether a backend is out of reach.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Engine(error) => error.is_unreachable(),
            Self::NoEngine(_) | Self::Away(_) | Self::RegistryAway(_) => true,
            _ => false,
        }
    }

    pub(crate) fn build(steps: &str, why: impl Into<String>) -> Self {
        Self::Build { steps: steps.to_owned(), why: why.into() }
    }

    /// Returns what went wrong in a build, as the engine told it.
    pub(crate) fn engine(steps: &str, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Away(why) => Self::Away(why),
            trouble => Self::build(steps, trouble.to_string()),
        }
    }

    pub(crate) fn system(path: &std::path::Path, error: std::io::Error) -> Self {
        Self::System { path: path.display().to_string(), error }
    }
}
