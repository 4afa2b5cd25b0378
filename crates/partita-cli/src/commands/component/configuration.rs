//! Takes `--key=value` and `--key value` of a component's configuration out of the command line: which keys there
//! are is known only once its flavor is.

use std::collections::HashSet;
use std::ffi::OsString;

use clap::{Command, CommandFactory};
use partita_core::stack::ComponentType;

use crate::Cli;
use crate::error::CommandError;

/// Keys and values as they were typed, in that order.
pub(crate) type Configuration = Vec<(String, String)>;

/// Splits a command line into what the parser takes and the configuration of a component, which
/// only `register`, `update` and `flavor test` of a component type have.
pub(crate) fn split_configuration(
    words: Vec<OsString>,
) -> (Vec<OsString>, Result<Configuration, CommandError>) {
    let Some(known) = known_options(&words) else { return (words, Ok(Vec::new())) };
    let mut parsed = Vec::with_capacity(words.len());
    let mut configuration = Vec::new();
    let mut problem = None;
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        match word.to_str().and_then(|text| text.strip_prefix("--")) {
            Some("") => {
                parsed.push(word);
                parsed.extend(words.by_ref());
            }
            Some(option) if !known.contains(option.split('=').next().unwrap_or(option)) => {
                let typed = match option.split_once('=') {
                    Some((key, value)) => Some((key, value.to_owned())),
                    None => words
                        .next_if(is_value)
                        .and_then(|word| Some((option, word.into_string().ok()?))),
                };
                match typed {
                    Some((key, value)) => configuration.push((key.to_owned(), value)),
                    None => problem = problem.or_else(|| Some(without_value(option))),
                }
            }
            _ => parsed.push(word),
        }
    }
    (parsed, problem.map_or(Ok(configuration), Err))
}

/// Returns whether a word after a key is its value: text, or a negative number.
fn is_value(word: &OsString) -> bool {
    word.to_str().is_some_and(|word| {
        word.strip_prefix('-').is_none_or(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

fn without_value(option: &str) -> CommandError {
    CommandError::usage(format!(
        "the configuration key `--{option}` has no value; write `--{option}=VALUE`"
    ))
}

/// The verbs that configure a component.
const VERBS: [&[&str]; 3] = [&["register"], &["update"], &["flavor", "test"]];

/// Returns the options that the parser knows, if this command line configures a component.
fn known_options(words: &[OsString]) -> Option<HashSet<String>> {
    let words = words.iter().skip(1).filter_map(|word| word.to_str());
    let nouns: Vec<&str> = words.filter(|word| !word.starts_with('-')).take(3).collect();
    let (noun, rest) = nouns.split_first()?;
    let kind = ComponentType::ALL.into_iter().find(|kind| kind.verb() == *noun)?;
    let verb = VERBS.into_iter().find(|verb| rest.starts_with(verb))?;
    options_of(&built(), kind, verb)
}

/// Returns the whole command line.
fn built() -> Command {
    let mut cli = Cli::command();
    cli.build();
    cli
}

/// Returns the options of a verb of a component type, and those that every verb has.
fn options_of(cli: &Command, kind: ComponentType, verb: &[&str]) -> Option<HashSet<String>> {
    let of_type = cli.find_subcommand(kind.verb())?;
    let command = verb.iter().try_fold(of_type, |command, word| command.find_subcommand(word))?;
    let long = command.get_arguments().filter_map(|argument| argument.get_long());
    let mut known: HashSet<String> = long.map(str::to_owned).collect();
    known.extend(["help", "version", "quiet", "verbose"].map(str::to_owned));
    Some(known)
}

/// Returns the key of a flavor that was typed; in it `-` and `_` are the same.
pub(super) fn same_key(typed: &str, key: &str) -> bool {
    typed.replace('-', "_") == key.replace('-', "_")
}

/// Returns the first of these keys that can never be typed as an option, and why.
pub(super) fn untypable<'k>(
    kind: ComponentType,
    mut keys: impl Iterator<Item = &'k str>,
) -> Option<(&'k str, String)> {
    let cli = built();
    let taken = VERBS.map(|verb| (verb, options_of(&cli, kind, verb).unwrap_or_default()));
    let is_odd = |c: char| c == '=' || c.is_whitespace() || c.is_control();
    keys.find_map(|key| {
        let hides = |options: &HashSet<String>| options.iter().any(|name| same_key(name, key));
        if let Some((verb, _)) = taken.iter().find(|(_, options)| hides(options)) {
            let command = format!("partita {} {}", kind.verb(), verb.join(" "));
            return Some((key, format!("`{command}` has an option `--{key}` of its own")));
        }
        (key.is_empty() || key.starts_with('-') || key.contains(is_odd))
            .then(|| (key, "no option can be called that".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, parsed: &str, configuration: &[(&str, &str)]) {
        let (words, found) = split_configuration(line.split(' ').map(OsString::from).collect());
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        let expected: Configuration = configuration
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!((words.join(" ").as_str(), found.expect("values")), (parsed, expected));
    }

    #[test]
    fn only_unknown_options_of_components_are_configuration() {
        check(
            "partita -v artifact-store register --path=/a=b big --flavor=local --trust-pickles=false",
            "partita -v artifact-store register big --flavor=local",
            &[("path", "/a=b"), ("trust-pickles", "false")],
        );
        check(
            "partita orchestrator register x --flavor local -- --y=1",
            "partita orchestrator register x --flavor local -- --y=1",
            &[],
        );
        check(
            "partita artifact-store register --path /a big --least -1 --flavor local",
            "partita artifact-store register big --flavor local",
            &[("path", "/a"), ("least", "-1")],
        );
        check("partita orchestrator list --x=1", "partita orchestrator list --x=1", &[]);
        check(
            "partita orchestrator flavor test x --y=1 --output json --z 2",
            "partita orchestrator flavor test x --output json",
            &[("y", "1"), ("z", "2")],
        );
        check(
            "partita orchestrator flavor list --x=1",
            "partita orchestrator flavor list --x=1",
            &[],
        );
        check("partita run a.py --x=1", "partita run a.py --x=1", &[]);
    }

    #[test]
    fn keys_that_options_of_the_verbs_hide_cannot_be_typed() {
        let why = |key: &str| {
            let found = untypable(ComponentType::Orchestrator, ["queue", key].into_iter());
            found.map(|(found, why)| {
                assert_eq!(found, key);
                why
            })
        };
        for key in ["flavor", "help", "quiet", "verbose", "version", "unset", "output", "scenario"]
        {
            let why = why(key).expect("it is taken");
            assert!(why.contains(&format!("`--{key}` of its own")), "{why}");
        }
        for key in ["", "-x", "a b", "a=b", "a\nb"] {
            assert_eq!(why(key).as_deref(), Some("no option can be called that"));
        }
        for key in ["max-jobs", "gr\u{fc}n", "f", "name"] {
            assert_eq!(why(key), None);
        }
    }

    #[test]
    fn a_key_without_a_value_is_refused() {
        for after in ["", " --mode=safe", " -v"] {
            let line = format!("partita orchestrator update x --queue{after}");
            let words = line.split(' ').map(OsString::from).collect();
            assert!(split_configuration(words).1.is_err(), "{line}");
        }
    }
}
