//! `partita artifacts describe`: an artifact version.

use std::collections::BTreeMap;

use partita_cli::count::unit_name;
use partita_cli::{size, span, table::Table};
use partita_core::artifact::ArtifactVersion;
use partita_core::literal::Literal;
use partita_engine::metadata::{ArtifactView, Artifacts};
use partita_engine::step_runner::load_inline;
use serde::Serialize;

use crate::context::{Context, Output};
use crate::error::CommandError;

/// Shows an artifact version.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An artifact's name for its latest version, or a version's id or the beginning of one.
    #[arg(value_name = "ARTIFACT")]
    artifact: String,
    #[command(flatten)]
    output: Output,
}

/// The JSON of an artifact version: its keys in lists, and what only its documents say.
#[derive(Serialize)]
struct Described<'a> {
    #[serde(flatten)]
    view: &'a ArtifactView,
    metadata: &'a BTreeMap<String, Literal>,
    value: Option<&'a Literal>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let artifacts = Artifacts::new(&**session.home().metadata());
    let view = artifacts.find(&args.artifact)?;
    let run = session.home().with_runs(|runs| runs.find(&view.run_id))?;
    let store = session.home().store_at(&run.store)?;
    let version = artifacts.read(&*store, &view)?;
    let value = load_inline(&*store, &version)?;
    let described = Described { view: &view, metadata: &version.metadata, value };
    context.show(args.output.output, &described, || text(&view, &version))
}

fn text(view: &ArtifactView, version: &ArtifactVersion) -> String {
    let mut pairs = vec![
        ("artifact", view.version.artifact.clone()),
        ("version", view.version.artifact_version.clone()),
        ("type", view.version.type_name.clone()),
        ("materializer", view.version.materializer.clone()),
        ("size", size::exact(view.version.size)),
        ("digest", view.version.digest.to_string()),
        ("uri", view.version.uri.clone()),
        ("made", span::local(view.created_at)),
        ("run", view.run.clone()),
        ("step", format!("{} (output {})", unit_name(&view.step, view.item), view.output)),
    ];
    pairs.extend(version.metadata.iter().map(|(key, value)| (key.as_str(), value.to_string())));
    pairs.extend(version.value.as_ref().map(|value| ("value", value.to_string())));
    Table::pairs(pairs)
}
