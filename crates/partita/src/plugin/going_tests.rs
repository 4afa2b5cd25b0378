//! An orchestrator that goes through the steps, and what is said to it and by it.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::plugin::peer::{Peer, check_ends, read_deployment};
use crate::plugin::{
    Attempt, BaseEntrypointConfiguration, BaseOrchestratorFlavor, EntrypointArguments, JobReport,
    Resources, Run, StepEntrypointConfiguration, StepLauncher,
};

#[derive(Clone, Deserialize, JsonSchema)]
struct Config {
    #[serde(default = "yes")]
    waits: bool,
    /// What it calls the run, if it has a name for it.
    flow: Option<String>,
}

fn yes() -> bool {
    true
}

impl BaseOrchestratorConfig for Config {
    fn is_synchronous(&self) -> bool {
        self.waits
    }
}

struct Flavor(Delegates);

impl BaseOrchestratorFlavor for Flavor {
    type Config = Config;
    type Implementation = Mine;

    fn name(&self) -> &str {
        "mine"
    }

    fn supply(&self) -> Supply {
        Supply { delegates: self.0, ..Supply::default() }
    }
}

/// Runs the first step, or writes down how it is entered.
struct Mine {
    run: Run,
    config: Config,
}

impl BaseOrchestrator for Mine {
    type Config = Config;

    fn new(run: Run, config: Config) -> Result<Self> {
        Ok(Self { run, config })
    }

    fn run(&self) -> &Run {
        &self.run
    }

    fn get_orchestrator_run_id(&self) -> &str {
        self.config.flow.as_deref().unwrap_or(&self.run.run_id)
    }

    fn prepare_or_run_pipeline(
        &self,
        deployment: &PipelineDeploymentResponseModel,
        _stack: &Stack,
        environment: &Environment,
    ) -> Result<Option<String>> {
        let train = &deployment.steps["train"];
        if self.config.waits {
            return self.run_step(train).map(|()| None);
        }
        let set = environment.iter().map(|(name, value)| format!("{name}={value}"));
        Ok(Some(set.chain(self.get_step_entrypoint(train)?).collect::<Vec<_>>().join(" ")))
    }

    fn entrypoint(&self) -> &dyn StepEntrypointConfiguration {
        self
    }
}

impl StepEntrypointConfiguration for Mine {}

impl BaseEntrypointConfiguration for Mine {
    fn get_entrypoint_options(&self) -> Vec<String> {
        if self.config.waits { Vec::new() } else { vec!["partition".to_owned()] }
    }

    fn get_entrypoint_arguments(&self, arguments: &EntrypointArguments) -> Vec<String> {
        let partition = arguments.settings["partition"].as_str().unwrap();
        self.get_entrypoint_options().iter().map(|name| format!("--{name}={partition}")).collect()
    }
}

/// Has both sides say what a golden file says, with the values of `ours` in place of its own.
fn play(golden: &str, flavor: Flavor, config: Value, ours: impl Fn(&mut Value)) {
    let mut peer = Peer::of(flavor);
    let mut id = Value::Null;
    for line in golden.lines() {
        let (who, message) = line.split_once(": ").unwrap();
        let mut message: Value = serde_json::from_str(message).unwrap();
        if message["id"].is_string() {
            message["id"] = id.clone(); // Of the plugin's own questions, which it numbers as it likes.
        }
        if who == "partita" {
            if message["method"] == "open" {
                message["params"] = peer.open(config.clone());
            }
            ours(&mut message);
            peer.say(message);
        } else {
            let said = peer.hear();
            if said["method"] == "step" {
                id = said["id"].clone();
                message["id"] = id.clone();
            }
            ours(&mut message);
            assert_eq!(said, message);
        }
    }
}

#[test]
fn one_that_runs_steps_says_what_the_golden_file_says() {
    let golden = include_str!("../../../partita-plugin/tests/golden/direct.txt");
    play(golden, Flavor(Delegates::No), json!({}), |message| {
        if let Some(command) = message.pointer_mut("/result/attempt/command") {
            *command = json!(["true"]);
        }
        if let Some(status) = message.pointer_mut("/params/status") {
            status["exit_code"] = 0.into();
        }
        // What it can do for single jobs is a launcher's to say.
        if message.pointer("/result/mode").is_some() {
            message["result"].as_object_mut().unwrap().remove("capabilities");
        }
    });
}

#[test]
fn one_that_delegates_says_what_the_golden_file_says() {
    let golden = include_str!("../../../partita-plugin/tests/golden/delegated.txt");
    let config = json!({ "waits": false });
    play(golden, Flavor(Delegates::Yes), config, |message| {
        if let Some(representation) = message.pointer_mut("/result/representation") {
            *representation = json!(
                "PARTITA_ATTEMPT={\"is_recorded\":false} python -m partita.entrypoints.entrypoint \
                --entrypoint_config_source=partita.entrypoints.StepEntrypointConfiguration \
                --artifact_store=file:///store --deployment_id=d1 --run_id=r1 --attempt=auto \
                --step_name=train --partition=long"
            );
        }
    });
}

#[test]
fn what_one_calls_the_run_is_told_as_the_golden_file_has_it() {
    let golden = include_str!("../../../partita-plugin/tests/golden/identified.txt");
    let mut peer = Peer::of(Flavor(Delegates::No));
    let params = peer.open(json!({"flow": "flow-81"}));
    peer.say(json!({"jsonrpc": "2.0", "id": 1, "method": "open", "params": params}));
    let told: Value = serde_json::from_str(golden.strip_prefix("plugin: ").unwrap()).unwrap();
    assert_eq!(peer.hear(), told);
}

#[test]
fn an_attempt_is_a_process_and_ends_as_that_does() {
    let mut peer = Peer::in_run(Flavor(Delegates::No));
    peer.give("exit $TOLD", None);
    peer.check_status(json!({ "state": "failed", "exit_code": 3 }));
    peer.give("kill -9 $$", None);
    peer.check_status(json!({ "state": "failed", "exit_code": -9 }));
    peer.give("true", Some("train:7"));
    let told = peer.hear().to_string();
    assert!(
        told.contains("asks for the image `train:7`, and `run_step` starts it in none"),
        "{told}"
    );
    let ended = json!({ "ended": { "status": "failed", "stops": true, "message": "no luck" } });
    let asked = peer.hear();
    peer.say(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": ended }));
    assert_eq!(peer.hear()["error"]["message"], "the step `train` is failed: no luck");
}

#[test]
fn a_step_that_is_refused_is_told_with_the_reason() {
    let mut peer = Peer::in_run(Flavor(Delegates::No));
    let asked = peer.hear();
    let error = json!({ "code": -32000, "message": "the deployment has no step `train`" });
    peer.say(json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }));
    assert_eq!(peer.hear()["error"]["message"], "the deployment has no step `train`");
}

#[test]
fn a_cancelled_attempt_is_ended_with_what_it_has_started() {
    let mut peer = Peer::in_run(Flavor(Delegates::No));
    peer.give("sleep 60 & echo $! > $0/deaf; trap 'exit 1' TERM; echo > $0/begun; wait", None);
    let (_, child) = (peer.written("begun"), peer.written("deaf"));
    peer.cancel();
    peer.check_status(json!({ "state": "cancelled" }));
    check_ends(&child);
}

#[test]
fn an_attempt_that_completes_when_it_is_cancelled_has_completed() {
    let mut peer = Peer::in_run(Flavor(Delegates::No));
    peer.give("trap 'exit 0' TERM; echo > $0/begun; sleep 60 & wait", None);
    peer.written("begun");
    peer.cancel();
    peer.check_status(json!({ "state": "completed", "exit_code": 0 }));
}

#[test]
fn an_attempt_that_is_deaf_is_ended_when_that_is_asked_again() {
    let mut peer = Peer::in_run(Flavor(Delegates::No));
    peer.give("trap '' TERM; echo > $0/begun; while :; do sleep 1; done", None);
    peer.written("begun");
    peer.cancel();
    peer.cancel();
    peer.check_status(json!({ "state": "cancelled" }));
}

#[test]
fn an_attempt_that_was_cancelled_before_it_began_does_not_begin() {
    let mut peer = Peer::in_run(Flavor(Delegates::No));
    peer.give_after("echo > $0/begun", None, Peer::cancel);
    peer.check_status(json!({ "state": "cancelled" }));
    assert!(!peer.folder.path().join("begun").exists());
}

#[test]
fn what_runs_ends_with_the_input() {
    let mut peer = Peer::in_run(Flavor(Delegates::No));
    peer.give("echo $$ > $0/pid; exec sleep 60", None);
    let process = peer.written("pid");
    peer.leave();
    check_ends(&process);
}

/// Waits until it is cancelled.
struct Holds {
    run: Run,
    ended: (Sender<()>, Mutex<Receiver<()>>),
}

struct HoldsFlavor(Delegates);

impl BaseOrchestratorFlavor for HoldsFlavor {
    type Config = Config;
    type Implementation = Holds;

    fn name(&self) -> &str {
        "holds"
    }

    fn supply(&self) -> Supply {
        Supply { delegates: self.0, ..Supply::default() }
    }
}

impl Holds {
    fn note(&self, name: &str) {
        let folder = self.run.artifact_store.strip_prefix("file://").unwrap();
        std::fs::write(format!("{folder}/{name}"), "yes\n").unwrap();
    }
}

impl BaseOrchestrator for Holds {
    type Config = Config;

    fn new(run: Run, _: Config) -> Result<Self> {
        let (sender, receiver) = channel();
        Ok(Self { run, ended: (sender, Mutex::new(receiver)) })
    }

    fn run(&self) -> &Run {
        &self.run
    }

    fn prepare_pipeline_deployment(
        &self,
        deployment: &PipelineDeploymentResponseModel,
        stack: &Stack,
    ) -> Result<()> {
        self.note(&format!("{}-{}", deployment.pipeline_name, stack.name));
        Ok(())
    }

    fn prepare_or_run_pipeline(
        &self,
        _deployment: &PipelineDeploymentResponseModel,
        _stack: &Stack,
        _environment: &Environment,
    ) -> Result<Option<String>> {
        self.note("begun");
        let _ = self.ended.1.lock().unwrap().recv();
        Ok(None)
    }

    fn cancel(&self) {
        self.note("cancelled");
        let _ = self.ended.0.send(());
    }
}

#[test]
fn one_that_delegates_is_told_that_its_run_is_cancelled() {
    let check = |delegates, expected: bool| {
        let mut peer = Peer::in_run(HoldsFlavor(delegates));
        peer.written("begun");
        peer.written("digits-own");
        peer.leave();
        assert_eq!(peer.folder.path().join("cancelled").exists(), expected);
    };
    check(Delegates::Yes, true);
    check(Delegates::No, false);
}

#[test]
fn what_is_asked_of_steps_is_answered_or_refused() {
    let deployment = read_deployment();
    let run =
        serde_json::from_value::<message::Open>(Peer::of(Flavor(Delegates::No)).open(json!({})));
    let mine = Mine::new(run.unwrap().into(), Config { waits: true, flow: None }).unwrap();
    assert_eq!(mine.get_orchestrator_run_id(), "r1");
    let [train, report] = ["train", "report"].map(|name| &deployment.steps[name]);
    assert!(mine.requires_resources_in_orchestration_environment(train));
    assert!(!mine.requires_resources_in_orchestration_environment(report));
    #[derive(Deserialize)]
    struct Settings {
        partition: String,
    }
    assert_eq!(mine.get_settings::<Settings>(train).unwrap().partition, "long");
    let why = |image: Result<String>| image.unwrap_err().to_string();
    assert_eq!(mine.get_image(&deployment, Some("train")).unwrap(), "train:7");
    let asked = why(mine.get_image(&deployment, Some("report")));
    assert!(asked.starts_with("step `report` asks for no image, and `here` runs steps in one"));
    let asked = why(mine.get_image(&deployment, None));
    assert!(asked.starts_with("pipeline `digits` asks for several images"), "{asked}");
    assert!(why(mine.get_image(&deployment, Some("x"))).contains("has no step `x`"));
    let outside = mine.run_step(train).unwrap_err().to_string();
    assert!(outside.starts_with("`run_step` was called outside of a run"), "{outside}");
}

#[test]
fn what_is_made_of_a_pipeline_is_kept_up_to_a_limit() {
    let whole = kept("a".repeat(MOST_KEPT));
    assert!(!whole.cut);
    let cut = kept("ä".repeat(MOST_KEPT));
    assert_eq!((cut.representation.unwrap().len(), cut.cut), (MOST_KEPT, true));
}

impl StepLauncher for Config {
    type Config = Self;

    fn new(_: Run, config: Self) -> Result<Self> {
        Ok(config)
    }

    fn launch(&self, _: &Attempt, _: &[String], _: &Environment, _: &Resources) -> Result<String> {
        Ok(String::new())
    }

    fn poll(&self, _: &str) -> Result<JobReport> {
        Err(Error::failed("unused"))
    }

    fn cancel(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_claim_that_the_way_cannot_keep_is_a_contradiction() {
    let supply = |delegates| Supply { delegates, ..Supply::default() };
    let config = |waits| Config { waits, flow: None };
    let (waits, submits) = (config(true), config(false));
    let launcher = <Config as Orchestrator<_>>::contradiction;
    assert!(launcher(None, &supply(Delegates::Yes)).unwrap().contains("is told what to start"));
    assert!(launcher(Some(&submits), &supply(Delegates::No)).is_none());
    let going = <Mine as Orchestrator<_>>::contradiction;
    assert!(going(Some(&submits), &supply(Delegates::No)).unwrap().contains("Delegates::Yes"));
    for delegates in [Delegates::Maybe, Delegates::Yes, Delegates::Throughout] {
        assert!(going(Some(&submits), &supply(delegates)).is_none());
    }
    assert!(going(Some(&waits), &supply(Delegates::No)).is_none());
}
