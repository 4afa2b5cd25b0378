//! The `partita` command. Each verb has a file of its own in `commands`.

mod commands;
mod program;
mod python;

use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser};

use commands::{Command, component};
use context::Context;
use error::CommandError;
use partita_cli::{bug, context, error, terminal};

/// What to type first.
const START: &str =
    "Begin with `partita init`, then `partita run FILE`; `partita COMMAND --help` says more.";

/// Runs machine-learning pipelines on any orchestrator.
#[derive(Parser)]
#[command(
    name = "partita",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = START
)]
struct Cli {
    /// Say less: failures only.
    #[arg(long, short, global = true, conflicts_with = "verbose", display_order = 900)]
    quiet: bool,
    /// Say more.
    #[arg(long, short, global = true, display_order = 901)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    bug::report_panics(|| std::process::exit(i32::from(bug::EXIT_CODE)));
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn run() -> Result<(), CommandError> {
    let (words, configuration) = component::split_configuration(std::env::args_os().collect());
    let matches = component::with_usage(Cli::command()).try_get_matches_from(words);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(told) => return refuse(&told),
    };
    let context = Context::new(cli.quiet, cli.verbose);
    commands::run(cli.command, &context, configuration?)
}

/// Prints help and versions, and what is wrong with what was typed.
fn refuse(told: &clap::Error) -> Result<(), CommandError> {
    let is_help = matches!(
        told.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    let printed = told.print();
    if let Some(help) = parameter_help(told) {
        let _ = writeln!(std::io::stderr(), "help: {}", terminal::escaped(&help));
    }
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::output(&error))
        }
        _ if is_help && told.exit_code() == 0 => Ok(()),
        _ => Err(CommandError::Told(error::USAGE)),
    }
}

/// Returns how a parameter is given, where one was typed as if it were an option or an argument.
fn parameter_help(told: &clap::Error) -> Option<String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let takes_parameters = match words.first().map(String::as_str) {
        Some("run" | "plan" | "compile") => true,
        Some("runs") => words.iter().any(|word| word == "resume"),
        _ => false,
    };
    let context = |kind| match told.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let is_misspelt = context(ContextKind::SuggestedArg) == Some("--param");
    if told.kind() != ErrorKind::UnknownArgument || !takes_parameters || is_misspelt {
        return None;
    }
    // Of `--count=3` it is only `--count`.
    let unknown = context(ContextKind::InvalidArg)?;
    let typed = words.iter().find(|word| word.starts_with(unknown))?;
    let (name, value) = match (typed.split_once('='), typed.strip_prefix("--")) {
        (Some((name, value)), _) => (name.trim_start_matches('-'), value),
        (None, Some(name)) => (name, "VALUE"),
        (None, None) => return None,
    };
    Some(format!("a parameter of the pipeline is given as `--param {name}={value}`"))
}
