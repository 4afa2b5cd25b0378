//! What a pipeline's function calls while it is called once: its steps, and how they are wired.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::panic::Location as Caller;

use partita_core::deployment::{Input, OutputReference};
use partita_core::diagnostic::{Diagnostic, Location};
use partita_core::spec::StepSpec;

use crate::feed::{Feeds, FeedsEach, Source};
use crate::invocation::Invoked;
use crate::options::Options;
use crate::output::Returned;
use crate::step::{Step, StepSource};

thread_local! {
    static CURRENT: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// The steps of one pipeline.
#[derive(Default)]
pub(crate) struct Trace {
    steps: Vec<Traced>,
    /// The steps that are used, by source.
    pub(crate) definitions: BTreeMap<&'static str, Step>,
}

/// One use of a step.
pub(crate) struct Traced {
    source: &'static str,
    inputs: Vec<(&'static str, Source)>,
    /// The input that it is mapped over.
    over: Option<&'static str>,
    location: Location,
    /// The name that the author chose.
    pub(crate) id: Option<String>,
    /// The steps that end before.
    pub(crate) after: Vec<usize>,
    pub(crate) options: Vec<Options>,
}

/// Calls a pipeline's function and returns what it has called.
pub(crate) fn trace(function: impl FnOnce()) -> Trace {
    /// Puts back what was traced around this, also when the function panics.
    struct Outer(Option<Trace>);
    impl Drop for Outer {
        fn drop(&mut self) {
            CURRENT.replace(self.0.take());
        }
    }
    let _outer = Outer(CURRENT.replace(Some(Trace::default())));
    function();
    CURRENT.take().unwrap_or_default()
}

/// Changes a step that was called.
pub(crate) fn change(invoked: &Invoked, change: impl FnOnce(&mut Traced)) {
    CURRENT.with_borrow_mut(|current| {
        let steps = current.as_mut().map(|trace| &mut trace.steps);
        if let Some(step) = steps.and_then(|steps| steps.get_mut(invoked.number())) {
            change(step);
        }
    });
}

/// A call of a step in a pipeline: its inputs, one after the other, and then what stands for its
/// outputs. Functions that `step` makes use it; see [`Step`].
pub struct Call {
    source: &'static str,
    definition: fn() -> Step,
    inputs: Vec<(&'static str, Source)>,
    over: Option<&'static str>,
    location: Location,
}

impl Call {
    /// Returns a call of a step without inputs.
    #[must_use]
    #[track_caller]
    pub fn of<S: StepSource>() -> Self {
        let caller = Caller::caller();
        let location = Location { file: caller.file().to_owned(), line: caller.line().into() };
        let (inputs, over) = (Vec::new(), None);
        Self { source: S::SOURCE, definition: S::definition, inputs, over, location }
    }

    /// Gives an input of type `T` what it takes.
    #[must_use]
    pub fn give<S, I, T>(mut self, name: &'static str, given: impl Feeds<S, I, T>) -> Self {
        self.inputs.push((name, given.feed().0));
        self
    }

    /// Has the step be mapped over an input of type `T`: called with each item of a list.
    #[must_use]
    pub fn each<S, I, T>(mut self, name: &'static str, given: impl FeedsEach<S, I, T>) -> Self {
        self.inputs.push((name, given.feed_each().0));
        self.over = Some(name);
        self
    }

    /// Returns what stands for the lists of outputs of a mapped step that returns an `R`.
    ///
    /// # Panics
    /// Outside a pipeline, as [`Self::returns`].
    #[must_use]
    #[track_caller]
    pub fn returns_each<R: Returned<Kind>, Kind>(self) -> R::Mapped {
        R::mapped(self.noted())
    }

    /// Returns what stands for the outputs of a step that returns an `R`.
    ///
    /// # Panics
    /// Outside a pipeline, where there is nothing that the step could be a part of.
    #[must_use]
    #[track_caller]
    pub fn returns<R: Returned<Kind>, Kind>(self) -> R::Handles {
        R::handles(self.noted())
    }

    /// Notes the call in the trace.
    #[track_caller]
    #[allow(clippy::panic, reason = "it is a mistake in the program, which no value can tell of")]
    fn noted(self) -> Invoked {
        let Self { source, definition, inputs, over, location } = self;
        let number = CURRENT.with_borrow_mut(|current| {
            let trace = current.as_mut()?;
            trace.definitions.entry(source).or_insert_with(definition);
            let (id, after, options) = (None, Vec::new(), Vec::new());
            trace.steps.push(Traced { source, inputs, over, location, id, after, options });
            Some(trace.steps.len() - 1)
        });
        match number {
            Some(number) => Invoked::new(number),
            None => panic!(
                "the step `{source}` is called outside a pipeline; call its function by itself with \
                 `::function`, or put the call into a function with `#[pipeline]`"
            ),
        }
    }
}

impl Trace {
    /// Returns the steps as a spec has them, and what is wrong with values that they are given.
    pub(crate) fn steps(&self) -> (Vec<StepSpec>, Vec<Diagnostic>) {
        let names = self.names();
        let mut problems = Vec::new();
        let steps = self.steps.iter().zip(&names).map(|(traced, name)| StepSpec {
            name: name.clone(),
            named: traced.id.is_some(),
            source: traced.source.to_owned(),
            parameters: BTreeMap::new(),
            inputs: inputs(traced, name, &names, &mut problems),
            map_over: traced.over.map(str::to_owned),
            after: traced.after.iter().map(|&before| names[before].clone()).collect(),
            options: traced.options.iter().map(Options::layer).collect(),
            location: Some(traced.location.clone()),
        });
        let steps = steps.collect();
        (steps, problems)
    }

    /// Returns a name for each step: the author's, else the step's, with a number from the second
    /// use on.
    fn names(&self) -> Vec<String> {
        let mut taken: HashSet<String> =
            self.steps.iter().filter_map(|step| step.id.clone()).collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut name = |traced: &Traced| {
            if let Some(id) = &traced.id {
                return id.clone();
            }
            let step = self.definitions.get(traced.source).map_or("step", |step| &step.name);
            let count = counts.entry(step).or_default();
            loop {
                *count += 1;
                let name = if *count == 1 { step.to_owned() } else { format!("{step}_{count}") };
                if taken.insert(name.clone()) {
                    return name;
                }
            }
        };
        self.steps.iter().map(&mut name).collect()
    }
}

fn inputs(
    traced: &Traced,
    step: &str,
    names: &[String],
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Input> {
    let mut inputs = BTreeMap::new();
    for (name, source) in &traced.inputs {
        match input(source, names) {
            Ok(input) => _ = inputs.insert((*name).to_owned(), input),
            Err(why) => {
                let what = format!(
                    "the input `{name}` of step `{step}` is given a value that cannot be written down: {why}"
                );
                let help = "make the value in a step, so that it is an artifact";
                problems.push(Diagnostic::new(what).help(help).at(Some(traced.location.clone())));
            }
        }
    }
    inputs
}

fn input(source: &Source, names: &[String]) -> Result<Input, String> {
    Ok(match source {
        Source::Value(value) => Input::Value(value.clone()),
        Source::Output { step, output } => Input::Output(OutputReference {
            step: names[*step].clone(),
            output: (*output).to_owned(),
        }),
        Source::List(items) => {
            Input::List(items.iter().map(|item| input(item, names)).collect::<Result<_, _>>()?)
        }
        Source::Unwritable(why) => return Err(why.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Load;

    impl StepSource for Load {
        const SOURCE: &'static str = "tests::load";

        fn definition() -> Step {
            Step::new("load").runs(|_| Ok(1_u32))
        }
    }

    #[test]
    #[should_panic(
        expected = "`tests::load` is called outside a pipeline; call its function by itself"
    )]
    fn a_step_that_is_called_outside_a_pipeline_says_what_to_call() {
        let _ = Call::of::<Load>().returns::<u32, _>();
    }
}
