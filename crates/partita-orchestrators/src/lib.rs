//! The built-in orchestrators of Partita, one module a flavor.
