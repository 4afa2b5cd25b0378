//! `partita build`: makes the images of a pipeline's steps, and runs nothing.

use partita_cli::format::Format;

use crate::context::{Context, Output};
use crate::error::CommandError;
use crate::python::{self, PipelineArgs};

/// Makes the images that the steps of a pipeline run in; runs nothing.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let format = match args.output.output {
        Format::Table => "table",
        Format::Json => "json",
        Format::Yaml => "yaml",
    };
    if let Some((program, mut words)) = args.pipeline.program() {
        words.push(format!("--output={format}"));
        return Err(program.become_program("build", words, None, context));
    }
    let mut request = args.pipeline.request(context)?;
    request.format = Some(format);
    Err(python::become_python(&python::find()?, "build", &request))
}
