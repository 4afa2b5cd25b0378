//! What steps make: values, and what stands for them while a pipeline is put together.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::invocation::{Invocation, Invoked};
use crate::load::Inputs;
use crate::save::Saver;
use crate::value::ValueError;

/// A value that can pass from step to step: whatever serde can write and read, and a
/// [`Stored`](crate::Stored) one with a format of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot pass from step to step",
    label = "neither an output nor an input can be of this type",
    note = "derive `serde::Serialize` and `serde::Deserialize` for `{Self}`"
)]
pub trait Value: Sized + 'static {
    /// Saves it as the output with this name.
    ///
    /// # Errors
    /// If it cannot be written.
    fn store(&self, saver: &mut Saver<'_>, name: &str) -> Result<(), ValueError>;

    /// Loads it from the input with this name.
    ///
    /// # Errors
    /// If it is not there, or is no value of this type.
    fn restore(inputs: &Inputs<'_>, name: &str) -> crate::Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Value for T {
    fn store(&self, saver: &mut Saver<'_>, name: &str) -> Result<(), ValueError> {
        saver.write(name, self)
    }

    fn restore(inputs: &Inputs<'_>, name: &str) -> crate::Result<Self> {
        inputs.read(name)
    }
}

/// An output that a step will make: what a pipeline passes from step to step.
///
/// It has no value yet. A step takes it where its function takes the value.
#[derive(Debug)]
pub struct Output<T> {
    invoked: Invoked,
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Output<T> {
    /// Returns what stands for an output of a step that was called; steps with several outputs use
    /// it.
    #[must_use]
    pub fn of(invoked: &Invoked, name: &'static str) -> Self {
        Self { invoked: invoked.clone(), name, value: PhantomData }
    }

    /// Returns the output's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Self::of(&self.invoked, self.name)
    }
}

impl<T> Invocation for Output<T> {
    fn invoked(&self) -> &Invoked {
        &self.invoked
    }
}

/// One output that a step declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: &'static str,
    /// Its type, as documents name it.
    pub type_name: &'static str,
}

impl Declared {
    /// Returns the declaration of an output with this name, of type `T`.
    #[must_use]
    pub fn of<T: 'static>(name: &'static str) -> Self {
        Self { name, type_name: crate::types::type_name::<T>() }
    }
}

/// A struct whose fields are the outputs of a step; derive it.
///
/// ```
/// use partita::prelude::*;
///
/// #[derive(Outputs)]
/// struct Split {
///     train: Vec<f64>,
///     test: Vec<f64>,
/// }
///
/// #[step]
/// fn split(numbers: Vec<f64>) -> Split {
///     let (train, test) = numbers.split_at(numbers.len() / 2);
///     Split { train: train.to_vec(), test: test.to_vec() }
/// }
///
/// #[step]
/// fn count(numbers: Vec<f64>) -> usize {
///     numbers.len()
/// }
///
/// #[pipeline]
/// fn halves() {
///     let split = split(vec![1.0, 2.0]);
///     count(&split.train);
///     count(&split.test);
/// }
/// # fn main() {
/// # assert_eq!(halves::definition().trace_defaults().steps.len(), 3);
/// # }
/// ```
pub trait Outputs: Sized {
    /// What stands for them: a struct with an [`Output`] for each field.
    type Handles;

    /// What stands for them where their step is mapped: a struct with an [`Output`] of a list for each
    /// field.
    type Mapped;

    /// Returns what is declared of them, in order.
    fn declared() -> Vec<Declared>;

    /// Returns what stands for those of a step that was called.
    fn handles(invoked: Invoked) -> Self::Handles;

    /// Returns what stands for the lists of a step that was mapped.
    fn mapped(invoked: Invoked) -> Self::Mapped;

    /// Saves each.
    ///
    /// # Errors
    /// If one cannot be saved.
    fn save(self, saver: &mut Saver<'_>) -> Result<(), ValueError>;
}

/// The name of an output that has no other.
pub const OUTPUT: &str = "output";

/// Marks a step that returns one value.
#[derive(Debug, Clone, Copy)]
pub enum One {}

/// Marks a step that returns a struct of [`Outputs`].
#[derive(Debug, Clone, Copy)]
pub enum Several {}

/// What a step can return: a [`Value`], its only output, or a struct of [`Outputs`].
///
/// The compiler finds `Kind` by itself.
#[diagnostic::on_unimplemented(
    message = "a step cannot return `{Self}`",
    label = "this can be neither stored nor passed on",
    note = "derive `serde::Serialize` and `serde::Deserialize` for `{Self}`, or `Outputs` if each of its fields is an output"
)]
pub trait Returned<Kind>: Sized {
    /// What stands for it in a pipeline.
    type Handles;

    /// What stands for it where the step is mapped.
    type Mapped;

    /// Returns the declared outputs.
    fn declared() -> Vec<Declared>;

    /// Returns what stands for the outputs of a step that was called.
    fn handles(invoked: Invoked) -> Self::Handles;

    /// Returns what stands for the lists of a step that was mapped.
    fn mapped(invoked: Invoked) -> Self::Mapped;

    /// Saves the outputs.
    ///
    /// # Errors
    /// If one cannot be saved.
    fn save(self, saver: &mut Saver<'_>) -> Result<(), ValueError>;
}

#[diagnostic::do_not_recommend]
impl<T: Value> Returned<One> for T {
    type Handles = Output<T>;
    type Mapped = Output<Vec<T>>;

    fn declared() -> Vec<Declared> {
        vec![Declared::of::<T>(OUTPUT)]
    }

    fn handles(invoked: Invoked) -> Output<T> {
        Output::of(&invoked, OUTPUT)
    }

    fn mapped(invoked: Invoked) -> Output<Vec<T>> {
        Output::of(&invoked, OUTPUT)
    }

    fn save(self, saver: &mut Saver<'_>) -> Result<(), ValueError> {
        saver.save(OUTPUT, &self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Outputs> Returned<Several> for T {
    type Handles = T::Handles;
    type Mapped = T::Mapped;

    fn declared() -> Vec<Declared> {
        T::declared()
    }

    fn handles(invoked: Invoked) -> T::Handles {
        T::handles(invoked)
    }

    fn mapped(invoked: Invoked) -> T::Mapped {
        T::mapped(invoked)
    }

    fn save(self, saver: &mut Saver<'_>) -> Result<(), ValueError> {
        T::save(self, saver)
    }
}
