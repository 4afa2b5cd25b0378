//! `partita orchestrator flavor test`: sees whether orchestrators of a flavor do what they have to.

use std::io::{BufRead, BufReader, Write, stdout};

use partita_cli::format::Format;
use partita_cli::table::Table;
use partita_core::stack::{ComponentType, Origin};
use partita_engine::metadata::Registry;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::commands::component::{Configuration, built_in_flavors};
use crate::context::{Context, Output};
use crate::error::{CommandError, FAILED};
use crate::python;

/// Plays the conformance suite on an orchestrator of a flavor, in a home of its own. Keys of the
/// flavor's configuration are options too, as in `--max-parallelism=2`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name of a flavor, built in or registered, or what `flavor register` takes.
    #[arg(value_name = "SOURCE", required_unless_present = "list")]
    source: Option<String>,
    /// Only this scenario, or all whose names fit a pattern, as in `a-plugin-*`; may be repeated.
    #[arg(long = "scenario", value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Play those of pipelines in Rust as well, with the program `conformance` of Partita's
    /// `examples/pipelines_rust`.
    #[arg(long = "conformance-program", value_name = "FILE", value_parser = program)]
    program: Option<String>,
    /// List the scenarios, and play none.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    output: Output,
}

/// What the Python package is asked to do.
#[derive(Serialize)]
struct Request {
    source: String,
    /// Where a dotted path begins, if that is not found from the working directory.
    source_root: Option<String>,
    is_list: bool,
    config: Vec<String>,
    scenarios: Vec<String>,
    program: Option<String>,
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

/// A scenario in the list of them.
#[derive(Serialize, Deserialize)]
struct Listed {
    scenario: String,
    says: String,
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
    let (source, source_root) = source(kind, args.source, context)?;
    let request = Request {
        source,
        source_root,
        is_list: args.list,
        config: configuration.iter().map(|(key, value)| format!("--{key}={value}")).collect(),
        scenarios: args.scenarios,
        program: args.program,
        command: command.to_string_lossy().into_owned(),
    };
    let format = args.output.output;
    if args.list {
        let listed = ask(&request, |_: &Listed| ())?;
        return context.show(format, &listed, || list(&listed));
    }
    let verdicts = ask(&request, |verdict| {
        if format == Format::Table {
            // Whoever does not read on has seen enough.
            let _ = stdout().write_all(line(verdict).as_bytes());
        }
    })?;
    context.show(format, &verdicts, || sum(&verdicts))?;
    let failed = verdicts.iter().filter(|verdict| verdict.verdict == Word::Fail).count();
    if failed == 0 { Ok(()) } else { Err(CommandError::Told(FAILED)) }
}

/// Returns the path of a program, which scenarios start from folders of their own.
fn program(file: &str) -> Result<String, String> {
    let path =
        std::fs::canonicalize(file).map_err(|error| format!("it cannot be read: {error}"))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Returns what is registered in the suite's home, and the folder that it is looked up from: for a
/// flavor that is registered here, what it was registered with.
fn source(
    kind: ComponentType,
    source: Option<String>,
    context: &Context,
) -> Result<(String, Option<String>), CommandError> {
    let Some(source) = source else { return Ok((String::new(), None)) };
    let known = context.session()?.home().metadata().flavors(kind, &built_in_flavors())?;
    let flavor = known.into_iter().find(|flavor| flavor.name == source);
    Ok(match flavor.and_then(|flavor| Some((flavor.source, flavor.plugin?.origin))) {
        Some((path, Origin::Python { source_root })) => (path, Some(source_root)),
        Some((path, _)) => (path, None),
        None => (source, None),
    })
}

/// Asks Python to play or list scenarios; hands what it says of each on as it comes.
fn ask<T: DeserializeOwned>(request: &Request, tell: impl Fn(&T)) -> Result<Vec<T>, CommandError> {
    let mut python = python::start_python(&python::find()?, "test", request)?;
    let mut told = Vec::new();
    if let Some(said) = python.stdout.take() {
        for line in BufReader::new(said).lines() {
            let line = line.map_err(CommandError::bug)?;
            let one = serde_json::from_str(&line).map_err(CommandError::bug)?;
            tell(&one);
            told.push(one);
        }
    }
    let ended = python.wait().map_err(CommandError::bug)?;
    match ended.code() {
        Some(0) => Ok(told),
        code => {
            let code = code.and_then(|code| u8::try_from(code).ok());
            Err(CommandError::Told(code.unwrap_or(FAILED)))
        }
    }
}

fn list(scenarios: &[Listed]) -> String {
    let mut table = Table::new(["scenario", "says"]);
    for Listed { scenario, says } in scenarios {
        table.row([scenario.clone(), says.clone()]);
    }
    table.to_text()
}

fn line(Verdict { scenario, says, verdict, expected, seen, mend, .. }: &Verdict) -> String {
    let told = [
        ("  wanted", Some(says)),
        ("  expected", expected.as_ref()),
        ("  seen", seen.as_ref()),
        ("  to mend", mend.as_ref()),
    ];
    let shown = match verdict {
        Word::Pass => &told[..0],
        Word::NotClaimed => &told[2..3],
        Word::Fail => &told,
    };
    let words = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let pairs = shown.iter().filter_map(|(key, text)| Some((*key, text.map(words)?)));
    format!("{:11}  {scenario}\n{}", verdict.text(), Table::pairs(pairs))
}

fn sum(verdicts: &[Verdict]) -> String {
    let count = |word: Word| {
        let count = verdicts.iter().filter(|verdict| verdict.verdict == word).count();
        (count > 0).then(|| format!("{count} {}", word.text()))
    };
    let counts: Vec<_> =
        [Word::Pass, Word::Fail, Word::NotClaimed].into_iter().filter_map(count).collect();
    let plural = if verdicts.len() == 1 { "" } else { "s" };
    format!("\n{} scenario{plural}: {}\n", verdicts.len(), counts.join(", "))
}
