//! What the `partita` command and the Python package's native module show and share.

pub mod places;
pub mod session;
