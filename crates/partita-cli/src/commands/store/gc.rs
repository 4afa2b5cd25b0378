//! `partita store gc`: removes what no run and no cache entry needs.

use partita_cli::size;
use partita_core::stack::ComponentType;
use partita_engine::metadata::{CacheEntries, Collected, Registry, Removal, collect};

use crate::context::Context;
use crate::error::CommandError;

/// Removes what no run and no cache entry needs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove cached results too, but for those that a run has; steps that had them run again.
    #[arg(long)]
    cache: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let removal = if args.dry_run { Removal::Counted } else { Removal::Removed };
    let entries = if args.cache { CacheEntries::OfRuns } else { CacheEntries::Whole };
    let mut seen = Vec::new();
    for component in session.home().metadata().components(ComponentType::ArtifactStore)? {
        let store = session.home().artifact_store(&component)?;
        // Two components may describe one place.
        if !seen.contains(&store.uri().to_owned()) {
            seen.push(store.uri().to_owned());
            let told = told(&collect(&*store, removal, entries)?, removal);
            context.say(&format!("artifact store `{}`: {told}", component.name));
        }
    }
    Ok(())
}

fn told(collected: &Collected, removal: Removal) -> String {
    let counts = [
        (collected.artifact_versions, "artifact version", "artifact versions"),
        (collected.cache_entries, "cache entry", "cache entries"),
        (collected.deployments, "deployment", "deployments"),
        (collected.runs, "half-deleted run", "half-deleted runs"),
        (collected.code, "code archive", "code archives"),
        (collected.staging, "unfinished artifact version", "unfinished artifact versions"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    let verb = match removal {
        _ if parts.is_empty() => return "there is nothing to remove".to_owned(),
        Removal::Removed => "removed",
        Removal::Counted => "would remove",
    };
    format!("{verb} {} ({})", parts.join(", "), size::short(collected.bytes))
}
