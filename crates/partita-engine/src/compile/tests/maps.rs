//! What steps may be mapped over, and how the document says it.

use partita_core::deployment::{Deployment, Input};
use serde_json::{Value, json};

use super::super::compile;
use super::problems::check;
use super::*;

/// Returns a step that is mapped over `x`, which takes a float.
fn mapped(name: &str, x: Value) -> Value {
    json!({
        "name": name, "map_over": "x", "inputs": {"x": x}, "parameters": {"depth": 3},
        "definition": {
            "inputs": {
                "x": {"kinds": ["float"], "required": true},
                "depth": {"kinds": ["int"], "required": false},
            },
            "outputs": [{"name": "output", "type": "builtins.float"}],
        },
    })
}

/// Returns a step whose output has this type.
fn making(name: &str, type_name: &str) -> Value {
    json!({"name": name, "definition": {"outputs": [{"name": "output", "type": type_name}]}})
}

#[test]
fn what_a_step_is_mapped_over_stays_an_input_and_its_items_are_converted() {
    let steps = vec![mapped("train", json!({"value": [1, 2.5]}))];
    let deployment = compile(spec(steps), &request()).unwrap().deployment;
    let step = &deployment.steps[0];
    assert_eq!(step.map_over.as_deref(), Some("x"));
    assert_eq!(step.inputs["x"], Input::Value(literal("[1.0,2.5]")));
    assert_eq!(step.parameters.keys().collect::<Vec<_>>(), ["depth"]);
    let again = Deployment::read(&serde_json::to_vec(&deployment).unwrap()).unwrap();
    assert_eq!(again, deployment);
}

#[test]
fn lists_and_whatever_may_be_one_can_be_mapped_over() {
    for made in ["builtins.list", "builtins.tuple", "numpy.ndarray", "train.Points"] {
        check(vec![making("load", made), mapped("train", output("load", "output"))], &[]);
    }
    check(
        vec![
            mapped("first", json!({"value": {"$partita": "tuple", "value": [1.0]}})),
            mapped("second", output("first", "output")),
            making("one", "builtins.float"),
            mapped("third", json!({"list": [{"value": 1}, output("one", "output")]})),
        ],
        &[],
    );
}

#[test]
fn what_is_no_list_is_refused() {
    const HELP: &str = "map over a list, a tuple, or an output that is one";
    check(
        vec![making("load", "builtins.int"), mapped("train", output("load", "output"))],
        &[&format!(
            "digits.py:11: step `train` is mapped over output `output` of step `load`, which is \
             declared as `int`; {HELP}"
        )],
    );
    check(
        vec![mapped("train", json!({"value": "abc"}))],
        &[&format!("digits.py:10: step `train` is mapped over a str; {HELP}")],
    );
    check(
        vec![mapped("train", json!({"dict": {"a": {"value": 1}}}))],
        &[&format!("digits.py:10: step `train` is mapped over a dict; {HELP}")],
    );
}

#[test]
fn items_must_fit_and_the_list_of_what_they_made_is_no_item() {
    const HELP: &str = "give it a value of that type, or change the step's annotation";
    check(
        vec![mapped("train", json!({"value": [1.0, "a"]}))],
        &[&format!(
            "digits.py:10: input `x` of step `train` takes float, not str (`\"a\"`, item 1 of what \
             it is mapped over); {HELP}"
        )],
    );
    let takes = json!({
        "name": "show", "inputs": {"x": output("train", "output")},
        "definition": {"inputs": {"x": {"kinds": ["float"], "required": true}}},
    });
    check(
        vec![mapped("train", json!({"value": [1.0]})), takes],
        &[&format!(
            "digits.py:11: input `x` of step `show` takes float, not list (output `output` of step \
             `train`); {HELP}"
        )],
    );
}

#[test]
fn a_parameter_cannot_replace_what_is_mapped_over() {
    let config = "steps: {train: {parameters: {x: [1.0]}}}\n";
    let steps = vec![mapped("train", json!({"value": [1.0]}))];
    super::problems::check_with(
        spec(steps),
        &request_with(config),
        &["run.yaml:1: step `train` is mapped over its input `x`, so a parameter cannot set it; \
           take the parameter away, or make the list a parameter of the pipeline"],
    );
}
