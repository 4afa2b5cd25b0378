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
    /// Make it the active stack.
    #[arg(long)]
    set: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let present = session.stack(Some(&args.name))?;
    if !args.set && args.orchestrator.is_empty() && args.artifact_store.is_none() {
        return Err(CommandError::usage(
            "nothing to change is given; use `-o ORCHESTRATOR`, `-a ARTIFACT_STORE` or `--set`",
        ));
    }
    if !args.orchestrator.is_empty() || args.artifact_store.is_some() {
        let before = StackReferences::from(&present);
        let mut stack = before.clone();
        if !args.orchestrator.is_empty() {
            stack.orchestrators = args.orchestrator;
        }
        if let Some(artifact_store) = args.artifact_store {
            stack.artifact_store = artifact_store;
        }
        session.home().metadata().save_stack(&stack, Save::Update(&before))?;
        context.say(&format!("the stack `{}` is changed", stack.name));
    }
    if args.set { super::activate(&session, &args.name, context) } else { Ok(()) }
}
