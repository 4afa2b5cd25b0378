//! `partita stack register`: makes a stack of components.

use partita_cli::terminal::shell_word;
use partita_engine::metadata::{Registry, Save, StackReferences};

use crate::context::Context;
use crate::error::CommandError;

/// Makes a stack of components.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The new stack's name.
    #[arg(value_name = "NAME")]
    name: String,
    /// An orchestrator; the first is the default, others serve steps that name them.
    #[arg(long, short, value_name = "NAME", required = true)]
    orchestrator: Vec<String>,
    /// Where artifacts are kept.
    #[arg(long, short, value_name = "NAME")]
    artifact_store: String,
    /// What makes the images of its steps; the engine itself if it is not given.
    #[arg(long, short, value_name = "NAME")]
    image_builder: Option<String>,
    /// Where those images are kept; in the engine alone if it is not given.
    #[arg(long, short, value_name = "NAME")]
    container_registry: Option<String>,
    /// Make it the active stack.
    #[arg(long)]
    set: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let stack = StackReferences {
        name: args.name,
        orchestrators: args.orchestrator,
        artifact_store: args.artifact_store,
        image_builder: args.image_builder,
        container_registry: args.container_registry,
    };
    super::register_built_in(&session, &stack, context)?;
    session.home().metadata().save_stack(&stack, Save::Register)?;
    let registered = format!("the stack `{}` is registered", stack.name);
    if args.set {
        context.say(&registered);
        return super::activate(&session, &stack.name, context);
    }
    let name = shell_word(&stack.name);
    context.say(&format!("{registered}; `--stack {name}` runs on it, and `partita stack set {name}` makes it the active one"));
    Ok(())
}
