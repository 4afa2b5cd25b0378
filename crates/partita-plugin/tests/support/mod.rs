//! Plugins in shell, and a run of one step for them.

#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use partita_core::deployment::{Deployment, Environment, Pipeline, Step, StepConfig, VERSION};
use partita_core::launcher::{Attempt, Outcome, Reports, Unit};
use partita_core::settings::FailureMode;
use partita_core::stack::{Component, ComponentType, Stack};
use partita_plugin::message::Open;
use partita_plugin::{OpenRun, Patience, Record, Start};
use tempfile::TempDir;

/// A plugin in shell: `answer ID JSON` answers, and `$method`, `$id` and `$line` are of the request.
pub(crate) const SHELL: &str = r#"#!/bin/sh
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
refuse() { printf '{"jsonrpc":"2.0","id":%s,"error":{"code":%s,"message":"%s"}}\n' "$1" "$2" "$3"; }
status() { printf '{"jsonrpc":"2.0","method":"status","params":{"attempt":"%s","status":%s}}\n' "$1" "$2"; }
attempt_of() { attempt=${line#*'"attempt":{"id":"'}; attempt=${attempt%%'"'*}; }
while IFS= read -r line; do
    id=${line#*'"id":'}; id=${id%%,*}
    method=${line#*'"method":"'}; method=${method%%'"'*}
    case $method in
CASES
    hello) answer "$id" '{"protocol":1,"capabilities":["CAN","levitate"]}' ;;
    open) answer "$id" '{"poll_interval":0.001}' ;;
    cancel) answer "$id" '{}' ;;
    *) refuse "$id" -32601 "no such method" ;;
    esac
done
"#;

/// A folder with a plugin in it.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Waits until a plugin has made a file.
    pub(crate) fn wait_for(&self, file: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.path(file).exists() {
            assert!(Instant::now() < end, "there is no `{file}`");
            std::thread::yield_now();
        }
    }

    /// Writes an executable.
    ///
    /// A process of its own writes it: what is open for writing here while another test forks stays open
    /// in its child for a moment, and cannot be started meanwhile.
    pub(crate) fn program(&self, text: &str) -> PathBuf {
        let path = self.path("plugin");
        let script = r#"printf %s "$1" > "$0" && chmod 755 "$0""#;
        let status = Command::new("/bin/sh").args(["-c", script]).arg(&path).arg(text).status();
        assert!(status.unwrap().success());
        path
    }

    /// Writes a plugin with the capability `can` and these cases before the usual ones.
    pub(crate) fn plugin(&self, can: &str, cases: &str) -> Start {
        let cases = cases.replace("FOLDER", &self.0.path().display().to_string());
        let path = self.program(&SHELL.replace("CASES", &cases).replace("CAN", can));
        Start::executable(&path).unwrap()
    }

    /// Returns a run for a plugin, with what it prints.
    pub(crate) fn run(&self, start: Start, answer: Duration) -> (OpenRun, Arc<Printed>) {
        let printed = Arc::new(Printed::default());
        let open = Open {
            component: "queue".to_owned(),
            config: Default::default(),
            run_id: "run".to_owned(),
            pipeline: "line".to_owned(),
            deployment_id: "d".to_owned(),
            artifact_store: "file:///store".to_owned(),
            stack: Default::default(),
            images: Default::default(),
        };
        let end = Duration::from_millis(500);
        let patience = Patience { answer, end, ..Patience::default() };
        let record = Arc::clone(&printed) as _;
        let run = OpenRun {
            hand: Box::new(|_| Ok(None)),
            start,
            open,
            interpreter: "python".into(),
            deployment: attempt(0, 1).deployment,
            committed: Vec::new(),
            patience,
            record,
        };
        (run, printed)
    }
}

/// What a plugin and its jobs printed.
#[derive(Default)]
pub(crate) struct Printed(Mutex<Vec<String>>, AtomicBool);

impl Printed {
    /// Says from now on that attempts are over.
    pub(crate) fn all_are_over(&self) {
        self.1.store(true, Ordering::SeqCst);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Record for Printed {
    fn cleared(&self, text: &str, _is_cut: bool) -> String {
        text.to_owned()
    }

    fn printed(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    fn is_over(&self, _attempt: &Attempt) -> bool {
        self.1.load(Ordering::SeqCst)
    }

    fn goes_by_itself(&self) {}

    fn represented(&self, representation: &str) {
        self.0.lock().unwrap().push(format!("made: {representation}"));
    }

    fn job_printed(&self, attempt: &Attempt, text: &str) {
        self.0.lock().unwrap().push(format!("{}: {text}", attempt.id()));
    }
}

/// Takes reports of ends, and of what is asked for.
pub(crate) struct Ends(Sender<(Unit, u32, Outcome)>, Sender<Option<usize>>);

pub(crate) type Reported = Receiver<(Unit, u32, Outcome)>;

pub(crate) fn reports() -> (Arc<dyn Reports>, Reported) {
    let (reports, reported, _) = all_reports();
    (reports, reported)
}

pub(crate) fn all_reports() -> (Arc<dyn Reports>, Reported, Receiver<Option<usize>>) {
    let ((ends, reported), (asks, asked)) = (unbounded(), unbounded());
    (Arc::new(Ends(ends, asks)), reported, asked)
}

impl Reports for Ends {
    fn ended(&self, unit: Unit, number: u32, outcome: Outcome) {
        let _ = self.0.send((unit, number, outcome));
    }

    fn asked(&self, step: Option<usize>) {
        let _ = self.1.send(step);
    }
}

/// Returns an end in one line.
pub(crate) fn end(reported: &Reported) -> String {
    let (unit, number, outcome) = reported.recv_timeout(Duration::from_secs(60)).unwrap();
    let outcome = match outcome {
        Outcome::Completed(_) => "completed".to_owned(),
        Outcome::Cancelled => "cancelled".to_owned(),
        Outcome::Failed(failure) | Outcome::GaveUp(failure) => match failure.exit_code {
            Some(code) => format!("failed ({code}): {}", failure.message),
            None => format!("failed: {}", failure.message),
        },
    };
    format!("{}/{number} {outcome}", unit.step)
}

/// Returns the attempt with this number at the step with this index.
pub(crate) fn attempt(step: usize, number: u32) -> Attempt {
    let orchestrator = component(ComponentType::Orchestrator);
    let stack = Stack {
        name: "s".to_owned(),
        orchestrators: vec![orchestrator],
        artifact_store: component(ComponentType::ArtifactStore),
        image_builder: None,
        container_registry: None,
    };
    let deployment = Deployment {
        version: VERSION,
        id: "d".to_owned(),
        pipeline: Pipeline {
            name: "line".to_owned(),
            source: "line".to_owned(),
            parameters: Default::default(),
            failure_mode: FailureMode::default(),
            hooks: Default::default(),
        },
        stack,
        environment: Environment::default(),
        sources: Default::default(),
        steps: (0..3).map(a_step).chain([after()]).collect(),
    };
    Attempt {
        deployment: Arc::new(deployment),
        run_id: "run".into(),
        step,
        item: None,
        number,
        cache_reason: None,
        is_last: true,
    }
}

fn component(component_type: ComponentType) -> Component {
    let (name, flavor) = ("queue".to_owned(), "queue".to_owned());
    Component { name, component_type, flavor, config: Default::default() }
}

fn a_step(index: usize) -> Step {
    Step {
        name: format!("step{index}"),
        source: "main:step".to_owned(),
        parameters: Default::default(),
        inputs: Default::default(),
        map_over: None,
        upstream_steps: Vec::new(),
        outputs: Vec::new(),
        config: StepConfig::default(),
    }
}

/// A step that depends on the first one.
fn after() -> Step {
    let upstream_steps = vec!["step0".to_owned()];
    Step { name: "after0".to_owned(), upstream_steps, ..a_step(3) }
}
