//! An orchestrator as an executable of its own: each step is a child process of the plugin.
//!
//! ```sh
//! cargo build -p partita-plugin --example child_processes
//! partita orchestrator flavor register ./target/debug/examples/child_processes
//! partita orchestrator register children --flavor=child_processes --nice=5
//! partita stack register children -o children -a default --set
//! ```

use std::collections::HashMap;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use partita_plugin::frame::RpcError;
use partita_plugin::message::{
    Amount, Any, Launch, Open, Problem, State, Status, Supply, capability,
};
use partita_plugin::{Launcher, OrchestratorFlavor, Reporter, serve};
use schemars::JsonSchema;
use serde::Deserialize;

/// Runs steps as children of the plugin.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// How much steps stand back for other processes, from 0 to 19.
    #[serde(default)]
    nice: u8,
}

struct ChildProcesses;

impl OrchestratorFlavor for ChildProcesses {
    type Config = Config;

    fn name(&self) -> String {
        "child_processes".to_owned()
    }

    fn description(&self) -> String {
        "Runs every step as a child process of the plugin.".to_owned()
    }

    fn capabilities(&self) -> Vec<String> {
        vec![capability::STATUS.to_owned()]
    }

    fn supply(&self) -> Supply {
        // The step's entrypoint keeps its process to what it asks for.
        Supply { max_parallelism: Some(4), memory: Amount::Any(Any::Any), ..Supply::default() }
    }

    fn check(&self, config: &Config) -> Vec<Problem> {
        let field = Some("nice".to_owned());
        let message = format!("it is {}, and must be from 0 to 19", config.nice);
        if config.nice < 20 { Vec::new() } else { vec![Problem { field, message }] }
    }

    fn open(
        &self,
        _run: Open,
        config: Config,
        reporter: Reporter,
    ) -> Result<Box<dyn Launcher>, RpcError> {
        Ok(Box::new(Children { config, reporter, running: Arc::default() }))
    }
}

/// The children that run, by process id.
type Running = Arc<Mutex<HashMap<String, Pid>>>;

struct Children {
    config: Config,
    reporter: Reporter,
    running: Running,
}

impl Launcher for Children {
    fn launch(&mut self, launch: Launch) -> Result<String, RpcError> {
        let mut child = Command::new("nice")
            .arg(format!("-n{}", self.config.nice))
            .args(&launch.command)
            .envs(&launch.environment)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| RpcError::failed(format!("`nice` cannot be started: {error}")))?;
        let job = child.id().to_string();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(job.clone(), pid);
        let (running, reporter, own) =
            (Arc::clone(&self.running), self.reporter.clone(), job.clone());
        thread::spawn(move || {
            let code = child.wait().ok().and_then(|status| status.code());
            running.lock().unwrap_or_else(PoisonError::into_inner).remove(&own);
            let state = if code == Some(0) { State::Completed } else { State::Failed };
            let status = Status { state, exit_code: code, message: None };
            reporter.ended(&launch.attempt.id, status);
        });
        Ok(job)
    }

    fn poll(&mut self, job: &str) -> Result<Status, RpcError> {
        let is_running =
            self.running.lock().unwrap_or_else(PoisonError::into_inner).contains_key(job);
        let state = if is_running { State::Active } else { State::Completed };
        Ok(Status { state, exit_code: None, message: None })
    }

    fn cancel(&mut self, job: &str) -> Result<(), RpcError> {
        if let Some(pid) = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(job) {
            let _ = kill(*pid, Signal::SIGTERM);
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    serve(ChildProcesses)
}
