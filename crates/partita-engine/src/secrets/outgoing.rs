//! What leaves an attempt, without the values of secrets that it was given.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use partita_core::run::Failure;
use partita_core::secret::Reference;

use super::{Redactor, Secrets};
use crate::step_runner::{Content, NewOutput, Returned, Stopped};

/// Bytes of a file that are looked at together.
const CHUNK: usize = 1 << 20;

/// What an attempt leaves behind, looked through before anybody stores it.
pub(crate) trait Outgoing: Sized {
    /// Returns it without values, or why it cannot be stored.
    fn checked(self, secrets: &Secrets) -> Result<Self, Stopped>;
}

impl Outgoing for Stopped {
    fn checked(mut self, secrets: &Secrets) -> Result<Self, Stopped> {
        if let Self::Failed(failure) = &mut self {
            secrets.redact_failure(failure);
        }
        Ok(self)
    }
}

impl Outgoing for Returned {
    /// Refuses an output that holds a value: changed, it would not be what the step returned.
    fn checked(mut self, secrets: &Secrets) -> Result<Self, Stopped> {
        let Some(redactor) = secrets.redactor() else { return Ok(self) };
        for output in &mut self.outputs {
            secrets.redact_metadata(&mut output.metadata);
            if let Some(reference) = held(redactor, output)? {
                return Err(Stopped::Failed(Failure::ours(refusal(&output.name, reference))));
            }
        }
        Ok(self)
    }
}

fn refusal(output: &str, reference: &Reference) -> String {
    format!(
        "its output `{output}` holds the value of the secret `{reference}`, which would be stored unencrypted; return something else, and give the secret itself to each step that needs it"
    )
}

/// Returns the reference of a value in an output.
fn held<'a>(redactor: &'a Redactor, output: &NewOutput) -> Result<Option<&'a Reference>, Stopped> {
    match &output.content {
        Content::Inline(literal) => Ok(redactor.find(literal.text().as_bytes())),
        Content::Files(staging) => {
            let folder = staging.folder();
            in_folder(redactor, folder).map_err(|error| {
                let name = &output.name;
                Stopped::Failed(Failure::ours(format!(
                    "the files of its output `{name}` cannot be searched for secrets: {error}"
                )))
            })
        }
    }
}

fn in_folder<'a>(redactor: &'a Redactor, folder: &Path) -> std::io::Result<Option<&'a Reference>> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let found = match () {
            () if kind.is_dir() => in_folder(redactor, &path)?,
            () if kind.is_file() => in_file(redactor, &path)?,
            () => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn in_file<'a>(redactor: &'a Redactor, path: &Path) -> std::io::Result<Option<&'a Reference>> {
    let mut file = File::open(path)?;
    let mut seen = Vec::new();
    loop {
        let before = seen.len();
        (&mut file).take(CHUNK as u64).read_to_end(&mut seen)?;
        if let Some(reference) = redactor.find(&seen) {
            return Ok(Some(reference));
        }
        if seen.len() == before {
            return Ok(None);
        }
        // What may be the beginning of a form is looked at again with what follows.
        seen.drain(..seen.len().saturating_sub(redactor.longest()));
    }
}
