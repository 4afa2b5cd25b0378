//! The plugin protocol of Partita: how an orchestrator that lives in a process of its own, written
//! in any language, is spoken to.
//!
//! JSON-RPC 2.0, one message a line, over the standard input and output of the plugin. The reference
//! is `docs/reference/plugin-protocol.md`; the files in `tests/golden` hold every message still.
//!
//! - [`message`] has what is said, as types of the wire and nothing else's;
//! - [`frame`] has the lines that carry it, and their limits;
//! - [`process`] supervises a plugin, [`PluginLauncher`] drives steps with one.
//!
//! The other side, for orchestrators in Rust, is `partita::plugin`.

mod delegate;
pub mod frame;
mod launcher;
pub mod message;
mod patience;
pub mod process;
mod registration;
mod start;
mod terms;

pub use delegate::Delegate;
pub use launcher::{Hand, Handed, OpenRun, PluginLauncher, Record, StepEnds};
pub use patience::Patience;
pub use process::{CallError, Ender, Listener, PluginProcess, unknown_method};
pub use registration::{Registration, RegistrationError};
pub use start::{Start, StartError, digest_of};
