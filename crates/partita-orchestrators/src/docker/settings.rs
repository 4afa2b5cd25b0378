//! What pipelines and steps say of their containers: the options of `docker run`, with types.

use std::collections::BTreeMap;

use bollard::models::{DeviceMapping, HostConfig, ResourcesUlimits};
use partita_core::literal::Literal;
use partita_core::secret::Reference;
use partita_core::settings::Memory;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where programs put what passes.
const PASSING: &str = "/tmp";

/// The settings of steps on a `docker` orchestrator. What a step gives takes the place of what the
/// orchestrator's configuration says, key by key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DockerOrchestratorSettings {
    /// Variables of the container's environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Folders and named volumes, as `SOURCE:TARGET` or `SOURCE:TARGET:ro`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The network: `none`, `host`, `container:NAME`, or the name of one; by default the engine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The user that the step is run by, as `UID` or `UID:GID`; by default whoever began the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// More groups of that user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Names of hosts, as `NAME:ADDRESS`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Name servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// Devices of the machine, as `PATH`, `PATH:TARGET` or `PATH:TARGET:rwm`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// Folders in memory, with the options of their mounts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tmpfs: BTreeMap<String, String>,
    /// The size of `/dev/shm`, which the workers of data loaders share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<Memory>,
    /// The processors that it may run on, as in `0-3,8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset: Option<String>,
    /// How many processes it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<u32>,
    /// Limits of its processes, as `NAME=SOFT` or `NAME=SOFT:HARD`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ulimits: Vec<String>,
    /// Capabilities of the kernel that it gets besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<String>,
    /// Capabilities of the kernel that it does without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_drop: Vec<String>,
    /// Options of the security modules, such as `no-new-privileges`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_options: Vec<String>,
    /// Whether it may do all that the machine's root may.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub privileged: bool,
    /// Whether its file system cannot be written to, besides what is mounted; where nothing is at `/tmp`,
    /// that is a folder in memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Whether the engine's own `init` is the first process, and not the step itself, which the
    /// system would then spare from signals; by default it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// The memory of other containers or the machine that it shares: `host`, `container:NAME`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc: Option<String>,
    /// The container runtime, such as `nvidia`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// More labels of the container.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl DockerOrchestratorSettings {
    /// Returns these settings with those of a step put in.
    ///
    /// # Errors
    /// What is wrong with the step's.
    pub(super) fn with(&self, of_step: &BTreeMap<String, Literal>) -> Result<Self, String> {
        if of_step.is_empty() {
            return Ok(self.clone());
        }
        let merged = || -> Result<Self, serde_json::Error> {
            let mut all = serde_json::to_value(self)?;
            if let serde_json::Value::Object(all) = &mut all {
                for (key, value) in of_step {
                    all.insert(key.clone(), serde_json::to_value(value)?);
                }
            }
            serde_json::from_value(all)
        };
        let merged = merged().map_err(|error| error.to_string())?;
        merged.check()?;
        Ok(merged)
    }

    /// Checks what the types leave open.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(wrong) = self.volumes.iter().find(|text| !is_volume(text)) {
            return Err(format!(
                "`{wrong}` is no volume; write `SOURCE:TARGET`, with paths from `/`"
            ));
        }
        if let Some(wrong) = self.ulimits.iter().find(|text| ulimit(text).is_none()) {
            return Err(format!("`{wrong}` is no limit; write one as `nofile=1024:4096`"));
        }
        let is_name = |name: &&String| name.is_empty() || name.contains('=');
        if let Some(wrong) = self.environment.keys().find(is_name) {
            return Err(format!("`{wrong}` is no name of a variable in `environment`"));
        }
        if let Some(secret) = serde_json::to_value(self).ok().as_ref().and_then(reference) {
            return Err(format!(
                "the value of `{secret}` would be shown to everybody who may ask the engine; give the secret to the step, as the value of an input"
            ));
        }
        if let Some(wrong) = self.tmpfs.keys().find(|folder| !folder.starts_with('/')) {
            return Err(format!("`{wrong}` in `tmpfs` is no folder; begin it with `/`"));
        }
        if let Some(wrong) = self.cpuset.iter().find(|text| !is_cpuset(text)) {
            return Err(format!(
                "`{wrong}` in `cpuset` names no processors; write them as `0-3,8`"
            ));
        }
        if let Some(wrong) = self.devices.iter().find(|text| !text.starts_with('/')) {
            return Err(format!("`{wrong}` is no device; write a path, as in `/dev/fuse`"));
        }
        if let Some(wrong) = self.hosts.iter().find(|text| !text.contains(':')) {
            return Err(format!("`{wrong}` is no host with its address; write `NAME:ADDRESS`"));
        }
        Ok(())
    }

    /// Returns the folders in memory. The code arrives in the one for what passes, so that there is always one.
    fn tmpfs(&self) -> BTreeMap<String, String> {
        let mut folders = self.tmpfs.clone();
        let is_there =
            |target: Option<&str>| target.is_some_and(|path| path.trim_end_matches('/') == PASSING);
        let is_mounted = self.volumes.iter().any(|text| is_there(text.split(':').nth(1)))
            || folders.keys().any(|folder| is_there(Some(folder)));
        if self.read_only && !is_mounted {
            folders.insert(PASSING.to_owned(), "exec".to_owned());
        }
        folders
    }

    /// Puts them into what the engine is asked for.
    pub(super) fn apply(&self, host: &mut HostConfig) {
        let filled = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        host.binds = filled(&self.volumes);
        host.network_mode = self.network.clone();
        host.group_add = filled(&self.groups);
        host.extra_hosts = filled(&self.hosts);
        host.dns = filled(&self.dns);
        host.devices = Some(self.devices.iter().map(|text| device(text)).collect());
        host.tmpfs = Some(self.tmpfs().into_iter().collect());
        host.shm_size = self.shm_size.map(|size| bytes(size.0));
        host.cpuset_cpus = self.cpuset.clone();
        host.pids_limit = self.pids_limit.map(i64::from);
        host.ulimits = Some(self.ulimits.iter().filter_map(|text| ulimit(text)).collect());
        host.cap_add = filled(&self.cap_add);
        host.cap_drop = filled(&self.cap_drop);
        host.security_opt = filled(&self.security_options);
        host.privileged = Some(self.privileged);
        host.readonly_rootfs = Some(self.read_only);
        host.init = Some(self.init.unwrap_or(true));
        host.ipc_mode = self.ipc.clone();
        host.runtime = self.runtime.clone();
    }
}

/// Returns a text somewhere in a value that refers to a secret.
fn reference(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Reference::parse(text).is_some().then_some(text),
        Value::Array(values) => values.iter().find_map(reference),
        Value::Object(values) => values.values().find_map(reference),
        _ => None,
    }
}

/// Returns bytes as the API counts them.
pub(super) fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn is_volume(text: &str) -> bool {
    let mut parts = text.split(':');
    let (source, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    !source.is_empty() && target.starts_with('/')
}

fn is_cpuset(text: &str) -> bool {
    let is_range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let numbers = (first.parse::<u32>(), last.parse::<u32>());
        matches!(numbers, (Ok(first), Ok(last)) if first <= last)
    };
    text.split(',').all(is_range)
}

fn device(text: &str) -> DeviceMapping {
    let mut parts = text.split(':').map(str::to_owned);
    let path = parts.next();
    DeviceMapping {
        path_in_container: parts.next().or_else(|| path.clone()),
        path_on_host: path,
        cgroup_permissions: Some(parts.next().unwrap_or_else(|| "rwm".to_owned())),
    }
}

fn ulimit(text: &str) -> Option<ResourcesUlimits> {
    let (name, limits) = text.split_once('=')?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (soft, hard) = (soft.parse().ok()?, hard.parse().ok()?);
    Some(ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> DockerOrchestratorSettings {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_step_replaces_what_the_orchestrator_says_key_by_key() {
        let all = settings(r#"{"network": "none", "volumes": ["/a:/b"], "init": true}"#);
        let of_step = r#"{"volumes": ["/c:/d:ro"], "init": false, "shm_size": "1GB"}"#;
        let merged = all.with(&serde_json::from_str(of_step).unwrap()).unwrap();
        let expected =
            r#"{"network": "none", "volumes": ["/c:/d:ro"], "shm_size": "1GB", "init": false}"#;
        assert_eq!(merged, settings(expected));
        let wrong = all.with(&serde_json::from_str(r#"{"ulimits": ["nofile"]}"#).unwrap());
        assert!(wrong.unwrap_err().contains("`nofile=1024:4096`"));
        let check = |text: &str, words: &str| {
            let wrong = settings(text).check().unwrap_err();
            assert!(wrong.contains(words), "{wrong}");
        };
        check(r#"{"environment": {"T": "{{a.b}}"}}"#, "would be shown to everybody");
        check(r#"{"tmpfs": {"tmp": ""}}"#, "begin it with `/`");
        check(r#"{"hosts": ["here"]}"#, "write `NAME:ADDRESS`");
        check(r#"{"cpuset": "0-1,3-2"}"#, "write them as `0-3,8`");
        check(r#"{"devices": ["fuse"]}"#, "as in `/dev/fuse`");
        assert_eq!(settings(r#"{"cpuset": "0-3,8", "devices": ["/dev/fuse"]}"#).check(), Ok(()));
    }

    #[test]
    fn what_passes_has_a_place_where_nothing_else_can_be_written() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let folders = settings(text).tmpfs();
            let found: Vec<_> = folders.iter().map(|(at, how)| (&**at, &**how)).collect();
            assert_eq!(found, expected, "{text}");
        };
        check(r#"{}"#, &[]);
        check(r#"{"read_only": true}"#, &[("/tmp", "exec")]);
        check(r#"{"read_only": true, "tmpfs": {"/tmp/": "size=1m"}}"#, &[("/tmp/", "size=1m")]);
        check(r#"{"read_only": true, "volumes": ["/a:/tmp"]}"#, &[]);
    }

    #[test]
    fn what_is_written_in_one_word_is_taken_apart() {
        let mut host = HostConfig::default();
        let text = r#"{"devices": ["/dev/fuse", "/dev/a:/dev/b:r"], "ulimits": ["nofile=1:2"]}"#;
        settings(text).apply(&mut host);
        let devices = host.devices.unwrap();
        let device = |at: usize| {
            let DeviceMapping { path_on_host, path_in_container, cgroup_permissions } =
                &devices[at];
            [path_on_host, path_in_container, cgroup_permissions].map(|part| part.clone().unwrap())
        };
        assert_eq!(device(0), ["/dev/fuse", "/dev/fuse", "rwm"]);
        assert_eq!(device(1), ["/dev/a", "/dev/b", "r"]);
        let limit = host.ulimits.unwrap().remove(0);
        assert_eq!((limit.soft, limit.hard), (Some(1), Some(2)));
    }
}
