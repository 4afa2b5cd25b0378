//! What a step knows of the run that it is part of, and what it notes of itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use partita_core::launcher::Attempt;
use partita_core::literal::Literal;
use partita_engine::step_runner::{LogStream, Notes, StepCall, StepLog};

use crate::value;

thread_local! {
    static CURRENT: RefCell<Option<StepContext>> = const { RefCell::new(None) };
}

/// The step that runs on this thread.
///
/// ```
/// use partita::prelude::*;
///
/// #[step]
/// fn train(depth: u32) -> f64 {
///     let accuracy = 0.9;
///     if let Some(context) = StepContext::current() {
///         context.add_metadata("accuracy", accuracy);
///         context.log(&format!("attempt {} at {}", context.attempt(), context.step_name()));
///     }
///     accuracy
/// }
/// assert_eq!(train::function(3), 0.9);
/// ```
#[derive(Clone)]
pub struct StepContext {
    attempt: Attempt,
    run_name: Arc<str>,
    notes: Arc<Notes>,
    metadata: Arc<std::sync::Mutex<BTreeMap<String, Literal>>>,
    log: Arc<StepLog>,
}

impl StepContext {
    /// Returns the context of the step that runs on this thread; `None` outside of steps. A step that
    /// starts threads gives them clones.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    pub(crate) fn of(call: &StepCall<'_>, run_name: &str) -> Self {
        Self {
            attempt: call.attempt.clone(),
            run_name: run_name.into(),
            notes: Arc::clone(&call.notes),
            metadata: Arc::default(),
            log: Arc::clone(&call.log),
        }
    }

    /// Calls a function as the step that this is the context of.
    pub(crate) fn within<R>(self, function: impl FnOnce() -> R) -> R {
        struct Outer(Option<StepContext>);
        impl Drop for Outer {
            fn drop(&mut self) {
                CURRENT.replace(self.0.take());
            }
        }
        let _outer = Outer(CURRENT.replace(Some(self)));
        function()
    }

    /// Returns the run's id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.attempt.run_id
    }

    /// Returns the run's name.
    #[must_use]
    pub fn run_name(&self) -> &str {
        &self.run_name
    }

    /// Returns the pipeline's name.
    #[must_use]
    pub fn pipeline_name(&self) -> &str {
        &self.attempt.deployment.pipeline.name
    }

    /// Returns the name of this use of the step.
    #[must_use]
    pub fn step_name(&self) -> &str {
        &self.attempt.step().name
    }

    /// Returns the attempt's number, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// Returns the item's number, from 0, if the step is mapped.
    #[must_use]
    pub fn item(&self) -> Option<u32> {
        self.attempt.item
    }

    /// Returns the value that the pipeline gave to this input, if it gave one that is a `T`: none if
    /// another step makes it, and its reference if it is a secret.
    #[must_use]
    pub fn parameter<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let value = self.attempt.step().parameters.get(name)?;
        value::decode(value.text().as_bytes()).ok()
    }

    /// Notes a value of the step, for whoever looks at the run; a later one with this key replaces it.
    pub fn add_metadata(&self, key: &str, value: impl Serialize) {
        let Ok(value) = value::literal(&value) else { return };
        let mut metadata = self.metadata.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        metadata.insert(key.to_owned(), value);
        self.notes.set(metadata.clone());
    }

    /// Adds lines to the step's log.
    pub fn log(&self, text: &str) {
        self.log.write(LogStream::Stdout, &format!("{text}\n"));
    }
}
