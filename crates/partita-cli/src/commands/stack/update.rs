//! `partita stack update`: changes the components of a stack.

use partita_engine::metadata::{Registry, Save, StackReferences};

use crate::context::Context;
use crate::error::CommandError;

/// Changes the components of a stack; what is not given stays.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The stack.
    #[arg(value_name = "NAME")]
    name: String,
    /// The orchestrators, in place of all that it has.
    #[arg(long, short, value_name = "NAME")]
    orchestrator: Vec<String>,
    /// Where artifacts are kept.
    #[arg(long, short, value_name = "NAME")]
    artifact_store: Option<String>,
    /// What makes the images of its steps.
    #[arg(long, short, value_name = "NAME")]
    image_builder: Option<String>,
    /// Where those images are kept.
    #[arg(long, short, value_name = "NAME")]
    container_registry: Option<String>,
    /// Make it the active stack.
    #[arg(long)]
    set: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let present = session.stack(Some(&args.name))?;
    let changes = !args.orchestrator.is_empty()
        || [&args.artifact_store, &args.image_builder, &args.container_registry]
            .iter()
            .any(|name| name.is_some());
    if !args.set && !changes {
        return Err(CommandError::usage(
            "nothing to change is given; use `-o ORCHESTRATOR`, `-a ARTIFACT_STORE`, `-i IMAGE_BUILDER`, `-c CONTAINER_REGISTRY` or `--set`",
        ));
    }
    if changes {
        let before = StackReferences::from(&present);
        let mut stack = before.clone();
        if !args.orchestrator.is_empty() {
            stack.orchestrators = args.orchestrator;
        }
        if let Some(artifact_store) = args.artifact_store {
            stack.artifact_store = artifact_store;
        }
        stack.image_builder = args.image_builder.or(stack.image_builder);
        stack.container_registry = args.container_registry.or(stack.container_registry);
        super::register_built_in(&session, &stack, context)?;
        session.home().metadata().save_stack(&stack, Save::Update(&before))?;
        context.say(&format!("the stack `{}` is changed", stack.name));
    }
    if args.set { super::activate(&session, &args.name, context) } else { Ok(()) }
}
