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

use crate::types;
use crate::value::{self, ValueError};

/// The format of values.
const FORMAT: &str = "json";

/// Saves the outputs of one call of a step.
pub struct Saver<'a> {
    stager: &'a Stager,
    pub(crate) outputs: Vec<NewOutput>,
}

impl<'a> Saver<'a> {
    pub(crate) fn new(stager: &'a Stager) -> Self {
        Self { stager, outputs: Vec::new() }
    }

    /// Saves the output with this name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save<T: Serialize + 'static>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), ValueError> {
        let failed = |error: &dyn std::fmt::Display| {
            ValueError::new(format!("the output `{name}` cannot be stored: {error}"))
        };
        if let Some(path) = (value as &dyn Any).downcast_ref::<PathBuf>() {
            let staging = self.stager.stage(name).map_err(|error| failed(&error))?;
            let metadata = save_path(path, staging.folder()).map_err(|error| failed(&error))?;
            self.add::<T>(name, PATH_FORMAT, metadata, Content::Files(staging));
            return Ok(());
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
        self.add::<T>(name, FORMAT, BTreeMap::new(), content);
        Ok(())
    }

    fn add<T: 'static>(
        &mut self,
        name: &str,
        format: &str,
        metadata: BTreeMap<String, Literal>,
        content: Content,
    ) {
        self.outputs.push(NewOutput {
            name: name.to_owned(),
            type_name: types::type_name::<T>().to_owned(),
            format: format.to_owned(),
            code: None,
            metadata,
            content,
        });
    }
}
