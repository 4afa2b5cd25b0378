//! Which layer wins, and what becomes of what was given.

use serde_json::{Value, json};

use super::super::compile;
use super::*;

/// Returns one field of the compiled configuration of step `a`, as JSON.
fn field(pipeline: &[Value], step: Value, config: &str, overrides: Overrides, path: &str) -> Value {
    let mut spec = spec(vec![with_options("a", step)]);
    let layers = pipeline.iter().map(|options| layer(options.clone()));
    spec.options = serde_json::from_value(layers.collect()).unwrap();
    let request = CompileRequest { capabilities: ABLE, overrides, ..request_with(config) };
    let compiled = compile(spec, &request).unwrap();
    let step = serde_json::to_value(&compiled.deployment.steps[0]).unwrap();
    step.pointer(path).cloned().unwrap_or(Value::Null)
}

#[test]
fn later_layers_win_in_the_documented_order() {
    let version = |version: &str| json!({ "cache_version": version });
    let check = |pipeline: &[Value], step: Value, config: &str, expected: Value| {
        let found = field(pipeline, step, config, Overrides::default(), "/config/cache_version");
        assert_eq!(found, expected);
    };
    let (decorator, used) = (version("decorator"), version("used"));
    check(&[], json!({}), "", Value::Null);
    check(std::slice::from_ref(&decorator), json!({}), "", json!("decorator"));
    check(std::slice::from_ref(&decorator), version("step"), "", json!("step"));
    check(&[decorator.clone(), used.clone()], version("step"), "", json!("used"));
    check(&[decorator, used.clone()], version("step"), "cache_version: 2", json!("2"));
    let steps = "cache_version: 2\nsteps: {a: {cache_version: 3}}";
    check(&[json!({}), used], version("step"), steps, json!("3"));
}

#[test]
fn caching_turned_off_for_a_run_is_off_for_every_step() {
    let check = |config: &str, enable_cache: Option<bool>, expected: Value| {
        let overrides = Overrides { enable_cache, ..Overrides::default() };
        let step = json!({ "enable_cache": true });
        assert_eq!(field(&[], step, config, overrides, "/config/enable_cache"), expected);
    };
    // Caching is on unless the document says otherwise.
    check("", None, Value::Null);
    check("enable_cache: false", None, json!(false));
    check("enable_cache: false\nsteps: {a: {enable_cache: true}}", None, Value::Null);
    check("steps: {a: {enable_cache: true}}", Some(false), json!(false));
}

#[test]
fn retries_and_resources_are_put_together_key_by_key() {
    let check = |pipeline: Value, step: Value, config: &str, path: &str, expected: Value| {
        assert_eq!(field(&[pipeline], step, config, Overrides::default(), path), expected);
    };
    check(
        json!({"retry": {"max_retries": 3, "delay": 1}}),
        json!({"retry": {"delay": 2}}),
        "retry: {backoff: 2}",
        "/config/retry",
        json!({"max_retries": 3, "delay": 2.0, "backoff": 2.0}),
    );
    check(json!({}), json!({"retry": {"delay": 2}}), "", "/config/retry", Value::Null);
    check(
        json!({"settings": {"resources": {"cpu_count": 2, "memory": "1GB"}}}),
        json!({"settings": {"resources": {"memory": "2GiB"}}}),
        "settings: {resources: {gpu_class: a100}}",
        "/config/resources",
        json!({"cpu_count": 2.0, "gpu_class": "a100", "memory": "2GiB"}),
    );
    check(json!({"timeout": 90}), json!({"timeout": null}), "", "/config/timeout", json!("90s"));
    check(
        json!({"orchestrator": "docker"}),
        json!({}),
        "",
        "/config/orchestrator",
        json!("docker"),
    );
    check(json!({"orchestrator": "default"}), json!({}), "", "/config/orchestrator", Value::Null);
}

#[test]
fn parameters_are_replaced_and_converted_to_what_the_step_takes() {
    let inputs = json!({
        "rate": {"kinds": ["float"], "required": true},
        "size": {"kinds": ["tuple"], "required": true},
        "either": {"kinds": ["int", "float"], "required": true},
        "any": {"required": false},
    });
    let step = called("a", json!({"rate": 1, "either": 1, "size": [1]}), inputs);
    let request = request_with("steps: {a: {parameters: {size: [2, 3], any: {b: 1}}}}");
    let compiled = compile(spec(vec![step]), &request).unwrap();
    assert_eq!(
        serde_json::to_string(&compiled.deployment.steps[0].parameters).unwrap(),
        r#"{"any":{"b":1},"either":1,"rate":1.0,"size":{"$partita":"tuple","value":[2,3]}}"#
    );
}

#[test]
fn a_plain_value_is_a_parameter_however_it_was_traced() {
    let inputs = json!({"x": {"kinds": ["float"], "required": true}});
    let step =
        json!({"name": "a", "inputs": {"x": {"value": 1}}, "definition": {"inputs": inputs}});
    let compiled = compile(spec(vec![step]), &request()).unwrap();
    let step = &compiled.deployment.steps[0];
    assert!(step.inputs.is_empty());
    assert_eq!(step.parameters["x"], literal("1.0"));
}

#[test]
fn key_material_is_digested_and_the_run_is_named() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("x.csv"), "1").unwrap();
    let mut request = request_with(
        "cache_files: [./x.csv]\ncache_environment: [SET, UNSET]\nrun_name: monday\nfailure_mode: continue_on_failure\n",
    );
    request.source_root = root.path().to_owned();
    request.environment_variables.insert("SET".to_owned(), "1".to_owned());
    let compiled = compile(spec(vec![plain("a")]), &request).unwrap();
    let digest = Digest::of(b"1");
    assert_eq!(
        serde_json::to_value(&compiled.deployment.steps[0].config).unwrap(),
        json!({"cache_files": {"x.csv": digest}, "cache_environment": {"SET": digest, "UNSET": null}})
    );
    assert_eq!(compiled.run_name.as_deref(), Some("monday"));
    assert_eq!(
        serde_json::to_value(compiled.deployment.pipeline.failure_mode).unwrap(),
        "continue_on_failure"
    );
}
