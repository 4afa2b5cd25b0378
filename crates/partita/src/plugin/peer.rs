//! Somebody who speaks to a flavor in this process as Partita does.

use std::io::{PipeWriter, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use partita_core::deployment::Deployment;
use partita_core::digest::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::orchestrator::Orchestrator;
use super::serve::serve_on;
use super::{BaseOrchestratorFlavor, PipelineDeploymentResponseModel};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// A step that asks for much, and one after it.
fn deployment() -> Deployment {
    let component = |name, kind| json!({ "name": name, "type": kind, "flavor": "mine" });
    let config = json!({
        "resources": { "cpu_count": 2.0 }, "retry": { "max_retries": 3, "delay": 1.0 },
        "docker": { "parent_image": "train:7" }, "settings": { "partition": "long" },
    });
    let mut deployment: Deployment = serde_json::from_value(json!({
        "version": 1,
        "id": "",
        "pipeline": { "name": "digits", "source": "main:digits", "parameters": { "depth": 3 } },
        "stack": {
            "name": "own",
            "orchestrators": [component("here", "orchestrator")],
            "artifact_store": component("default", "artifact_store"),
        },
        "environment": { "interpreter": "cpython-3.11", "platform": "x86_64-linux-gnu" },
        "sources": {
            "main:report": {
                "program": { "path": "/srv/train", "digest": Digest::of(b"it") }, "parts": [],
            },
        },
        "steps": [
            { "name": "train", "source": "main:train", "config": config },
            { "name": "report", "source": "main:report", "upstream_steps": ["train"] },
        ],
    }))
    .unwrap();
    deployment.id = deployment.content_id().unwrap();
    deployment
}

pub(super) fn read_deployment() -> PipelineDeploymentResponseModel {
    PipelineDeploymentResponseModel::read(&serde_json::to_vec(&deployment()).unwrap()).unwrap()
}

/// Partita's side of a plugin in this process.
pub(super) struct Peer {
    /// `None` once nothing more is said.
    out: Option<PipeWriter>,
    heard: Receiver<Vec<u8>>,
    /// What was heard before it was asked for.
    kept: Vec<Value>,
    serving: Option<JoinHandle<()>>,
    pub(super) folder: TempDir,
}

struct Lines(Sender<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(data.to_vec());
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Peer {
    /// Begins to speak to a flavor, with a deployment in its artifact store.
    pub(super) fn of<F, Way>(flavor: F) -> Self
    where
        F: BaseOrchestratorFlavor + Send + 'static,
        F::Implementation: Orchestrator<Way, Config = F::Config>,
    {
        let folder = tempfile::tempdir().unwrap();
        let deployment = deployment();
        let path = folder.path().join(format!("deployments/{}.json", deployment.id));
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(path, serde_json::to_vec(&deployment).unwrap()).unwrap();
        let (input, out) = std::io::pipe().unwrap();
        let (sender, heard) = channel();
        let serve = move || {
            serve_on(flavor, input, Box::new(Lines(sender)));
        };
        Self {
            out: Some(out),
            heard,
            kept: Vec::new(),
            serving: Some(thread::spawn(serve)),
            folder,
        }
    }

    /// Returns one whose run is opened, and has begun.
    pub(super) fn in_run<F, Way>(flavor: F) -> Self
    where
        F: BaseOrchestratorFlavor + Send + 'static,
        F::Implementation: Orchestrator<Way, Config = F::Config>,
    {
        let mut peer = Self::of(flavor);
        let (open, run) = (peer.open(json!({})), json!({ "environment": {} }));
        peer.say(json!({ "jsonrpc": "2.0", "id": 1, "method": "open", "params": open }));
        assert!(peer.hear()["result"]["mode"].is_string());
        peer.say(json!({ "jsonrpc": "2.0", "id": 2, "method": "run", "params": run }));
        peer
    }

    pub(super) fn open(&self, config: Value) -> Value {
        json!({
            "component": "here", "config": config, "run_id": "r1", "pipeline": "digits",
            "deployment_id": deployment().id,
            "artifact_store": format!("file://{}", self.folder.path().display()),
            "stack": { "name": "own", "components": [] },
            "images": { "train": "train:7" },
        })
    }

    pub(super) fn say(&mut self, message: Value) {
        writeln!(self.out.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Says nothing more, and waits until the flavor is not served any more.
    pub(super) fn leave(&mut self) {
        self.out = None;
        self.serving.take().unwrap().join().unwrap();
    }

    /// Returns the next message.
    pub(super) fn hear(&mut self) -> Value {
        self.hear_that(|_| true)
    }

    /// Returns the next message of a kind. What is told by different threads has no order.
    fn hear_that(&mut self, is_meant: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(place) = self.kept.iter().position(&is_meant) {
                return self.kept.remove(place);
            }
            let line = self.heard.recv_timeout(LONG).unwrap();
            self.kept.push(serde_json::from_slice(&line).unwrap());
        }
    }

    /// Answers the question about a step with a command of a shell in place of an entrypoint.
    pub(super) fn give(&mut self, command: &str, image: Option<&str>) {
        self.give_after(command, image, |_| {});
    }

    /// Answers it once something else was done.
    pub(super) fn give_after(
        &mut self,
        command: &str,
        image: Option<&str>,
        act: impl Fn(&mut Self),
    ) {
        let asked = self.hear();
        act(self);
        assert_eq!(
            (&asked["method"], &asked["params"]),
            (&json!("step"), &json!({"step": "train"}))
        );
        let attempt = json!({
            "attempt": { "id": "r1/0/1", "run_id": "r1", "step": "train", "number": 1 },
            "command": ["sh", "-c", command, self.folder.path()], "image": image,
            "environment": { "TOLD": "3" }, "resources": {}, "settings": { "partition": "long" },
        });
        let result = json!({ "attempt": attempt });
        self.say(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }));
    }

    pub(super) fn cancel(&mut self) {
        let params = json!({ "job": "r1/0/1" });
        self.say(json!({ "jsonrpc": "2.0", "id": 9, "method": "cancel", "params": params }));
        let answer = self.hear_that(|said| said["id"] == 9);
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 9, "result": {} }));
    }

    /// Waits until a command has written to a file, and returns what it wrote.
    pub(super) fn written(&self, name: &str) -> String {
        let end = Instant::now() + LONG;
        loop {
            let text = std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
            if text.ends_with('\n') {
                return text.trim().to_owned();
            }
            assert!(Instant::now() < end, "nothing is written to `{name}`");
            thread::yield_now();
        }
    }

    /// Checks how the attempt is told to have ended.
    pub(super) fn check_status(&mut self, expected: Value) {
        let told = self.hear_that(|said| said["method"] == "status");
        assert_eq!(told["params"], json!({ "attempt": "r1/0/1", "status": expected }));
    }
}

/// Checks that a process ends, or has.
pub(super) fn check_ends(process: &str) {
    let end = Instant::now() + LONG;
    let status = format!("/proc/{process}/stat");
    while std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < end, "the process {process} lives");
        thread::yield_now();
    }
}
