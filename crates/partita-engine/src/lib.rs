//! The engine of Partita: compiles, schedules, caches, runs, records and resumes pipelines.
//!
//! It never prints, prompts or reads the environment; its callers do.

pub mod clock;
pub mod step_runner;
pub mod store;
