//! `partita orchestrator flavor describe` and its siblings: a flavor and its configuration keys.

use partita_cli::table::Table;
use partita_core::stack::{ComponentType, Flavor};
use partita_engine::metadata::Registry;

use crate::commands::component::{built_in_flavors, schema::Schema};
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Shows a flavor and the keys of its configuration.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The flavor.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    let flavor =
        context.session()?.home().metadata().flavor(kind, &args.name, &built_in_flavors())?;
    context.show(args.output.output, &flavor, || text(&flavor))
}

fn text(flavor: &Flavor) -> String {
    let mut text = Table::pairs([
        ("flavor", flavor.name.clone()),
        ("type", flavor.component_type.to_string()),
        ("source", flavor.source.clone()),
        ("description", flavor.description.clone()),
    ]);
    let mut table = Table::new(["key", "type", "default", "description"]);
    for key in Schema::of(flavor).keys() {
        table.row([key.name, key.expected, key.default, key.description]);
    }
    if !table.is_empty() {
        text.push('\n');
        text.push_str(&table.to_text());
    }
    text
}
