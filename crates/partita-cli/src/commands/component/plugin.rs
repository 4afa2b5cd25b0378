//! Asks the implementation of a flavor, where there is one that can be asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use partita_core::literal::Literal;
use partita_core::stack::{Claims, Flavor, Origin};
use partita_plugin::message::{Problem, Validated};
use partita_plugin::{
    Ender, Patience, Registration, RegistrationError, Start, StartError, digest_of,
};

use super::cargo_package::{self, Installed, Package};
use super::ending::Ending;
use super::keys::Keys;
use crate::context::Context;
use crate::error::CommandError;
use crate::python;

/// A flavor that a source implements, and what was installed for it.
pub(super) struct Described {
    pub(super) flavor: Flavor,
    installed: Option<Installed>,
}

impl Described {
    /// Has what was installed stay, now that the registry has the flavor.
    pub(super) fn keep(self) {
        if let Some(installed) = self.installed {
            installed.keep();
        }
    }
}

/// Returns the flavor that a source implements: an executable, a Python class by its dotted path, or
/// a package that cargo builds.
pub(super) fn describe(source: &str, context: &Context) -> Result<Described, CommandError> {
    let Some(package) = source.strip_prefix(cargo_package::SCHEME) else {
        return Ok(Described { flavor: describe_present(source, context)?, installed: None });
    };
    let package = Package::read(package)?;
    let installed = package.install(context)?;
    let flavor =
        describe_executable(&installed.executable, Some(package.to_string()), Patience::default())?;
    Ok(Described { flavor, installed: Some(installed) })
}

/// Returns the flavor of a source that is there already.
fn describe_present(source: &str, context: &Context) -> Result<Flavor, CommandError> {
    if is_dotted(source) && !Path::new(source).exists() {
        return describe_class(source, &source_root(context)?, Patience::default());
    }
    let path = std::path::absolute(source)
        .map_err(|error| CommandError::usage(format!("`{source}` is no path: {error}")))?;
    describe_executable(&path, None, Patience::default()).map_err(CommandError::from)
}

/// Returns what a registered flavor's implementation says now.
pub(crate) fn describe_again(flavor: &Flavor, patience: Patience) -> Result<Flavor, CommandError> {
    match flavor.plugin.as_ref().map(|plugin| &plugin.origin) {
        Some(Origin::Python { source_root }) => {
            describe_class(&flavor.source, Path::new(source_root), patience)
        }
        Some(Origin::Executable { package, .. }) => {
            Ok(describe_executable(Path::new(&flavor.source), package.clone(), patience)?)
        }
        None => Err(RegistrationError::from(StartError::BuiltIn(flavor.name.clone())).into()),
    }
}

/// Returns whether a source is `package.module.Class`.
fn is_dotted(source: &str) -> bool {
    let is_name = |part: &str| {
        let mut letters = part.chars();
        letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    source.contains('.') && source.split('.').all(is_name)
}

/// Returns the folder that dotted paths begin in: the nearest marked one, else the current one.
fn source_root(context: &Context) -> Result<PathBuf, CommandError> {
    if let Some(root) = context.session()?.source_root() {
        return Ok(root.to_owned());
    }
    let here = std::env::current_dir().map_err(|error| {
        CommandError::failed(format!("the working directory cannot be entered: {error}"))
    })?;
    context.warn(&format!(
        "no folder at or above `{0}` is marked as a source root, so the flavor is looked up from `{0}`; `partita init` marks one",
        here.display()
    ));
    Ok(here)
}

fn describe_class(
    source: &str,
    source_root: &Path,
    patience: Patience,
) -> Result<Flavor, CommandError> {
    let interpreter = python::find()?;
    interpreter.check_package()?;
    let start = Start::python(&interpreter.path, source, source_root);
    let source_root = source_root.display().to_string();
    let origin = Origin::Python { source_root };
    Ok(ask(&start, patience, |plugin| plugin.describe(source.to_owned(), origin))?)
}

fn describe_executable(
    path: &Path,
    package: Option<String>,
    patience: Patience,
) -> Result<Flavor, RegistrationError> {
    let start = Start::executable(path)?;
    let digest = digest_of(path)?;
    let origin = Origin::Executable { digest, package };
    ask(&start, patience, |plugin| plugin.describe(path.display().to_string(), origin))
}

/// Asks a plugin, which is ended first if somebody ends this command meanwhile.
fn ask<T>(
    start: &Start,
    patience: Patience,
    ask: impl FnOnce(&Registration) -> Result<T, RegistrationError>,
) -> Result<T, RegistrationError> {
    let plugin: Arc<OnceLock<Ender>> = Arc::default();
    let end = Arc::clone(&plugin);
    let ending = Ending::hold(move || end.get().into_iter().for_each(Ender::end))
        .map_err(|error| RegistrationError::Failed(format!("signals cannot be taken: {error}")))?;
    let said = Registration::start(start, patience).and_then(|started| {
        let ender = plugin.get_or_init(|| started.ender());
        if ending.is_asked() {
            ender.end();
        }
        started.greet()?;
        ask(&started)
    });
    ending.obey();
    said
}

/// Checks a configuration that fits its flavor's schema with the flavor's own checks, where that is
/// possible; returns what the flavor says of it then.
pub(super) fn check(
    flavor: &Flavor,
    config: &BTreeMap<String, Literal>,
    context: &Context,
) -> Result<Option<Claims>, CommandError> {
    let Some(said) = asked(flavor, config, context)? else { return Ok(None) };
    if said.problems.is_empty() {
        return Ok(Some(said.claims()));
    }
    let problems = told(&said);
    Err(Keys::of(flavor).refuse(format!("the configuration is wrong: {problems}")))
}

/// Returns what a flavor says of a configuration that fits its schema, or what is wrong with it; that
/// it cannot be asked is warned of.
pub(super) fn check_again(
    flavor: &Flavor,
    config: &BTreeMap<String, Literal>,
    context: &Context,
) -> Result<Option<Claims>, String> {
    let said = asked(flavor, config, context).unwrap_or_else(|error| {
        context.warn(&format!("{NOT_ASKED}: {error}"));
        None
    });
    match said {
        Some(said) if !said.problems.is_empty() => Err(told(&said)),
        said => Ok(said.map(|said| said.claims())),
    }
}

fn told(said: &Validated) -> String {
    said.problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// What is said where a flavor's own checks are not asked.
const NOT_ASKED: &str = "the configuration is checked against the stored schema alone";

/// Asks a flavor's own checks. That its implementation cannot be loaded here is warned of; that it
/// answers what is no answer is an error.
fn asked(
    flavor: &Flavor,
    config: &BTreeMap<String, Literal>,
    context: &Context,
) -> Result<Option<Validated>, RegistrationError> {
    if flavor.plugin.is_none() {
        return Ok(None);
    }
    let python = python::find().map(|found| found.path).unwrap_or_else(|_| "python3".into());
    let said = Start::of(flavor, &python)
        .map_err(RegistrationError::from)
        .and_then(|start| ask(&start, Patience::default(), |plugin| plugin.validate(config)));
    match said {
        Ok(said) => Ok(Some(said)),
        Err(error @ RegistrationError::Malformed(_)) => Err(error),
        Err(error) => {
            context.warn(&format!("{NOT_ASKED}: {error}"));
            Ok(None)
        }
    }
}
