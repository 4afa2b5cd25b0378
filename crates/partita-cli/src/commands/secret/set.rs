//! `partita secret set`: stores a value, which the command line never holds.

use std::io::{IsTerminal, Read};

use dialoguer::Password;
use partita_core::secret::Reference;
use partita_engine::secrets::{ExposeSecret, LONGEST, SecretStore, SecretString, check_value};

use crate::context::Context;
use crate::error::CommandError;

const AFTER_HELP: &str = "`{{NAME.KEY}}` stands for the value in parameters of pipelines and in configurations of components. A value on the command line is refused, and no verb shows one again.";

/// Stores a value, in place of the one that is there. On a terminal it is asked for and not shown;
/// elsewhere, and with `KEY=-`, it is read from standard input, without a line break at its end.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The secret: a letter, then letters, digits, `_` and `-`.
    #[arg(value_name = "NAME")]
    name: String,
    /// Which of its values; `=-` after it reads the value from standard input.
    #[arg(value_name = "KEY[=-]")]
    key: String,
    /// What somebody typed as a value, and nobody may repeat.
    #[arg(hide = true, allow_hyphen_values = true)]
    typed: Vec<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CommandError> {
    let (key, given) = match args.key.split_once('=') {
        Some((key, given)) => (key, Some(given)),
        None => (args.key.as_str(), None),
    };
    if !args.typed.is_empty() || given.is_some_and(|given| given != "-") {
        return Err(CommandError::usage(
            "a value on the command line is seen by other programs and kept by the shell, so it is refused",
        )
        .help("type `partita secret set NAME KEY` and give the value when it is asked for, or `KEY=-` and pipe it in"));
    }
    let reference = SecretStore::reference(&args.name, key)
        .map_err(|error| CommandError::usage(error.to_string()))?;
    let session = context.session()?;
    let value = if given.is_none() && std::io::stdin().is_terminal() {
        asked(&reference)?
    } else {
        piped()?
    };
    check_value(&value)?;
    session.home().secrets().set(&reference, &value)?;
    context.say(&format!("the secret is stored; `{reference}` stands for it"));
    Ok(())
}

fn asked(reference: &Reference) -> Result<SecretString, CommandError> {
    Password::new()
        .with_prompt(format!("Value of {reference}"))
        .with_confirmation("Once more", "they differ")
        .report(false)
        .interact()
        .map(SecretString::from)
        .map_err(|error| CommandError::failed(format!("the value cannot be asked for: {error}")))
}

/// Returns what standard input holds, without a line break at its end.
fn piped() -> Result<SecretString, CommandError> {
    let mut text = String::with_capacity(LONGEST + 3);
    let limit = LONGEST as u64 + 3;
    std::io::stdin().lock().take(limit).read_to_string(&mut text).map_err(|error| {
        CommandError::failed(format!("the value cannot be read from standard input: {error}"))
            .help("a secret is text in UTF-8; encode other bytes, in base64 for instance")
    })?;
    let text = SecretString::from(text);
    let line = text.expose_secret();
    let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(SecretString::from(line))
}
