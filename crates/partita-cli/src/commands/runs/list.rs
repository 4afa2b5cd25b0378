//! `partita runs list`: runs, latest first.

use partita_cli::{span, table::Table};
use partita_core::status::RunStatus;
use partita_engine::clock;
use partita_engine::metadata::{RunFilter, RunSummary};

use crate::context::{Context, Output, whole_number};
use crate::error::CommandError;

/// Lists runs, latest first.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only runs of this pipeline.
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// Only runs with this status, such as `failed`.
    #[arg(long, value_name = "STATUS")]
    status: Option<RunStatus>,
    /// Only this many, the latest ones.
    #[arg(long, value_name = "N", value_parser = whole_number::<usize>)]
    limit: Option<usize>,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let is_narrowed = args.pipeline.is_some() || args.status.is_some() || args.limit.is_some();
    let none = if is_narrowed {
        "no run is like that; `partita runs list` shows them all"
    } else {
        "no pipeline has run in this home; `partita run FILE` runs one"
    };
    let filter = RunFilter {
        pipeline: args.pipeline,
        status: args.status,
        limit: args.limit,
        ..RunFilter::default()
    };
    let runs = session.home().with_runs(|runs| runs.list(&filter))?;
    context.show_list(args.output.output, &runs, || table(&runs), none)
}

fn table(runs: &[RunSummary]) -> String {
    let now = clock::now();
    let mut table = Table::new(["name", "pipeline", "status", "started", "duration", "id"]);
    // A run's name says as much as its id, and mostly its pipeline.
    table.spare(5);
    table.spare(1);
    for run in runs {
        table.row([
            run.name.clone(),
            run.pipeline.clone(),
            run.status.to_string(),
            span::ago(run.started_at, now),
            run.duration_s.map(span::duration).unwrap_or_default(),
            run.id.clone(),
        ]);
    }
    table.to_text()
}
