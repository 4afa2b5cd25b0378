//! Reads the options of an entrypoint: each has a value, and none is passed over.

use std::collections::BTreeMap;
use std::ffi::OsString;

use partita_core::name::nearest;

/// The options, with whether each must be given.
pub(super) const OPTIONS: [(&str, bool); 7] = [
    ("entrypoint_config_source", true),
    ("artifact_store", true),
    ("deployment_id", true),
    ("run_id", true),
    ("step_name", true),
    ("attempt", true),
    ("item", false),
];

/// The value of each option.
pub(super) type Given = BTreeMap<&'static str, String>;

/// Returns what the option says that all others depend on, if it is there.
pub(super) fn source(words: &[OsString]) -> Option<String> {
    let (name, _) = OPTIONS[0];
    let mut words = words.iter().map(|word| word.to_string_lossy());
    loop {
        let word = words.next()?;
        let Some(rest) = word.strip_prefix("--").and_then(|word| word.strip_prefix(name)) else {
            continue;
        };
        match rest.strip_prefix('=') {
            Some(value) => return Some(value.to_owned()),
            None if rest.is_empty() => return words.next().map(|value| value.into_owned()),
            None => {}
        }
    }
}

/// Returns the words that give options these values.
pub(super) fn words(given: &Given) -> impl Iterator<Item = String> {
    given.iter().map(|(name, value)| format!("--{name}={value}"))
}

/// Returns the value of each option, from `--name VALUE` or `--name=VALUE`.
///
/// # Errors
/// Everything that is unknown, missing, given twice or without a value.
pub(super) fn read(words: &[OsString]) -> Result<Given, String> {
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    let mut words = words.iter().map(|word| word.to_string_lossy().into_owned()).peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word.clone(), None),
        };
        let known = name.strip_prefix("--").and_then(known);
        // What looks like an option is no value, but after `=`.
        let value = value.or_else(|| words.next_if(|next| !next.starts_with("--")));
        match (known, value) {
            (None, _) => problems.push(unknown(&name)),
            (Some(name), None) => problems.push(format!("`--{name}` has no value")),
            (Some(name), Some(value)) => {
                if values.insert(name, value).is_some() {
                    problems.push(format!("`--{name}` is given twice"));
                }
            }
        }
    }
    let mentioned = problems.join("; ");
    for (name, is_required) in OPTIONS {
        if is_required && !values.contains_key(name) && !mentioned.contains(&format!("`--{name}`"))
        {
            problems.push(format!("`--{name}` is missing"));
        }
    }
    if problems.is_empty() {
        return Ok(values);
    }
    let all = OPTIONS.map(|(name, _)| format!("--{name}")).join("`, `");
    Err(format!("{}. This entrypoint takes `{all}`.", problems.join("; ")))
}

fn known(name: &str) -> Option<&'static str> {
    OPTIONS.iter().map(|(known, _)| *known).find(|known| *known == name)
}

fn unknown(name: &str) -> String {
    let names = OPTIONS.iter().map(|(name, _)| *name);
    let meant = nearest(name.trim_start_matches('-'), names);
    let hint = meant.map(|meant| format!("; did you mean `--{meant}`?")).unwrap_or_default();
    format!("`{name}` is no option of it{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    const ALL: &str = "--entrypoint_config_source a.B --artifact_store=file:///x=y \
        --deployment_id d --run_id r --step_name --attempt=1";

    #[test]
    fn each_option_has_a_value_in_either_form() {
        let read = read(&words(&ALL.replace("--step_name", "--step_name=--odd"))).expect("read");
        assert_eq!((&*read["step_name"], &*read["artifact_store"]), ("--odd", "file:///x=y"));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let text = "--step-name train --run_id r --run_id=s --attempt";
        let said = read(&words(text)).expect_err("wrong");
        for part in [
            "`--step-name` is no option of it; did you mean `--step_name`?",
            "`--run_id` is given twice",
            "`--attempt` has no value",
            "`--artifact_store` is missing",
            "This entrypoint takes `--entrypoint_config_source`",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(said.matches("--attempt` ").count(), 1, "{said}");
    }
}
