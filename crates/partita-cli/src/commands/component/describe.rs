//! `partita orchestrator describe` and its siblings: a component with its configuration.

use partita_cli::table::Table;
use partita_core::stack::ComponentType;
use partita_engine::metadata::Registry;

use super::ComponentView;
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Shows a component with its configuration.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The component.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    let component = context.session()?.home().metadata().component(kind, &args.name)?;
    let view = ComponentView::from(&component);
    context.show(args.output.output, &view, || {
        let mut pairs = vec![
            ("name", view.name.to_owned()),
            ("type", view.type_words()),
            ("flavor", view.flavor.to_owned()),
        ];
        pairs
            .extend(view.config.iter().map(|(key, value)| (key.as_str(), value.text().to_owned())));
        Table::pairs(pairs)
    })
}
