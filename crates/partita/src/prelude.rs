//! What authors of pipelines write, in one line: `use partita::prelude::*;`.

pub use std::process::ExitCode;

pub use crate::{
    Error, Failure, Invocation, Options, Output, Outputs, Result, StepContext, pipeline, step,
};
