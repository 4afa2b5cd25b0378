//! One use of a step in a pipeline, and what is said of it there.

use crate::options::Options;
use crate::trace;

/// A step that was called in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    number: usize,
}

impl Invoked {
    pub(crate) fn new(number: usize) -> Self {
        Self { number }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

impl Invocation for Invoked {
    fn invoked(&self) -> &Invoked {
        self
    }
}

/// What a call of a step returns in a pipeline: its only output, or all of them.
///
/// ```
/// use partita::prelude::*;
///
/// #[step]
/// fn load() -> Vec<f64> {
///     vec![1.0]
/// }
///
/// #[step]
/// fn report(text: String) {
///     println!("{text}");
/// }
///
/// #[pipeline]
/// fn reports() {
///     let numbers = load().with(Options::new().max_retries(3));
///     report("done").id("final_report").after(&numbers);
/// }
/// # fn main() {
/// # let spec = reports::definition().trace_defaults();
/// # assert_eq!((&*spec.steps[1].name, &*spec.steps[1].after[0]), ("final_report", "load"));
/// # }
/// ```
pub trait Invocation: Sized {
    /// Returns the step that was called.
    fn invoked(&self) -> &Invoked;

    /// Gives this use of the step a name of its own, in place of one that is made from the step's.
    fn id(self, name: &str) -> Self {
        trace::change(self.invoked(), |step| step.id = Some(name.to_owned()));
        self
    }

    /// Has the step begin after another one has ended, whose outputs it does not take.
    fn after(self, other: &impl Invocation) -> Self {
        let before = other.invoked().number();
        trace::change(self.invoked(), |step| step.after.push(before));
        self
    }

    /// Gives this use of the step options of its own, on top of the step's.
    fn with(self, options: Options) -> Self {
        trace::change(self.invoked(), |step| step.options.push(options));
        self
    }
}
