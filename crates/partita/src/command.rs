//! Steps that are commands: any executable that reads files and writes others.

use std::collections::BTreeSet;
use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use partita_core::deployment::{CommandLine, CommandPart, Executable, SourcePart};
use partita_core::digest::Digest;
use partita_engine::file_digest::digest_file;

/// What starts scripts.
const SHELL: &str = "/bin/sh";

/// A command: its executable, and the words that it is started with.
///
/// An input that is a file is inserted as its path, any other as its text; an output is the path of
/// the file that the command has to write. The macro `step` makes one, as in
/// `#[step(command = ["sort", "-k2", input.raw, "-o", output])]`.
///
/// ```
/// use std::path::PathBuf;
/// use partita::{Command, Step};
///
/// let sort = Command::new("sort").text("-k2").input("raw").text("-o").output("output");
/// let step = Step::new("sort").input::<PathBuf>("raw").starts::<PathBuf, _>(sort);
/// ```
#[derive(Debug, Clone)]
pub struct Command {
    /// The executable; a script has none of its own.
    name: Option<String>,
    words: Vec<Vec<CommandPart>>,
    may_be_empty: BTreeSet<String>,
}

impl Command {
    /// Returns a command without arguments: of an executable in a folder of `PATH`, or at a path.
    #[must_use]
    pub fn new(executable: &str) -> Self {
        let name = Some(executable.to_owned());
        Self { name, words: Vec::new(), may_be_empty: BTreeSet::new() }
    }

    /// Returns a script for `/bin/sh` without words. What it inserts is quoted.
    #[must_use]
    pub fn script() -> Self {
        Self { name: None, words: Vec::new(), may_be_empty: BTreeSet::new() }
    }

    /// Adds a word.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.part(CommandPart::Text(text.to_owned()))
    }

    /// Adds a word that is an input.
    #[must_use]
    pub fn input(self, name: &str) -> Self {
        self.part(CommandPart::Input(name.to_owned()))
    }

    /// Adds a word that is an output; a step's only output is called `output`.
    #[must_use]
    pub fn output(self, name: &str) -> Self {
        self.part(CommandPart::Output(name.to_owned()))
    }

    /// Makes one word of the last ones, as in `--file=PATH`.
    #[must_use]
    pub fn joined(mut self, count: usize) -> Self {
        let first = self.words.len().saturating_sub(count);
        let word = self.words.drain(first..).flatten().collect();
        self.words.push(word);
        self
    }

    /// Lets the file of an output be empty.
    #[must_use]
    pub fn may_be_empty(mut self, output: &str) -> Self {
        self.may_be_empty.insert(output.to_owned());
        self
    }

    fn part(mut self, part: CommandPart) -> Self {
        self.words.push(vec![part]);
        self
    }

    /// Returns what a deployment has of it, and what its cache keys take.
    ///
    /// # Errors
    /// If its executable cannot be read.
    pub(crate) fn line(&self, step: &str) -> Result<(CommandLine, Vec<SourcePart>), String> {
        let is_script = self.name.is_none();
        let executable = self.executable()?;
        let words = match is_script {
            true => vec![vec![CommandPart::Text("-c".to_owned())], self.script_word()],
            false => self.words.clone(),
        };
        let said = serde_json::to_vec(&(&words, is_script)).map_err(|error| error.to_string())?;
        let part =
            |name: String, kind: &str, digest| SourcePart { name, kind: kind.to_owned(), digest };
        let mut parts = vec![part(step.to_owned(), "command", Digest::of(&said))];
        parts.extend(executable.digest.map(|digest| {
            let file = Path::new(&executable.path).file_name().unwrap_or_default();
            part(file.to_string_lossy().into_owned(), "executable", digest)
        }));
        let may_be_empty = self.may_be_empty.clone();
        Ok((CommandLine { executable, words, is_script, may_be_empty }, parts))
    }

    /// Returns the words of a script as one.
    fn script_word(&self) -> Vec<CommandPart> {
        let mut script = Vec::new();
        for word in &self.words {
            if !script.is_empty() {
                script.push(CommandPart::Text(" ".to_owned()));
            }
            script.extend(word.iter().cloned());
        }
        script
    }

    /// Returns what it starts: where that is here, or what it is called if it is not.
    fn executable(&self) -> Result<Executable, String> {
        let name = self.name.as_deref().unwrap_or(SHELL);
        let folders = env::var_os("PATH").unwrap_or_default();
        let found = match name.contains('/') {
            true => std::path::absolute(name).ok().filter(|path| is_executable(path)),
            false => env::split_paths(&folders)
                .map(|folder| folder.join(name))
                .find(|path| is_executable(path)),
        };
        let read = |path: &PathBuf| {
            digest_file(path)
                .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
        };
        let digest = found.as_ref().map(read).transpose()?;
        let path = found.map_or_else(|| name.to_owned(), |path| path.display().to_string());
        Ok(Executable { path, name: Some(name.to_owned()), digest })
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
