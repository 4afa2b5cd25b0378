//! `partita orchestrator flavor test`: sees whether orchestrators of a flavor do what they have to.

use std::io::{BufRead, BufReader, Write, stdout};

use partita_cli::format::Format;
use partita_core::stack::ComponentType;
use serde::{Deserialize, Serialize};

use crate::commands::component::Configuration;
use crate::context::{Context, Output};
use crate::error::CommandError;
use crate::python;

/// Plays the conformance suite on an orchestrator of a flavor, in a home of its own. Keys of the
/// flavor's configuration are options too, as in `--max-parallelism=2`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name of a built-in flavor, or what `flavor register` takes.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Only this scenario; may be repeated.
    #[arg(long = "scenario", value_name = "SCENARIO")]
    scenarios: Vec<String>,
    #[command(flatten)]
    output: Output,
}

/// What the Python package is asked to do.
#[derive(Serialize)]
struct Request {
    source: String,
    config: Vec<String>,
    scenarios: Vec<String>,
    command: String,
}

/// What came of a scenario, as the Python package tells.
#[derive(Serialize, Deserialize)]
struct Verdict {
    scenario: String,
    says: String,
    verdict: Word,
    expected: Option<String>,
    seen: Option<String>,
    mend: Option<String>,
    duration_s: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Pass,
    Fail,
    NotClaimed,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotClaimed => "not claimed",
        }
    }
}

pub(super) fn run(
    kind: ComponentType,
    args: Args,
    context: &Context,
    configuration: Configuration,
) -> Result<(), CommandError> {
    super::check_kind(kind)?;
    let command = std::env::current_exe().map_err(CommandError::bug)?;
    let request = Request {
        source: args.source,
        config: configuration.iter().map(|(key, value)| format!("--{key}={value}")).collect(),
        scenarios: args.scenarios,
        command: command.to_string_lossy().into_owned(),
    };
    let format = args.output.output;
    let verdicts = play(&request, |verdict| {
        if format == Format::Table {
            // Whoever does not read on has seen enough.
            let _ = stdout().write_all(line(verdict).as_bytes());
        }
    })?;
    context.show(format, &verdicts, || sum(&verdicts))?;
    let failed = verdicts.iter().filter(|verdict| verdict.verdict == Word::Fail).count();
    if failed == 0 { Ok(()) } else { Err(CommandError::Told(1)) }
}

/// Has Python play the scenarios; hands each verdict on as it comes.
fn play(request: &Request, tell: impl Fn(&Verdict)) -> Result<Vec<Verdict>, CommandError> {
    let mut python = python::start_python(&python::find()?, "test", request)?;
    let mut verdicts = Vec::new();
    if let Some(said) = python.stdout.take() {
        for line in BufReader::new(said).lines() {
            let line = line.map_err(CommandError::bug)?;
            let verdict = serde_json::from_str(&line).map_err(CommandError::bug)?;
            tell(&verdict);
            verdicts.push(verdict);
        }
    }
    let ended = python.wait().map_err(CommandError::bug)?;
    match ended.code() {
        Some(0) => Ok(verdicts),
        code => Err(CommandError::Told(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))),
    }
}

fn line(Verdict { scenario, says, verdict, expected, seen, mend, .. }: &Verdict) -> String {
    let mut text = format!("{:11}  {scenario}\n", verdict.text());
    let mut add = |label: &str, said: &Option<String>| {
        for (number, line) in said.iter().flat_map(|said| said.lines()).enumerate() {
            text.push_str(&format!("{:13}{:10}{line}\n", "", if number == 0 { label } else { "" }));
        }
    };
    match verdict {
        Word::Pass => {}
        Word::NotClaimed => {
            add("", &seen.as_ref().and_then(|seen| Some(seen.lines().next()?.to_owned())))
        }
        Word::Fail => {
            add("wanted", &Some(format!("{says}.")));
            add("expected", expected);
            add("seen", seen);
            add("to mend", mend);
        }
    }
    text
}

fn sum(verdicts: &[Verdict]) -> String {
    let count = |word: Word| {
        let count = verdicts.iter().filter(|verdict| verdict.verdict == word).count();
        (count > 0).then(|| format!("{count} {}", word.text()))
    };
    let counts: Vec<_> =
        [Word::Pass, Word::Fail, Word::NotClaimed].into_iter().filter_map(count).collect();
    format!("\n{} scenarios: {}\n", verdicts.len(), counts.join(", "))
}
