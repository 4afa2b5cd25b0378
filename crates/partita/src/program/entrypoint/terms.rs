//! What a launcher says of an attempt besides the options.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;
use partita_cli::error::FAILED;
use partita_cli::terminal::shell_word;
use partita_core::launcher::{STANDARD_INPUT, TERMS_VARIABLE};
use partita_core::secret;
use partita_engine::secrets::Secrets;
use partita_engine::step_runner::{StepEntry, Try};
use serde::{Deserialize, Serialize};

use super::Refused;

/// How the memory is called that an engine hands secrets over in.
const HANDED: &str = "/memfd:partita-secrets";

/// What a launcher says.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Terms {
    cache_reason: Option<String>,
    is_last: Option<bool>,
    memory: Option<u64>,
    gpu_count: u32,
    parent: Option<u32>,
    secrets: Option<String>,
    /// Whether it records what the process prints.
    pub(super) is_recorded: bool,
    /// Whether lines are shown with the step's name, for whoever mixes them with those of others.
    pub(super) is_labelled: bool,
    /// Whether the attempt was claimed, where no engine counts them.
    is_claimed: bool,
}

impl Terms {
    /// Returns what this process was told. Who says something records what the process prints, unless
    /// it says otherwise.
    pub(super) fn from_environment() -> Result<Self, Refused> {
        #[derive(Deserialize)]
        struct Recorded {
            #[serde(default = "yes")]
            is_recorded: bool,
            is_labelled: Option<bool>,
        }
        fn yes() -> bool {
            true
        }
        let Ok(text) = std::env::var(TERMS_VARIABLE) else { return Ok(Self::default()) };
        let Recorded { is_recorded, is_labelled } = serde_json::from_str(&text)?;
        let is_labelled = is_labelled.unwrap_or(!is_recorded);
        Ok(Self { is_recorded, is_labelled, ..serde_json::from_str(&text)? })
    }

    /// Returns whether the launcher tells how the attempt failed.
    pub(super) fn is_told(&self) -> bool {
        self.is_recorded || self.is_last.is_some() // Engines know, and nobody else.
    }

    /// Returns what an attempt is told that this process has claimed and starts.
    pub(super) fn of_claimed(&self, entry: &StepEntry) -> Self {
        let memory = entry.step().config.resources.memory.map(|memory| memory.0);
        Self {
            memory: self.memory.or(memory),
            parent: Some(std::process::id()),
            is_claimed: true,
            ..self.clone()
        }
    }

    /// Returns which attempt this number is.
    pub(super) fn which(&self, number: u32) -> Try {
        match self.is_claimed {
            true => Try::Claimed(number),
            false => Try::Launched {
                number,
                cache_reason: self.cache_reason.clone(),
                is_last: self.is_last,
            },
        }
    }

    /// Makes this process one that keeps to them.
    pub(super) fn apply(&self) -> Result<(), Refused> {
        if let Some(parent) = self.parent {
            set_pdeathsig(Signal::SIGKILL)?;
            if getppid().as_raw().unsigned_abs() != parent {
                return Err(Refused(FAILED, "the process that started it has ended".to_owned()));
            }
        }
        if let Some(limit) = self.memory {
            let (_, most) = getrlimit(Resource::RLIMIT_DATA)?;
            setrlimit(Resource::RLIMIT_DATA, limit.min(most), limit.min(most))?;
        }
        Ok(())
    }

    /// Checks that a step sees one, where its launcher has given it graphics processors.
    ///
    /// # Errors
    /// Why it cannot begin.
    pub(super) fn check_gpus(&self, entry: &StepEntry) -> Result<(), String> {
        entry.missing_gpus(self.gpu_count).map_or(Ok(()), Err)
    }

    /// Gives a step the values of the secrets that it takes, from where the launcher put them.
    ///
    /// # Errors
    /// Why they are not there.
    pub(super) fn hand_secrets(&self, entry: &StepEntry) -> Result<(), String> {
        let Some(path) = &self.secrets else { return Ok(()) };
        let takes_none = secret::taken_by(entry.step()).is_empty();
        let what = format!("the secrets of step `{}`", entry.step().name);
        // The number of an engine that is gone may be another process's by now.
        let is_theirs = |path: PathBuf| path.to_string_lossy().starts_with(HANDED);
        let read = match path.as_str() {
            STANDARD_INPUT => {
                let mut handed = Vec::new();
                std::io::stdin().read_to_end(&mut handed).map(|_| handed)
            }
            path => fs::read_link(path).and_then(|found| match is_theirs(found) {
                true => fs::read(path),
                false => Err(ErrorKind::NotFound.into()),
            }),
        };
        if takes_none && read.is_err() {
            return Ok(()); // They were the orchestrator's own, for the redactor alone.
        }
        let handed = read.map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!(
                "{what} are gone with the engine of the run, or do not get here: if that has ended before the step began, `partita runs resume {}` hands them over anew; if the step runs in a container or on another machine, let it run on an orchestrator of flavor `docker`, `process` or `local`, or find the value by itself",
                shell_word(&entry.run_entry().header().name)
            ),
            _ => format!(
                "{what} cannot be read from the orchestrator's process: {error}; let processes of one user see one another"
            ),
        })?;
        let secrets = Secrets::decode(&handed).map_err(|error| format!("{what}: {error}"))?;
        entry.run_entry().give_secrets(secrets);
        Ok(())
    }
}
