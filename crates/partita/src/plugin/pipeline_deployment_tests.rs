//! What a deployment tells orchestrators.

use super::*;
use crate::plugin::StandardEntrypoint;
use crate::plugin::channel::Channel;
use crate::plugin::peer::read_deployment;

#[test]
fn a_deployment_tells_what_steps_are_and_ask_for() {
    let deployment = read_deployment();
    assert_eq!(deployment.pipeline_name, "digits");
    assert_eq!(deployment.parameters["depth"], 3);
    let [train, report] = [&deployment.steps["train"], &deployment.steps[1]];
    assert_eq!((train.name(), train.spec.source.as_str()), ("train", "main:train"));
    assert_eq!(train.config.retry.unwrap().max_retries, 3);
    assert_eq!(train.config.settings["partition"], "long");
    assert_eq!(report.spec.upstream_steps, ["train"]);
    assert!(report.config.retry.is_none());
}

#[test]
fn a_program_enters_its_own_steps() {
    let mut deployment = read_deployment();
    let channel = Channel::new(Box::new(std::io::sink()));
    let command = ["python", "-m", "entry", "--run_id=r1"].map(str::to_owned);
    deployment.run_by(&Arc::new(StepRunner::new(channel, command.to_vec())));
    let entered =
        |name: &str| deployment.steps[name].command(&StandardEntrypoint).unwrap().join(" ");
    assert_eq!(entered("train"), "python -m entry --run_id=r1 --step_name=train");
    assert_eq!(entered("report"), "/srv/train entrypoint --run_id=r1 --step_name=report");
}
