//! What an input of a step can be given in a pipeline.

use serde::Serialize;

use partita_core::literal::Literal;

use crate::invocation::Invocation;
use crate::output::Output;
use crate::value;

/// What was given to an input.
#[derive(Debug, Clone)]
pub struct Fed(pub(crate) Source);

#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A value, as documents hold it.
    Value(Literal),
    /// A value that documents cannot hold, and why.
    Unwritable(String),
    /// An output of the step with this number in the trace.
    Output { step: usize, output: &'static str },
    /// Several of these.
    List(Vec<Source>),
}

/// Whatever can be given to the input `I` of the step `S`, which takes a `T` there.
///
/// That is a value, or an [`Output`] that another step makes; where `T` is an `Option`, also what it
/// holds. `I` is a type that stands for the input, for messages alone: the macro `step` makes one for
/// each, named after it.
///
/// ```
/// use partita::Feeds;
///
/// struct Train;
/// struct Depth;
///
/// fn train(_: impl Feeds<Train, Depth, u32>) {}
/// train(3);
/// ```
#[diagnostic::on_unimplemented(
    message = "the input `{I}` of the step `{S}` takes `{T}`, not `{Self}`",
    label = "a `{T}` belongs here, or an `Output<{T}>`",
    note = "give it an output of that type, or change what its step takes"
)]
pub trait Feeds<S, I, T> {
    /// Returns what the trace notes.
    fn feed(self) -> Fed;
}

fn value<T: Serialize>(value: &T) -> Fed {
    Fed(match value::literal(value) {
        Ok(literal) => Source::Value(literal),
        Err(error) => Source::Unwritable(error.to_string()),
    })
}

fn output<T>(output: &Output<T>) -> Fed {
    Fed(Source::Output { step: output.invoked().number(), output: output.name() })
}

impl<S, I, T: Serialize> Feeds<S, I, T> for T {
    fn feed(self) -> Fed {
        value(&self)
    }
}

impl<S, I, T: Serialize> Feeds<S, I, Option<T>> for T {
    fn feed(self) -> Fed {
        value(&self)
    }
}

impl<S, I> Feeds<S, I, String> for &str {
    fn feed(self) -> Fed {
        value(&self)
    }
}

impl<S, I> Feeds<S, I, Option<String>> for &str {
    fn feed(self) -> Fed {
        value(&self)
    }
}

impl<S, I, T> Feeds<S, I, T> for Output<T> {
    fn feed(self) -> Fed {
        output(&self)
    }
}

impl<S, I, T> Feeds<S, I, T> for &Output<T> {
    fn feed(self) -> Fed {
        output(self)
    }
}

impl<S, I, T> Feeds<S, I, Option<T>> for Output<T> {
    fn feed(self) -> Fed {
        output(&self)
    }
}

impl<S, I, T> Feeds<S, I, Option<T>> for &Output<T> {
    fn feed(self) -> Fed {
        output(self)
    }
}

/// Whatever can be given to the input `I` of the step `S` item by item, each item a `T`: a list, an
/// [`Output`] that will be one, or a list of outputs.
#[diagnostic::on_unimplemented(
    message = "the step `{S}` is mapped over its input `{I}`, and `{Self}` is no list of `{T}`",
    label = "a `Vec<{T}>` belongs here, an `Output<Vec<{T}>>`, or a `Vec<Output<{T}>>`"
)]
pub trait FeedsEach<S, I, T> {
    /// Returns what the trace notes.
    fn feed_each(self) -> Fed;
}

impl<S, I, T: Serialize> FeedsEach<S, I, T> for Vec<T> {
    fn feed_each(self) -> Fed {
        value(&self)
    }
}

impl<S, I, T: Serialize> FeedsEach<S, I, T> for &[T] {
    fn feed_each(self) -> Fed {
        value(&self)
    }
}

impl<S, I, T> FeedsEach<S, I, T> for Output<Vec<T>> {
    fn feed_each(self) -> Fed {
        output(&self)
    }
}

impl<S, I, T> FeedsEach<S, I, T> for &Output<Vec<T>> {
    fn feed_each(self) -> Fed {
        output(self)
    }
}

impl<S, I, T> FeedsEach<S, I, T> for Vec<Output<T>> {
    fn feed_each(self) -> Fed {
        Fed(Source::List(self.iter().map(|item| output(item).0).collect()))
    }
}

/// What a pipeline can call as the step `S`. Nothing is that but the step itself.
///
/// The macro `pipeline` asks for it where a name is that of a step and, by then, that of its output, as in
/// `let mean = mean(load()); mean(load());`. It is there for the message alone.
#[diagnostic::on_unimplemented(
    message = "`{S}` is no longer the step `{S}` here: its name was given to an output, a `{Self}`",
    label = "a step can be called, and this is a `{Self}`",
    note = "give the output another name than that of the step `{S}`"
)]
pub trait Named<S> {
    /// What stands for its outputs.
    type Handles;

    /// Calls it.
    fn call(self) -> Self::Handles;
}

/// Returns what stands for the outputs of a step that is called by a name, if the name still is the
/// step's; see [`Named`].
pub fn clashing<S, T: Named<S>>(called: T) -> T::Handles {
    called.call()
}
