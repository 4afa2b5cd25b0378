//! Compiles, plans, runs and resumes what an SDK has traced.
//!
//! The SDK of a language makes a [`Request`] of the author's code and says how its steps are called;
//! everything else that a run needs is here, so that a run is the same whoever began it.

mod echo;
mod execute;
mod hand_over;
mod images;
mod labels;
mod launchers;
mod plugin_record;
mod prepare;
mod resume;

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;

use partita_core::diagnostic::Report;
use partita_core::literal::Literal;
use partita_core::run::Target;
use partita_core::spec::PipelineSpec;
use partita_engine::home::HomeError;
use partita_engine::metadata::MetadataError;
use partita_engine::runs::{self, PlannedStep, RunError, Verdict};
use partita_engine::secrets::SecretError;
use partita_engine::step_runner::InputError;
use partita_engine::store::StoreError;
use partita_orchestrators::starts_anew;
use serde::Deserialize;

pub use execute::{Attended, Cancel, Ended, run};
pub use launchers::LauncherError;
pub use partita_images::StepImage;
pub use resume::{Earlier, resume};

use crate::progress::note;
use crate::session::SessionError;
use prepare::Prepared;

/// A traced pipeline, and what is asked of it.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The root of the author's code.
    pub source_root: PathBuf,
    /// The pipeline.
    pub spec: PipelineSpec,
    /// The configuration file, if there is one.
    pub config: Option<PathBuf>,
    /// The parameters that were given from outside, as it has been traced with.
    pub parameters: BTreeMap<String, Literal>,
    /// The stack, instead of the active one.
    pub stack: Option<String>,
    /// Whether any step may be cached.
    pub enable_cache: Option<bool>,
    /// The run's name.
    pub run_name: Option<String>,
    /// How the author's code can be loaded again.
    pub target: Option<Target>,
    /// Only failures are shown.
    pub quiet: bool,
    /// More than usual is shown.
    pub verbose: bool,
    /// Whether the caller raises what a step raised, and so shows its traceback.
    pub raises: bool,
    /// The Python that the steps run in here, if they do.
    #[serde(default)]
    pub python: Option<PythonPlace>,
    /// The file descriptor that takes the run's name once it has begun; then this process goes on
    /// by itself.
    #[serde(default)]
    pub detach: Option<RawFd>,
}

/// What of a Python goes into images.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PythonPlace {
    /// Its interpreter.
    pub interpreter: PathBuf,
    /// The folder of its package `partita`.
    pub package: PathBuf,
    /// The folders where its distributions are.
    pub site_packages: Vec<PathBuf>,
}

/// The Python that hosts flavors and runs steps in Python, or why there is none.
pub type PythonPath = Result<PathBuf, String>;

/// Why a pipeline is not run, planned or compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not one that can run.
    #[error(transparent)]
    Refused(#[from] Report),
    /// The place where it would run is not there.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A secret cannot be resolved.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The run cannot begin, go on or end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An orchestrator cannot start anything.
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    /// An image cannot be had.
    #[error(transparent)]
    Image(#[from] partita_images::ImageError),
    /// What a step takes cannot be found.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The system refuses something.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// What was asked for does not fit the run.
    #[error("{0}")]
    Told(String),
    /// The engine panicked, and has said so.
    #[error("the engine stopped")]
    Stopped,
}

impl Error {
    /// Returns whether a backend is out of reach.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Session(error) => error.is_unreachable(),
            Self::Secret(SecretError::Metadata(error)) => error.is_unreachable(),
            Self::Run(error) => error.is_unreachable(),
            Self::Launcher(error) => error.is_unreachable(),
            Self::Image(error) => error.is_unreachable(),
            Self::Input(InputError::Store(error)) => error.is_unreachable(),
            _ => false,
        }
    }

    /// Returns whether somebody ended what was asked before a run began.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Image(partita_images::ImageError::Cancelled))
    }
}

impl From<HomeError> for Error {
    fn from(error: HomeError) -> Self {
        SessionError::from(error).into()
    }
}

impl From<MetadataError> for Error {
    fn from(error: MetadataError) -> Self {
        SessionError::from(error).into()
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        RunError::from(error).into()
    }
}

/// Returns what a run would do.
///
/// # Errors
/// If the pipeline is not one that can run, or its stack is not there.
pub fn plan(request: Request) -> Result<Vec<PlannedStep>, Error> {
    let prepared = Prepared::of(request)?;
    let images = images::planned(&prepared)?;
    let history = Arc::clone(prepared.session.home().metadata());
    let source_root = prepared.target.map(|target| target.source_root);
    let deployment = Arc::new(prepared.compiled.deployment);
    let mut planned = runs::plan(Arc::clone(&deployment), prepared.store, history, source_root)?;
    for (planned, step) in planned.iter_mut().zip(&deployment.steps) {
        if planned.verdict != Verdict::Cached {
            planned.starts_anew = starts_anew(&deployment, step).map(str::to_owned);
            planned.image = images.get(&step.name).cloned();
        }
    }
    Ok(planned)
}

/// Makes the images of the steps, and runs nothing.
///
/// # Errors
/// If the pipeline is not one that can run, its stack is not there, or an image cannot be made.
pub fn build(request: Request) -> Result<Vec<StepImage>, Error> {
    let prepared = Prepared::of(request)?;
    images::make(&prepared, false, &|told| note(prepared.style, told))
}

/// Returns the deployment, as JSON with one key a line.
///
/// # Errors
/// If the pipeline is not one that can run, or its stack is not there.
pub fn compile(request: Request) -> Result<Vec<u8>, Error> {
    let prepared = Prepared::of(request)?;
    let mut text = serde_json::to_vec_pretty(&prepared.compiled.deployment)
        .map_err(|error| Error::Told(error.to_string()))?;
    text.push(b'\n');
    Ok(text)
}
