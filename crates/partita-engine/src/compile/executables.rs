//! Which executables commands start: those of this machine, or those of the images that steps run in.

use std::collections::BTreeMap;

use partita_core::deployment::{CommandLine, Executable, Source, StepConfig};
use partita_core::diagnostic::{Diagnostic, Report};
use partita_core::spec::StepSpec;

use super::messages::quoted;
use crate::script::Script;

/// What follows the key of a source whose executable is that of an image.
const IN_IMAGE: &str = " in its image";

/// What the parts of a source are called that are executables.
const PART: &str = "executable";

/// Checks that a shell inserts what its script is to have, and that the executable of a command is
/// there, unless its step runs in an image.
pub(super) fn check(
    step: &StepSpec,
    source: Option<&Source>,
    config: &StepConfig,
    report: &mut Report,
) {
    let Some(command) = source.and_then(|source| source.command.as_ref()) else { return };
    if let Some(Err(misplaced)) = command.script().map(Script::of) {
        let what = format!("in step {}, {misplaced}", quoted(&step.name));
        report.push(Diagnostic::new(what).help(misplaced.help).at(step.location.clone()));
    }
    if command.executable.digest.is_some() || config.docker.has_image() {
        return;
    }
    let name = name(command);
    let place = if name.contains('/') { "here" } else { "in a folder of `PATH`" };
    let what = format!(
        "{}, which step {} starts, is no executable {place}",
        quoted(name),
        quoted(&step.name)
    );
    let help = "install it, write its path, or have the step run in an image that has it";
    report.push(Diagnostic::new(what).help(help).at(step.location.clone()));
}

/// Returns the key of a step's source in the place where it runs: in an image its command starts what
/// that has, or what is below the source root.
pub(super) fn placed(
    source: String,
    config: &StepConfig,
    sources: &mut BTreeMap<String, Source>,
) -> String {
    let found = sources.get(&source).filter(|_| config.docker.has_image());
    let Some(in_image) = found.and_then(in_image) else { return source };
    let key = format!("{source}{IN_IMAGE}");
    sources.insert(key.clone(), in_image);
    key
}

/// Returns the source of a command as it is in images; the one that they have is not known here, and
/// does not count, since the image does.
fn in_image(source: &Source) -> Option<Source> {
    let command = source.command.as_ref()?;
    let path = name(command).to_owned();
    let arrives = path.contains('/') && !path.starts_with('/');
    let digest = command.executable.digest.filter(|_| arrives);
    let mut parts = source.parts.clone();
    parts.retain(|part| arrives || part.kind != PART);
    let executable = Executable { path, name: None, digest };
    let command = Some(CommandLine { executable, ..command.clone() });
    Some(Source { command, parts, ..source.clone() })
}

/// Returns what the author of a command calls its executable.
fn name(command: &CommandLine) -> &str {
    let executable = &command.executable;
    executable.name.as_deref().unwrap_or(&executable.path)
}
