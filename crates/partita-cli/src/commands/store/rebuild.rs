//! `partita store rebuild`: makes the index again from artifact stores.

use std::path::Path;
use std::sync::Arc;

use partita_cli::session::Session;
use partita_core::stack::{Component, ComponentType};
use partita_engine::metadata::{Registry, RunFilter, RunIndex};
use partita_engine::store::ArtifactStore;

use crate::context::Context;
use crate::error::CommandError;

/// Makes the index of runs, artifacts and lineage again from the artifact stores.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this artifact store: its URI, its folder or its name.
    #[arg(long, value_name = "URI")]
    artifact_store: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let mut problems = 0;
    for (name, store) in stores(&session, args.artifact_store.as_deref())? {
        let rebuilt = session.home().with_runs(|runs| runs.rebuild(&*store))?;
        let back = match rebuilt.runs {
            1 => "1 run is back".to_owned(),
            runs => format!("{runs} runs are back"),
        };
        let mut text = format!("artifact store `{name}`: {back}");
        for (count, what) in [
            (rebuilt.live, "still going on"),
            (rebuilt.forgotten, "forgotten, since their documents are gone"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        context.say(&text);
        for problem in &rebuilt.problems {
            context.warn(&problem.to_string());
        }
        problems += rebuilt.problems.len();
    }
    if problems > 0 {
        let documents =
            if problems == 1 { "1 document".to_owned() } else { format!("{problems} documents") };
        return Err(CommandError::failed(format!(
            "{documents} could not be read; everything else is back"
        )));
    }
    Ok(())
}

type Named = (String, Arc<dyn ArtifactStore>);

/// Returns the artifact stores that are asked for, each place once.
fn stores(session: &Session, asked: Option<&str>) -> Result<Vec<Named>, CommandError> {
    let mut found: Vec<Named> = Vec::new();
    for component in session.home().metadata().components(ComponentType::ArtifactStore)? {
        if asked.is_some_and(|asked| asked == component.name) {
            return Ok(vec![(component.name.clone(), open(session, &component)?)]);
        }
        let store = match open(session, &component) {
            Ok(store) => store,
            // One that is not asked for need not be reachable.
            Err(_) if asked.is_some() => continue,
            Err(error) => return Err(error),
        };
        if asked.is_some_and(|asked| !is_at(&*store, asked))
            || found.iter().any(|(_, known)| known.uri() == store.uri())
        {
            continue;
        }
        found.push((component.name, store));
    }
    match asked {
        Some(asked) if found.is_empty() => {
            let path = asked.strip_prefix("file://").unwrap_or(asked);
            Err(CommandError::failed(format!("no artifact store at `{asked}` is registered here")).help(format!(
                "register it with `partita artifact-store register NAME --flavor=local --path={}` and try again",
                partita_cli::terminal::shell_word(path)
            )))
        }
        _ => Ok(found),
    }
}

/// Opens an artifact store; one that has runs must be there, so that they are not taken for deleted.
fn open(session: &Session, component: &Component) -> Result<Arc<dyn ArtifactStore>, CommandError> {
    let home = session.home();
    let store = home.artifact_store(component)?;
    let has_runs =
        RunFilter { store: Some(store.uri().to_owned()), limit: Some(1), ..RunFilter::default() };
    if home.metadata().runs(&has_runs)?.is_empty() {
        return Ok(store);
    }
    Ok(home.store_at(store.uri())?)
}

fn is_at(store: &dyn ArtifactStore, asked: &str) -> bool {
    let folder = asked.strip_prefix("file://").unwrap_or(asked);
    let folder = Path::new(folder).canonicalize().unwrap_or_else(|_| folder.into());
    store.uri() == asked || store.uri() == format!("file://{}", folder.display())
}
