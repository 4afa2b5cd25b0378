//! The container of an attempt: its name, its labels, and what the engine is asked for.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerCreateBody, DeviceRequest, HostConfig, Mount, MountType};
use partita_core::digest::Digest;
use partita_core::launcher::{
    Attempt, PROGRAM_ENTRYPOINT, PYTHON_ENTRYPOINT, STANDARD_INPUT, TERMS_VARIABLE,
};
use partita_engine::step_runner::RunContext;
use serde::Serialize;

use super::commands::Commands;
use super::engine::Engine;
use super::settings::{DockerOrchestratorSettings, bytes};
use crate::threads::{VARIABLES, threads};

/// The label with the run's id.
pub(super) const RUN_LABEL: &str = "partita.run";
/// The label with the attempt's id.
pub(super) const ATTEMPT_LABEL: &str = "partita.attempt";
/// The label with the graphics processors that the container has.
pub(super) const GPUS_LABEL: &str = "partita.gpus";

/// Returns the name of an attempt's container. It has nothing that people wrote, so that it is
/// never longer than an engine takes.
pub(super) fn name(attempt: &Attempt) -> String {
    format!("partita-{}-{}-{}", attempt.run_id, attempt.unit(), attempt.number)
}

/// Returns what asks an engine for graphics processors by their ids.
pub(super) fn device_request(gpus: &[String]) -> DeviceRequest {
    DeviceRequest {
        driver: Some(String::new()),
        device_ids: Some(gpus.to_vec()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    }
}

/// Returns what puts a path of this machine into a container.
pub(super) fn mounted(path: &str, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(path.to_owned()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

/// Returns what puts a path of this machine where it is here.
fn as_it_is(path: &str, read_only: bool) -> Mount {
    mounted(path, path, read_only)
}

/// What a container is made of besides its attempt.
pub(super) struct Place<'a> {
    pub(super) context: &'a RunContext,
    pub(super) engine: &'a Engine,
    pub(super) settings: &'a DockerOrchestratorSettings,
    /// The archive of the author's code.
    pub(super) code: Option<Digest>,
    /// What enters steps that are commands.
    pub(super) commands: Option<&'a Commands>,
    /// The graphics processors that it has for itself; `None` where there are none to hand out.
    pub(super) gpus: Option<&'a [String]>,
    /// Whether the values of secrets come through its standard input.
    pub(super) takes_secrets: bool,
}

/// What the entrypoint is told besides its options.
#[derive(Serialize)]
struct Terms<'a> {
    cache_reason: Option<&'a str>,
    is_last: bool,
    /// How many graphics processors it is to see one of.
    #[serde(skip_serializing_if = "is_zero")]
    gpu_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<&'static str>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Place<'_> {
    /// Returns what the engine is asked to create for an attempt.
    pub(super) fn body(&self, attempt: &Attempt, image: &str) -> ContainerCreateBody {
        let store = self.context.store.uri();
        let command = match (attempt.program(), self.commands(attempt)) {
            (Some(program), _) => vec![program.path.clone(), PROGRAM_ENTRYPOINT.to_owned()],
            (None, Some(commands)) => commands.entrypoint(),
            (None, None) => ["python", "-m", PYTHON_ENTRYPOINT].map(str::to_owned).to_vec(),
        };
        let environment = self.environment(attempt);
        let environment = environment.into_iter().map(|(name, value)| format!("{name}={value}"));
        ContainerCreateBody {
            image: Some(image.to_owned()),
            // What the image itself would start is no step.
            entrypoint: Some(command),
            cmd: Some(attempt.entrypoint_arguments(store)),
            env: Some(environment.collect()),
            labels: Some(self.labels(attempt)),
            user: Some(self.user(attempt)),
            open_stdin: Some(self.takes_secrets),
            stdin_once: Some(self.takes_secrets),
            host_config: Some(self.host(attempt, store)),
            ..ContainerCreateBody::default()
        }
    }

    /// Returns what enters a step that is a command.
    fn commands(&self, attempt: &Attempt) -> Option<&Commands> {
        self.commands.filter(|_| attempt.deployment.is_mere_command(attempt.step()))
    }

    /// Returns the user that settings name.
    fn named_user<'a>(&'a self, attempt: &'a Attempt) -> Option<&'a String> {
        self.settings.user.as_ref().or(attempt.step().config.docker.user.as_ref())
    }

    /// Returns who runs the step: whoever began the run, as the engine sees that one.
    fn user(&self, attempt: &Attempt) -> String {
        match self.named_user(attempt) {
            Some(user) => user.clone(),
            None if self.engine.is_rootless => "0:0".to_owned(),
            None => format!("{}:{}", nix::unistd::geteuid(), nix::unistd::getegid()),
        }
    }

    fn environment(&self, attempt: &Attempt) -> BTreeMap<String, String> {
        let terms = Terms {
            cache_reason: attempt.cache_reason.as_deref(),
            is_last: attempt.is_last,
            gpu_count: self.gpus.unwrap_or_default().len(),
            code: self.code.filter(|_| attempt.program().is_none()),
            secrets: self.takes_secrets.then_some(STANDARD_INPUT),
        };
        let count = threads(attempt.step()).to_string();
        let threads = VARIABLES.iter().map(|name| ((*name).to_owned(), count.clone()));
        let mut environment: BTreeMap<String, String> = threads.collect();
        if self.named_user(attempt).is_none() && !self.user(attempt).starts_with("0:") {
            // Images know no home of somebody that they do not know.
            environment.insert("HOME".to_owned(), "/tmp".to_owned());
        }
        if self.gpus.is_some_and(<[String]>::is_empty) {
            environment.insert("NVIDIA_VISIBLE_DEVICES".to_owned(), "void".to_owned());
        }
        environment.extend(self.settings.environment.clone());
        let terms = serde_json::to_string(&terms).unwrap_or_default();
        environment.insert(TERMS_VARIABLE.to_owned(), terms);
        environment
    }

    fn labels(&self, attempt: &Attempt) -> HashMap<String, String> {
        let ours = [
            (RUN_LABEL, attempt.run_id.to_string()),
            ("partita.pipeline", attempt.deployment.pipeline.name.clone()),
            ("partita.step", attempt.step().name.clone()),
            (ATTEMPT_LABEL, attempt.id()),
            (GPUS_LABEL, self.gpus.unwrap_or_default().join(",")),
        ];
        let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value));
        self.settings.labels.clone().into_iter().chain(ours).collect()
    }

    fn host(&self, attempt: &Attempt, store: &str) -> HostConfig {
        let mut host = HostConfig::default();
        self.settings.apply(&mut host);
        let store = store.strip_prefix("file://").map(|folder| as_it_is(folder, false));
        // A program is the code of its steps, and brings what it needs.
        let program = attempt.program().map(|program| as_it_is(&program.path, true));
        let commands = self.commands(attempt).into_iter().flat_map(Commands::mounts);
        host.mounts = Some(store.into_iter().chain(program).chain(commands).collect());
        if self.engine.remaps_users {
            host.userns_mode = Some("host".to_owned());
        }
        let resources = &attempt.step().config.resources;
        if let Some(memory) = resources.memory {
            host.memory = Some(bytes(memory.0));
            host.memory_swap = Some(bytes(memory.0));
        }
        if let Some(cores) = resources.cpu_count {
            host.nano_cpus = Some((cores * 1e9) as i64);
        }
        if let Some(gpus) = self.gpus.filter(|gpus| !gpus.is_empty()) {
            host.device_requests = Some(vec![device_request(gpus)]);
        }
        host
    }
}
