//! What a plugin says of its flavor, outside of runs.

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::schema::Schema;
use partita_core::stack::{ComponentType, Flavor, Origin, Plugin};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::message::{Description, Hello, PROTOCOL, Validate, Validated, Welcome, method};
use crate::patience::Patience;
use crate::process::{
    Answers, CallError, Ender, Listener, PluginProcess, problems_as, read, unknown_method,
};
use crate::start::{Start, StartError};

/// Bytes that a flavor's schemas may have: 1 MiB.
const SCHEMA_BYTES: usize = 1 << 20;

/// Why nothing is known of a plugin's flavor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// It may not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It does not start, cannot be loaded here, or has ended.
    #[error("{0}")]
    Failed(String),
    /// It answers what is no answer.
    #[error("{0}")]
    Malformed(String),
}

/// A plugin that is asked about its flavor.
pub struct Registration {
    start: Start,
    patience: Patience,
    process: PluginProcess,
}

impl Registration {
    /// Starts a plugin and sees that it speaks the protocol.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub fn open(start: &Start, patience: Patience) -> Result<Self, RegistrationError> {
        let started = Self::start(start, patience)?;
        started.greet()?;
        Ok(started)
    }

    /// Starts a plugin; it is to be greeted before it is asked.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start(start: &Start, patience: Patience) -> Result<Self, RegistrationError> {
        let listener = |answers| Box::new(Outside(answers)) as _;
        let process = PluginProcess::start(start.command(), patience, listener)
            .map_err(|error| RegistrationError::Failed(start.not_started(&error)))?;
        Ok(Self { start: start.clone(), patience, process })
    }

    /// Returns what ends it while it is asked.
    pub fn ender(&self) -> Ender {
        self.process.ender()
    }

    /// Sees that it speaks the protocol.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub fn greet(&self) -> Result<(), RegistrationError> {
        let welcome: Welcome = self.call(method::HELLO, &hello())?;
        check_version(&welcome)
            .map_err(|why| RegistrationError::Failed(format!("{} {why}", self.start.what)))
    }

    /// Returns its flavor, with the source and the origin that it is registered with.
    ///
    /// # Errors
    /// If it has none that can be registered.
    pub fn describe(&self, source: String, origin: Origin) -> Result<Flavor, RegistrationError> {
        let refuse = |why: String| RegistrationError::Failed(format!("{} {why}", self.start.what));
        let answer: Value = self.call(method::DESCRIBE, &Value::Null)?;
        let found = read_description(&answer).map_err(refuse)?;
        if found.component_type != ComponentType::Orchestrator.as_str() {
            return Err(refuse(format!(
                "is a flavor of type `{}`; only flavors of type `orchestrator` can be registered",
                found.component_type
            )));
        }
        check_schema("config_schema", &found.config_schema).map_err(refuse)?;
        if let Some(schema) = &found.settings_schema {
            check_schema("settings_schema", schema).map_err(refuse)?;
        }
        Ok(Flavor {
            name: found.name,
            component_type: ComponentType::Orchestrator,
            description: found.description,
            source,
            config_schema: found.config_schema,
            settings_schema: None,
            plugin: Some(Plugin {
                origin,
                capabilities: found.supply.capabilities(),
                settings_schema: found.settings_schema,
                docs_url: found.docs_url,
                logo_url: found.logo_url,
            }),
        })
    }

    /// Returns what the flavor itself says of a configuration.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn validate(
        &self,
        config: &BTreeMap<String, Literal>,
    ) -> Result<Validated, RegistrationError> {
        self.call(method::VALIDATE, &Validate { config: config.clone() })
    }

    fn call<Q: serde::Serialize, A: DeserializeOwned + JsonSchema + Send + 'static>(
        &self,
        method: &'static str,
        request: &Q,
    ) -> Result<A, RegistrationError> {
        self.process.call(method, request, self.patience.start).map_err(|error| {
            let told = format!("{} {error}", self.start.what);
            match error {
                CallError::Refused(error) | CallError::Unwelcome(error) => {
                    RegistrationError::Failed(self.start.refusal(method, &error.message))
                }
                CallError::Gone(_) => RegistrationError::Failed(told),
                CallError::Malformed { .. } => RegistrationError::Malformed(told),
            }
        })
    }
}

/// Returns the first request to every plugin.
pub(crate) fn hello() -> Hello {
    Hello { protocol: PROTOCOL, partita: env!("CARGO_PKG_VERSION").to_owned() }
}

/// Checks that a plugin speaks this protocol.
pub(crate) fn check_version(welcome: &Welcome) -> Result<(), String> {
    if welcome.protocol == PROTOCOL {
        return Ok(());
    }
    Err(format!(
        "speaks version {} of the plugin protocol, and this Partita speaks version {PROTOCOL}; update whichever is older",
        welcome.protocol
    ))
}

/// Reads what a plugin says of its flavor, after a check of all that it claims.
fn read_description(answer: &Value) -> Result<Description, String> {
    let wrong = |problem: String| format!("describes its flavor wrongly: {problem}");
    if let Some(problem) = problems_as::<Description>(answer) {
        return Err(wrong(problem));
    }
    let found: Description = read(answer).map_err(wrong)?;
    if let Some(key) = found.supply.fraction() {
        return Err(wrong(format!("`supply.{key}` is a whole number, or `\"any\"`")));
    }
    Ok(found)
}

fn check_schema(key: &str, schema: &Value) -> Result<(), String> {
    let bytes = schema.to_string().len();
    if bytes > SCHEMA_BYTES {
        return Err(format!(
            "has a `{key}` of {bytes} bytes; a schema has at most {SCHEMA_BYTES}, so move data that is in it somewhere else"
        ));
    }
    if let Some(fault) = Schema::of(schema).fault() {
        return Err(format!("has a `{key}` that is no JSON Schema of an object: {fault}"));
    }
    if let Some(why) = Schema::of(schema).emptiness() {
        return Err(format!("has a `{key}` that could never be met: {why}"));
    }
    if let Some(why) = Schema::of(schema).wrong_default() {
        return Err(format!("has a `{key}` with a default that does not fit: {why}"));
    }
    Ok(())
}

/// Hears of no run.
struct Outside(Answers);

impl Listener for Outside {
    fn notified(&mut self, _method: &str, _params: Value) {}

    fn asked(&mut self, id: Value, method: &str, _params: Value) {
        self.0.answer::<Value>(id, Err(unknown_method(method)));
    }

    fn printed(&mut self, _line: &str) {}

    fn cleared(&self, text: &str, _is_cut: bool) -> String {
        text.to_owned() // It knows no secrets.
    }

    fn gone(&mut self, _why: &str) {}
}
