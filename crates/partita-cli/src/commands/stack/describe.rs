//! `partita stack describe`: a stack with its components.

use partita_cli::table::Table;

use super::view::StackView;
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Shows a stack with its components.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The stack; the active one if it is not given.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let stack = session.stack(args.name.as_deref())?;
    let active = session.active_stack()?;
    let view = StackView::new(&stack, &active);
    context.show(args.output.output, &view, || text(&view))
}

fn text(view: &StackView<'_>) -> String {
    let active = if view.active { "yes" } else { "no" };
    let mut text = Table::pairs([("stack", view.name.to_owned()), ("active", active.to_owned())]);
    let mut table = Table::new(["component", "name", "flavor", "configuration"]);
    for component in view.components() {
        table.row([
            component.type_words(),
            component.name.to_owned(),
            component.flavor.to_owned(),
            component.config_words(),
        ]);
    }
    text.push('\n');
    text.push_str(&table.to_text());
    text
}
