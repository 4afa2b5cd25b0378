//! A program is its own command and its own step entrypoint.

mod describe;
mod entrypoint;
mod offered;
pub(crate) mod own;
mod run;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use partita_cli::context::Context;
use partita_cli::error::{CommandError, USAGE};
use partita_cli::pipeline_options::PipelineOptions;
use partita_core::launcher::{PROGRAM_ENTRYPOINT, PROGRAM_MARK, PROGRAM_WATCHER};

pub use offered::OfferedStep;

use crate::pipeline::Pipeline;

/// Runs pipelines of this program.
#[derive(Parser)]
#[command(max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    /// Say less: failures only.
    #[arg(long, short, global = true, conflicts_with = "verbose", display_order = 900)]
    quiet: bool,
    /// Say more.
    #[arg(long, short, global = true, display_order = 901)]
    verbose: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a pipeline.
    Run {
        #[command(flatten)]
        asked: Asked,
        /// The run's name; one is made if it is not given.
        #[arg(long, value_name = "RUN")]
        name: Option<String>,
        /// Return as soon as the run has begun, and print its name; it goes on by itself.
        #[arg(long)]
        detach: bool,
        /// The descriptor that takes the run's name.
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Say what a run would do, what is cached, and why.
    Plan {
        #[command(flatten)]
        asked: Asked,
        /// Accepted so that the options of `run` work here; a plan has no name.
        #[arg(long, value_name = "RUN", hide = true)]
        name: Option<String>,
        #[command(flatten)]
        output: partita_cli::context::Output,
    },
    /// Make the images that the steps of a pipeline run in.
    Build {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        output: partita_cli::context::Output,
    },
    /// Write the deployment document of a pipeline.
    Compile {
        #[command(flatten)]
        asked: Asked,
        /// The file to write; standard output if it is not given.
        #[arg(long, short, value_name = "FILE")]
        output: Option<String>,
    },
    /// Say which pipelines there are, what they take, and which steps they have.
    Describe {
        #[command(flatten)]
        output: partita_cli::context::Output,
    },
    /// Say what pipelines in other languages have to know of the steps, in JSON.
    #[command(hide = true)]
    Steps,
    /// Wait for the end of the process that has started this one, and end what it leaves of its run.
    #[command(hide = true, name = PROGRAM_WATCHER)]
    Watcher {
        /// Its process id.
        engine: u32,
    },
    /// Continue a run of this program.
    #[command(hide = true)]
    Resume {
        #[command(flatten)]
        asked: Asked,
        /// The run's id.
        #[arg(long, value_name = "RUN")]
        run: String,
        /// The step from which on everything runs again.
        #[arg(long = "from", value_name = "STEP")]
        from_step: Option<String>,
    },
}

/// Which pipeline is asked for, and how.
#[derive(clap::Args)]
struct Asked {
    /// The pipeline; needed only where there are several.
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    #[command(flatten)]
    options: PipelineOptions,
}

/// Does what the arguments of this process ask for with these pipelines; returns its exit code.
///
/// [`main!`](crate::main) calls it. The first verb that an orchestrator uses is `entrypoint`, which
/// runs one step; all others are for people.
pub fn main(pipelines: &[Pipeline]) -> ExitCode {
    main_with(pipelines, &[])
}

/// As [`main`], with steps that pipelines in other languages can use besides those of the pipelines.
pub fn main_with(pipelines: &[Pipeline], steps: &[OfferedStep]) -> ExitCode {
    // The `partita` command looks for it before it starts an executable.
    std::hint::black_box(PROGRAM_MARK);
    #[cfg(feature = "tracing")]
    crate::events::listen();
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == PROGRAM_ENTRYPOINT) {
        return entrypoint::main(pipelines, steps, &words[2..]);
    }
    match dispatch(pipelines, steps, words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn dispatch(
    pipelines: &[Pipeline],
    steps: &[OfferedStep],
    words: Vec<OsString>,
) -> Result<(), CommandError> {
    let matches = Cli::command().try_get_matches_from(words);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(told) => return refuse(&told),
    };
    let context = Context::new(cli.quiet, cli.verbose);
    match cli.verb {
        Verb::Run { asked, name, detach: true, .. } => {
            choose(pipelines, asked.pipeline.as_deref())?;
            run::begin(&asked.words(), name, &context)
        }
        Verb::Run { asked, name, detached, .. } => {
            let pipeline = choose(pipelines, asked.pipeline.as_deref())?;
            run::run(pipeline, asked.options, name, detached, &context)
        }
        Verb::Plan { asked, output, .. } => {
            let pipeline = choose(pipelines, asked.pipeline.as_deref())?;
            run::plan(pipeline, asked.options, output.output, &context)
        }
        Verb::Build { asked, output } => {
            let pipeline = choose(pipelines, asked.pipeline.as_deref())?;
            run::build(pipeline, asked.options, output.output, &context)
        }
        Verb::Compile { asked, output } => {
            let pipeline = choose(pipelines, asked.pipeline.as_deref())?;
            run::compile(pipeline, asked.options, output.as_deref(), &context)
        }
        Verb::Resume { asked, run, from_step } => {
            let pipeline = choose(pipelines, asked.pipeline.as_deref())?;
            run::resume(pipeline, asked.options, run, from_step, &context)
        }
        Verb::Watcher { engine } => partita_orchestrators::process::watch(engine)
            .map_err(|error| CommandError::failed(error.to_string())),
        Verb::Steps => offered::tell(pipelines, steps, &context),
        Verb::Describe { output } => describe::describe(pipelines, output.output, &context),
    }
}

impl Asked {
    fn words(&self) -> Vec<String> {
        self.pipeline.iter().cloned().chain(self.options.words()).collect()
    }
}

/// Prints help, and what is wrong with what was typed.
fn refuse(told: &clap::Error) -> Result<(), CommandError> {
    let is_help = matches!(told.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    match told.print() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::output(&error))
        }
        _ if is_help => Ok(()),
        _ => Err(CommandError::Told(USAGE)),
    }
}

/// Returns the pipeline with this name, or the only one.
fn choose<'p>(pipelines: &'p [Pipeline], name: Option<&str>) -> Result<&'p Pipeline, CommandError> {
    let known = || pipelines.iter().map(|pipeline| pipeline.name.as_str());
    let listed = || known().collect::<Vec<_>>().join("`, `");
    match (name, pipelines) {
        (None, [only]) => Ok(only),
        (_, []) => Err(CommandError::usage(
            "this program has no pipeline; its steps are for pipelines in other languages",
        )),
        (None, _) => Err(CommandError::usage(format!(
            "this program has several pipelines; name one of `{}`",
            listed()
        ))),
        (Some(name), _) => {
            pipelines.iter().find(|pipeline| pipeline.name == name).ok_or_else(|| {
                CommandError::failed(format!(
                    "this program has no pipeline `{name}`; it has `{}`",
                    listed()
                ))
            })
        }
    }
}
