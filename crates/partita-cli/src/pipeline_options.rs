//! How a pipeline is asked for, on any command line.

use std::collections::BTreeMap;

use clap::Args;

use crate::error::CommandError;

/// What a pipeline is run, planned or compiled with.
#[derive(Debug, Clone, Default, Args)]
pub struct PipelineOptions {
    /// A parameter of the pipeline; may be repeated.
    #[arg(long = "param", short, value_name = "K=V")]
    pub parameters: Vec<String>,
    /// A YAML file of parameters, options and settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// The stack, instead of the active one.
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Take no earlier results; those of this run may be taken later.
    #[arg(long)]
    pub no_cache: bool,
}

impl PipelineOptions {
    /// Returns these options as words of a command line.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let named = |name: &'static str| move |value: &String| format!("--{name}={value}");
        let parameters = self.parameters.iter().map(named("param"));
        let config = self.config.iter().map(named("config"));
        let stack = self.stack.iter().map(named("stack"));
        let no_cache = self.no_cache.then(|| "--no-cache".to_owned());
        parameters.chain(config).chain(stack).chain(no_cache).collect()
    }
}

/// Splits `K=V`; later values of a key win.
///
/// # Errors
/// If one is of another form.
pub fn parameters(typed: &[String]) -> Result<BTreeMap<String, String>, CommandError> {
    typed
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(CommandError::usage(format!(
                "`--param {pair}` is not of the form `NAME=VALUE`; write it as in `--param depth=5`"
            ))),
        })
        .collect()
}
