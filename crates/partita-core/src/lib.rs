//! The words of Partita: deployments, steps, stacks, flavors, settings, documents, errors and traits.
//!
//! Nothing here performs I/O, reads a clock or draws random numbers; the engine does that.

pub mod artifact;
pub mod cache;
pub mod deployment;
pub mod diagnostic;
pub mod digest;
pub mod launcher;
pub mod literal;
pub mod name;
pub mod run;
pub mod schema;
pub mod secret;
pub mod settings;
mod shown;
pub mod spec;
pub mod stack;
pub mod status;
pub mod time;
