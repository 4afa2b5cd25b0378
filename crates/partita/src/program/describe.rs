//! `PROGRAM describe`: which pipelines a program has.

use std::collections::BTreeMap;

use partita_cli::context::Context;
use partita_cli::error::CommandError;
use partita_cli::format::Format;
use partita_cli::table::Table;
use partita_core::literal::Literal;
use partita_core::spec::StepDefinition;
use serde::Serialize;

use crate::pipeline::Pipeline;

/// One pipeline.
#[derive(Serialize)]
struct Described {
    pipeline: String,
    source: String,
    parameters: Vec<Parameter>,
    /// The steps that it uses, by source, as far as its defaults show.
    steps: BTreeMap<String, Step>,
}

#[derive(Serialize)]
struct Parameter {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Literal>,
}

#[derive(Serialize)]
struct Step {
    name: String,
    /// The type of each input.
    inputs: BTreeMap<String, String>,
    /// The type of each output.
    outputs: BTreeMap<String, String>,
}

/// Shows what each pipeline takes.
pub(super) fn describe(
    pipelines: &[Pipeline],
    format: Format,
    context: &Context,
) -> Result<(), CommandError> {
    let all: Vec<Described> = pipelines.iter().map(described).collect();
    context.show(format, &all, || table(&all))
}

fn described(pipeline: &Pipeline) -> Described {
    let parameters = pipeline.parameters.iter().map(|parameter| Parameter {
        name: parameter.name.to_owned(),
        type_name: parameter.type_name.to_owned(),
        default: parameter.default.clone(),
    });
    let definitions = pipeline.trace_defaults().definitions.into_iter();
    Described {
        pipeline: pipeline.name.clone(),
        source: pipeline.source.clone(),
        parameters: parameters.collect(),
        steps: definitions.map(|(source, definition)| (source, step(definition))).collect(),
    }
}

fn step(definition: StepDefinition) -> Step {
    let inputs = definition.inputs.into_iter();
    let outputs = definition.outputs.into_iter();
    Step {
        name: definition.name,
        inputs: inputs.map(|(name, input)| (name, input.type_name.unwrap_or_default())).collect(),
        outputs: outputs
            .map(|output| (output.name, output.type_name.unwrap_or_default()))
            .collect(),
    }
}

fn table(all: &[Described]) -> String {
    let mut table = Table::new(["pipeline", "parameters", "steps"]);
    for one in all {
        let parameter = |parameter: &Parameter| {
            let default = parameter.default.as_ref().map(Literal::text);
            let default = default.map(|text| format!(" = {text}")).unwrap_or_default();
            format!("{}: {}{default}", parameter.name, parameter.type_name)
        };
        let parameters: Vec<String> = one.parameters.iter().map(parameter).collect();
        let steps: Vec<&str> = one.steps.values().map(|step| step.name.as_str()).collect();
        table.row([one.pipeline.clone(), parameters.join(", "), steps.join(", ")]);
    }
    table.to_text()
}
