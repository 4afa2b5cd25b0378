//! `partita stack list`: the stacks, the active one marked.

use partita_cli::table::Table;
use partita_engine::metadata::Registry;

use super::view::StackView;
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Lists the stacks.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let stacks = session.home().metadata().stacks()?;
    let active = session.active_stack()?;
    let views: Vec<StackView<'_>> =
        stacks.iter().map(|stack| StackView::new(stack, &active)).collect();
    if !views.iter().any(|view| view.active) {
        context.warn(&format!(
            "the active stack `{active}` does not exist; choose one with `partita stack set NAME`"
        ));
    }
    context.show(args.output.output, &views, || table(&views))
}

fn table(views: &[StackView<'_>]) -> String {
    let mut table = Table::new(["active", "name", "orchestrators", "artifact store"]);
    for view in views {
        let mark = if view.active { "*" } else { "" };
        table.row([
            mark.to_owned(),
            view.name.to_owned(),
            view.orchestrator_names(),
            view.artifact_store.name.to_owned(),
        ]);
    }
    table.to_text()
}
