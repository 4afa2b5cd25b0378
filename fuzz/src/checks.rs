//! What must hold for any bytes that a reader of documents, files or paths is given.
//!
//! Each function takes arbitrary bytes and panics if something does not hold. The fuzz targets call
//! them with what libFuzzer makes up, and `crates/partita-engine/tests/fuzz_seeds.rs` with the saved
//! seeds and mutations of them, without cargo-fuzz and on stable Rust.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use partita_core::artifact::{ArtifactFile, ArtifactVersion, Manifest, content_digest};
use partita_core::deployment::{Deployment, MAX_DEPTH, nesting};
use partita_core::digest::Digest;
use partita_core::launcher::Unit;
use partita_core::literal::{Kind, Literal};
use partita_core::run::{self, Event, RunEnd, RunHeader, StepResult, Submission};
use partita_core::schema::Schema;
use partita_core::secret::{self, Reference};
use partita_core::settings::{Memory, Span};
use partita_core::spec::PipelineSpec;
use partita_core::stack::{Capabilities, Delegates, Stack};
use partita_core::time::Timestamp;
use partita_engine::compile::{
    CompileRequest, ConfigFile, FlavorSettings, ImageBuilderLimits, Overrides, compile,
};
use partita_engine::schedule::{Plan, Scheduler};
use partita_engine::step_runner::load_folder;
use partita_engine::store::{
    ArtifactStore, Documents, Durability, LocalArtifactStore, StoreError, layout, read_document,
};
use partita_plugin::frame::Frame;
use partita_plugin::message::{Description, Status, Welcome};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is checked of arbitrary bytes.
pub type Check = fn(&[u8]);

/// Every check by its name, which its target and the folder of its seeds have too.
pub const CHECKS: [(&str, Check); 7] = [
    ("config_file", config_file),
    ("deployment", deployment),
    ("documents", documents),
    ("literal", literal),
    ("plugin_messages", plugin_messages),
    ("quantities", quantities),
    ("store_paths", store_paths),
];

/// A line of a plugin is refused, or is a message that is written and read back as it is, and answers in
/// it are refused or read. A schema in it accepts or refuses any key, and says something of all.
pub fn plugin_messages(data: &[u8]) {
    let Ok(frame) = Frame::read(data) else { return };
    let line = frame.line();
    assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1, "it is not one line");
    assert_eq!(Frame::read(&line).as_ref(), Ok(&frame), "it reads back as another one");
    let Frame::Response { result: Ok(result), .. } = frame else { return };
    let _ = serde_json::from_value::<Welcome>(result.clone());
    let _ = serde_json::from_value::<Status>(result.clone());
    let Ok(description) = serde_json::from_value::<Description>(result) else { return };
    let _ = description.supply.capabilities();
    let schema = Schema::of(&description.config_schema);
    for key in schema.keys() {
        assert!(!key.expected.is_empty(), "nothing is expected");
        let _ = (schema.suggestion(&key.name), schema.read(&key.name, "1"));
    }
}

/// A deployment is refused, or reads back the same and can be scheduled or is refused for its graph.
pub fn deployment(data: &[u8]) {
    if let Ok(read) = Deployment::read(data) {
        assert!(nesting(data) <= MAX_DEPTH, "a document that is too deep was read");
        assert_eq!(read.content_id().ok().as_ref(), Some(&read.id), "an id its content lacks");
    }
    // No mutation has the right id, so what lies behind that check gets the id it must have.
    let Ok(mut document) = serde_json::from_slice::<Deployment>(data) else { return };
    let Ok(id) = document.content_id() else { return };
    document.id = id;
    let bytes = written(&document);
    match Deployment::read(&bytes) {
        Ok(again) => assert_eq!(written(&again), bytes, "it reads back as another one"),
        Err(error) => assert!(
            nesting(&bytes) > MAX_DEPTH || document.version != 1,
            "what was written cannot be read: {error}"
        ),
    }
    if let Ok(plan) = Plan::of(&document, Vec::new()) {
        let _ = Scheduler::new(plan);
    }
}

/// The documents of a run are refused, or read back the same.
pub fn documents(data: &[u8]) {
    document::<StepResult>(data);
    document::<RunHeader>(data);
    document::<RunEnd>(data);
    document::<Submission>(data);
    document::<Manifest>(data);
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(event) = serde_json::from_slice::<Event>(line) {
            let line = written(&event);
            assert!(!line.contains(&b'\n'), "an event takes more than one line");
            assert_eq!(serde_json::from_slice::<Event>(&line).ok().as_ref(), Some(&event));
        }
    }
    PLACE.with(|place| read_from(place, data));
}

/// Checks that a store tells of damaged documents, and of nothing else.
fn read_from(place: &Place, data: &[u8]) {
    let put = |path: &str| place.store.write(path, Bytes::copy_from_slice(data)).is_ok();
    assert!(put(&layout::events("run")) && put(&layout::run_header("run")));
    let documents = Documents::new(&place.store);
    let (events, header) = (documents.events("run"), documents.run_header("run"));
    for error in [events.err(), header.err()].into_iter().flatten() {
        assert!(matches!(error, StoreError::BadDocument { .. }), "{error}");
    }
}

fn document<T: Serialize + DeserializeOwned>(data: &[u8]) {
    match read_document::<T>(data, run::VERSION) {
        Ok(document) => {
            let bytes = written(&document);
            let again = read_document::<T>(&bytes, run::VERSION).map(|again| written(&again));
            assert_eq!(again.as_ref(), Ok(&bytes), "it reads back as another one");
        }
        Err((reason, help)) => assert!(!reason.is_empty() && !help.is_empty()),
    }
}

/// A configuration file is refused with a place and advice, or compiles or is refused with a report.
pub fn config_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let config = match ConfigFile::parse("run.yaml", text) {
        Ok(config) => config,
        Err(report) => {
            assert!(!report.problems.is_empty());
            assert!(report.problems.iter().all(|problem| problem.help.is_some()), "{report}");
            return;
        }
    };
    for (_, value, _) in config.parameters() {
        assert_eq!(Literal::parse(value.text()).ok().as_ref(), Some(value));
    }
    let Some((spec, request)) = pipeline(config) else { return };
    match compile(spec, &request) {
        Ok(compiled) => {
            let read = Deployment::read(&written(&compiled.deployment));
            assert_eq!(read.ok(), Some(compiled.deployment), "the deployment reads back otherwise");
        }
        Err(report) => assert!(!report.problems.is_empty()),
    }
}

/// Returns a pipeline of two steps, and the request to compile it with `config`.
fn pipeline(config: ConfigFile) -> Option<(PipelineSpec, CompileRequest)> {
    let spec = serde_json::from_str(
        r#"{"name": "digits", "source": "digits:digits", "parameters": {"depth": 3},
            "sources": {"digits:train": {"parts": []}},
            "definitions": {"digits:train": {"name": "train", "outputs": [{"name": "output"}],
                "inputs": {"rate": {"kinds": ["float"], "required": false}}}},
            "steps": [{"name": "train", "source": "digits:train"},
                {"name": "train_2", "source": "digits:train", "after": ["train"]}]}"#,
    );
    let stack = serde_json::from_str::<Stack>(
        r#"{"name": "default",
            "orchestrators": [{"name": "default", "type": "orchestrator", "flavor": "local"}],
            "artifact_store": {"name": "default", "type": "artifact_store", "flavor": "local"}}"#,
    );
    let request = CompileRequest {
        stack: stack.ok()?,
        capabilities: Capabilities {
            max_parallelism: Some(1),
            timeouts: true,
            grace: 0.0,
            loads_steps_again: false,
            cpus: Some(2.0),
            memory: None,
            gpus: None,
            gpu_classes: true,
            allow_unenforced: false,
            images: false,
            delegates: Delegates::No,
            claims: None,
        },
        other_capabilities: BTreeMap::new(),
        flavor_settings: FlavorSettings::default(),
        images: BTreeMap::new(),
        image_builder: ImageBuilderLimits::default(),
        site_packages: Vec::new(),
        config: Some(config),
        overrides: Overrides::default(),
        source_root: PathBuf::from("/nonexistent"),
        environment_variables: BTreeMap::new(),
    };
    Some((spec.ok()?, request))
}

/// A reference to a secret that is filled with its own text stays one, and nothing else changes.
fn references(literal: &Literal) {
    let own = |reference: &Reference| Ok::<_, serde_json::Error>(reference.to_string());
    let filled = secret::filled(literal, own).ok();
    let found = filled.as_ref().map(secret::references);
    assert_eq!(found, Some(secret::references(literal)), "other references come of it");
    assert_eq!(filled.map(|filled| filled.kind()), Some(literal.kind()), "it became another kind");
    let _ = secret::mixed(literal);
}

/// A literal is refused, or keeps its value and kind without its white space.
pub fn literal(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(literal) = Literal::parse(text) else {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "JSON is refused");
        return;
    };
    let again = Literal::parse(literal.text());
    assert_eq!(again.as_ref().ok(), Some(&literal), "it reads back as another one");
    if let Some(items) = literal.items() {
        let list = Literal::list(items.iter());
        let again = list.ok().and_then(|list| list.items());
        assert_eq!(again, Some(items), "its items make another list");
    }
    references(&literal);
    let value = |text| serde_json::from_str::<serde_json::Value>(text);
    let (Ok(value), Ok(compact)) = (value(text), value(literal.text())) else { return };
    assert_eq!(value, compact, "white space was part of the value");
    let kinds: &[Kind] = match value {
        serde_json::Value::Null => &[Kind::None],
        serde_json::Value::Bool(_) => &[Kind::Bool],
        serde_json::Value::Number(_) => &[Kind::Int, Kind::Float],
        serde_json::Value::String(_) => &[Kind::Str],
        serde_json::Value::Array(_) => &[Kind::List],
        serde_json::Value::Object(_) => return,
    };
    assert!(kinds.contains(&literal.kind()), "{literal} is not {}", literal.kind().name());
}

/// Memory, lengths of time, digests and points in time are refused, or read back the same.
pub fn quantities(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(memory) = text.parse::<Memory>() {
        assert_eq!(memory.to_string().parse(), Ok(memory), "{memory}");
    }
    if let Ok(span) = text.parse::<Span>() {
        assert!(span.0.is_finite() && span.0 >= 0.0, "{span}");
        assert_eq!(span.to_string().parse(), Ok(span), "{span}");
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string().parse().ok(), Some(digest));
    }
    if let Ok(moment) = serde_json::from_value::<Timestamp>(text.into()) {
        let again = serde_json::from_slice::<Timestamp>(&written(&moment));
        assert_eq!(again.ok(), Some(moment));
    }
}

/// No path, name or manifest leads out of an artifact store.
pub fn store_paths(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    let place = Place::new();
    let store = &place.store;
    let item = layout::commit("run", Unit::item(0, 1), path);
    for name in
        [layout::run_header(path), layout::commit("run", 0, path), item, layout::lease(path)]
    {
        assert!(is_inside(&name), "{name}");
        assert!(matches!(store.read(&name), Err(StoreError::NotFound { .. })), "{name}");
    }
    // What is no file of a step or an item is passed over, whatever it is called.
    let _ = (layout::step_file(path), layout::item_file(path));
    let bytes = Bytes::from_static(b"bytes");
    let created = store.create(path, bytes.clone());
    if matches!(created, Ok(true)) {
        let file = place.root().join(path.trim_end_matches('/'));
        assert_eq!(store.read(path).ok(), Some(bytes.clone()), "it reads back otherwise");
        assert_eq!(std::fs::read(file).ok().as_deref(), Some(bytes.as_ref()), "it lies elsewhere");
    }
    if !is_inside(path) {
        assert!(created.is_err(), "a path that leads out was written to");
        assert!(store.read(path).is_err() && store.list(path).is_err(), "… or was read");
        assert!(
            store.staging(path, "run").is_err() && store.fetch(path).is_err(),
            "… or was staged"
        );
    }
    let _ = store.link(path, "linked").is_ok() | store.appender(path).is_ok();
    let _ = store.list(path).is_ok() | store.delete(path).is_ok();
    if let Ok(staging) = store.staging(path, "run") {
        assert!(staging.folder().starts_with(place.root()));
        let _ = store.publish(staging);
    }
    manifest(&place, path);
    place.check();
}

/// Checks that a manifest cannot name a file outside of its artifact version's folder.
fn manifest(place: &Place, path: &str) {
    let digest = Digest::of(SECRET);
    let file = ArtifactFile { path: path.to_owned(), size: SECRET.len() as u64, digest };
    let version = ArtifactVersion {
        artifact: "a".to_owned(),
        id: "1".to_owned(),
        type_name: "builtins.bytes".to_owned(),
        format: "bytes".to_owned(),
        digest: content_digest("bytes", std::slice::from_ref(&file)),
        code: None,
        size: file.size,
        value: None,
        items: None,
        metadata: BTreeMap::new(),
    };
    let manifest = Manifest {
        version: run::VERSION,
        artifact: version.header(),
        files: vec![file],
        run_id: String::new(),
        step: String::new(),
        created_at: Timestamp(0),
    };
    let document = format!("{}/manifest.json", layout::artifact(&version));
    if place.store.write(&document, written(&manifest).into()).is_ok() {
        let loaded = load_folder(&place.store, &version);
        assert!(loaded.is_err(), "a manifest names what is not in its folder");
    }
}

thread_local! {
    /// A store for checks that leave nothing behind that another one would see.
    static PLACE: Place = Place::new();
}

/// What lies beside the store and must never be seen through it.
const SECRET: &[u8] = b"not in the store";

/// An artifact store in a folder of its own, and something outside of it.
struct Place {
    folder: tempfile::TempDir,
    store: LocalArtifactStore,
}

impl Place {
    fn new() -> Self {
        let made = tempfile::tempdir().and_then(|folder| {
            std::fs::write(folder.path().join("secret"), SECRET)?;
            Ok(folder)
        });
        let Ok(folder) = made else { panic!("no folder could be made") };
        let store = LocalArtifactStore::open(&folder.path().join("store"), Durability::Process);
        let Ok(store) = store else { panic!("no store could be made") };
        Self { folder, store }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Checks that everything outside of the store is as it was.
    fn check(&self) {
        let outside = std::fs::read_dir(self.folder.path()).map(Iterator::count);
        assert_eq!(outside.ok(), Some(2), "something was made outside of the store");
        let secret = std::fs::read(self.folder.path().join("secret"));
        assert_eq!(secret.ok().as_deref(), Some(SECRET), "something outside was changed");
    }
}

/// Returns whether a path, taken as it is written, stays where it begins.
fn is_inside(path: &str) -> bool {
    use std::path::Component;
    !path.is_empty()
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn written<T: Serialize>(document: &T) -> Vec<u8> {
    match serde_json::to_vec(document) {
        Ok(bytes) => bytes,
        Err(error) => panic!("a document that was read cannot be written: {error}"),
    }
}
