//! Checks what the registry keeps: flavors, components and secrets.

use std::time::{Duration, Instant};

use partita_cli::fit;
use partita_cli::session::Session;
use partita_cli::terminal::shell_word;
use partita_core::stack::{Component, ComponentType, Flavor};
use partita_engine::metadata::Registry;
use partita_plugin::Patience;

use super::{Check, Verdict};
use crate::commands::component::{built_in_flavors, describe_again};
use crate::error::CommandError;

const FLAVORS: &str = "flavors";
const COMPONENTS: &str = "components";
const SECRETS: &str = "secrets";

/// How long a flavor is looked at; whoever configures or runs it waits longer.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// Returns the checks of flavors, of components and of secrets: a row for each that something is wrong
/// with, else one for all of them.
pub(super) fn checks(session: &Session) -> Vec<Check> {
    let mut checks = flavors(session).unwrap_or_else(|e| vec![Check::of(FLAVORS, Err(e))]);
    checks.extend(components(session).unwrap_or_else(|e| vec![Check::of(COMPONENTS, Err(e))]));
    checks.push(secrets(session));
    checks
}

/// Checks that registered flavors are where they were, and are what they were.
fn flavors(session: &Session) -> Result<Vec<Check>, CommandError> {
    let kind = ComponentType::Orchestrator;
    let registered = session.home().metadata().registered_flavors(kind)?;
    let wrong: Vec<Check> = registered.iter().filter_map(flavor).collect();
    if !wrong.is_empty() {
        return Ok(wrong);
    }
    let message = match registered.len() {
        0 => "none is registered".to_owned(),
        1 => "1 is registered, and is as it was then".to_owned(),
        count => format!("{count} are registered, and are as they were then"),
    };
    Ok(vec![Check::ok(FLAVORS, message)])
}

/// Returns what is wrong with a registered flavor.
fn flavor(flavor: &Flavor) -> Option<Check> {
    let name = &flavor.name;
    let second = Duration::from_secs(1);
    let patience =
        Patience { start: LONGEST_LOOK, answer: LONGEST_LOOK, end: second, ..Patience::default() };
    let begun = Instant::now();
    match describe_again(flavor, patience) {
        Ok(now) if now == *flavor => None,
        Ok(_) => Some(Check::warning(
            FLAVORS,
            format!("`{name}` has changed since it was registered"),
            format!("`partita orchestrator flavor update {}` takes that in", shell_word(name)),
        )),
        Err(_) if begun.elapsed() >= LONGEST_LOOK => Some(Check::warning(
            FLAVORS,
            format!("`{name}` did not say within {LONGEST_LOOK:?} what it is"),
            format!(
                "see why `{}` takes so long; a run waits up to {:?} for it",
                flavor.source,
                Patience::default().start
            ),
        )),
        Err(CommandError::Failed { message, .. }) => Some(Check {
            name: FLAVORS,
            verdict: Verdict::Problem,
            message: format!("`{name}` cannot be loaded, so that nothing runs on it: {message}"),
            help: Some(format!(
                "bring `{}` back, or tell where it is now with `partita orchestrator flavor update {} SOURCE`",
                flavor.source,
                shell_word(name)
            )),
        }),
        Err(error) => Some(Check::of(FLAVORS, Err(error))),
    }
}

/// Checks that components fit their flavors.
fn components(session: &Session) -> Result<Vec<Check>, CommandError> {
    let metadata = session.home().metadata();
    let mut wrong = Vec::new();
    let mut count = 0;
    for kind in ComponentType::ALL {
        let flavors = metadata.flavors(kind, &built_in_flavors())?;
        for component in metadata.components(kind)? {
            count += 1;
            let flavor = flavors.iter().find(|flavor| flavor.name == component.flavor);
            let checked = match flavor {
                Some(flavor) => fit::check(&component, flavor)
                    .map_err(|unfit| CommandError::failed(unfit.to_string())),
                None => Err(without_flavor(&component)),
            };
            wrong.extend(checked.err().map(|error| Check::of(COMPONENTS, Err(error))));
        }
    }
    if wrong.is_empty() {
        wrong.push(Check::ok(COMPONENTS, format!("{count} are configured, and fit their flavors")));
    }
    Ok(wrong)
}

/// Returns what is said of a component whose flavor is not registered.
fn without_flavor(component: &Component) -> CommandError {
    let Component { component_type: kind, name, flavor, .. } = component;
    let verb = kind.verb();
    CommandError::failed(format!(
        "the {kind} `{name}` has the flavor `{flavor}`, which is not registered, so that nothing runs on it"
    ))
    .help(format!(
        "register the flavor again with `partita {verb} flavor register SOURCE`, or delete the {kind} with `partita {verb} delete {}`",
        shell_word(name)
    ))
}

/// Checks that everything that is stored can be decrypted.
fn secrets(session: &Session) -> Check {
    let checked = session.home().secrets().check_all().map(|count| match count {
        0 => "none is stored".to_owned(),
        1 => "1 value is stored, and can be decrypted".to_owned(),
        count => format!("{count} values are stored, and can be decrypted"),
    });
    Check::of(SECRETS, checked.map_err(CommandError::from))
}
