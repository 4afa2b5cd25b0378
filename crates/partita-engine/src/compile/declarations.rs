//! Checks what a pipeline declares by itself: names, outputs, and definitions for every step.

use std::collections::{BTreeSet, HashSet};

use partita_core::diagnostic::{Diagnostic, Location, Report};
use partita_core::name;
use partita_core::spec::PipelineSpec;

use super::Overrides;
use super::messages::quoted;
use super::values::NAME_HELP;

/// Reports names that are none, a pipeline without steps, and steps without a definition.
pub(super) fn check(spec: &PipelineSpec, overrides: &Overrides, report: &mut Report) {
    let place = spec.location.as_ref();
    check_name("a pipeline", &spec.name, place, report);
    if let Some(run_name) = &overrides.run_name {
        report_invalid(name::check_run(run_name), "a run", run_name, None, report);
    }
    if spec.steps.is_empty() {
        let what = format!("pipeline {} has no steps", quoted(&spec.name));
        let help = "call at least one step in the pipeline function";
        report.push(Diagnostic::new(what).help(help).at(spec.location.clone()));
    }
    let mut undefined = BTreeSet::new();
    for step in &spec.steps {
        check_name("a step", &step.name, step.location.as_ref().or(place), report);
        let is_known =
            spec.definitions.contains_key(&step.source) && spec.sources.contains_key(&step.source);
        if !is_known && undefined.insert(&step.source) {
            let (name, source) = (quoted(&step.name), quoted(&step.source));
            let what = format!("step {name} uses {source}, which the spec does not define");
            let help = "list it in the spec's `definitions` and `sources`";
            report.push(Diagnostic::new(what).help(help).at(step.location.clone()));
        }
    }
    for definition in spec.definitions.values() {
        let mut names = HashSet::new();
        for output in &definition.outputs {
            let location = definition.location.as_ref();
            check_name("an output", &output.name, location, report);
            if !names.insert(&output.name) {
                let (output, step) = (quoted(&output.name), quoted(&definition.name));
                let what = format!("step {step} has two outputs named {output}");
                let help = "name each output differently in the return annotation";
                report.push(Diagnostic::new(what).help(help).at(location.cloned()));
            }
        }
    }
}

fn check_name(noun: &str, name: &str, location: Option<&Location>, report: &mut Report) {
    report_invalid(name::check(name), noun, name, location, report);
}

fn report_invalid(
    checked: Result<(), name::InvalidName>,
    noun: &str,
    name: &str,
    location: Option<&Location>,
    report: &mut Report,
) {
    if let Err(error) = checked {
        let what = format!("{} cannot be the name of {noun}: {error}", quoted(name));
        report.push(Diagnostic::new(what).help(NAME_HELP).at(location.cloned()));
    }
}
