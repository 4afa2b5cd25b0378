//! `partita run`: runs a pipeline.

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
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let mut request = args.pipeline.request(context)?;
    request.run_name = args.name;
    Err(python::become_python(&python::find()?, "run", &request))
}
