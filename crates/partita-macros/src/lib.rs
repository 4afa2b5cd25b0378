//! The macros of `partita`. They translate: whatever they write can be written by hand with the
//! functions of that crate, where they are documented for authors.
//!
//! What the macros write allows `dead_code` and the like: whether an author uses it, and what they call
//! it, is nothing that a lint of code which they have not written should tell them.

mod attributes;
mod clash;
mod command;
mod outputs;
mod pipeline;
mod signature;
mod step;

use proc_macro::TokenStream;

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
#[proc_macro_attribute]
pub fn step(attribute: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(attribute.into(), item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}

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
#[proc_macro_attribute]
pub fn pipeline(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::expand(attribute.into(), item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}

/// Makes each field of a struct an output of the step that returns it.
///
/// What stands for them in a pipeline is a struct with the same fields, named after this one with
/// `Handles` at the end.
#[proc_macro_derive(Outputs)]
pub fn outputs(item: TokenStream) -> TokenStream {
    outputs::expand(item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}
