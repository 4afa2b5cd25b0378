//! Checks what steps are given against what they declare: names, types, and outputs wired to inputs.

use std::collections::{BTreeMap, HashMap};

use partita_core::deployment::{Input, Output, OutputReference, nesting};
use partita_core::diagnostic::{Diagnostic, Location, Report};
use partita_core::literal::{Kind, Literal};
use partita_core::spec::{InputDefinition, PipelineSpec, StepDefinition, StepSpec};

use super::graph::Names;
use super::messages::{listed, quoted, suggestion};
use super::options::Placed;

/// Containers that may lie within one another in a literal, so that every reader can read it.
const MAX_DEPTH: usize = 100;

/// Checks the inputs of the steps of one pipeline.
pub(super) struct InputChecker<'a> {
    spec: &'a PipelineSpec,
    names: &'a Names<'a>,
    outputs: HashMap<&'a str, HashMap<&'a str, &'a Output>>,
    pub(super) report: Report,
}

impl<'a> InputChecker<'a> {
    pub(super) fn new(spec: &'a PipelineSpec, names: &'a Names<'a>) -> Self {
        let outputs = spec.definitions.iter().map(|(source, definition)| {
            let by_name = definition.outputs.iter().map(|output| (output.name.as_str(), output));
            (source.as_str(), by_name.collect())
        });
        Self { spec, names, outputs: outputs.collect(), report: Report::default() }
    }

    /// Reports every problem that was found.
    pub(super) fn finish(self, report: &mut Report) {
        report.problems.extend(self.report.problems);
    }

    /// Checks `step`, whose parameters `given` by options replace those that it is called with.
    /// Returns the parameters that differ from the ones traced.
    pub(super) fn check(
        &mut self,
        step: &StepSpec,
        given: BTreeMap<String, Placed<Literal>>,
    ) -> Vec<(String, Literal)> {
        let Some(definition) = self.spec.definitions.get(&step.source) else {
            return Vec::new();
        };
        let mut changed = Vec::new();
        let is_mapped_over = |name: &String| step.map_over.as_ref() == Some(name);
        let values = step.inputs.iter().filter_map(|(name, input)| match input {
            Input::Value(value) if !is_mapped_over(name) => Some((name, value)),
            _ => None,
        });
        for (name, value) in step.parameters.iter().chain(values) {
            // A value that an option replaces is not what the step will get.
            if !given.contains_key(name)
                && let Some(converted) =
                    self.parameter(step, definition, name, value, step.location.as_ref())
            {
                changed.push((name.clone(), converted));
            }
        }
        for (name, input) in step.inputs.iter().filter(|(name, _)| !is_mapped_over(name)) {
            self.input(step, definition, name, input);
        }
        changed.extend(self.mapped(step, definition));
        self.missing(step, definition, &given);
        for (name, Placed { value, location }) in given {
            let location = location.as_ref().or(step.location.as_ref());
            let traced = step.inputs.get(&name);
            if is_mapped_over(&name) {
                self.set_by_map(step, &name, location);
            } else if traced.is_some_and(|input| !matches!(input, Input::Value(_))) {
                self.wired(step, &name, location);
            } else {
                let converted = self.parameter(step, definition, &name, &value, location);
                changed.push((name, converted.unwrap_or(value)));
            }
        }
        changed
    }

    fn set_by_map(&mut self, step: &StepSpec, name: &str, location: Option<&Location>) {
        let what = format!(
            "step {} is mapped over its input {}, so a parameter cannot set it",
            quoted(&step.name),
            quoted(name)
        );
        let help = "take the parameter away, or make the list a parameter of the pipeline";
        self.report.push(Diagnostic::new(what).help(help).at(location.cloned()));
    }

    fn wired(&mut self, step: &StepSpec, name: &str, location: Option<&Location>) {
        let what = format!(
            "input {} of step {} comes from another step, so a parameter cannot set it",
            quoted(name),
            quoted(&step.name)
        );
        let help = "take the parameter away, or call the step with a plain value";
        self.report.push(Diagnostic::new(what).help(help).at(location.cloned()));
    }

    fn missing(
        &mut self,
        step: &StepSpec,
        definition: &StepDefinition,
        given: &BTreeMap<String, Placed<Literal>>,
    ) {
        let is_missing = |name: &str| {
            !step.parameters.contains_key(name)
                && !step.inputs.contains_key(name)
                && !given.contains_key(name)
        };
        let missing: Vec<&str> = definition
            .inputs
            .iter()
            .filter(|(name, input)| input.required && is_missing(name))
            .map(|(name, _)| name.as_str())
            .collect();
        if !missing.is_empty() {
            let what =
                format!("step {} is called without {}", quoted(&step.name), listed(&missing));
            self.report.push(
                Diagnostic::new(what)
                    .help("give a value for each, or give it a default in the step's definition")
                    .at(step.location.clone()),
            );
        }
    }

    /// Checks one literal and returns it converted, if its input takes it as another kind.
    fn parameter(
        &mut self,
        step: &StepSpec,
        definition: &StepDefinition,
        name: &str,
        value: &Literal,
        location: Option<&Location>,
    ) -> Option<Literal> {
        let declared = self.declared(step, definition, name, location)?;
        if self.is_too_deep(step, name, value, location) {
            return None;
        }
        match accept(declared, value) {
            Acceptance::AsItIs => None,
            Acceptance::Converted(literal) => Some(literal),
            Acceptance::Refused => {
                let is = format!("{} ({})", value.kind().name(), quoted(&value.to_string()));
                self.mismatch(step, name, declared, &is, location);
                None
            }
        }
    }

    /// Reports a literal that not every reader could read.
    pub(super) fn is_too_deep(
        &mut self,
        step: &StepSpec,
        name: &str,
        value: &Literal,
        location: Option<&Location>,
    ) -> bool {
        if nesting(value.text().as_bytes()) <= MAX_DEPTH {
            return false;
        }
        let what = format!(
            "{} of step {} holds lists or mappings more than {MAX_DEPTH} deep",
            quoted(name),
            quoted(&step.name)
        );
        let help = "make the value in a step, so that it is an artifact";
        self.report.push(Diagnostic::new(what).help(help).at(location.cloned()));
        true
    }

    fn input(&mut self, step: &StepSpec, definition: &StepDefinition, name: &str, input: &Input) {
        if matches!(input, Input::Value(_)) {
            return;
        }
        input.visit_outputs(&mut |reference| self.reference(step, name, reference));
        let location = step.location.as_ref();
        let Some(declared) = self.declared(step, definition, name, location) else { return };
        let container = match input {
            Input::Output(reference) => return self.wiring(step, name, declared, reference),
            Input::Artifact(_) | Input::Value(_) => return,
            Input::List(_) => Kind::List,
            Input::Tuple(_) => Kind::Tuple,
            Input::Dict(_) => Kind::Dict,
        };
        if !declared.kinds.as_ref().is_none_or(|kinds| has(kinds, container)) {
            self.mismatch(step, name, declared, container.name(), location);
        }
    }

    /// Returns the outputs of a step by name, if the step and its definition are known.
    fn outputs_of(&self, step: &str) -> Option<&HashMap<&'a str, &'a Output>> {
        self.outputs.get(self.spec.steps[self.names.find(step)?].source.as_str())
    }

    /// Reports an output that its step does not have.
    pub(super) fn reference(&mut self, step: &StepSpec, name: &str, reference: &OutputReference) {
        let Some(outputs) = self.outputs_of(&reference.step) else { return };
        if outputs.contains_key(reference.output.as_str()) {
            return;
        }
        let mut known: Vec<&str> = outputs.keys().copied().collect();
        known.sort_unstable();
        let what = format!(
            "input {} of step {} takes output {} of step {}, which has no such output",
            quoted(name),
            quoted(&step.name),
            quoted(&reference.output),
            quoted(&reference.step)
        );
        let help = suggestion(&reference.output, &known);
        self.report.push(Diagnostic::new(what).help(help).at(step.location.clone()));
    }

    /// Returns the declared type of an output; of a mapped step, that of its items.
    pub(super) fn declared_type(&self, reference: &OutputReference) -> Option<&'a str> {
        let outputs = self.outputs_of(&reference.step)?;
        outputs.get(reference.output.as_str())?.type_name.as_deref()
    }

    /// Returns whether a step is mapped, so that its outputs are lists.
    pub(super) fn is_mapped(&self, step: &str) -> bool {
        self.names.find(step).is_some_and(|step| self.spec.steps[step].map_over.is_some())
    }

    pub(super) fn wiring(
        &mut self,
        step: &StepSpec,
        name: &str,
        declared: &InputDefinition,
        reference: &OutputReference,
    ) {
        let made = match self.is_mapped(&reference.step) {
            true => Some(Kind::List.name()),
            false => self.declared_type(reference).and_then(scalar),
        };
        if let Some(made) = made {
            self.flow(step, name, declared, reference, made);
        }
    }

    /// Checks that a value of type `made`, a scalar or a list, can flow into an input.
    pub(super) fn flow(
        &mut self,
        step: &StepSpec,
        name: &str,
        declared: &InputDefinition,
        reference: &OutputReference,
        made: &str,
    ) {
        let fits = match (&declared.kinds, declared.type_name.as_deref()) {
            (Some(kinds), _) if scalar(made).is_some() => {
                kinds.iter().any(|kind| flows(made, kind))
            }
            (Some(kinds), _) if kinds.iter().all(|kind| scalar(kind).is_some()) => {
                kinds.iter().any(|kind| flows(made, kind))
            }
            (None, Some(type_name)) => scalar(type_name).is_none_or(|takes| flows(made, takes)),
            _ => true,
        };
        if !fits {
            let is = format!(
                "{made} (output {} of step {})",
                quoted(&reference.output),
                quoted(&reference.step)
            );
            self.mismatch(step, name, declared, &is, step.location.as_ref());
        }
    }

    /// Returns the declaration of an input, or reports that the step has none of this name.
    pub(super) fn declared<'d>(
        &mut self,
        step: &StepSpec,
        definition: &'d StepDefinition,
        name: &str,
        location: Option<&Location>,
    ) -> Option<&'d InputDefinition> {
        let declared = definition.inputs.get(name);
        if declared.is_none() && !definition.open {
            let known: Vec<&str> = definition.inputs.keys().map(String::as_str).collect();
            let what = format!("step {} has no input {}", quoted(&step.name), quoted(name));
            let problem = Diagnostic::new(what).help(suggestion(name, &known));
            self.report.push(problem.at(location.cloned()));
        }
        declared
    }

    pub(super) fn mismatch(
        &mut self,
        step: &StepSpec,
        name: &str,
        declared: &InputDefinition,
        is: &str,
        location: Option<&Location>,
    ) {
        let takes = match (&declared.kinds, &declared.type_name) {
            (Some(kinds), _) if !kinds.is_empty() => kinds.join(" or "),
            (_, Some(type_name)) => scalar(type_name).unwrap_or(type_name).to_owned(),
            _ => "another type".to_owned(),
        };
        let what = format!(
            "input {} of step {} takes {takes}, not {is}",
            quoted(name),
            quoted(&step.name)
        );
        let help = "give it a value of that type, or change the step's annotation";
        self.report.push(Diagnostic::new(what).help(help).at(location.cloned()));
    }
}

pub(super) enum Acceptance {
    AsItIs,
    Converted(Literal),
    Refused,
}

/// Returns how an input takes a literal: integers pass for floats, and lists, which are all that
/// configuration files and command lines can write, for tuples.
pub(super) fn accept(declared: &InputDefinition, value: &Literal) -> Acceptance {
    let Some(kinds) = &declared.kinds else { return Acceptance::AsItIs };
    let kind = value.kind();
    // What a tagged value of another kind is, only the SDK that wrote it knows.
    if kind == Kind::Other || has(kinds, kind) {
        return Acceptance::AsItIs;
    }
    let converted = match kind {
        Kind::Int if has(kinds, Kind::Float) => format!("{}.0", value.text()),
        Kind::List if has(kinds, Kind::Tuple) => {
            format!(r#"{{"$partita":"tuple","value":{}}}"#, value.text())
        }
        _ => return Acceptance::Refused,
    };
    Literal::parse(&converted).map_or(Acceptance::Refused, Acceptance::Converted)
}

fn has(kinds: &[String], kind: Kind) -> bool {
    kinds.iter().any(|known| known == kind.name())
}

/// Returns the builtin scalar that a type name means, if it means one.
pub(super) fn scalar(type_name: &str) -> Option<&'static str> {
    let name = type_name.strip_prefix("builtins.").unwrap_or(type_name);
    match name {
        "NoneType" | "types.NoneType" => Some("None"),
        _ => ["None", "bool", "int", "float", "str", "bytes"]
            .into_iter()
            .find(|known| *known == name),
    }
}

/// Returns whether a value of scalar type `made` can be used as `taken`: every bool is an int, and
/// every int a float, so neither is worth stopping a pipeline for.
fn flows(made: &str, taken: &str) -> bool {
    let taken = scalar(taken).unwrap_or(taken);
    made == taken || matches!((made, taken), ("bool", "int" | "float") | ("int", "float"))
}
