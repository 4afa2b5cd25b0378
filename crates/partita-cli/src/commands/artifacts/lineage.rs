//! `partita artifacts lineage`: where an artifact version comes from and what came of it.

use partita_cli::count::unit_name;
use partita_cli::{table::Table, terminal};
use partita_engine::metadata::{Artifacts, Lineage, LineageStep};

use crate::context::{Context, Output};
use crate::error::CommandError;

/// Shows where an artifact version comes from and what came of it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An artifact's name for its latest version, or a version's id or the beginning of one.
    #[arg(value_name = "ARTIFACT")]
    artifact: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let lineage = Artifacts::new(&**session.home().metadata()).lineage(&args.artifact)?;
    context.show(args.output.output, &lineage, || text(&lineage))
}

fn text(lineage: &Lineage) -> String {
    let name = terminal::escaped(&lineage.artifact);
    let mut text = format!("{name} {}\n", lineage.artifact_version);
    for (title, steps) in [("comes from", &lineage.upstream), ("went into", &lineage.downstream)] {
        text.push_str(&format!("\n{title}:\n"));
        text.push_str(&if steps.is_empty() { "nothing\n".to_owned() } else { table(steps) });
    }
    text
}

fn table(steps: &[LineageStep]) -> String {
    let mut table = Table::new(["step", "run", "inputs", "outputs"]);
    for step in steps {
        let names = |versions: &std::collections::BTreeMap<String, String>| {
            versions.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        let name = unit_name(&step.step, step.item);
        table.row([name, step.run.clone(), names(&step.inputs), names(&step.outputs)]);
    }
    table.to_text()
}
