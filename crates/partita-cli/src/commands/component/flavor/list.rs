//! `partita orchestrator flavor list` and its siblings: the flavors of a component type.

use partita_cli::table::Table;
use partita_core::stack::ComponentType;
use partita_engine::metadata::Registry;

use crate::commands::component::built_in_flavors;
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Lists the flavors, built-in and registered ones.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    let flavors = context.session()?.home().metadata().flavors(kind, &built_in_flavors())?;
    context.show(args.output.output, &flavors, || {
        let mut table = Table::new(["name", "source", "description"]);
        for flavor in &flavors {
            table.row([flavor.name.clone(), flavor.source.clone(), flavor.description.clone()]);
        }
        table.to_text()
    })
}
