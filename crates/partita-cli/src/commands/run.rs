//! `partita run`: runs a pipeline.

use partita_cli::terminal;

use crate::context::Context;
use crate::error::CommandError;
use crate::python::{self, PipelineArgs};

/// Runs a pipeline.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// The run's name; one is made if it is not given.
    #[arg(long, value_name = "RUN")]
    name: Option<String>,
    /// Return as soon as the run has begun, and print its name; it goes on by itself.
    #[arg(long)]
    detach: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    if let Some((program, mut words)) = args.pipeline.program() {
        words.extend(args.name.map(|name| format!("--name={name}")));
        words.extend(args.detach.then(|| "--detach".to_owned()));
        return Err(program.become_program("run", words, None, context));
    }
    let mut request = args.pipeline.request(context)?;
    request.run_name = args.name;
    if !args.detach {
        return Err(python::become_python(&python::find()?, "run", &request));
    }
    request.detach = true;
    let name = python::begin_python(&python::find()?, "run", &request)?;
    context.say(&format!("`partita runs watch {}` shows it", terminal::shell_word(&name)));
    context.stream(|out| writeln!(out, "{name}"))
}
