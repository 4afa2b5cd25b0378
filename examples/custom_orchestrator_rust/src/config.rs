//! What sandboxes are made of.

use partita::plugin::{BaseOrchestratorConfig, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a step does not share with the rest of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Namespace {
    /// Users: the step may do no more than you, and needs no root to be in a sandbox.
    User,
    /// Processes: the step sees its own alone, and none of them outlives it.
    Pid,
    /// Shared memory and message queues.
    Ipc,
    /// The network: the step has none.
    Net,
}

impl Namespace {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Pid => "pid",
            Self::Ipc => "ipc",
            Self::Net => "net",
        }
    }

    /// Returns the options of `unshare` that make it.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::User => &["--user", "--map-current-user"],
            Self::Pid => &["--pid", "--mount-proc"],
            Self::Ipc => &["--ipc"],
            Self::Net => &["--net"],
        }
    }
}

/// How the steps of a component are kept apart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxConfig {
    /// What each step gets of its own.
    #[serde(default = "usual")]
    namespaces: Vec<Namespace>,
    /// A class of yours that enters steps, by its dotted path; it is told `--namespaces`.
    #[serde(default)]
    pub(crate) entrypoint: Option<String>,
    /// Whether to say after each step what it took of the processor and of memory.
    #[serde(default)]
    pub(crate) measure: bool,
}

fn usual() -> Vec<Namespace> {
    vec![Namespace::User, Namespace::Pid, Namespace::Ipc]
}

impl SandboxConfig {
    /// Returns the names of what each step gets of its own.
    pub(crate) fn namespaces(&self) -> String {
        let names: Vec<&str> = self.namespaces.iter().map(|namespace| namespace.name()).collect();
        names.join(",")
    }

    /// Returns the beginning of a command that is to run in a sandbox. What it starts ends with
    /// whoever started it.
    pub(crate) fn unshare(&self) -> Vec<&'static str> {
        let mut command = vec!["setpriv", "--pdeathsig=KILL", "unshare", "--kill-child"];
        command.extend(self.namespaces.iter().flat_map(|namespace| namespace.options()));
        command
    }
}

impl BaseOrchestratorConfig for SandboxConfig {
    fn problems(&self) -> Vec<Problem> {
        let none = self.namespaces.is_empty().then(|| {
            let why = "a sandbox has one namespace at least; a step without any runs on `process`";
            Problem::of("namespaces", why)
        });
        let both = (self.measure && self.entrypoint.is_some()).then(|| {
            Problem::of("measure", "steps are entered by `entrypoint` or measured; leave one out")
        });
        none.into_iter().chain(both).collect()
    }
}
