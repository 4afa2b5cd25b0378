//! `partita compile`: writes the deployment document.

use crate::context::Context;
use crate::error::CommandError;
use crate::python::{self, PipelineArgs};

/// Writes the deployment document of a pipeline.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// The file to write; standard output if it is not given.
    #[arg(long, short, value_name = "FILE")]
    output: Option<String>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    if let Some((program, mut words)) = args.pipeline.program() {
        words.extend(args.output.map(|file| format!("--output={file}")));
        return Err(program.become_program("compile", words, None, context));
    }
    let mut request = args.pipeline.request(context)?;
    request.output = args.output;
    Err(python::become_python(&python::find()?, "compile", &request))
}
