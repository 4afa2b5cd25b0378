//! Every problem that the compiler finds, with the words in which it tells it.

use partita_core::spec::PipelineSpec;
use serde_json::{Value, json};

use super::super::{CompileRequest, compile};
use super::*;

/// Checks that `spec` has exactly the problems `expected`, in order.
pub(super) fn check_with(spec: PipelineSpec, request: &CompileRequest, expected: &[&str]) {
    let found = match compile(spec, request) {
        Ok(_) => Vec::new(),
        Err(report) => report.problems.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected);
}

pub(super) fn check(steps: Vec<Value>, expected: &[&str]) {
    check_with(spec(steps), &request(), expected);
}

pub(super) fn check_config(config: &str, expected: &[&str]) {
    let typed = json!({"depth": {"kinds": ["int"], "required": false}});
    let steps = vec![called("train", json!({"depth": 1}), typed), plain("report")];
    check_with(spec(steps), &request_with(config), expected);
}

#[test]
fn cycles_are_named_in_the_direction_of_values() {
    const HELP: &str = "take away one of these inputs, or one of these steps' `after`";
    check(
        vec![after("a", &["c"]), after("b", &["a"]), after("c", &["b"]), after("d", &["a"])],
        &[&format!(
            "digits.py:10: the steps wait for one another in a circle: `a` → `b` → `c` → `a`; {HELP}"
        )],
    );
    check(
        vec![after("a", &["a"]), plain("b"), after("c", &["d"]), after("d", &["c"])],
        &[
            &format!("digits.py:10: step `a` waits for itself: `a` → `a`; {HELP}"),
            &format!(
                "digits.py:12: the steps wait for one another in a circle: `c` → `d` → `c`; {HELP}"
            ),
        ],
    );
    let ring = (0..100).map(|at| after(&format!("s{at}"), &[&format!("s{}", (at + 99) % 100)]));
    let report = compile(spec(ring.collect()), &request()).unwrap_err().to_string();
    assert!(report.contains("`s8` → … 91 more … → `s0`;"), "{report}");
}

#[test]
fn steps_that_are_not_there_are_named_with_the_nearest_one() {
    check(
        vec![plain("load"), after("train", &["laod"])],
        &["digits.py:11: step `train` waits for `laod`, which is no step; did you mean `load`?"],
    );
    check(
        vec![plain("load"), after("train", &["zebra", "zebra"])],
        &[
            "digits.py:11: step `train` waits for `zebra`, which is no step; known are `load`, `train`",
        ],
    );
    check_config(
        "steps:\n  trian: {enable_cache: false}\n",
        &["run.yaml:2: `steps` names `trian`, which is no step; did you mean `train`?"],
    );
}

#[test]
fn names_must_be_names_and_be_there_once() {
    let mut twice = spec(vec![plain("train"), plain("train")]);
    twice.steps[1].named = true;
    check_with(
        twice,
        &request(),
        &["digits.py:11: two steps are named `train`, the other one at digits.py:10; \
           give each step an `id` of its own, or leave `id` out to have them numbered"],
    );
    let mut wrong = spec(vec![plain("a\nb")]);
    wrong.name = " ".to_owned();
    const HELP: &str = "choose a name of 1 to 256 characters on one line";
    check_with(
        wrong,
        &request(),
        &[
            &format!("digits.py:1: ` ` cannot be the name of a pipeline: it is empty; {HELP}"),
            &format!(
                "digits.py:10: `a\\nb` cannot be the name of a step: it has a control character at position 1; {HELP}"
            ),
        ],
    );
    let outputs = json!({"outputs": [{"name": "x"}, {"name": "x"}, {"name": ""}]});
    check(
        vec![json!({"name": "split", "definition": outputs})],
        &[
            "step `split` has two outputs named `x`; name each output differently in the return annotation",
            &format!("`` cannot be the name of an output: it is empty; {HELP}"),
        ],
    );
    check(
        vec![],
        &[
            "digits.py:1: pipeline `digits` has no steps; call at least one step in the pipeline function",
        ],
    );
}

#[test]
fn a_step_without_a_definition_is_refused() {
    let mut spec = spec(vec![plain("a"), plain("b")]);
    spec.steps[0].source = "gone:a".to_owned();
    spec.steps[1] = renamed(&spec.steps[0], "b");
    check_with(
        spec,
        &request(),
        &["digits.py:10: step `a` uses `gone:a`, which the spec does not define; \
           list it in the spec's `definitions` and `sources`"],
    );
}

#[test]
fn parameters_are_checked_by_name_and_type() {
    const HELP: &str = "give it a value of that type, or change the step's annotation";
    let kinds = |kinds: &[&str]| json!({"x": {"kinds": kinds, "required": true}});
    for (value, takes, is) in [
        (json!("3"), "int", "str (`\"3\"`)"),
        (json!(true), "int", "bool (`true`)"),
        (json!(3.5), "int", "float (`3.5`)"),
        (json!(true), "float", "bool (`true`)"),
        (json!(null), "str", "None (`null`)"),
        (json!([1]), "dict", "list (`[1]`)"),
    ] {
        let told = format!("digits.py:10: input `x` of step `a` takes {takes}, not {is}; {HELP}");
        check(vec![called("a", json!({"x": value}), kinds(&[takes]))], &[&told]);
    }
    check(vec![called("a", json!({"x": null}), kinds(&["int", "None"]))], &[]);
    check(
        vec![called("train", json!({"depht": 1}), json!({"depth": {"required": false}}))],
        &["digits.py:10: step `train` has no input `depht`; did you mean `depth`?"],
    );
    check(
        vec![called(
            "train",
            json!({}),
            json!({"x": {"required": true}, "y": {"required": true}, "z": {"required": false}}),
        )],
        &["digits.py:10: step `train` is called without `x` and `y`; \
           give a value for each, or give it a default in the step's definition"],
    );
    let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
    let mut too_deep = spec(vec![called("a", json!({}), json!({"x": {"required": true}}))]);
    too_deep.steps[0].parameters.insert("x".to_owned(), literal(&deep));
    check_with(
        too_deep,
        &request(),
        &["digits.py:10: `x` of step `a` holds lists or mappings more than 100 deep; \
           make the value in a step, so that it is an artifact"],
    );
}

#[test]
fn wired_inputs_are_checked_by_output_and_type() {
    let made = |type_name: &str| json!({"name": "load", "definition": {"outputs": [{"name": "data", "type": type_name}]}});
    let wired = |output_name: &str, input: Value| json!({"name": "train", "inputs": {"x": output("load", output_name)}, "definition": {"inputs": {"x": input}}});
    check(
        vec![made("builtins.int"), wired("dta", json!({"required": true}))],
        &["digits.py:11: input `x` of step `train` takes output `dta` of step `load`, \
           which has no such output; did you mean `data`?"],
    );
    let mismatch = "digits.py:11: input `x` of step `train` takes str, not int (output `data` of step `load`); \
                    give it a value of that type, or change the step's annotation";
    check(
        vec![
            made("builtins.int"),
            wired("data", json!({"type": "builtins.str", "required": true})),
        ],
        &[mismatch],
    );
    check(
        vec![made("builtins.int"), wired("data", json!({"kinds": ["str"], "required": true}))],
        &[mismatch],
    );
    check(
        vec![made("builtins.str"), wired("data", json!({"kinds": ["list"], "required": true}))],
        &[
            "digits.py:11: input `x` of step `train` takes list, not str (output `data` of step `load`); \
           give it a value of that type, or change the step's annotation",
        ],
    );
    for (made_type, input) in [
        ("builtins.int", json!({"type": "builtins.float", "kinds": ["float"], "required": true})),
        ("builtins.int", json!({"type": "typing.Union", "required": true})),
        ("builtins.str", json!({"kinds": ["str", "None"], "required": true})),
        ("numpy.ndarray", json!({"type": "builtins.str", "kinds": ["str"], "required": true})),
    ] {
        check(vec![made(made_type), wired("data", input)], &[]);
    }
    check(
        vec![
            plain("load"),
            json!({"name": "train", "inputs": {"y": {"list": [output("load", "x")]}},
            "definition": {"inputs": {"y": {"kinds": ["int"], "required": true}}}}),
        ],
        &[
            "digits.py:11: input `y` of step `train` takes output `x` of step `load`, which has no such output; the only one is `output`",
            "digits.py:11: input `y` of step `train` takes int, not list; give it a value of that type, or change the step's annotation",
        ],
    );
}

#[test]
fn twelve_different_problems_are_told_at_once() {
    let steps = vec![
        after("a", &["b"]),
        after("b", &["a"]),
        after("c", &["nowhere"]),
        called("d", json!({"x": "1"}), json!({"x": {"kinds": ["int"], "required": true}})),
        called("e", json!({"y": 1}), json!({"z": {"required": true}})),
        with_options(
            "f",
            json!({"retries": 1, "timeout": "soon", "settings": {"resources": {"memory": "1"}}}),
        ),
        with_options("g", json!({"timeout": 5, "cache_files": ["gone"]})),
        plain(""),
        plain("d"),
    ];
    let report = compile(spec(steps), &request()).unwrap_err();
    let told: std::collections::BTreeSet<&str> =
        report.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told.len(), 12, "{report}");
    assert_eq!(report.problems.len(), 12, "{report}");
}
