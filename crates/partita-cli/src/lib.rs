//! What the `partita` command and the Python package's native module show and share.

pub mod bug;
pub mod count;
pub mod fit;
pub mod format;
pub mod places;
pub mod plan_view;
pub mod progress;
pub mod session;
pub mod size;
pub mod span;
pub mod table;
pub mod terminal;
mod yaml;
