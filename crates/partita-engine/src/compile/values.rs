//! Reads single option values: the shape of each, its limits, and what to say when it breaks them.

use std::collections::BTreeMap;

use partita_core::literal::{Kind, Literal};
use partita_core::name;
use partita_core::settings::{FailureMode, Memory, Span};

use super::messages::quoted;

/// Why a value is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is of another kind than the option takes.
    Shape,
    /// It is of the right kind and says something impossible: what, and what to do.
    Content(String, Option<String>),
}

impl Refusal {
    /// Returns the refusal that a parser's message `what; what to do` tells.
    fn told(message: &str) -> Self {
        match message.split_once("; ") {
            Some((what, help)) => Self::Content(what.to_owned(), Some(help.to_owned())),
            None => Self::Content(message.to_owned(), None),
        }
    }
}

type Read<T> = Result<T, Refusal>;

pub(super) fn boolean(literal: &Literal) -> Read<bool> {
    match literal.text() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::Shape),
    }
}

pub(super) fn text(literal: &Literal) -> Read<String> {
    match literal.kind() {
        Kind::Str => serde_json::from_str(literal.text()).map_err(|_| Refusal::Shape),
        _ => Err(Refusal::Shape),
    }
}

pub(super) fn filled_text(literal: &Literal) -> Read<String> {
    let text = text(literal)?;
    match text.trim().is_empty() {
        true => Err(Refusal::Content("it is empty".to_owned(), None)),
        false => Ok(text),
    }
}

/// Reads text or an integer, which authors use alike to count versions.
pub(super) fn version(literal: &Literal) -> Read<String> {
    match literal.kind() {
        Kind::Int => Ok(literal.text().to_owned()),
        _ => text(literal),
    }
}

/// Reads a list, or a tuple, of text.
pub(super) fn texts(literal: &Literal) -> Read<Vec<String>> {
    let list = |text: &str| serde_json::from_str::<Vec<Literal>>(text).map_err(|_| Refusal::Shape);
    let items = match literal.kind() {
        Kind::List => list(literal.text())?,
        Kind::Tuple => {
            let tagged: BTreeMap<String, Literal> =
                serde_json::from_str(literal.text()).map_err(|_| Refusal::Shape)?;
            list(tagged.get("value").ok_or(Refusal::Shape)?.text())?
        }
        _ => return Err(Refusal::Shape),
    };
    items.iter().map(filled_text).collect()
}

/// Reads names of environment variables.
pub(super) fn variables(literal: &Literal) -> Read<Vec<String>> {
    let names = texts(literal)?;
    match names.iter().find(|name| name.contains(['=', '\0'])) {
        Some(name) => Err(Refusal::Content(
            format!("{} is not the name of an environment variable", quoted(name)),
            Some("list names alone; values are taken from the environment".to_owned()),
        )),
        None => Ok(names),
    }
}

fn number(literal: &Literal) -> Read<f64> {
    match literal.kind() {
        Kind::Int | Kind::Float => {
            let number = literal.text().parse::<f64>().map_err(|_| Refusal::Shape)?;
            if number.is_finite() { Ok(number) } else { Err(Refusal::Shape) }
        }
        _ => Err(Refusal::Shape),
    }
}

/// Reads a number of at least `least`.
fn number_from(literal: &Literal, least: f64, help: &str) -> Read<f64> {
    let number = number(literal)?;
    if number >= least {
        return Ok(number);
    }
    let what = format!("{} is less than {least}", quoted(literal.text()));
    Err(Refusal::Content(what, Some(help.to_owned())))
}

pub(super) fn delay(literal: &Literal) -> Read<f64> {
    number_from(literal, 0.0, "write the seconds to wait, or 0 to wait not at all")
}

pub(super) fn backoff(literal: &Literal) -> Read<f64> {
    number_from(literal, 1.0, "write the factor by which the wait grows, or 1 to keep it")
}

/// Reads a whole number of at least 0.
pub(super) fn count(literal: &Literal) -> Read<u32> {
    if literal.kind() != Kind::Int {
        return Err(Refusal::Shape);
    }
    literal.text().parse().map_err(|_| {
        let bound = if literal.text().starts_with('-') { "less than 0" } else { "too large" };
        let help = "write a whole number from 0 on";
        Refusal::Content(format!("{} is {bound}", quoted(literal.text())), Some(help.to_owned()))
    })
}

/// Reads how many steps may run at once under the limit `name`.
pub(super) fn limit(name: &str, literal: &Literal) -> Read<u32> {
    if let Err(error) = name::check(name) {
        let what = format!("{} cannot be the name of a limit: {error}", quoted(name));
        return Err(Refusal::Content(what, Some(NAME_HELP.to_owned())));
    }
    match count(literal)? {
        0 => Err(Refusal::Content(
            format!("no step may ever run under the limit {}, which is 0", quoted(name)),
            Some("write a whole number from 1 on".to_owned()),
        )),
        most => Ok(most),
    }
}

pub(super) fn cpu_count(literal: &Literal) -> Read<f64> {
    let number = number(literal)?;
    if number > 0.0 {
        return Ok(number);
    }
    let what = format!("{} is not more than 0", quoted(literal.text()));
    let help = "write a number of cores such as 2 or 0.5, or leave it out".to_owned();
    Err(Refusal::Content(what, Some(help)))
}

pub(super) fn memory(literal: &Literal) -> Read<Memory> {
    let written = match literal.kind() {
        Kind::Int | Kind::Float => literal.text().to_owned(),
        _ => text(literal)?,
    };
    written.parse().map_err(|error| Refusal::told(&shortened(&written, &error)))
}

/// Reads a length of time that is longer than nothing.
pub(super) fn span(literal: &Literal) -> Read<Span> {
    let written = match literal.kind() {
        Kind::Int | Kind::Float => literal.text().to_owned(),
        _ => text(literal)?,
    };
    let span = match literal.kind() {
        Kind::Str => {
            written.parse().map_err(|error| Refusal::told(&shortened(&written, &error)))?
        }
        _ => Span(number(literal)?),
    };
    if span.0 > 0.0 && span.0.is_finite() {
        return Ok(span);
    }
    let help = "write a length of time that is more than 0, such as `30s`".to_owned();
    Err(Refusal::Content(format!("{} is not a length of time", quoted(&written)), Some(help)))
}

pub(super) fn failure_mode(literal: &Literal) -> Read<FailureMode> {
    let written = text(literal)?;
    written.parse().map_err(|_| {
        let help = super::messages::suggestion(&written, &FailureMode::WORDS);
        Refusal::Content(format!("{} is not a failure mode", quoted(&written)), Some(help))
    })
}

pub(super) fn run_name(literal: &Literal) -> Read<String> {
    let written = text(literal)?;
    match name::check_run(&written) {
        Ok(()) => Ok(written),
        Err(error) => Err(Refusal::Content(error.to_string(), Some(NAME_HELP.to_owned()))),
    }
}

/// What a name may be.
pub(super) const NAME_HELP: &str = "choose a name of 1 to 256 characters on one line";

/// Returns the message of `error` with a long value in it shown as messages show it.
fn shortened(written: &str, error: &impl std::fmt::Display) -> String {
    error.to_string().replacen(&format!("`{written}`"), &quoted(written), 1)
}
