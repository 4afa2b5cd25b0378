//! `partita plan`: says what a run would do.

use partita_cli::format::Format;

use crate::context::{Context, Output};
use crate::error::CommandError;
use crate::python::{self, PipelineArgs};

/// Says what a run would do, what is cached, and why; runs nothing.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// Accepted so that the options of `run` work here; a plan has no name.
    #[arg(long, value_name = "RUN", hide = true)]
    name: Option<String>,
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
        return Err(program.become_program("plan", words, None, context));
    }
    let mut request = args.pipeline.request(context)?;
    request.run_name = args.name;
    request.format = Some(format);
    Err(python::become_python(&python::find()?, "plan", &request))
}
