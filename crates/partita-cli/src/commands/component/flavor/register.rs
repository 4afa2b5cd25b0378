//! `partita orchestrator flavor register`: makes an orchestrator of somebody else's known.

use partita_cli::terminal::shell_word;
use partita_core::stack::ComponentType;
use partita_engine::metadata::{Registry, Save};

use crate::commands::component::{built_in_flavors, plugin};
use crate::context::Context;
use crate::error::CommandError;

/// Registers a flavor: what it is called, and the keys of its configuration.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The dotted path of a Python class, such as `flavors.my_flavor.MyOrchestratorFlavor`, the
    /// path of an executable that speaks the plugin protocol, or `cargo:PACKAGE@VERSION`.
    #[arg(value_name = "SOURCE")]
    source: String,
}

pub(super) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    super::check_kind(kind)?;
    let described = plugin::describe(&args.source, context)?;
    let flavor = described.flavor.clone();
    super::check_keys(&flavor)?;
    let session = context.session()?;
    session.home().metadata().save_flavor(&flavor, &built_in_flavors(), Save::Register)?;
    described.keep();
    context.say(&format!(
        "the {kind} flavor `{}` is registered; `partita {} register NAME --flavor={}` makes a component of it",
        flavor.name,
        kind.verb(),
        shell_word(&flavor.name)
    ));
    Ok(())
}
