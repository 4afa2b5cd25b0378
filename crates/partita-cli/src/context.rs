//! What every command needs: where it was typed, how much to say, and where data goes.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::format::Format;
use crate::session::Session;
use crate::terminal;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;

use crate::error::CommandError;

/// How much a command says.
pub struct Context {
    /// Only failures.
    pub quiet: bool,
    /// More than usual.
    pub verbose: bool,
}

/// The option of every command that shows data.
#[derive(Args)]
pub struct Output {
    /// How to write it: for people, or for programs.
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = format_parser())]
    pub output: Format,
}

/// Returns the parser of `--output`.
fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::WORDS).try_map(|word| word.parse::<Format>())
}

/// Reads a whole number of things, as in `--limit 10`.
pub fn whole_number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number, or is too large"))
}

impl Context {
    /// Returns what the options `--quiet` and `--verbose` ask for.
    pub fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose }
    }

    /// Returns the working directory.
    pub fn folder(&self) -> Result<PathBuf, CommandError> {
        std::env::current_dir().map_err(|error| {
            CommandError::failed(format!(
                "the working directory cannot be entered: {error}; go to another one"
            ))
        })
    }

    /// Opens the home for work in the working directory.
    pub fn session(&self) -> Result<Session, CommandError> {
        let session =
            Session::open(&self.folder()?).map_err(|error| match CommandError::from(error) {
                // A home is a folder of this machine, not a backend.
                CommandError::Failed { message, help, .. } => {
                    CommandError::Failed { code: crate::error::FAILED, message, help }
                }
                other => other,
            })?;
        Ok(session)
    }

    /// Writes data to standard output.
    pub fn data(&self, text: &str) -> Result<(), CommandError> {
        self.stream(|out| out.write_all(text.as_bytes()))
    }

    /// Writes data to standard output bit by bit.
    pub fn stream(
        &self,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), CommandError> {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write(&mut out).and_then(|()| out.flush()).map_err(|error| CommandError::output(&error))
    }

    /// Writes `document` as `format` says; `table` draws the table.
    pub fn show<T: Serialize + ?Sized>(
        &self,
        format: Format,
        document: &T,
        table: impl FnOnce() -> String,
    ) -> Result<(), CommandError> {
        let text = format.encode(document).map_err(CommandError::bug)?;
        self.data(&text.unwrap_or_else(table))
    }

    /// Writes rows as `format` says, and tells people with `none` why there are none.
    pub fn show_list<T: Serialize>(
        &self,
        format: Format,
        rows: &[T],
        table: impl FnOnce() -> String,
        none: &str,
    ) -> Result<(), CommandError> {
        self.show(format, rows, table)?;
        if rows.is_empty() && format == Format::Table {
            self.say(none);
        }
        Ok(())
    }

    /// Says what was done, unless `--quiet` was given.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{}", terminal::escaped(text));
        }
    }

    /// Says what looks wrong and did not stop the command.
    pub fn warn(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "warning: {}", terminal::escaped(text));
    }
}

/// Returns the folder as messages show it: `.` for the working directory.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
