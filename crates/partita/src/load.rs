//! The inputs of a step, loaded when its function takes them.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use partita_core::artifact::ArtifactVersion;
use partita_core::literal::Literal;
use partita_core::secret;
use partita_engine::secrets::Secrets;
use partita_engine::step_runner::{
    InputValue, PATH_FORMAT, StepCall, load_folder, load_inline, load_path,
};
use partita_engine::store::ArtifactStore;

use crate::binary;
use crate::bytes::Bytes;
use crate::output::Value;
use crate::{Error, Result};
use crate::{types, value};

/// The inputs of one call of a step.
pub struct Inputs<'a> {
    parameters: &'a BTreeMap<String, Literal>,
    values: &'a BTreeMap<String, InputValue>,
    secrets: Option<&'a Arc<Secrets>>,
    store: &'a dyn ArtifactStore,
    list: &'a LatestList,
}

/// The list that the latest item of a mapped step was taken from, by its version's id.
pub(crate) type LatestList = RefCell<Option<(String, Vec<Literal>)>>;

impl<'a> Inputs<'a> {
    pub(crate) fn of(
        call: &'a StepCall<'_>,
        store: &'a dyn ArtifactStore,
        list: &'a LatestList,
    ) -> Self {
        let parameters = &call.attempt.step().parameters;
        Self { parameters, values: call.inputs, secrets: call.secrets, store, list }
    }

    /// Loads the input with this name.
    ///
    /// # Errors
    /// If it is not there, or is no `T`.
    pub fn take<T: Value>(&mut self, name: &str) -> Result<T> {
        T::restore(self, name)
            .map_err(|error| format!("the input `{name}` cannot be loaded: {error}").into())
    }

    /// Returns an input that comes from elsewhere.
    pub(crate) fn found(&self, name: &str) -> Result<&'a InputValue> {
        self.values.get(name).ok_or_else(|| "it is not given".into())
    }

    pub(crate) fn store(&self) -> &'a dyn ArtifactStore {
        self.store
    }

    /// Loads what serde can read.
    pub(crate) fn read<T: DeserializeOwned + 'static>(&self, name: &str) -> Result<T> {
        match self.file::<T>(name).or_else(|| self.binary(name)) {
            Some(read) => read,
            None => self.text(name).and_then(|text| value::decode(&text).map_err(Error::from)),
        }
    }

    /// Returns an input that is a file, where files are asked for.
    fn file<T: 'static>(&self, name: &str) -> Option<Result<T>> {
        let version = self.version(name)?;
        if !types::is_path::<T>() || version.format != PATH_FORMAT {
            return None;
        }
        let path = load_folder(self.store, version).map_err(Error::from);
        let path = path.and_then(|folder| load_path(&folder).map_err(Error::from));
        let as_asked = |path: PathBuf| (Box::new(path) as Box<dyn Any>).downcast::<T>();
        Some(path.and_then(|path| match as_asked(path) {
            Ok(path) => Ok(*path),
            Err(_) => Err("it is a file".into()),
        }))
    }

    /// Returns an input that is stored in a binary format, if it is what is asked for.
    fn binary<T: DeserializeOwned + 'static>(&self, name: &str) -> Option<Result<T>> {
        let version = self.version(name)?;
        if ![binary::NPY, binary::MESSAGE_PACK].contains(&&*version.format) {
            return None;
        }
        match load_folder(self.store, version) {
            Ok(folder) => binary::read(&folder, &version.format),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Returns an input that is one artifact.
    fn version(&self, name: &str) -> Option<&ArtifactVersion> {
        match self.values.get(name)? {
            InputValue::Artifact(version) => Some(version),
            InputValue::Element { list, index } => list.items.as_ref()?.get(*index as usize),
            _ => None,
        }
    }

    /// Returns an input in the `json` format.
    fn text(&self, name: &str) -> Result<Vec<u8>> {
        if let Some(parameter) = self.parameters.get(name) {
            return self.literal(parameter);
        }
        match self.values.get(name) {
            Some(value) => self.value(value),
            // A pipeline in another language leaves out what may be left out.
            None => Ok(b"null".to_vec()),
        }
    }

    fn literal(&self, literal: &Literal) -> Result<Vec<u8>> {
        if secret::references(literal).is_empty() {
            return Ok(literal.text().into());
        }
        let nothing = Secrets::default();
        let secrets = self.secrets.map_or(&nothing, |secrets| &**secrets);
        Ok(secrets.fill(literal)?.text().into())
    }

    fn value(&self, value: &InputValue) -> Result<Vec<u8>> {
        match value {
            InputValue::Literal(literal) => self.literal(literal),
            InputValue::Artifact(version) => self.artifact(version),
            InputValue::List(items) | InputValue::Tuple(items) => {
                joined(items.iter().map(|item| self.value(item)))
            }
            InputValue::Dict(items) => {
                let entries = items.iter().map(|(key, item)| {
                    let key = value::encode(key)?;
                    Ok([key, b":".to_vec(), self.value(item)?].concat())
                });
                let entries = entries.collect::<Result<Vec<_>>>()?;
                Ok([b"{".to_vec(), entries.join(&b','), b"}".to_vec()].concat())
            }
            InputValue::Element { list, index } => self.element(list, *index as usize),
        }
    }

    /// Returns an element of a list, which is read once for all items that come in a row.
    fn element(&self, list: &Arc<ArtifactVersion>, index: usize) -> Result<Vec<u8>> {
        if let Some(items) = &list.items {
            return self.artifact(items.get(index).ok_or("the list is too short")?);
        }
        let mut known = self.list.borrow_mut();
        if known.as_ref().is_none_or(|(id, _)| *id != list.id) {
            let text = String::from_utf8(self.artifact(list)?)?;
            let items = Literal::parse(&text)?.items().ok_or("it is no list")?;
            *known = Some((list.id.clone(), items));
        }
        let item = known.as_ref().and_then(|(_, items)| items.get(index));
        Ok(item.ok_or("the list is too short")?.text().into())
    }

    fn artifact(&self, version: &ArtifactVersion) -> Result<Vec<u8>> {
        if let Some(literal) = load_inline(self.store, version)? {
            return Ok(literal.text().into());
        }
        if let Some(items) = &version.items {
            return joined(items.iter().map(|item| self.artifact(item)));
        }
        let folder = load_folder(self.store, version)?;
        read(&folder, &version.format)
    }
}

/// Returns the list of values in the `json` format.
fn joined(items: impl Iterator<Item = Result<Vec<u8>>>) -> Result<Vec<u8>> {
    let items = items.collect::<Result<Vec<_>>>()?;
    Ok([b"[".to_vec(), items.join(&b','), b"]".to_vec()].concat())
}

/// Returns what files in a format say, in the `json` format.
fn read(folder: &Path, format: &str) -> Result<Vec<u8>> {
    match format {
        "json" => Ok(fs::read(folder.join("data.json"))?),
        "bytes" => Ok(value::encode(&Bytes(fs::read(folder.join("data.bin"))?))?),
        "text" => Ok(value::encode(&fs::read_to_string(folder.join("data.txt"))?)?),
        binary::NPY | binary::NPY_SCALAR | binary::MESSAGE_PACK => binary::as_text(folder, format),
        other => Err(format!(
            "it is stored in the format `{other}`, which Rust does not read; make a value of numbers, texts and collections of it in its own language"
        )
        .into()),
    }
}
