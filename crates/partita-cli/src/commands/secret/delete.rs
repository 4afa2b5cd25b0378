//! `partita secret delete`: deletes a secret that no component refers to.

use crate::context::Context;
use crate::error::CommandError;

/// Deletes a secret, or one key of it, that no component refers to.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The secret.
    #[arg(value_name = "NAME")]
    name: String,
    /// The key; all of them if it is not given.
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CommandError> {
    let key = args.key.as_deref();
    context.session()?.home().secrets().delete(&args.name, key)?;
    let whole = match key {
        Some(key) => format!("{}.{key}", args.name),
        None => args.name.clone(),
    };
    context.say(&format!("the secret `{whole}` is deleted"));
    Ok(())
}
