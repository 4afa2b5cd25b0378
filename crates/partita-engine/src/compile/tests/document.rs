//! The deployment document: its schema, its bytes, and what a reader refuses.

use std::path::Path;

use partita_core::deployment::Deployment;
use serde_json::json;

use super::super::compile;
use super::*;

/// Returns a pipeline that uses what documents can say.
fn deployment() -> Deployment {
    let load = json!({"name": "load", "definition": {"outputs": [
        {"name": "x", "type": "numpy.ndarray"},
        {"name": "y", "type": "numpy.ndarray", "materializer": "digits.YMaterializer"},
    ]}});
    let train = json!({
        "name": "train", "after": ["notify"], "parameters": {"depth": 3, "rate": 1},
        "inputs": {
            "x": output("load", "x"),
            "others": {"dict": {"y": output("load", "y"), "weights": {"list": [{"value": 1.5}, output("load", "y")]}}},
        },
        "options": [layer(json!({"retry": {"max_retries": 3, "delay": 1}, "settings": {"resources": {"memory": "1.5GB"}}}))],
        "definition": {
            "inputs": {
                "x": {"type": "numpy.ndarray", "required": true},
                "others": {"kinds": ["dict"], "required": true},
                "depth": {"kinds": ["int"], "required": false},
                "rate": {"kinds": ["float"], "required": false},
            },
            "outputs": [{"name": "model"}],
        },
    });
    let request = CompileRequest {
        capabilities: ABLE,
        ..request_with("timeout: 10m\nenable_cache: false\n")
    };
    compile(spec(vec![train, load, plain("notify")]), &request).unwrap().deployment
}

#[test]
fn the_document_is_written_as_it_always_was() {
    insta::assert_json_snapshot!("deployment", deployment());
}

#[test]
fn the_schema_file_describes_the_types() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/deployment.schema.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Deployment)).unwrap() + "\n";
    if std::env::var_os("PARTITA_UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == schema,
        "docs/reference/deployment.schema.json is out of date; run `PARTITA_UPDATE_SCHEMA=1 cargo test -p partita-engine schema`"
    );
}

#[test]
fn unknown_steps_and_sources_do_not_change_the_id() {
    let id = |spec: PipelineSpec| compile(spec, &request()).unwrap().deployment.id;
    let one = spec(vec![plain("a")]);
    let mut more = spec(vec![plain("a"), plain("b")]);
    more.steps.pop();
    assert_eq!(id(one.clone()), id(more));
    assert_ne!(id(one), id(spec(vec![plain("b")])));
}

/// Checks what a reader says of `change`d bytes of a good document.
fn check(change: impl Fn(String) -> String, expected: Result<(), &str>) {
    let text = serde_json::to_string(&deployment()).unwrap();
    let read = Deployment::read(change(text).as_bytes());
    let told = read.map(drop).map_err(|error| error.to_string());
    match (told, expected) {
        (Ok(()), Ok(())) => {}
        (Err(told), Err(expected)) if told.contains(expected) => {}
        (told, expected) => panic!("{told:?} is not {expected:?}"),
    }
}

#[test]
fn a_reader_refuses_what_it_does_not_know() {
    let replaced =
        |from: &'static str, to: &'static str| move |text: String| text.replacen(from, to, 1);
    check(|text| text, Ok(()));
    check(|text| text.replace(",\"", ",\n  \""), Ok(()));
    check(
        replaced(r#""version":1"#, r#""version":2"#),
        Err("it has version 2, and this Partita reads version 1; update Partita"),
    );
    check(
        replaced(r#""depth":3"#, r#""depth":4"#),
        Err("it was changed after it was compiled; compile the pipeline again"),
    );
    check(
        replaced(r#""name":"digits""#, r#""name":"digits","colour":"red""#),
        Err("unknown field `colour`"),
    );
    check(|text| text[..text.len() / 2].to_owned(), Err("it is damaged or not a deployment"));
    check(|_| "[]".to_owned(), Err("it is damaged or not a deployment"));
    check(|_| "{}".to_owned(), Err("missing field `version`"));
    let deep = format!(r#""depth":{}{}"#, "[".repeat(200), "]".repeat(200));
    check(move |text| text.replacen(r#""depth":3"#, &deep, 1), Err("its lists and objects lie"));
}
