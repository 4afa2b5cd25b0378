//! `partita artifacts list`: artifact versions, latest first.

use partita_cli::{size, span, table::Table};
use partita_engine::clock;
use partita_engine::metadata::{ArtifactView, Artifacts, VersionFilter};

use crate::context::{Context, Output, whole_number};
use crate::error::CommandError;

/// Lists artifact versions, latest first.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only versions of this artifact.
    #[arg(long, value_name = "NAME")]
    artifact: Option<String>,
    /// Only versions that this run made or took from the cache.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only this many, the latest ones.
    #[arg(long, value_name = "N", value_parser = whole_number::<usize>)]
    limit: Option<usize>,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let is_narrowed = args.artifact.is_some() || args.run.is_some() || args.limit.is_some();
    let none = if is_narrowed {
        "no artifact version is like that; `partita artifacts list` shows them all"
    } else {
        "no step has made a value in this home; `partita run FILE` runs a pipeline"
    };
    let run = match &args.run {
        Some(run) => Some(session.home().with_runs(|runs| runs.find(run))?.id),
        None => None,
    };
    let filter =
        VersionFilter { artifact: args.artifact, run_id: run, id_prefix: None, limit: args.limit };
    let versions = Artifacts::new(&**session.home().metadata()).list(&filter)?;
    context.show_list(args.output.output, &versions, || table(&versions), none)
}

fn table(versions: &[ArtifactView]) -> String {
    let now = clock::now();
    let mut table = Table::new(["artifact", "version", "type", "size", "made", "run"]);
    table.spare(5);
    table.spare(2);
    for view in versions {
        table.row([
            view.version.artifact.clone(),
            view.version.artifact_version.clone(),
            view.version.type_name.clone(),
            size::short(view.version.size),
            span::ago(view.created_at, now),
            view.run.clone(),
        ]);
    }
    table.to_text()
}
