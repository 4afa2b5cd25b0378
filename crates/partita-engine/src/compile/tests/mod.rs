//! Tests of the compiler as a whole, and the small pipelines that they compile.

mod commands;
mod document;
mod images;
mod layering;
mod maps;
mod option_problems;
mod problems;
mod properties;

use std::collections::BTreeMap;
use std::path::PathBuf;

use partita_core::deployment::Environment;
use partita_core::digest::Digest;
use partita_core::literal::Literal;
use partita_core::spec::{PipelineSpec, StepSpec};
use partita_core::stack::{Capabilities, Component, ComponentType, Delegates, Stack};
use serde_json::{Value, json};

use super::{CompileRequest, ConfigFile, FlavorSettings, ImageBuilderLimits, Overrides};

/// Returns a spec of `steps`, each with a definition of its own.
fn spec(steps: Vec<Value>) -> PipelineSpec {
    let mut spec = json!({
        "name": "digits", "source": "digits:digits", "parameters": {"depth": 3},
        "location": {"file": "digits.py", "line": 1},
        "options": [{"options": {}}],
        "environment": Environment { interpreter: "cpython-3.11".into(), platform: "linux-x86_64".into() },
        "sources": {}, "definitions": {}, "steps": [],
    });
    for (index, mut step) in steps.into_iter().enumerate() {
        let name = step["name"].as_str().unwrap().to_owned();
        let source = format!("digits:{name}_{index}");
        let part =
            json!({"name": source, "kind": "function", "digest": Digest::of(name.as_bytes())});
        spec["sources"][&source] = json!({"file": "digits.py", "parts": [part]});
        let definition = step.as_object_mut().unwrap().remove("definition").unwrap_or(json!({}));
        spec["definitions"][&source] = json!({
            "name": name,
            "inputs": definition.get("inputs").cloned().unwrap_or(json!({})),
            "outputs": definition.get("outputs").cloned().unwrap_or(json!([{"name": "output"}])),
            "options": definition.get("options").cloned().unwrap_or(json!([])),
        });
        step["source"] = json!(source);
        step["location"] = json!({"file": "digits.py", "line": 10 + index});
        spec["steps"].as_array_mut().unwrap().push(step);
    }
    serde_json::from_value(spec).unwrap()
}

/// Returns a step that takes nothing.
fn plain(name: &str) -> Value {
    json!({ "name": name })
}

/// Returns a step that waits for others.
fn after(name: &str, after: &[&str]) -> Value {
    json!({ "name": name, "after": after })
}

/// Returns a step that is called with `parameters` and declares `inputs`.
fn called(name: &str, parameters: Value, inputs: Value) -> Value {
    json!({ "name": name, "parameters": parameters, "definition": { "inputs": inputs } })
}

/// Returns a step with options of its own in its code.
fn with_options(name: &str, options: Value) -> Value {
    json!({ "name": name, "options": [layer(options)] })
}

/// Returns a layer as an SDK traces it, its mappings as literals.
fn layer(options: Value) -> Value {
    let node = |(key, value): (&String, &Value)| {
        (
            key.clone(),
            json!({"value": {"literal": value}, "location": {"file": "digits.py", "line": 5}}),
        )
    };
    let nodes: serde_json::Map<_, _> = options.as_object().unwrap().iter().map(node).collect();
    json!({ "options": nodes })
}

/// Returns an input that takes an output.
fn output(step: &str, output: &str) -> Value {
    json!({ "output": { "step": step, "output": output } })
}

fn component(name: &str, component_type: ComponentType) -> Component {
    Component { name: name.into(), component_type, flavor: "local".into(), config: BTreeMap::new() }
}

/// Returns a request for a stack whose orchestrator runs steps in turn and can enforce nothing.
fn request() -> CompileRequest {
    CompileRequest {
        stack: Stack {
            name: "default".into(),
            orchestrators: vec![
                component("default", ComponentType::Orchestrator),
                component("docker", ComponentType::Orchestrator),
                component("kubeflow", ComponentType::Orchestrator),
            ],
            artifact_store: component("default", ComponentType::ArtifactStore),
            image_builder: None,
            container_registry: None,
        },
        capabilities: Capabilities {
            max_parallelism: Some(1),
            timeouts: false,
            grace: 0.0,
            loads_steps_again: false,
            cpus: Some(2.0),
            memory: Some(0),
            gpus: Some(0),
            gpu_classes: true,
            allow_unenforced: false,
            images: false,
            delegates: Delegates::No,
            claims: None,
        },
        other_capabilities: BTreeMap::from([("docker".to_owned(), ABLE)]),
        flavor_settings: FlavorSettings::default(),
        images: BTreeMap::new(),
        image_builder: ImageBuilderLimits::default(),
        site_packages: Vec::new(),
        config: None,
        overrides: Overrides::default(),
        source_root: PathBuf::from("/nowhere"),
        environment_variables: BTreeMap::new(),
    }
}

/// What an orchestrator that can enforce everything can do.
const ABLE: Capabilities = Capabilities {
    max_parallelism: None,
    timeouts: true,
    grace: 0.0,
    loads_steps_again: false,
    cpus: None,
    memory: None,
    gpus: None,
    gpu_classes: true,
    allow_unenforced: false,
    images: false,
    delegates: Delegates::No,
    claims: None,
};

/// Returns a request with a configuration file.
fn request_with(config: &str) -> CompileRequest {
    CompileRequest { config: Some(ConfigFile::parse("run.yaml", config).unwrap()), ..request() }
}

fn literal(text: &str) -> Literal {
    Literal::parse(text).unwrap()
}

/// Returns a copy of `step` under another name.
fn renamed(step: &StepSpec, name: &str) -> StepSpec {
    StepSpec { name: name.to_owned(), ..step.clone() }
}
