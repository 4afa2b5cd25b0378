//! Hands a pipeline to the program that it is part of.
//!
//! The command becomes that program, as it becomes Python for others. A file counts as one by a mark
//! that the Rust SDK leaves in it, so that nothing else is ever started.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use partita_cli::context::Context;
use partita_cli::program_mark::is_program;

use crate::error::CommandError;

/// A program, and perhaps the pipeline in it that is meant.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    pipeline: Option<String>,
}

impl Program {
    /// Returns the program that TARGET names: `PATH` or `PATH:PIPELINE`.
    pub(crate) fn of(target: &str) -> Option<Self> {
        let whole = Self { path: target.into(), pipeline: None };
        let named = target.rsplit_once(':').filter(|(_, name)| !name.is_empty());
        let named =
            named.map(|(path, name)| Self { path: path.into(), pipeline: Some(name.to_owned()) });
        std::iter::once(whole).chain(named).find(|program| is_program(&program.path))
    }

    /// Returns a program that has run before.
    pub(crate) fn again(path: &str, pipeline: String) -> Result<Self, CommandError> {
        let program = Self { path: path.into(), pipeline: Some(pipeline) };
        if is_program(&program.path) {
            return Ok(program);
        }
        Err(CommandError::failed(format!(
            "`{path}`, the program that ran it, is not there any more, or is another one; build it again"
        )))
    }

    /// Becomes the program; returns only if that fails.
    pub(crate) fn become_program(
        &self,
        verb: &str,
        words: Vec<String>,
        folder: Option<&Path>,
        context: &Context,
    ) -> CommandError {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let mut command = Command::new(path);
        command.arg(verb).args(&self.pipeline).args(words);
        command.args(context.quiet.then_some("--quiet"));
        command.args(context.verbose.then_some("--verbose"));
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        let error = command.exec();
        CommandError::failed(format!("`{}` cannot be started: {error}", self.path.display()))
    }
}
