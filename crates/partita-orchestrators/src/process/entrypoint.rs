//! What the processes of steps are started with, and a step entrypoint that is started anew.

use std::collections::BTreeMap;
use std::io::PipeWriter;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use partita_core::deployment::Step;
use partita_core::launcher::{Attempt, PROGRAM_ENTRYPOINT, TERMS_VARIABLE};
use partita_engine::secrets::Handed;
use partita_engine::step_runner::RunContext;
use serde::Serialize;

use crate::gpus::OwnGpus;
use crate::output::Echo;
use crate::threads::{VARIABLES, threads};

use super::config::ProcessOrchestratorConfig;
use super::lock::{MARK, ProcessLock};

/// What keeps libraries from starting threads while they are imported: Arrow's allocator has one
/// that gives memory back, which it does without as well. Pandas, and so scikit-learn, imports Arrow
/// where it is installed.
const NO_THREADS: [(&str, &str); 1] = [("JE_ARROW_MALLOC_CONF", "background_thread:false")];

/// What `python -m partita.entrypoints.entrypoint` does, without the modules by which `-m` finds it,
/// whose import takes 5 ms, and without looking for garbage meanwhile, which takes one more.
const ENTRY: &str = "import gc; gc.disable(); \
    from partita.entrypoints.entrypoint import start; gc.enable(); start()";

/// Characters of a reason that a process is told.
const MOST_OF_REASON: usize = 4096;

/// What all processes of a run are started with.
pub(super) struct Setup {
    pub(super) context: Arc<RunContext>,
    pub(super) config: ProcessOrchestratorConfig,
    pub(super) gpus: Arc<OwnGpus>,
    pub(super) interpreter: PathBuf,
    /// The program that drives the run, if one does.
    pub(super) program: Option<PathBuf>,
    pub(super) echo: Arc<dyn Echo>,
    /// The name of the orchestrator.
    pub(super) orchestrator: String,
}

/// What a launcher says of an attempt besides the options of its entrypoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Terms {
    /// Why the step was not cached.
    cache_reason: Option<String>,
    /// Whether no attempt follows if this one fails.
    is_last: bool,
    /// Bytes of memory that the process may use.
    memory: Option<u64>,
    /// The graphics processors that the step sees; `None` where there are none to hand out.
    gpus: Option<String>,
    /// The process with which it ends.
    parent: u32,
    /// Where the process finds the values of the secrets that the step takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<String>,
    /// Where the process says that it is done, and what it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) done: Option<[String; 2]>,
}

impl Terms {
    pub(super) fn of(attempt: &Attempt, gpus: Option<&[String]>, handed: Option<&Handed>) -> Self {
        Self {
            cache_reason: attempt.cache_reason.as_deref().map(shortened),
            is_last: attempt.is_last,
            memory: attempt.step().config.resources.memory.map(|memory| memory.0),
            gpus: gpus.map(|ids| ids.join(",")),
            parent: std::process::id(),
            secrets: handed.map(Handed::path),
            done: None,
        }
    }
}

/// Returns a reason without what would make a message or an environment too long for the system.
fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(MOST_OF_REASON) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// Returns why a step cannot be forked from a process that has imported its modules, if so.
pub(super) fn needs_own_start(step: &Step) -> Option<&'static str> {
    let resources = &step.config.resources;
    if threads(step) > 1 {
        Some("the number of threads is set before its modules are imported")
    } else if resources.gpus() > 0 {
        Some("its GPUs are chosen before its modules are imported")
    } else {
        None
    }
}

impl Setup {
    /// Returns the variables of a process whose libraries may use this many threads. What the
    /// author has set stays, for a step that asks for no cores.
    pub(super) fn environment(&self, threads: usize) -> BTreeMap<&'static str, String> {
        let is_free = |name: &&&str| threads > 1 || std::env::var_os(name).is_none();
        VARIABLES.iter().filter(is_free).map(|name| (*name, threads.to_string())).collect()
    }

    /// Returns the variables of a process that is to fork, and so to have a single thread. What the
    /// author has set stays.
    pub(super) fn forking_environment(&self) -> BTreeMap<&'static str, String> {
        let free = NO_THREADS.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
        let mut environment = self.environment(1);
        environment.extend(free.map(|(name, value)| (name, value.to_owned())));
        environment
    }

    /// Starts the step entrypoint for an attempt.
    pub(super) fn start_entrypoint(
        &self,
        attempt: &Attempt,
        terms: &Terms,
        [stdout, stderr]: &[PipeWriter; 2],
        lock: &ProcessLock,
    ) -> std::io::Result<Child> {
        let mut command = match attempt.program() {
            Some(program) => {
                let mut command = Command::new(&program.path);
                command.arg(PROGRAM_ENTRYPOINT);
                // Python does this by itself, for its forks.
                command.envs(terms.gpus.as_ref().map(|gpus| ("CUDA_VISIBLE_DEVICES", gpus)));
                command
            }
            None => {
                let mut command = Command::new(&self.interpreter);
                command.args(["-c", ENTRY]);
                command
            }
        };
        command
            .args(attempt.entrypoint_arguments(self.context.store.uri()))
            .env(TERMS_VARIABLE, serde_json::to_string(terms)?)
            .env(MARK, lock.path())
            .envs(self.environment(threads(attempt.step())))
            .stdin(Stdio::from(lock.file().try_clone()?))
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .process_group(0);
        command.spawn()
    }
}
