//! Steps: functions with typed inputs and outputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_core::deployment::{Hooks, Output};
use partita_core::diagnostic::Location;
use partita_core::run::Failure;
use partita_core::spec::{InputDefinition, StepDefinition};

use crate::Result;
use crate::command::Command;
use crate::load::Inputs;
use crate::options::Options;
use crate::output::{Declared, Returned};
use crate::save::Saver;
use crate::types;

/// Called after a step's outputs are safely stored.
pub type SuccessHook = fn();
/// Called with the failure of the last attempt.
pub type FailureHook = fn(&Failure);

type Body = dyn Fn(&mut Inputs<'_>, &mut Saver<'_>) -> Result<()> + Send + Sync;

/// How the values of a step are stored that have no format of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// As JSON text.
    #[default]
    Json,
    /// A vector of numbers as an npy file, whose numbers are as they are in memory, and any other value
    /// as MessagePack; small ones as JSON still, in the step's own document.
    Binary,
}

/// A step by its definition; the macro `step` makes one of a function.
///
/// ```
/// use partita::prelude::*;
/// use partita::{Call, Feeds, Step, StepSource};
///
/// struct Double;
///
/// impl StepSource for Double {
///     const SOURCE: &str = "numbers::double";
///
///     fn definition() -> Step {
///         Step::new("double")
///             .input::<f64>("number")
///             .runs(|inputs| Ok(2.0 * inputs.take::<f64>("number")?))
///     }
/// }
///
/// /// Stands for the input in messages.
/// struct Number;
///
/// fn double(number: impl Feeds<Double, Number, f64>) -> Output<f64> {
///     Call::of::<Double>().give("number", number).returns::<f64, _>()
/// }
/// ```
pub struct Step {
    pub(crate) name: String,
    pub(crate) location: Option<Location>,
    inputs: Vec<(&'static str, InputDefinition)>,
    outputs: Vec<Declared>,
    options: Options,
    format: Format,
    on_success: Option<SuccessHook>,
    on_failure: Option<FailureHook>,
    body: Option<Arc<Body>>,
    command: Option<Command>,
}

/// Where a step is defined.
pub trait StepSource {
    /// Its path in the program, by which it is found again: unique in it.
    const SOURCE: &'static str;

    /// Returns the step.
    fn definition() -> Step;
}

impl Step {
    /// Returns a step with this name, which takes and makes nothing yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            location: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            options: Options::new(),
            format: Format::default(),
            on_success: None,
            on_failure: None,
            body: None,
            command: None,
        }
    }

    /// Says where it is defined, for messages.
    #[must_use]
    pub fn at(mut self, file: &str, line: u32) -> Self {
        self.location = Some(Location { file: file.to_owned(), line: line.into() });
        self
    }

    /// Declares an input.
    #[must_use]
    pub fn input<T: 'static>(mut self, name: &'static str) -> Self {
        let definition = InputDefinition {
            kinds: types::kinds::<T>(),
            type_name: Some(types::type_name::<T>().to_owned()),
            required: !types::is_optional::<T>(),
        };
        self.inputs.push((name, definition));
        self
    }

    /// Sets its options.
    #[must_use]
    pub fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets how its outputs are stored.
    #[must_use]
    pub fn stored_as(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Has a function called when its outputs are safely stored.
    #[must_use]
    pub fn on_success(mut self, hook: SuccessHook) -> Self {
        self.on_success = Some(hook);
        self
    }

    /// Has a function called when its last attempt has failed.
    #[must_use]
    pub fn on_failure(mut self, hook: FailureHook) -> Self {
        self.on_failure = Some(hook);
        self
    }

    /// Sets what it does: takes its inputs, and returns its output or outputs.
    #[must_use]
    pub fn runs<R: Returned<Kind> + 'static, Kind>(
        mut self,
        function: impl Fn(&mut Inputs<'_>) -> Result<R> + Send + Sync + 'static,
    ) -> Self {
        self.outputs = R::declared();
        self.body = Some(Arc::new(move |inputs, saver| {
            let returned = function(inputs)?;
            Ok(returned.save(saver)?)
        }));
        self
    }

    /// Sets the command that it is, whose files are its output or outputs.
    #[must_use]
    pub fn starts<R: Returned<Kind> + 'static, Kind>(mut self, command: Command) -> Self {
        self.outputs = R::declared();
        self.command = Some(command);
        self
    }

    /// Returns the command that it is, if it is one.
    pub(crate) fn command(&self) -> Option<&Command> {
        self.command.as_ref()
    }

    /// Returns the names of its inputs, in their order.
    pub(crate) fn input_names(&self) -> Vec<&'static str> {
        self.inputs.iter().map(|(name, _)| *name).collect()
    }

    /// Calls it.
    pub(crate) fn call(&self, inputs: &mut Inputs<'_>, saver: &mut Saver<'_>) -> Result<()> {
        saver.format = self.format;
        match &self.body {
            Some(body) => body(inputs, saver),
            None => Err(format!("step `{}` does nothing; say what with `runs`", self.name).into()),
        }
    }

    pub(crate) fn succeeded(&self) {
        if let Some(hook) = self.on_success {
            hook();
        }
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        if let Some(hook) = self.on_failure {
            hook(failure);
        }
    }

    /// Returns the definition as a spec has it.
    pub(crate) fn spec(&self, source: &str) -> StepDefinition {
        let output = |declared: &Declared| Output {
            name: declared.name.to_owned(),
            type_name: Some(declared.type_name.to_owned()),
            materializer: None,
        };
        let hook = |is_there: bool, name: &str| is_there.then(|| format!("{source}:{name}"));
        let inputs = self.inputs.iter().cloned();
        StepDefinition {
            name: self.name.clone(),
            location: self.location.clone(),
            inputs: inputs
                .map(|(name, input)| (name.to_owned(), input))
                .collect::<BTreeMap<_, _>>(),
            outputs: self.outputs.iter().map(output).collect(),
            options: vec![self.options.layer()],
            hooks: Hooks {
                on_success: hook(self.on_success.is_some(), "on_success"),
                on_failure: hook(self.on_failure.is_some(), "on_failure"),
            },
            open: false,
        }
    }
}
