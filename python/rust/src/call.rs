//! One call of a Python step: what its inputs are, and what it returned.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_cli::progress::{Progress, Stream};
use partita_core::artifact::ArtifactVersion;
use partita_core::digest::{Digest, InvalidDigest};
use partita_core::launcher::Attempt;
use partita_core::literal::Literal;
use partita_core::run::Failure;
use partita_core::secret;
use partita_engine::secrets::Secrets;
use partita_engine::step_runner::{
    self as runner, Content, INLINE_LIMIT, InputValue, LogStream, NewOutput, Notes, Returned,
    Stager, StepLog, Stopped,
};
use partita_engine::store::{ArtifactStore, Staging};
use pyo3::exceptions::{PyKeyError, PyKeyboardInterrupt};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use serde::de::DeserializeOwned;

use crate::errors::partita_error;
use crate::redaction::Redactor;
use crate::value;

/// What the Python runner gets to call a step once.
#[pyclass(frozen, module = "partita._native")]
pub(crate) struct StepCall {
    attempt: Attempt,
    run_name: String,
    inputs: BTreeMap<String, InputValue>,
    log: Arc<StepLog>,
    notes: Arc<Notes>,
    stager: Stager,
    store: Arc<dyn ArtifactStore>,
    trusted: bool,
    /// The values of secrets that its parameters may refer to.
    secrets: Option<Arc<Secrets>>,
    /// What is drawn on the terminal, in a process that draws.
    progress: Option<Arc<Progress>>,
    staged: Mutex<HashMap<String, Staging>>,
}

#[pymethods]
impl StepCall {
    #[getter]
    fn run_id(&self) -> &str {
        &self.attempt.run_id
    }

    #[getter]
    fn run_name(&self) -> &str {
        &self.run_name
    }

    #[getter]
    fn pipeline_name(&self) -> &str {
        &self.attempt.deployment.pipeline.name
    }

    #[getter]
    fn step_name(&self) -> &str {
        &self.attempt.step().name
    }

    #[getter]
    fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// The item, from 0, if the step is mapped.
    #[getter]
    fn item(&self) -> Option<u32> {
        self.attempt.item
    }

    /// Bytes up to which a value lives in its step's result.
    #[getter]
    fn inline_limit(&self) -> usize {
        INLINE_LIMIT
    }

    /// Returns the parameters that refer to secrets, with the values in place of the references.
    fn secret_parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parameters = PyDict::new(py);
        for (name, literal) in &self.attempt.step().parameters {
            if !secret::references(literal).is_empty() {
                parameters.set_item(name, self.decode_filled(py, literal)?)?;
            }
        }
        Ok(parameters)
    }

    /// Returns what takes secrets out of what the step prints, if it may take any.
    fn redactor(&self) -> Option<Redactor> {
        self.secrets.clone().map(Redactor::of)
    }

    /// Returns the literal values that the step is called with; references to secrets as such.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parameters = PyDict::new(py);
        for (name, literal) in &self.attempt.step().parameters {
            parameters.set_item(name, value::decode(py, literal.text().as_bytes())?)?;
        }
        Ok(parameters)
    }

    /// Returns the names of the values that come from elsewhere.
    fn input_names(&self) -> Vec<&str> {
        self.inputs.keys().map(String::as_str).collect()
    }

    /// Returns the list that an input is an element of, by its version's id, and the element's index;
    /// `None` for any other input. `load_input` loads the whole list.
    fn element(&self, name: &str) -> Option<(&str, u32)> {
        match self.inputs.get(name)? {
            InputValue::Element { list, index } => Some((&list.id, *index)),
            _ => None,
        }
    }

    /// Loads an input; `load(name, format, folder, type, trusted)` loads what is in files.
    fn load_input<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        load: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let input = self.inputs.get(name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        self.load_value(py, name, input, load)
    }

    /// Returns a folder for the files of an output; the same one for the same output.
    fn stage(&self, py: Python<'_>, name: &str) -> PyResult<OsString> {
        let mut staged = lock(&self.staged);
        if !staged.contains_key(name) {
            let made = self.stager.stage(name).map_err(|error| partita_error(py, error))?;
            staged.insert(name.to_owned(), made);
        }
        Ok(staged
            .get(name)
            .map(|staging| staging.folder().as_os_str().to_owned())
            .unwrap_or_default())
    }

    /// Records text that the step is about to print to `stdout` or `stderr`, and makes room for it.
    fn log(&self, stream: &str, text: &str) {
        let (shown, stream) = streams(stream);
        if let Some(progress) = &self.progress {
            progress.make_room(shown, text);
        }
        self.log.write(stream, text);
    }

    /// Says that the text is out.
    fn printed(&self, stream: &str) {
        if let Some(progress) = &self.progress {
            progress.printed(streams(stream).0);
        }
    }

    /// Says that the step reads from the terminal.
    fn reads(&self) {
        if let Some(progress) = &self.progress {
            progress.lend();
        }
    }

    /// Notes what the step says of itself.
    fn set_metadata(&self, py: Python<'_>, metadata: &[u8]) -> PyResult<()> {
        self.notes.set(literals(py, metadata)?);
        Ok(())
    }
}

impl StepCall {
    /// Returns a literal of the pipeline, with values in place of references to secrets.
    fn decode_filled<'py>(
        &self,
        py: Python<'py>,
        literal: &Literal,
    ) -> PyResult<Bound<'py, PyAny>> {
        if secret::references(literal).is_empty() {
            return decode(py, literal);
        }
        let nothing = Secrets::default();
        let secrets = self.secrets.as_deref().unwrap_or(&nothing);
        let filled = secrets.fill(literal).map_err(|error| partita_error(py, error))?;
        decode(py, &filled)
    }

    fn load_value<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        input: &InputValue,
        load: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let all = |items: &[InputValue]| {
            items
                .iter()
                .map(|item| self.load_value(py, name, item, load))
                .collect::<PyResult<Vec<_>>>()
        };
        match input {
            InputValue::Literal(literal) => self.decode_filled(py, literal),
            InputValue::Artifact(version) => self.load_artifact(py, name, version, load),
            InputValue::Element { list, .. } => self.load_artifact(py, name, list, load),
            InputValue::List(items) => Ok(PyList::new(py, all(items)?)?.into_any()),
            InputValue::Tuple(items) => Ok(PyTuple::new(py, all(items)?)?.into_any()),
            InputValue::Dict(items) => {
                let dict = PyDict::new(py);
                for (key, item) in items {
                    dict.set_item(key, self.load_value(py, name, item, load)?)?;
                }
                Ok(dict.into_any())
            }
        }
    }

    fn load_artifact<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        version: &ArtifactVersion,
        load: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let store = &self.store;
        let inlined = runner::load_inline(&**store, version);
        if let Some(literal) = inlined.map_err(|error| partita_error(py, error))? {
            return decode(py, literal);
        }
        if let Some(items) = &version.items {
            let items = items.iter().map(|item| self.load_artifact(py, name, item, load));
            return Ok(PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any());
        }
        let folder = py
            .detach(|| runner::load_folder(&**store, version))
            .map_err(|error| partita_error(py, error))?;
        load.call1((name, &version.format, folder.as_os_str(), &version.type_name, self.trusted))
    }
}

fn streams(name: &str) -> (Stream, LogStream) {
    match name {
        "stderr" => (Stream::Stderr, LogStream::Stderr),
        _ => (Stream::Stdout, LogStream::Stdout),
    }
}

fn decode<'py>(py: Python<'py>, literal: &Literal) -> PyResult<Bound<'py, PyAny>> {
    Ok(value::decode(py, literal.text().as_bytes())?.into_bound(py))
}

fn literals(py: Python<'_>, metadata: &[u8]) -> PyResult<BTreeMap<String, Literal>> {
    serde_json::from_slice(metadata).map_err(|error| partita_error(py, error))
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Reads a digest that Python made.
pub(crate) fn digest(text: Option<String>) -> Result<Option<Digest>, String> {
    text.map(|text| text.parse()).transpose().map_err(|error: InvalidDigest| error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An output as Python returns it: name, type, format, code, metadata, inlined value.
type Saved = (String, String, String, Option<String>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Calls Python steps for the step runner.
pub(crate) struct PyCaller<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) caller: &'a Bound<'py, PyAny>,
    pub(crate) run_name: &'a str,
    pub(crate) store: &'a Arc<dyn ArtifactStore>,
    pub(crate) trusted: bool,
    pub(crate) progress: Option<&'a Arc<Progress>>,
    /// Whether Ctrl-C or SIGTERM ends the run, now that the call is over.
    pub(crate) interrupted: bool,
}

impl PyCaller<'_, '_> {
    fn stopped(&mut self, attempt: &Attempt, error: PyErr) -> Stopped {
        if error.is_instance_of::<PyKeyboardInterrupt>(self.py) {
            self.interrupted = true;
            return Stopped::Cancelled;
        }
        let described = self
            .caller
            .call_method1("describe", (&attempt.step().name, error.value(self.py)))
            .and_then(|described| described.extract::<(String, String, Option<String>)>());
        if let Err(unexpected) = &described {
            self.interrupted |= unexpected.is_instance_of::<PyKeyboardInterrupt>(self.py);
        }
        Stopped::Failed(match described {
            Ok((kind, message, traceback)) => Failure { kind, message, traceback, exit_code: None },
            Err(_) => Failure { message: error.to_string(), ..Failure::ours("") },
        })
    }

    /// Returns whether SIGTERM came, which the step may have caught.
    fn is_told_to_end(&self) -> bool {
        let told = self.caller.getattr("is_told_to_end");
        told.and_then(|told| told.extract::<bool>()).unwrap_or(false)
    }

    fn returned(&self, call: &StepCall, saved: Vec<Saved>) -> Result<Returned, Stopped> {
        let mut staged = lock(&call.staged);
        let mut outputs = Vec::with_capacity(saved.len());
        for (name, type_name, format, code, metadata, inline) in saved {
            let damaged = |error: String| {
                Stopped::Failed(Failure::ours(format!(
                    "the output `{name}` was saved wrongly: {error}"
                )))
            };
            let code = digest(code).map_err(damaged)?;
            let metadata = match metadata {
                Some(bytes) => json(&bytes).map_err(damaged)?,
                None => BTreeMap::new(),
            };
            let content = match inline {
                Some(bytes) => Content::Inline(json(&bytes).map_err(damaged)?),
                None => Content::Files(staged.remove(&name).ok_or_else(|| {
                    Stopped::Failed(Failure::ours(format!("the output `{name}` was not saved")))
                })?),
            };
            outputs.push(NewOutput { name, type_name, format, code, metadata, content });
        }
        Ok(Returned { outputs })
    }

    fn hook(&mut self, method: &str, attempt: &Attempt) -> Result<(), String> {
        match self.caller.call_method1(method, (&attempt.step().name,)) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.interrupted |= error.is_instance_of::<PyKeyboardInterrupt>(self.py);
                Err(error.to_string())
            }
        }
    }
}

impl runner::StepCaller for PyCaller<'_, '_> {
    fn call(&mut self, call: &runner::StepCall<'_>) -> Result<Returned, Stopped> {
        let native = StepCall {
            attempt: call.attempt.clone(),
            run_name: self.run_name.to_owned(),
            inputs: call.inputs.clone(),
            log: Arc::clone(&call.log),
            notes: Arc::clone(&call.notes),
            stager: call.stager(),
            store: Arc::clone(self.store),
            trusted: self.trusted,
            secrets: call.secrets.map(Arc::clone),
            progress: self.progress.map(Arc::clone),
            staged: Mutex::default(),
        };
        let native =
            Bound::new(self.py, native).map_err(|error| self.stopped(call.attempt, error))?;
        let saved = self
            .caller
            .call_method1("call", (&native,))
            .and_then(|saved| saved.extract::<Vec<Saved>>());
        if let Some(progress) = self.progress {
            progress.take_back();
        }
        match saved {
            Ok(saved) => {
                self.interrupted |= self.is_told_to_end();
                self.returned(native.get(), saved)
            }
            Err(error) => {
                // The exception's traceback keeps the call alive; what it staged is not worth that.
                lock(&native.get().staged).clear();
                Err(self.stopped(call.attempt, error))
            }
        }
    }

    fn on_success(&mut self, attempt: &Attempt) -> Result<(), String> {
        if attempt.step().config.hooks.on_success.is_none() {
            return Ok(());
        }
        self.hook("succeeded", attempt)
    }

    fn on_failure(&mut self, attempt: &Attempt, _failure: &Failure) -> Result<(), String> {
        if attempt.step().config.hooks.on_failure.is_none() {
            return Ok(());
        }
        self.hook("failed", attempt)
    }

    fn is_recorded(&self) -> bool {
        let recorded = self.caller.getattr("is_recorded");
        recorded.and_then(|recorded| recorded.extract::<bool>()).unwrap_or(false)
    }

    fn is_labelled(&self) -> bool {
        let labelled = self.caller.getattr("is_labelled");
        labelled.and_then(|labelled| labelled.extract::<bool>()).unwrap_or(false)
    }

    fn show(&mut self, stream: LogStream, text: &str) {
        let name = match stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        };
        let shown = streams(name).0;
        if let Some(progress) = self.progress {
            progress.make_room(shown, text);
        }
        // Nobody may be reading.
        let _ = self.caller.call_method1("show", (name, text));
        if let Some(progress) = self.progress {
            progress.printed(shown);
        }
    }

    fn is_interrupted(&mut self) -> bool {
        self.interrupted |= self.py.check_signals().is_err();
        // What is raised in this thread alone is raised by code in Python alone.
        self.interrupted |= self.caller.getattr("is_told_to_end").is_err();
        self.interrupted
    }

    fn wait(&mut self, wait: &mut (dyn FnMut() + Send)) {
        self.py.detach(wait);
    }
}
