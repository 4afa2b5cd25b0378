//! What is wrong with options and with what they ask of the stack, in the words in which it is told.

use partita_core::diagnostic::Diagnostic;
use serde_json::json;

use super::problems::{check, check_config, check_with};
use super::*;

#[test]
fn unknown_keys_name_the_nearest_known_one_with_file_and_line() {
    check_config(
        "enable_cahce: false\nmemory: 1GB\nsteps:\n  train:\n    retry: {max_retry: 3}\n    failure_mode: fail_fast\n\
         settings:\n  dokcer: {parent_image: x}\n  resources: {cpus: 2}\n",
        &[
            "run.yaml:1: `enable_cahce` is not an option of pipeline `digits`; did you mean `enable_cache`?",
            "run.yaml:2: `memory` is not an option of pipeline `digits`; did you mean `settings.resources.memory`?",
            "run.yaml:8: `dokcer` is not a key of `settings` of pipeline `digits`; did you mean `docker`?",
            "run.yaml:9: `cpus` is not a key of `settings.resources` of pipeline `digits`; \
             known are `cpu_count`, `gpu_class`, `gpu_count`, `memory`",
            "run.yaml:6: `failure_mode` cannot be set on step `train`; it applies to the pipeline as a whole; set it there",
            "run.yaml:5: `max_retry` is not a key of `retry` of step `train`; did you mean `max_retries`?",
        ],
    );
    check(
        vec![with_options("train", json!({"retry": {"max_retry": 3}, "retry.delay": 1}))],
        &[
            "digits.py:5: `max_retry` is not a key of `retry` of step `train`; did you mean `max_retries`?",
            "digits.py:5: `retry.delay` is not an option of step `train`; known are `cache_environment`, \
             `cache_expiry`, `cache_files`, `cache_version`, `enable_cache`, `limits`, `orchestrator`, `parameters`, \
             `retry`, `settings`, `timeout`",
        ],
    );
}

#[test]
fn a_parameter_among_the_options_is_told_where_it_belongs() {
    check_config(
        "depth: 9\n",
        &[
            "run.yaml:1: `depth` is not an option of pipeline `digits`; it is a parameter; write it below `parameters`",
        ],
    );
}

#[test]
fn option_values_are_checked_by_shape_and_limits() {
    for (option, told) in [
        (
            json!({"enable_cache": "no"}),
            "`enable_cache` of step `a` takes true or false, not `\"no\"`",
        ),
        (
            json!({"cache_version": 1.5}),
            "`cache_version` of step `a` takes text or an integer, not `1.5`",
        ),
        (
            json!({"cache_files": "x.csv"}),
            "`cache_files` of step `a` takes a list of paths, not `\"x.csv\"`",
        ),
        (
            json!({"cache_environment": ["A=1"]}),
            "`cache_environment` of step `a`: `A=1` is not the name of an environment variable; \
          list names alone; values are taken from the environment",
        ),
        (
            json!({"cache_expiry": "soon"}),
            "`cache_expiry` of step `a`: `soon` is not a length of time; \
          write seconds, or a number and a unit, such as `30s`, `10m`, `2h` or `7d`",
        ),
        (
            json!({"timeout": 0}),
            "`timeout` of step `a`: `0` is not a length of time; write a length of time that is more than 0, such as `30s`",
        ),
        (
            json!({"timeout": -1.5}),
            "`timeout` of step `a`: `-1.5` is not a length of time; write a length of time that is more than 0, such as `30s`",
        ),
        (
            json!({"timeout": true}),
            "`timeout` of step `a` takes seconds, or a number and a unit such as `30s`, `10m`, `2h` or `7d`, not `true`",
        ),
        (
            json!({"retry": 3}),
            "`retry` of step `a` takes the keys `max_retries`, `delay` and `backoff`, not `3`",
        ),
        (
            json!({"retry": {"max_retries": -1}}),
            "`retry.max_retries` of step `a`: `-1` is less than 0; write a whole number from 0 on",
        ),
        (
            json!({"retry": {"max_retries": 1.5}}),
            "`retry.max_retries` of step `a` takes a whole number, not `1.5`",
        ),
        (
            json!({"retry": {"delay": -2}}),
            "`retry.delay` of step `a`: `-2` is less than 0; write the seconds to wait, or 0 to wait not at all",
        ),
        (
            json!({"retry": {"backoff": 0}}),
            "`retry.backoff` of step `a`: `0` is less than 1; write the factor by which the wait grows, or 1 to keep it",
        ),
        (
            json!({"settings": {"resources": {"cpu_count": 0}}}),
            "`settings.resources.cpu_count` of step `a`: `0` is not more than 0; \
          write a number of cores such as 2 or 0.5, or leave it out",
        ),
        (
            json!({"settings": {"resources": {"gpu_count": -1}}}),
            "`settings.resources.gpu_count` of step `a`: `-1` is less than 0; write a whole number from 0 on",
        ),
        (
            json!({"settings": {"resources": {"memory": "2 apples"}}}),
            "`settings.resources.memory` of step `a`: `2 apples` is not an amount of memory; \
          write a number and a unit, such as `512MiB` or `1.5GB`",
        ),
        (
            json!({"settings": {"resources": {"memory": 2}}}),
            "`settings.resources.memory` of step `a`: `2` is not an amount of memory; \
          write a number and a unit, such as `512MiB` or `1.5GB`",
        ),
        (
            json!({"settings": {"resources": {"gpu_class": " "}}}),
            "`settings.resources.gpu_class` of step `a`: it is empty",
        ),
    ] {
        check(vec![with_options("a", option)], &[&format!("digits.py:5: {told}")]);
    }
    check(vec![with_options("a", json!({"retry": null, "timeout": null, "cache_files": []}))], &[]);
    check_config(
        "failure_mode: fail_slow\nrun_name: \"\"\nsteps: {train: 3}\n",
        &[
            "run.yaml:1: `failure_mode` of pipeline `digits`: `fail_slow` is not a failure mode; did you mean `fail_fast`?",
            "run.yaml:2: `run_name` of pipeline `digits`: it is empty; choose a name of 1 to 256 characters on one line",
            "run.yaml:3: step `train` has no options in `steps`; write option keys and values under it",
        ],
    );
}

#[test]
fn parameters_of_the_configuration_and_the_command_line_are_checked() {
    check_config(
        "parameters: {depht: 4}\nsteps:\n  train:\n    parameters: {depth: '4', dpeth: 1}\n",
        &[
            "run.yaml:1: pipeline `digits` has no parameter `depht`; did you mean `depth`?",
            "run.yaml:4: input `depth` of step `train` takes int, not str (`\"4\"`); \
             give it a value of that type, or change the step's annotation",
            "run.yaml:4: step `train` has no input `dpeth`; did you mean `depth`?",
        ],
    );
    check_config("parameters: {depth: 3}\nsteps: {train: {parameters: {depth: 4}}}\n", &[]);
    check_config(
        "parameters: {depth: 4}\n",
        &[
            "run.yaml:1: parameter `depth` of pipeline `digits` is `4` here, but it was called with `3`; \
           give it in one of the two places",
        ],
    );
    let mut request = request();
    request.overrides.parameters = vec![("width".to_owned(), literal("1"))];
    let told = "pipeline `digits` has no parameter `width`; the only one is `depth`";
    check_with(spec(vec![plain("a")]), &request, &[told]);
    let wired = json!({"name": "b", "inputs": {"x": output("a", "output")},
        "definition": {"inputs": {"x": {"required": true}}}});
    check_with(
        spec(vec![plain("a"), wired]),
        &request_with("steps: {b: {parameters: {x: 1}}}"),
        &[
            "run.yaml:1: input `x` of step `b` comes from another step, so a parameter cannot set it; \
           take the parameter away, or call the step with a plain value",
        ],
    );
}

#[test]
fn key_files_that_are_not_there_are_told_once_a_list() {
    check_config(
        "cache_files: [gone.csv, ../x]\n",
        &[
            "run.yaml:1: `cache_files` of step `train`: there is no file or folder `gone.csv` under the source root; \
             write its path relative to the source root, or take it off the list",
            "run.yaml:1: `cache_files` of step `train`: `../x` lies outside the source root; \
             list paths under the source root, relative to it",
        ],
    );
}

#[test]
fn a_stack_that_cannot_do_what_is_asked_is_refused() {
    const HELP: &str = "take the request away, or use an orchestrator that can; one of flavor `local` that is registered with `--allow_unenforced=true` ignores it";
    let resources = json!({"cpu_count": 8, "gpu_class": "a100", "memory": "1.5GB"});
    let demanding = || {
        vec![
            with_options("a", json!({"timeout": "10m", "settings": {"resources": resources}})),
            plain("b"),
        ]
    };
    let default = "orchestrator `default` (flavor `local`)";
    check(
        demanding(),
        &[
            &format!(
                "digits.py:5: step `a` asks for a timeout of 10m, which {default} cannot enforce; {HELP}"
            ),
            &format!(
                "digits.py:5: step `a` asks for 1500MB of memory, which {default} cannot enforce; {HELP}"
            ),
            &format!(
                "digits.py:5: step `a` asks for 1 GPU of class `a100`, which {default} cannot give to a step; {HELP}"
            ),
            &format!(
                "digits.py:5: step `a` asks for 8 CPUs, which {default} does not have: there are 2 in all; {HELP}"
            ),
        ],
    );
    let mut lenient = request();
    lenient.capabilities.allow_unenforced = true;
    check_with(spec(demanding()), &lenient, &[]);
    check_with(spec(demanding()), &CompileRequest { capabilities: ABLE, ..request() }, &[]);
    check(
        vec![with_options(
            "a",
            json!({"settings": {"resources": {"gpu_count": 0, "cpu_count": 2}}}),
        )],
        &[],
    );
    check_config(
        "timeout: 1h\n",
        &[&format!(
            "run.yaml:1: steps `train` and `report` ask for a timeout of 1h, which {default} cannot enforce; {HELP}"
        )],
    );
}

#[test]
fn what_the_sdk_finds_wrong_with_parameters_comes_first() {
    let mut spec = spec(vec![plain("train")]);
    spec.parameter_problems = vec![Diagnostic::new("pipeline `digits` has no parameter `depht`")];
    check_with(
        spec,
        &request_with("enable_cahce: true\n"),
        &[
            "pipeline `digits` has no parameter `depht`",
            "run.yaml:1: `enable_cahce` is not an option of pipeline `digits`; did you mean `enable_cache`?",
        ],
    );
}

#[test]
fn steps_name_orchestrators_of_the_stack_that_can_serve_them() {
    check(vec![with_options("a", json!({"orchestrator": "docker", "timeout": "10m"}))], &[]);
    check(
        vec![with_options("a", json!({"orchestrator": "dokcer"}))],
        &[
            "digits.py:5: step `a` asks for orchestrator `dokcer`, which stack `default` does not have; did you mean `docker`?",
        ],
    );
    check(
        vec![with_options("a", json!({"orchestrator": "kubeflow"}))],
        &[
            "digits.py:5: step `a` asks for orchestrator `kubeflow`, which only runs whole pipelines, not single steps of them; \
           run the pipeline on a stack whose default is `kubeflow`",
        ],
    );
    let mut bare = request();
    bare.stack.orchestrators.clear();
    check_with(
        spec(vec![plain("a")]),
        &bare,
        &["stack `default` has no orchestrator; update the stack with one, or choose another"],
    );
}

/// Returns a request whose default orchestrator takes settings.
fn request_with_settings() -> CompileRequest {
    let schema = json!({
        "properties": { "queue": { "type": "string" }, "nodes": { "type": "integer" } },
        "additionalProperties": false,
    });
    let slurm = json!({ "properties": { "partition": {} }, "required": ["account"] });
    let schemas = [("local", Some(schema)), ("slurm", Some(slurm)), ("plain", None)];
    let registered = schemas.map(|(name, schema)| (name.to_owned(), schema)).into();
    let flavor_settings = FlavorSettings { registered, ..FlavorSettings::default() };
    CompileRequest { flavor_settings, ..request() }
}

#[test]
fn settings_of_a_flavor_are_checked_by_its_schema() {
    for (settings, told) in [
        (
            json!({"orchestrator": {"quue": "a"}}),
            "`quue` is no setting of orchestrator `default` (flavor `local`); did you mean `queue`?",
        ),
        (
            json!({"orchestrator": {"nodes": "two"}}),
            "the setting `nodes` of orchestrator `default` (flavor `local`) is a whole number, not `\"two\"`; \
             `partita orchestrator flavor describe local` shows the settings",
        ),
        (
            json!({"orchestrator": {"queue": "{{hub.token}}"}}),
            "the setting `queue` of orchestrator `default` (flavor `local`) refers to the secret \
             `{{hub.token}}`, and settings take no secrets; refer to it in the orchestrator's \
             configuration or in a parameter of the step, which are handed over privately",
        ),
        (
            json!({"orchestrator.lcal": {"queue": "a"}}),
            "`settings` has keys for `lcal`, which is no flavor; did you mean `local`?",
        ),
        (
            json!({"orchestrator.slurm": {"partitoin": "a"}}),
            "`partitoin` is no setting of flavor `slurm`; did you mean `partition`?",
        ),
        (
            json!({"orchestrator.plain": {"queue": "a"}}),
            "flavor `plain` takes no settings, and got `queue`; take them away",
        ),
        (
            json!({"orchestrator": 5}),
            "`settings.orchestrator` of step `a` takes keys and values of the orchestrator's flavor, not `5`",
        ),
    ] {
        let steps = vec![with_options("a", json!({ "settings": settings }))];
        check_with(spec(steps), &request_with_settings(), &[&format!("digits.py:5: {told}")]);
    }
    let steps = vec![with_options("a", json!({"settings": {"orchestrator": {"queue": "a"}}}))];
    check(
        steps,
        &[
            "digits.py:5: orchestrator `default` (flavor `local`) takes no settings, and got `queue`; \
             take them away, or say for which flavor they are, as in `orchestrator.FLAVOR`",
        ],
    );
}

#[test]
fn settings_of_a_flavor_are_layered_key_by_key_and_the_flavors_own_win() {
    let settings = json!({
        "orchestrator": {"queue": "any", "nodes": 1},
        "orchestrator.local": {"queue": "own"},
        "orchestrator.slurm": {"partition": "x"},
    });
    let steps = vec![with_options("a", json!({ "settings": settings }))];
    let compiled = crate::compile::compile(spec(steps), &request_with_settings()).unwrap();
    let settings = &compiled.deployment.steps[0].config.settings;
    let texts: Vec<_> = settings.iter().map(|(key, value)| (key.as_str(), value.text())).collect();
    assert_eq!(texts, [("nodes", "1"), ("queue", "\"own\"")]);
}
