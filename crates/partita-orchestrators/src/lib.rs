//! The built-in orchestrators of Partita, one module a flavor.

pub mod local;

use partita_core::stack::Flavor;

/// Returns the orchestrator flavors that need no registration.
pub fn flavors() -> Vec<Flavor> {
    vec![local::flavor()]
}
