//! A flavor that says what the golden files say.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use partita_plugin::message::{Amount, Resources, Supply};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::plugin::{
    Attempt, BaseEntrypointConfiguration, Capability, EntrypointArguments, EntrypointSource,
    Environment, JobReport, JobStatus, Run, StackValidator, StepEntrypointConfiguration,
    StepLauncher,
};

#[derive(Deserialize, JsonSchema)]
struct QueueConfig {
    queue: String,
    #[serde(default)]
    argument: Option<String>,
}

impl BaseOrchestratorConfig for QueueConfig {
    fn problems(&self) -> Vec<Problem> {
        match self.queue.as_str() {
            "a100" => vec![Problem::of("queue", "there is no queue `a100`")],
            _ => Vec::new(),
        }
    }

    fn is_remote(&self) -> bool {
        self.queue == "far"
    }
}

struct QueueFlavor;

impl BaseOrchestratorFlavor for QueueFlavor {
    type Config = QueueConfig;
    type Implementation = Queue;

    fn name(&self) -> &str {
        "queue"
    }

    fn description(&self) -> &str {
        "Runs steps in a queue."
    }

    fn supply(&self) -> Supply {
        let (gpus, memory) = (Amount::from(2), Amount::ANY);
        Supply { max_parallelism: Some(8), gpus, memory, images: true, ..Supply::default() }
    }
}

/// Has one job, which ends once its logs were asked for.
struct Queue {
    argument: Option<String>,
    launched: Mutex<Option<(String, Vec<String>)>>,
    end: (Sender<()>, Mutex<std::sync::mpsc::Receiver<()>>),
}

impl StepLauncher for Queue {
    type Config = QueueConfig;

    const CAPABILITIES: &[Capability] = &[Capability::Find, Capability::Logs, Capability::Wait];

    fn new(_: Run, config: QueueConfig) -> crate::plugin::Result<Self> {
        let (sender, receiver) = channel();
        let end = (sender, Mutex::new(receiver));
        Ok(Self { argument: config.argument, launched: Mutex::default(), end })
    }

    fn launch(
        &self,
        attempt: &Attempt,
        command: &[String],
        _: &Environment,
        _: &Resources,
    ) -> crate::plugin::Result<String> {
        *self.launched.lock().unwrap() = Some((attempt.id.clone(), command.to_vec()));
        Ok("41".to_owned())
    }

    fn poll(&self, _: &str) -> crate::plugin::Result<JobReport> {
        Ok(JobStatus::Active.into())
    }

    fn cancel(&self, _: &str) -> crate::plugin::Result<()> {
        Ok(())
    }

    fn wait(&self, _: &str) -> crate::plugin::Result<JobReport> {
        let _ = self.end.1.lock().unwrap().recv();
        let (exit_code, message) = (Some(3), Some("out of memory".to_owned()));
        Ok(JobReport { status: JobStatus::Failed, exit_code, message })
    }

    fn find(&self, attempt: &str) -> crate::plugin::Result<Option<String>> {
        let launched = self.launched.lock().unwrap();
        Ok(launched.as_ref().filter(|(id, _)| id == attempt).map(|_| "41".to_owned()))
    }

    fn logs(&self, _: &str) -> crate::plugin::Result<String> {
        let _ = self.end.0.send(());
        Ok(match &*self.launched.lock().unwrap() {
            Some((_, command)) if self.argument.is_some() => command.join(" "),
            _ => "step 1\n".to_owned(),
        })
    }

    fn get_orchestrator_run_id(&self) -> Option<String> {
        self.argument.clone().filter(|argument| argument.starts_with("flow-"))
    }

    fn validator(&self) -> Option<StackValidator> {
        Some(StackValidator::new().required_components(["artifact_store"]))
    }

    fn entrypoint(&self) -> &dyn StepEntrypointConfiguration {
        self
    }
}

impl StepEntrypointConfiguration for Queue {}

impl BaseEntrypointConfiguration for Queue {
    fn source(&self) -> EntrypointSource {
        EntrypointSource::Class("flavors.Queued".to_owned())
    }

    fn get_entrypoint_command(&self, command: Vec<String>) -> Vec<String> {
        [vec!["nice".to_owned()], command].concat()
    }

    fn get_entrypoint_options(&self) -> Vec<String> {
        self.argument.iter().map(|_| "queue".to_owned()).collect()
    }

    fn get_entrypoint_arguments(&self, _: &EntrypointArguments) -> Vec<String> {
        self.argument.iter().filter(|argument| !argument.is_empty()).cloned().collect()
    }
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

/// Serves what Partita says in a golden file, and returns what the plugin said.
fn served(input: &str) -> Vec<Value> {
    let (sender, receiver) = channel();
    serve_on(QueueFlavor, input.as_bytes(), Box::new(Lines(sender)));
    let said: Vec<u8> = receiver.into_iter().flatten().collect();
    said.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn lines(golden: &str, who: &str) -> Vec<String> {
    golden.lines().filter_map(|line| line.strip_prefix(who)).map(str::to_owned).collect()
}

#[test]
fn a_flavor_is_served_as_the_golden_files_say() {
    for golden in [
        include_str!("../../../partita-plugin/tests/golden/registration.txt"),
        include_str!("../../../partita-plugin/tests/golden/run.txt"),
    ] {
        let mut said = served(&lines(golden, "partita: ").join("\n"));
        let expected = lines(golden, "plugin: ");
        // The end of a job is told by a thread of its own, and so before or after any answer.
        said.sort_by_key(|said| said["method"].is_string());
        for (said, expected) in said.iter_mut().zip(&expected) {
            let expected: Value = serde_json::from_str(expected).unwrap();
            if said["result"]["config_schema"].is_object() {
                said["result"]["config_schema"] = json!({ "type": "object" });
            }
            assert_eq!(*said, expected);
        }
        assert_eq!(said.len(), expected.len(), "{said:?}");
    }
}

fn open(config: Value) -> Value {
    json!({
        "component": "q", "config": config, "run_id": "r", "pipeline": "p", "deployment_id": "d",
        "artifact_store": "file:///s",
        "stack": {
            "name": "s", "components": [{ "type": "artifact_store", "name": "a", "flavor": "local" }],
        },
    })
}

/// Returns the answers to some requests.
fn answers(requests: &[(&str, Value)]) -> Vec<Value> {
    said(requests).into_iter().filter(|said| said["id"] == 1).collect()
}

/// Returns all that is said while these are asked.
fn said(requests: &[(&str, Value)]) -> Vec<Value> {
    let line = |(method, params): &(&str, Value)| {
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
    };
    let lines: Vec<String> = requests.iter().map(line).collect();
    served(&lines.join("\n"))
}

#[test]
fn what_cannot_be_done_is_answered_with_why() {
    let check = |method: &str, params: Value, part: &str| {
        let said = answers(&[(method, params)]);
        let message = said[0]["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
    };
    check("dance", Value::Null, "`dance` comes after `open`");
    check("launch", json!({}), "comes after `open`");
    check("open", json!({}), "missing field `component`");
    check("open", open(json!({ "queue": 5 })), "invalid type");
    let wrong = "the orchestrator `q` has a wrong configuration: `queue`: there is no queue `a100`";
    check("open", open(json!({ "queue": "a100" })), wrong);
    let mut bare = open(json!({ "queue": "day" }));
    bare["stack"]["components"] = json!([]);
    check("open", bare, "the stack `s` lacks `artifact_store`");
}

#[test]
fn a_configuration_says_where_steps_run() {
    let validated = |queue: &str| {
        let config = json!({ "config": { "queue": queue } });
        answers(&[("validate", config)])[0]["result"].clone()
    };
    assert_eq!(validated("far"), json!({ "problems": [], "is_remote": true }));
    assert_eq!(validated("day"), json!({ "problems": [] }));
}

#[test]
fn what_the_backend_calls_the_run_is_told_when_it_is_opened() {
    let told = |argument: &str| {
        let config = json!({ "queue": "day", "argument": argument });
        let said = said(&[("open", open(config))]);
        said.iter().any(|line| line["params"]["orchestrator_run_id"] == argument)
    };
    assert!(told("flow-81") && !told("day"));
}

/// Checks the command of a launched attempt, or why it was not launched.
fn check_entrypoint(argument: &str, expected: &str) {
    let launch = json!({
        "attempt": { "id": "r/0/1", "run_id": "r", "step": "train", "number": 1 },
        "command": ["python", "-m", "entry", "--entrypoint_config_source=partita.Standard", "--attempt=1"],
        "environment": {}, "resources": {},
    });
    let config = json!({ "queue": "day", "argument": argument });
    let logs = json!({ "job": "41" });
    let said = answers(&[("open", open(config)), ("launch", launch), ("logs", logs)]);
    let seen = match said[1]["error"]["message"].as_str() {
        Some(why) => why.to_owned(),
        None => said[2]["result"]["text"].to_string(),
    };
    assert!(seen.contains(expected), "{seen}");
}

#[test]
fn steps_are_entered_as_the_orchestrator_says() {
    check_entrypoint(
        "--queue=day",
        "nice python -m entry --entrypoint_config_source=flavors.Queued --attempt=1 --queue=day",
    );
    check_entrypoint("", "names `queue`, and `get_entrypoint_arguments` gives it no value");
    check_entrypoint("--queu=day", "returned `--queu`; give each option");
}
