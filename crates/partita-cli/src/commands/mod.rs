//! The verbs of the command, one file each.

mod artifacts;
mod build;
mod compile;
mod completions;
pub(crate) mod component;
mod doctor;
mod entrypoint;
mod init;
mod plan;
mod run;
mod runs;
mod secret;
mod stack;
mod store;

use clap::Subcommand;
use partita_core::stack::ComponentType;

use crate::context::Context;
use crate::error::CommandError;
use component::Configuration;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Mark a folder as the root of your code.
    Init(init::Args),
    /// Run a pipeline.
    Run(run::Args),
    /// Say what a run would do, what is cached, and why.
    Plan(plan::Args),
    /// Make the images that the steps of a pipeline run in.
    Build(build::Args),
    /// Write the deployment document of a pipeline.
    Compile(compile::Args),
    /// Look at runs, continue and delete them.
    #[command(subcommand)]
    Runs(runs::Verb),
    /// Look at the values that steps made.
    #[command(subcommand)]
    Artifacts(artifacts::Verb),
    /// Choose and change stacks.
    #[command(subcommand)]
    Stack(stack::Verb),
    /// Configure orchestrators.
    #[command(subcommand)]
    Orchestrator(component::Verb),
    /// Configure artifact stores.
    #[command(subcommand)]
    ArtifactStore(component::Verb),
    /// Configure what makes the images that steps run in.
    #[command(subcommand)]
    ImageBuilder(component::Verb),
    /// Configure where images are kept.
    #[command(subcommand)]
    ContainerRegistry(component::Verb),
    /// Store what documents refer to and never hold.
    #[command(subcommand)]
    Secret(secret::Verb),
    /// Look after what is stored.
    #[command(subcommand)]
    Store(store::Verb),
    /// Check that everything here works.
    Doctor(doctor::Args),
    /// Print the completions of a shell.
    Completions(completions::Args),
    /// Run one step that is a command, in the place where it runs.
    #[command(hide = true)]
    Entrypoint(entrypoint::Args),
}

/// Does what was asked.
pub(crate) fn run(
    command: Command,
    context: &Context,
    configuration: Configuration,
) -> Result<(), CommandError> {
    match command {
        Command::Init(args) => init::run(args, context),
        Command::Run(args) => run::run(args, context),
        Command::Plan(args) => plan::run(args, context),
        Command::Build(args) => build::run(args, context),
        Command::Compile(args) => compile::run(args, context),
        Command::Runs(verb) => runs::run(verb, context),
        Command::Artifacts(verb) => artifacts::run(verb, context),
        Command::Stack(verb) => stack::run(verb, context),
        Command::Orchestrator(verb) => {
            component::run(ComponentType::Orchestrator, verb, context, configuration)
        }
        Command::ArtifactStore(verb) => {
            component::run(ComponentType::ArtifactStore, verb, context, configuration)
        }
        Command::ImageBuilder(verb) => {
            component::run(ComponentType::ImageBuilder, verb, context, configuration)
        }
        Command::ContainerRegistry(verb) => {
            component::run(ComponentType::ContainerRegistry, verb, context, configuration)
        }
        Command::Secret(verb) => secret::run(verb, context),
        Command::Store(verb) => store::run(verb, context),
        Command::Doctor(args) => doctor::run(args, context),
        Command::Completions(args) => completions::run(args, context),
        Command::Entrypoint(args) => entrypoint::run(args),
    }
}
