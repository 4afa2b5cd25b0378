//! The steps that a program offers to pipelines in other languages.

use std::collections::BTreeMap;

use partita_cli::context::Context;
use partita_cli::error::CommandError;
use partita_core::deployment::{Source, VERSION};
use partita_core::spec::StepDefinition;
use serde::Serialize;

use super::own::OwnProgram;
use crate::pipeline::{Given, Pipeline, source_of};
use crate::step::{Step, StepSource};

/// A step that stands by itself, next to those of the pipelines.
#[derive(Clone, Copy)]
pub struct OfferedStep {
    source: &'static str,
    definition: fn() -> Step,
}

impl OfferedStep {
    /// Returns a step by what defines it.
    #[must_use]
    pub fn of<S: StepSource>() -> Self {
        Self { source: S::SOURCE, definition: S::definition }
    }
}

/// What a pipeline in another language is told.
#[derive(Serialize)]
struct Offer {
    /// That of the deployments that it is for.
    version: u32,
    /// By source.
    steps: BTreeMap<&'static str, Told>,
}

/// What it is told of a step.
#[derive(Serialize)]
struct Told {
    /// Its inputs, in their order.
    inputs: Vec<&'static str>,
    definition: StepDefinition,
    source: Source,
}

/// Returns all steps, by source: those that stand by themselves, and those that pipelines use, as far
/// as the defaults of their parameters show.
pub(super) fn all(pipelines: &[Pipeline], steps: &[OfferedStep]) -> BTreeMap<&'static str, Step> {
    let used = pipelines.iter().flat_map(|pipeline| pipeline.trace(Given::new(), None).steps);
    let offered = steps.iter().map(|step| (step.source, (step.definition)()));
    used.chain(offered).collect()
}

/// Prints what pipelines in other languages are told of the steps.
pub(super) fn tell(
    pipelines: &[Pipeline],
    steps: &[OfferedStep],
    context: &Context,
) -> Result<(), CommandError> {
    let own = OwnProgram::find()
        .map_err(|error| CommandError::failed(format!("this program cannot be read: {error}")))?;
    let told = |(source, step): (&'static str, Step)| {
        let found = source_of(source, &step, Some(&own)).map_err(CommandError::failed)?;
        let inputs = step.input_names();
        Ok((source, Told { inputs, definition: step.spec(source), source: found }))
    };
    let steps = all(pipelines, steps).into_iter().map(told).collect::<Result<_, CommandError>>()?;
    let offer = Offer { version: VERSION, steps };
    let text = serde_json::to_string(&offer).map_err(CommandError::bug)?;
    context.data(&format!("{text}\n"))
}
