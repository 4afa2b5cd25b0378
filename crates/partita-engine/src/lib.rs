//! The engine of Partita: compiles, schedules, caches, runs, records and resumes pipelines.
//!
//! It never prints, prompts or reads the environment; its callers do.

pub mod cache;
pub mod clock;
pub mod code;
pub mod compile;
pub mod drive;
pub mod file_digest;
pub mod home;
pub mod limits;
pub mod metadata;
pub mod runs;
pub mod schedule;
mod script;
pub mod secrets;
pub mod step_runner;
pub mod store;
