//! The engine: a connection to it, what it is, and its errors in words.

use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::endpoint::Endpoint;

/// Seconds that the engine may take to begin its answer to one request.
const ANSWER: u64 = 60;

/// How often an engine that is out of reach is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// An engine that has answered.
#[derive(Clone)]
pub struct Engine {
    /// What asks it.
    pub docker: Docker,
    /// Where it is.
    pub endpoint: Endpoint,
    /// The architecture of its images, in their words.
    pub architecture: String,
    /// Whether root in its containers is whoever runs it.
    pub(super) is_rootless: bool,
    /// Whether the users of its containers are others outside of them.
    pub(super) remaps_users: bool,
    /// Whether it keeps containers to the memory that they are given.
    pub(super) limits_memory: bool,
    /// Whether it keeps containers to the cores that they are given.
    pub(super) limits_cores: bool,
}

/// What came of a request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The engine does not answer.
    #[error("{0}")]
    Away(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It is not in a state for this, or there already.
    #[error("{0}")]
    Conflict(String),
    /// It says no.
    #[error("{0}")]
    Refused(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                let message = message.trim().to_owned();
                match status_code {
                    404 => Self::NotFound(message),
                    409 | 304 => Self::Conflict(message),
                    503 => Self::Away(message),
                    _ => Self::Refused(message),
                }
            }
            Error::DockerStreamError { error } | Error::DockerContainerWaitError { error, .. } => {
                Self::Refused(error)
            }
            Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => {
                Self::Refused(format!("its answer cannot be read: {error}"))
            }
            error => Self::Away(in_words(&error)),
        }
    }
}

/// Returns what is at the bottom of an error.
fn in_words(error: &Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    match error {
        Error::SocketNotFoundError(_) => "there is no such socket".to_owned(),
        Error::RequestTimeoutError => format!("it does not answer within {ANSWER} s"),
        _ => deepest.to_string(),
    }
}

impl Engine {
    /// Connects to an engine.
    pub(super) async fn connect(endpoint: &Endpoint) -> Result<Self, Trouble> {
        let address = endpoint.as_str();
        let docker = match address.strip_prefix("unix://") {
            Some(path) => Docker::connect_with_unix(path, ANSWER, API_DEFAULT_VERSION),
            None => Docker::connect_with_http(address, ANSWER, API_DEFAULT_VERSION),
        }?;
        let docker = docker.negotiate_version().await?;
        let info = docker.info().await?;
        let options = info.security_options.unwrap_or_default();
        let has =
            |name: &str| options.iter().any(|option| option.contains(&format!("name={name}")));
        Ok(Self {
            docker,
            endpoint: endpoint.clone(),
            architecture: architecture_of_images(info.architecture.as_deref().unwrap_or_default())
                .to_owned(),
            is_rootless: has("rootless") || is_run_by_somebody(endpoint).await,
            remaps_users: has("userns"),
            limits_memory: info.memory_limit.unwrap_or(true),
            limits_cores: info.cpu_cfs_quota.unwrap_or(true),
        })
    }

    /// Waits until an engine that went away answers again; `None` once it is `until`.
    pub(super) async fn back(&self, until: Instant) -> Option<()> {
        loop {
            match timeout_at(until, self.docker.ping()).await {
                Ok(Ok(_)) => return Some(()),
                Ok(Err(_)) if Instant::now() < until => sleep(LOOK).await,
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }

    /// Says that the engine is out of reach.
    pub(super) fn away(&self, why: &str) -> String {
        away(&self.endpoint, why)
    }
}

/// Returns whether somebody else than root runs the engine. Podman does not say so where Docker does.
async fn is_run_by_somebody(endpoint: &Endpoint) -> bool {
    let Some(path) = endpoint.as_str().strip_prefix("unix://") else { return false };
    let peer = UnixStream::connect(path).await.and_then(|stream| stream.peer_cred());
    peer.is_ok_and(|peer| peer.uid() != 0)
}

/// Says that the engine at `endpoint` is out of reach.
pub(super) fn away(endpoint: &Endpoint, why: &str) -> String {
    format!("the Docker engine at `{endpoint}` cannot be reached: {why}")
}

/// Returns an architecture as images name it, from how kernels and compilers do.
pub fn architecture_of_images(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" | "armv6l" => "arm",
        "i686" | "i386" | "x86" => "386",
        other => other,
    }
}
