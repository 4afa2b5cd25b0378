//! Tells of runs that an artifact store leaves behind when its component is changed or deleted.

use partita_cli::session::Session;
use partita_cli::terminal::shell_word;
use partita_core::stack::{Component, ComponentType};
use partita_engine::metadata::{Registry, RunFilter, RunIndex};

use crate::context::Context;
use crate::error::CommandError;

/// Names of runs that a warning shows.
const NAMED: usize = 3;

/// Warns if runs are kept at the place that `before` described and no component describes now.
pub(super) fn warn(
    before: &Component,
    session: &Session,
    context: &Context,
) -> Result<(), CommandError> {
    if before.component_type != ComponentType::ArtifactStore {
        return Ok(());
    }
    let home = session.home();
    // What could not be opened before is not made worse.
    let Ok(old) = home.artifact_store(before).map(|store| store.uri().to_owned()) else {
        return Ok(());
    };
    let components = home.metadata().components(ComponentType::ArtifactStore)?;
    let is_at_old = |component: &Component| {
        home.artifact_store(component).is_ok_and(|store| store.uri() == old)
    };
    if components.iter().any(is_at_old) {
        return Ok(());
    }
    let kept_there = RunFilter { store: Some(old.clone()), ..RunFilter::default() };
    let runs = home.metadata().runs(&kept_there)?;
    if runs.is_empty() {
        return Ok(());
    }
    let is_registered = components.iter().any(|component| component.name == before.name);
    let names: Vec<String> = runs.iter().take(NAMED).map(|run| format!("`{}`", run.name)).collect();
    let more = if runs.len() > NAMED { ", …" } else { "" };
    let count = match runs.len() {
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    };
    let path = format!("--path={}", old.strip_prefix("file://").unwrap_or(&old));
    let path = shell_word(&path);
    let mut text = format!(
        "{count} ({}{more}) stay in `{old}`, which no component describes now; to reach what is there, type `partita artifact-store register NAME --flavor=local {path}`",
        names.join(", ")
    );
    if is_registered {
        let name = shell_word(&before.name);
        text.push_str(&format!(
            "; if you have moved the folder, type `partita store rebuild --artifact-store {name}` instead"
        ));
    }
    context.warn(&text);
    Ok(())
}
