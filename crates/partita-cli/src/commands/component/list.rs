//! `partita orchestrator list` and its siblings: the components of a type.

use partita_cli::table::Table;
use partita_core::stack::ComponentType;
use partita_engine::metadata::Registry;

use super::ComponentView;
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Lists the components of a type.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    let components = context.session()?.home().metadata().components(kind)?;
    let views: Vec<ComponentView<'_>> = components.iter().map(ComponentView::from).collect();
    context.show(args.output.output, &views, || {
        let mut table = Table::new(["name", "flavor", "configuration"]);
        for view in &views {
            table.row([view.name.to_owned(), view.flavor.to_owned(), view.config_words()]);
        }
        table.to_text()
    })
}
