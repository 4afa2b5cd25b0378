//! Partita for authors in Rust. Partita runs machine-learning pipelines on any orchestrator.
//!
//! [`plugin`] makes executables of orchestrators of your own.

pub mod plugin;
