//! Checks what mapped steps are mapped over: that it is a list, and that its items fit.

use partita_core::deployment::{Input, OutputReference};
use partita_core::diagnostic::Diagnostic;
use partita_core::literal::Literal;
use partita_core::spec::{InputDefinition, StepDefinition, StepSpec};

use super::inputs::{Acceptance, InputChecker, accept, scalar};
use super::messages::quoted;

/// Types that are no lists, besides the scalars.
const NO_LISTS: [&str; 3] = ["dict", "set", "frozenset"];

impl InputChecker<'_> {
    /// Checks what a step is mapped over. Returns it converted, if its items have to be.
    pub(super) fn mapped(
        &mut self,
        step: &StepSpec,
        definition: &StepDefinition,
    ) -> Option<(String, Literal)> {
        let name = step.map_over.as_ref()?;
        let Some(input) = step.inputs.get(name) else {
            let what = format!(
                "step {} is mapped over its input {}, which it does not get",
                quoted(&step.name),
                quoted(name)
            );
            self.report.push(Diagnostic::new(what).at(step.location.clone()));
            return None;
        };
        let declared = self.declared(step, definition, name, step.location.as_ref());
        match input {
            Input::Value(list) => {
                let converted = self.mapped_literal(step, name, declared, list)?;
                return Some((name.clone(), converted));
            }
            Input::List(items) | Input::Tuple(items) => {
                items.iter().for_each(|item| self.mapped_item(step, name, declared, item));
            }
            Input::Output(reference) => self.mapped_output(step, name, declared, reference),
            Input::Dict(_) => self.no_list(step, "a dict"),
            Input::Artifact(version) => {
                if let Some(found) = no_list(&version.type_name) {
                    self.no_list(step, &format!("an artifact of type `{found}`"));
                }
            }
        }
        None
    }

    fn mapped_literal(
        &mut self,
        step: &StepSpec,
        name: &str,
        declared: Option<&InputDefinition>,
        list: &Literal,
    ) -> Option<Literal> {
        if self.is_too_deep(step, name, list, step.location.as_ref()) {
            return None;
        }
        let Some(items) = list.items() else {
            self.no_list(step, &format!("a {}", list.kind().name()));
            return None;
        };
        let declared = declared?;
        let mut is_converted = false;
        let mut converted = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match accept(declared, &item) {
                Acceptance::AsItIs => converted.push(item),
                Acceptance::Converted(literal) => {
                    is_converted = true;
                    converted.push(literal);
                }
                Acceptance::Refused => {
                    let (kind, text) = (item.kind().name(), quoted(item.text()));
                    let is = format!("{kind} ({text}, item {index} of what it is mapped over)");
                    self.mismatch(step, name, declared, &is, step.location.as_ref());
                    return None;
                }
            }
        }
        is_converted.then(|| Literal::list(converted.iter()).ok()).flatten()
    }

    fn mapped_item(
        &mut self,
        step: &StepSpec,
        name: &str,
        declared: Option<&InputDefinition>,
        item: &Input,
    ) {
        item.visit_outputs(&mut |reference| self.reference(step, name, reference));
        let Some(declared) = declared else { return };
        match item {
            Input::Output(reference) => self.wiring(step, name, declared, reference),
            Input::Value(value) => {
                if matches!(accept(declared, value), Acceptance::Refused) {
                    let is = format!("{} ({})", value.kind().name(), quoted(value.text()));
                    self.mismatch(step, name, declared, &is, step.location.as_ref());
                }
            }
            Input::Artifact(_) | Input::List(_) | Input::Tuple(_) | Input::Dict(_) => {}
        }
    }

    fn mapped_output(
        &mut self,
        step: &StepSpec,
        name: &str,
        declared: Option<&InputDefinition>,
        reference: &OutputReference,
    ) {
        self.reference(step, name, reference);
        let made = self.declared_type(reference);
        if self.is_mapped(&reference.step) {
            // Its items are what the other step declares.
            if let (Some(declared), Some(made)) = (declared, made.and_then(scalar)) {
                self.flow(step, name, declared, reference, made);
            }
        } else if let Some(found) = made.and_then(no_list) {
            let what = format!(
                "output {} of step {}, which is declared as {}",
                quoted(&reference.output),
                quoted(&reference.step),
                quoted(found)
            );
            self.no_list(step, &what);
        }
    }

    fn no_list(&mut self, step: &StepSpec, what: &str) {
        let what = format!("step {} is mapped over {what}", quoted(&step.name));
        let help = "map over a list, a tuple, or an output that is one";
        self.report.push(Diagnostic::new(what).help(help).at(step.location.clone()));
    }
}

/// Returns the builtin that a type name means if it is none whose values are lists.
fn no_list(type_name: &str) -> Option<&str> {
    let name = type_name.strip_prefix("builtins.").unwrap_or(type_name);
    scalar(type_name).or_else(|| NO_LISTS.into_iter().find(|known| *known == name))
}
