//! `partita store gc`: removes what no run and no cache entry needs.

use partita_core::stack::ComponentType;
use partita_engine::metadata::{Collected, Registry, collect};

use crate::context::Context;
use crate::error::CommandError;

pub(crate) fn run(context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let mut seen = Vec::new();
    for component in session.home().metadata().components(ComponentType::ArtifactStore)? {
        let store = session.home().artifact_store(&component)?;
        // Two components may describe one place.
        if !seen.contains(&store.uri().to_owned()) {
            seen.push(store.uri().to_owned());
            context.say(&format!(
                "artifact store `{}`: {}",
                component.name,
                told(&collect(&*store)?)
            ));
        }
    }
    Ok(())
}

fn told(collected: &Collected) -> String {
    let counts = [
        (collected.artifact_versions, "artifact versions"),
        (collected.cache_entries, "cache entries"),
        (collected.deployments, "deployments"),
        (collected.runs, "rests of runs"),
        (collected.staging, "unfinished artifacts"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() {
        return "nothing to remove".to_owned();
    }
    format!("removed {} ({} bytes)", parts.join(", "), collected.bytes)
}
