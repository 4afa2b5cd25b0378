//! Where the engine is.

use std::fmt;
use std::path::Path;

use super::config::DockerOrchestratorConfig;

/// The variable that names the engine, as Docker's own command reads it.
const VARIABLE: &str = "DOCKER_HOST";

/// The address of an engine of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Returns the engine that a configuration means.
    ///
    /// # Errors
    /// If it is none that steps can share an artifact store with.
    pub(super) fn of(config: &DockerOrchestratorConfig) -> Result<Self, String> {
        let from_environment = || std::env::var(VARIABLE).ok().filter(|host| !host.is_empty());
        match (&config.host, from_environment()) {
            (Some(host), _) => Self::checked(host, "`host`"),
            (None, Some(host)) => Self::checked(&host, &format!("`{VARIABLE}`")),
            (None, None) => Ok(Self::of_machine()),
        }
    }

    /// Returns the engine at an address that `whose` gives.
    fn checked(address: &str, whose: &str) -> Result<Self, String> {
        let (scheme, place) = address.split_once("://").unwrap_or(("", address));
        match scheme {
            "unix" if place.starts_with('/') => Ok(Self(address.to_owned())),
            "tcp" | "http" if is_here(place) => Ok(Self(address.to_owned())),
            "tcp" | "http" | "https" | "ssh" => Err(format!(
                "{whose} is `{address}`, an engine on another machine or behind TLS or SSH, whose containers cannot write to the artifact store, which is a folder here; name an engine of this machine, as in `unix:///var/run/docker.sock`"
            )),
            _ => Err(format!(
                "{whose} is `{address}`, and no address of an engine; write one as in `unix:///var/run/docker.sock` or `tcp://localhost:2375`"
            )),
        }
    }

    /// Returns the engine of this machine: the first whose socket is there.
    fn of_machine() -> Self {
        let of_user = std::env::var("XDG_RUNTIME_DIR").unwrap_or_default();
        let sockets = [
            "/var/run/docker.sock".to_owned(),
            format!("{of_user}/docker.sock"),
            format!("{of_user}/podman/podman.sock"),
            "/run/podman/podman.sock".to_owned(),
        ];
        let found = sockets.iter().find(|socket| Path::new(socket).exists());
        Self(format!("unix://{}", found.unwrap_or(&sockets[0])))
    }
}

impl Endpoint {
    /// Returns the address.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether `HOST[:PORT]` is this machine.
fn is_here(place: &str) -> bool {
    let host = place.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |address: std::net::IpAddr| address.is_loopback();
    host == "localhost" || host.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, refusal: Option<&str>) {
        match (Endpoint::checked(address, "`host`"), refusal) {
            (Ok(endpoint), None) => assert_eq!(endpoint.as_str(), address),
            (Err(error), Some(refusal)) => assert!(error.contains(refusal), "{error}"),
            (found, _) => panic!("{address}: {found:?}"),
        }
    }

    #[test]
    fn engines_of_other_machines_are_refused() {
        check("unix:///run/docker.sock", None);
        check("tcp://localhost:2375", None);
        check("tcp://127.0.0.1:2375", None);
        check("http://[::1]:2375", None);
        check("tcp://gpu-box:2376", Some("on another machine"));
        check("tcp://10.0.0.7:2375", Some("on another machine"));
        check("ssh://me@localhost", Some("behind TLS or SSH"));
        check("/run/docker.sock", Some("no address of an engine"));
        check("unix://run/docker.sock", Some("no address of an engine"));
    }
}
