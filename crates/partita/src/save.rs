//! The outputs of a step, saved when its function has returned.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use partita_core::artifact::INLINE_FILE;
use partita_core::literal::Literal;
use partita_engine::step_runner::{
    Content, INLINE_LIMIT, NewOutput, PATH_FORMAT, Stager, save_path,
};
use partita_engine::store::{Staging, StoreError};

use crate::binary::Binary;
use crate::bytes::Bytes;
use crate::output::Value;
use crate::step::Format;
use crate::types;
use crate::value::{self, ValueError};

/// The format of values.
const FORMAT: &str = "json";

/// Saves the outputs of one call of a step.
pub struct Saver<'a> {
    stager: &'a Stager,
    pub(crate) format: Format,
    pub(crate) outputs: Vec<NewOutput>,
}

impl<'a> Saver<'a> {
    pub(crate) fn new(stager: &'a Stager) -> Self {
        Self { stager, format: Format::default(), outputs: Vec::new() }
    }

    /// Saves the output with this name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save<T: Value>(&mut self, name: &str, value: &T) -> Result<(), ValueError> {
        value.store(self, name)
    }

    /// Returns a new folder for the files of an output.
    pub(crate) fn stage(&self, name: &str) -> Result<Staging, StoreError> {
        self.stager.stage(name)
    }

    /// Saves what serde can write.
    pub(crate) fn write<T: Serialize + 'static>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), ValueError> {
        let failed = |error: &dyn std::fmt::Display| {
            ValueError::new(format!("the output `{name}` cannot be stored: {error}"))
        };
        let type_name = types::type_name::<T>();
        if let Some(path) = (value as &dyn Any).downcast_ref::<PathBuf>() {
            let staging = self.stager.stage(name).map_err(|error| failed(&error))?;
            let metadata = save_path(path, staging.folder()).map_err(|error| failed(&error))?;
            self.add(name, type_name, PATH_FORMAT, Content::Files(staging));
            self.note(metadata);
            return Ok(());
        }
        let bytes = (value as &dyn Any).downcast_ref::<Bytes>();
        if let Some(Bytes(bytes)) = bytes.filter(|bytes| bytes.0.len() > INLINE_LIMIT / 2) {
            let staging = self.stage(name).map_err(|error| failed(&error))?;
            fs::write(staging.folder().join("data.bin"), bytes).map_err(|error| failed(&error))?;
            self.add(name, type_name, "bytes", Content::Files(staging));
            return Ok(());
        }
        if self.format == Format::Binary {
            let binary = Binary::of(value).map_err(|error| failed(&error))?;
            if binary.len() > INLINE_LIMIT {
                let mut staging = self.stage(name).map_err(|error| failed(&error))?;
                let digest = binary.write(staging.folder()).map_err(|error| failed(&error))?;
                if let Some((file, digest)) = digest {
                    staging.note_digest(file, digest);
                }
                self.add(name, type_name, binary.format(), Content::Files(staging));
                self.note(binary.metadata());
                return Ok(());
            }
        }
        let text = value::encode(value).map_err(|error| failed(&error))?;
        let content = if text.len() <= INLINE_LIMIT {
            let text = String::from_utf8(text).map_err(|error| failed(&error))?;
            Content::Inline(Literal::parse(&text).map_err(|error| failed(&error))?)
        } else {
            let staging = self.stager.stage(name).map_err(|error| failed(&error))?;
            let file = staging.folder().join(INLINE_FILE);
            fs::write(file, text).map_err(|error| failed(&error))?;
            Content::Files(staging)
        };
        self.add(name, type_name, FORMAT, content);
        Ok(())
    }

    /// Notes what there is to say of the latest output.
    fn note(&mut self, metadata: BTreeMap<String, Literal>) {
        if let Some(output) = self.outputs.last_mut() {
            output.metadata = metadata;
        }
    }

    pub(crate) fn add(&mut self, name: &str, type_name: &str, format: &str, content: Content) {
        self.outputs.push(NewOutput {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            format: format.to_owned(),
            code: None,
            metadata: BTreeMap::new(),
            content,
        });
    }
}
