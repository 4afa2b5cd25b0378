//! A flavor that says what the golden files say.

use std::sync::mpsc::{Sender, channel};

use serde::Deserialize;

use super::*;
use crate::message::{Amount, Any, State, capability};

#[derive(Deserialize, JsonSchema)]
struct Config {
    queue: String,
}

struct Queue;

impl OrchestratorFlavor for Queue {
    type Config = Config;

    fn name(&self) -> String {
        "queue".to_owned()
    }

    fn description(&self) -> String {
        "Runs steps in a queue.".to_owned()
    }

    fn capabilities(&self) -> Vec<String> {
        [capability::FIND, capability::LOGS, capability::STATUS].map(str::to_owned).to_vec()
    }

    fn supply(&self) -> Supply {
        let (gpus, memory) = (Amount::Number(2.0), Amount::Any(Any::Any));
        Supply { max_parallelism: Some(8), gpus, memory, ..Supply::default() }
    }

    fn check(&self, config: &Config) -> Vec<Problem> {
        let message = format!("there is no queue `{}`", config.queue);
        vec![Problem { field: Some("queue".to_owned()), message }]
    }

    fn open(&self, _: Open, _: Config, reporter: Reporter) -> Result<Box<dyn Launcher>, RpcError> {
        Ok(Box::new(Jobs { reporter, launched: None }))
    }
}

struct Jobs {
    reporter: Reporter,
    launched: Option<String>,
}

impl Launcher for Jobs {
    fn launch(&mut self, launch: Launch) -> Result<String, RpcError> {
        self.launched = Some(launch.attempt.id);
        Ok("41".to_owned())
    }

    fn poll(&mut self, _job: &str) -> Result<Status, RpcError> {
        Ok(Status { state: State::Active, exit_code: None, message: None })
    }

    fn cancel(&mut self, _job: &str) -> Result<(), RpcError> {
        Ok(())
    }

    fn find(&mut self, attempt: &str) -> Result<Option<String>, RpcError> {
        Ok(self.launched.as_deref().filter(|id| *id == attempt).map(|_| "41".to_owned()))
    }

    fn logs(&mut self, _job: &str) -> Result<String, RpcError> {
        Ok("step 1\n".to_owned())
    }
}

impl Drop for Jobs {
    /// Tells the last line of the golden file.
    fn drop(&mut self) {
        let message = Some("out of memory".to_owned());
        let status = Status { state: State::Failed, exit_code: Some(3), message };
        self.reporter.ended("r1/0/1", status);
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
    serve_on(Queue, input.as_bytes(), Box::new(Lines(sender)));
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
    for golden in
        [include_str!("../tests/golden/registration.txt"), include_str!("../tests/golden/run.txt")]
    {
        let mut said = served(&lines(golden, "partita: ").join("\n"));
        let expected = lines(golden, "plugin: ");
        for (said, expected) in said.iter_mut().zip(&expected) {
            let expected: Value = serde_json::from_str(expected).unwrap();
            if said["result"]["config_schema"].is_object() {
                said["result"]["config_schema"] = json!({ "type": "object" });
            }
            assert_eq!(*said, expected);
        }
        assert_eq!(said.len(), expected.len());
    }
}

#[test]
fn what_cannot_be_done_is_answered_with_why() {
    let check = |method: &str, params: Value, part: &str| {
        let line = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let said = served(&line.to_string());
        let message = said[0]["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
    };
    check("dance", Value::Null, "`dance` comes after `open`");
    check("launch", json!({}), "comes after `open`");
    check("open", json!({}), "missing field `component`");
    let config = json!({ "queue": 5 });
    let open = json!({
        "component": "q", "config": config, "run_id": "r", "pipeline": "p", "deployment_id": "d",
        "artifact_store": "file:///s",
    });
    check("open", open, "invalid type");
}
