//! What a command reads and writes: files, and values that are inserted as they are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use partita_core::artifact::{ArtifactVersion, INLINE_FILE};
use partita_core::deployment::{CommandLine, Output};
use partita_core::literal::{Kind, Literal};
use partita_core::secret;

use super::failed;
use crate::secrets::Secrets;
use crate::step_runner::path_format::{CONTENTS, PATH_FORMAT, keep_file, load_path};
use crate::step_runner::{
    Content, INLINE_LIMIT, InputValue, NewOutput, StepCall, Stopped, load_folder, load_inline,
};
use crate::store::Staging;

/// Returns what is inserted for an input: the path of a file, or the text of a value.
pub(super) fn inserted(call: &StepCall<'_>, name: &str) -> Result<String, Stopped> {
    let of_input = |why: String| failed(format!("the input `{name}` of the command {why}"));
    if let Some(parameter) = call.attempt.step().parameters.get(name) {
        return literal(call, parameter).map_err(of_input);
    }
    let value = call.inputs.get(name).ok_or_else(|| of_input("is not given".to_owned()))?;
    let text = match value {
        InputValue::Literal(value) => literal(call, value),
        InputValue::Artifact(version) => artifact(call, version),
        InputValue::Element { list, index } => element(call, list, *index as usize),
        InputValue::List(_) | InputValue::Tuple(_) | InputValue::Dict(_) => {
            Err("is a collection; give the command one file, text or number at a time".to_owned())
        }
    };
    text.map_err(of_input)
}

fn literal(call: &StepCall<'_>, literal: &Literal) -> Result<String, String> {
    let filled = match secret::references(literal).is_empty() {
        true => None,
        false => {
            let nothing = Secrets::default();
            let secrets = call.secrets.map_or(&nothing, |secrets| &**secrets);
            Some(secrets.fill(literal).map_err(|error| format!("cannot be had: {error}"))?)
        }
    };
    text(filled.as_ref().unwrap_or(literal))
}

/// Returns the text of a value as one writes it in a command.
fn text(literal: &Literal) -> Result<String, String> {
    match literal.kind() {
        Kind::Str => serde_json::from_str(literal.text()).map_err(|error| error.to_string()),
        Kind::Int | Kind::Float | Kind::Bool => Ok(literal.text().to_owned()),
        kind => {
            Err(format!("is of type `{}`; a command takes files, texts and numbers", kind.name()))
        }
    }
}

/// Returns the text of an element of a list.
fn element(call: &StepCall<'_>, list: &ArtifactVersion, index: usize) -> Result<String, String> {
    let told = |error: &dyn std::fmt::Display| format!("cannot be loaded: {error}");
    if let Some(item) = list.items.as_ref().and_then(|items| items.get(index)) {
        return artifact(call, item);
    }
    let inline = load_inline(&**call.store, list).map_err(|error| told(&error))?;
    let literal = match inline {
        Some(literal) => literal.clone(),
        None if list.format == "json" => {
            let folder = load_folder(&**call.store, list).map_err(|error| told(&error))?;
            let text =
                fs::read_to_string(folder.join(INLINE_FILE)).map_err(|error| told(&error))?;
            Literal::parse(&text).map_err(|error| told(&error))?
        }
        None => return Err(unreadable(list)),
    };
    let items = literal.items().unwrap_or_default();
    items.get(index).ok_or_else(|| "is no list".to_owned()).and_then(text)
}

fn unreadable(version: &ArtifactVersion) -> String {
    format!(
        "is of type `{}` and stored in the format `{}`; a command takes files, texts and numbers, so write it to a file in a step that returns a path",
        version.type_name, version.format
    )
}

fn artifact(call: &StepCall<'_>, version: &ArtifactVersion) -> Result<String, String> {
    let store = &**call.store;
    let told = |error: &dyn std::fmt::Display| format!("cannot be loaded: {error}");
    if let Some(literal) = load_inline(store, version).map_err(|error| told(&error))? {
        return text(literal);
    }
    let folder = match version.items {
        None => load_folder(store, version).map_err(|error| told(&error))?,
        Some(_) => return Err("is a list; use `map` for a command a file".to_owned()),
    };
    match version.format.as_str() {
        PATH_FORMAT => {
            let path = load_path(&folder).map_err(|error| told(&error))?;
            path.to_str().map(str::to_owned).ok_or_else(|| told(&"its path is no UTF-8 text"))
        }
        "text" => fs::read_to_string(folder.join("data.txt")).map_err(|error| told(&error)),
        _ => Err(unreadable(version)),
    }
}

/// A file that the command is to write.
pub(super) struct Written {
    pub(super) name: String,
    /// Where it is to be.
    pub(super) path: PathBuf,
    type_name: String,
    staging: Staging,
}

/// Makes room for the outputs of a command.
pub(super) fn stage(call: &StepCall<'_>) -> Result<Vec<Written>, Stopped> {
    let stager = call.stager();
    let one = |output: &Output| {
        let staging = stager.stage(&output.name)?;
        let folder = staging.folder().join(CONTENTS);
        fs::create_dir(&folder).map_err(|error| {
            failed(format!("there is no room for the output `{}`: {error}", output.name))
        })?;
        Ok(Written {
            name: output.name.clone(),
            path: folder.join(file_name(&output.name)),
            type_name: output.type_name.clone().unwrap_or_default(),
            staging,
        })
    };
    call.attempt.step().outputs.iter().map(one).collect()
}

/// Returns the name of the file that an output is written to.
fn file_name(output: &str) -> String {
    match output.replace('/', "_") {
        name if ["", ".", ".."].contains(&name.as_str()) => format!("output{name}"),
        name => name,
    }
}

impl Written {
    /// Takes up what the command has written.
    pub(super) fn taken(self, command: &CommandLine, program: &str) -> Result<NewOutput, Stopped> {
        let Self { name, path, type_name, staging } = self;
        let wrong =
            |what: &str| failed(format!("`{program}` ended well, and its output `{name}` {what}"));
        let found = fs::symlink_metadata(&path).map_err(|_| {
            wrong("is missing; let the command write the file whose path is inserted for it")
        })?;
        if found.is_dir() {
            return Err(wrong("is a folder; let the command write one file, such as an archive"));
        }
        if !found.is_file() {
            return Err(wrong("is no regular file; let the command write one"));
        }
        if found.len() == 0 && !command.may_be_empty.contains(&name) {
            return Err(wrong("is empty; if that is right, name it in `may_be_empty`"));
        }
        let system = |error: io::Error| wrong(&format!("cannot be stored: {error}"));
        if Kind::of_type(&type_name).is_none() {
            let metadata = keep_file(&path, staging.folder()).map_err(system)?;
            return Ok(NewOutput {
                metadata,
                ..output(name, type_name, PATH_FORMAT, Content::Files(staging))
            });
        }
        let text = fs::read_to_string(&path).map_err(system)?;
        let literal = value(&text, &type_name).map_err(|what| wrong(&what))?;
        if literal.text().len() <= INLINE_LIMIT {
            return Ok(output(name, type_name, "json", Content::Inline(literal)));
        }
        fs::remove_dir_all(staging.folder().join(CONTENTS)).map_err(system)?;
        fs::write(staging.folder().join("data.txt"), text).map_err(system)?;
        Ok(output(name, type_name, "text", Content::Files(staging)))
    }
}

fn output(name: String, type_name: String, format: &str, content: Content) -> NewOutput {
    NewOutput {
        name,
        type_name,
        format: format.to_owned(),
        code: None,
        metadata: BTreeMap::new(),
        content,
    }
}

/// Returns the value that a file's text says.
fn value(text: &str, type_name: &str) -> Result<Literal, String> {
    let takes = Kind::of_type(type_name);
    let literal = match takes {
        Some(Kind::Str) => serde_json::to_string(text).and_then(|text| Literal::parse(&text)),
        _ => Literal::parse(text.trim()),
    };
    let says = |text: &str| text.chars().take(40).collect::<String>();
    match literal {
        Ok(literal) if takes == Some(literal.kind()) => Ok(literal),
        Ok(literal) if takes == Some(Kind::Float) && literal.kind() == Kind::Int => {
            Literal::parse(&format!("{}.0", literal.text())).map_err(|error| error.to_string())
        }
        _ => Err(format!(
            "is no `{}`; it says `{}`",
            takes.map_or("value", Kind::name),
            says(text.trim())
        )),
    }
}
