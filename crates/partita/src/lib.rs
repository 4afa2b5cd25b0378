//! Partita for authors in Rust. Partita runs machine-learning pipelines on any orchestrator.
//!
//! Steps are functions, a pipeline is a function that calls them, and the compiler checks how they
//! are wired:
//!
//! ```no_run
//! use partita::prelude::*;
//!
//! #[step(retry(max = 3), timeout = "10m")]
//! fn load(count: u32) -> Vec<f64> {
//!     (0..count).map(f64::from).collect()
//! }
//!
//! #[step]
//! fn mean(numbers: Vec<f64>) -> Result<f64> {
//!     if numbers.is_empty() {
//!         return Err("there are no numbers".into());
//!     }
//!     Ok(numbers.iter().sum::<f64>() / numbers.len() as f64)
//! }
//!
//! #[pipeline]
//! fn numbers(#[default(10)] count: u32) {
//!     let numbers = load(count);
//!     mean(&numbers);
//! }
//!
//! fn main() -> ExitCode {
//!     partita::main![numbers]
//! }
//! ```
//!
//! The program is its own command, as in `./numbers run --param count=20`, and its own step
//! entrypoint, so that every orchestrator runs it; `partita run ./numbers` runs it, too. Whatever the
//! macros write can be written by hand: see [`Step`] and [`Pipeline`].
//!
//! Wiring an output of one type into an input of another does not compile:
//!
//! ```compile_fail
//! # use partita::prelude::*;
//! # #[step]
//! # fn load() -> Vec<f64> { vec![] }
//! # #[step]
//! # fn report(text: String) {}
//! #[pipeline]
//! fn wrong() {
//!     report(&load());
//! }
//! # fn main() {}
//! ```
//!
//! [`plugin`] makes executables of orchestrators of your own.
//!
//! # Requirements
//! Linux, and Rust 1.95 or newer. A program needs nothing where it runs.
//!
//! # Features
//! - `pipelines` (default): steps and pipelines. An orchestrator alone builds faster without it. Its
//!   `Cargo.toml` says `default-features = false`, and builds a quarter of the packages.
//! - `registries`: asks a container registry which images it has, and builds images in one where no
//!   engine is. It has 44 packages more to build; programs that run in images as they are, or in none, do
//!   without.
//! - `tracing` (default): events of the crate `tracing`, and records of `log`, are in the log of the step
//!   that has them; see [`StepLogWriter`].
//! - `ndarray`: arrays of the crate `ndarray` pass from step to step as `Stored<Array2<f64>>`, in npy files
//!   as numpy's do in Python.
//! - `arrow`: tables and record batches of Arrow pass as `Stored<Table>` and `Stored<RecordBatch>`, in IPC
//!   files as pyarrow's do in Python; they are those of `arrow-array` 60. Data frames of pandas and polars
//!   are read as well.
//! - `polars`: data frames of polars pass as `Stored<DataFrame>`, in Parquet files as those of Python's polars
//!   do; they are those of `polars` or `polars-core` 0.55. Data frames of pandas are read as well. Polars
//!   builds for minutes: `arrow` reads its frames too, for a step that has no other use for it.

mod panics;
pub mod plugin;

#[cfg(feature = "ndarray")]
mod arrays;
#[cfg(feature = "arrow")]
mod arrow;
#[cfg(feature = "pipelines")]
mod binary;
#[cfg(feature = "pipelines")]
mod bytes;
#[cfg(feature = "pipelines")]
mod caller;
#[cfg(feature = "pipelines")]
mod capture;
#[cfg(feature = "pipelines")]
mod command;
#[cfg(feature = "pipelines")]
mod context;
#[cfg(feature = "pipelines")]
mod events;
#[cfg(feature = "pipelines")]
mod feed;
#[cfg(feature = "pipelines")]
mod invocation;
#[cfg(feature = "pipelines")]
mod load;
#[cfg(feature = "pipelines")]
mod materializer;
#[cfg(feature = "pipelines")]
mod options;
#[cfg(feature = "pipelines")]
mod output;
#[cfg(feature = "pipelines")]
mod pipeline;
#[cfg(feature = "polars")]
mod polars;
#[cfg(feature = "pipelines")]
pub mod prelude;
#[cfg(feature = "pipelines")]
pub mod program;
#[cfg(feature = "pipelines")]
mod save;
#[cfg(feature = "pipelines")]
mod step;
#[cfg(feature = "pipelines")]
mod trace;
#[cfg(feature = "pipelines")]
mod types;
#[cfg(feature = "pipelines")]
pub mod value;

/// Has what the README and a guide show compiled.
#[cfg(doctest)]
mod shown {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/guide/commands.md")]
    struct Commands;
}

#[cfg(feature = "pipelines")]
pub use pipelines::*;

/// What there is for steps and pipelines.
#[cfg(feature = "pipelines")]
mod pipelines {
    pub use partita_core::run::Failure;
    pub use partita_core::spec;
    /// Makes each field of a struct an output of the step that returns it.
    ///
    /// What stands for them in a pipeline is a struct with the same fields, named after this one with
    /// `Handles` at the end.
    pub use partita_macros::Outputs;
    /// Makes a pipeline of a function that calls steps.
    ///
    /// Its parameters are values; each may have a default, as in `#[default(3)] depth: u32`. The options are
    /// those of `step`, as defaults of the steps, and `failure_mode = "…"`.
    ///
    /// ```
    /// use partita::prelude::*;
    ///
    /// #[step]
    /// fn train(depth: u32) -> f64 {
    ///     1.0 / f64::from(depth)
    /// }
    ///
    /// #[pipeline(failure_mode = "continue_on_failure")]
    /// fn wine(#[default(3)] depth: u32) {
    ///     train(depth);
    /// }
    /// # fn main() {
    /// assert_eq!(wine::definition().trace_defaults().steps.len(), 1);
    /// # }
    /// ```
    pub use partita_macros::pipeline;
    /// Makes a step of a function.
    ///
    /// In a pipeline, the function takes what other steps make, and returns what stands for its own
    /// outputs. What it does by itself is at `NAME::function`, for tests, and its definition at
    /// `NAME::definition`.
    ///
    /// The function may return a value, a struct of `Outputs`, or a `Result` of either. It takes values,
    /// references to them, `&str` and slices; an input of type `Option` may be given `None`.
    ///
    /// Options go in parentheses: `name = "…"`, `retry(max = 3, delay = 1, backoff = 2)`,
    /// `timeout = "10m"`, `resources(cpu = 2, memory = "2GB", gpu = 1, gpu_class = "a100")`,
    /// `cache = false`, `cache_version = "2"`, `cache_files = ["…"]`, `cache_environment = ["…"]`,
    /// `cache_expiry = "7d"`, `orchestrator = "…"`, `on_success = function`, `on_failure = function`.
    ///
    /// With `command = [WORD, …]` the step is a command, and the function has no body: a word is a text,
    /// `input.NAME`, `output.NAME` (`output` for the only one), or several of these in parentheses. An input
    /// that is a `PathBuf` is the path of a file, any other one is its text; outputs are files, or what
    /// their text says. With `shell = [WORD, …]` it is a script, and what it inserts is quoted.
    ///
    /// ```
    /// use std::path::PathBuf;
    /// use partita::prelude::*;
    ///
    /// #[step(command = ["sort", "-k2", input.raw, "-o", output])]
    /// fn sort(raw: PathBuf) -> PathBuf;
    /// ```
    ///
    /// ```
    /// use partita::prelude::*;
    ///
    /// #[step(retry(max = 3, delay = 0.5), resources(cpu = 2), cache_version = "2")]
    /// fn mean(numbers: &[f64]) -> Result<f64> {
    ///     Ok(numbers.iter().sum::<f64>() / numbers.len() as f64)
    /// }
    /// assert_eq!(mean::function(&[1.0, 3.0]).unwrap(), 2.0);
    /// ```
    pub use partita_macros::step;

    #[cfg(feature = "arrow")]
    pub use crate::arrow::Table;
    pub use crate::bytes::Bytes;
    pub use crate::command::Command;
    pub use crate::context::StepContext;
    pub use crate::events::StepLogWriter;
    pub use crate::feed::{Fed, Feeds, FeedsEach, Named, clashing};
    pub use crate::invocation::{Invocation, Invoked};
    pub use crate::load::Inputs;
    pub use crate::materializer::{Materializer, Stored};
    pub use crate::options::Options;
    pub use crate::output::{Declared, OUTPUT, One, Output, Outputs, Returned, Several, Value};
    pub use crate::pipeline::{Arguments, Parameter, Pipeline};
    pub use crate::save::Saver;
    pub use crate::step::{FailureHook, Format, Step, StepSource, SuccessHook};
    pub use crate::trace::Call;

    /// Why a step fails: any error, or a text as in `Err("no rows".into())`.
    pub type Error = Box<dyn std::error::Error + Send + Sync>;

    /// What a step that may fail returns.
    pub type Result<T, E = Error> = std::result::Result<T, E>;
}

/// Runs the pipelines of a program as the arguments of its process ask; the last expression of
/// `main`.
///
/// ```no_run
/// # use partita::prelude::*;
/// # #[step]
/// # fn load() -> f64 { 1.0 }
/// # #[pipeline]
/// # fn wine() { load(); }
/// # #[pipeline]
/// # fn beer() { load(); }
/// fn main() -> ExitCode {
///     partita::main![wine, beer]
/// }
/// ```
///
/// After `;` come steps that pipelines in other languages can use, besides those of the pipelines:
/// `partita::main![wine; load]`, or `partita::main![; load]`.
#[cfg(feature = "pipelines")]
#[macro_export]
macro_rules! main {
    ($($pipeline:ident),* $(,)?) => {
        $crate::program::main(&[$($pipeline::definition()),*])
    };
    ($($pipeline:ident),* ; $($step:ident),+ $(,)?) => {
        $crate::program::main_with(
            &[$($pipeline::definition()),*],
            &[$($crate::program::OfferedStep::of::<$step>()),+],
        )
    };
}
