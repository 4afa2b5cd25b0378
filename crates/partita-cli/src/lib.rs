//! What the `partita` command and the Python package's native module show and share.

pub mod bug;
pub mod build_view;
pub mod context;
pub mod count;
pub mod error;
pub mod fit;
pub mod format;
pub mod interpreter;
pub mod pipeline;
pub mod pipeline_options;
pub mod places;
pub mod plan_view;
pub mod program_mark;
pub mod progress;
pub mod session;
pub mod size;
pub mod span;
pub mod table;
pub mod terminal;
mod yaml;
