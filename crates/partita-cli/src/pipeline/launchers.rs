//! Opens the orchestrators of a run's stack.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use partita_core::deployment::Deployment;
use partita_core::diagnostic::Report;
use partita_core::digest::Digest;
use partita_core::launcher::StepLauncher;
use partita_core::run::EndedBy;
use partita_core::secret;
use partita_core::stack::{Claims, Component, Delegates, Origin};
use partita_engine::code::{self, CodeError};
use partita_engine::compile;
use partita_engine::drive::{Observer, RunEvent};
use partita_engine::runs::LiveRun;
use partita_engine::secrets::{self, SecretError};
use partita_engine::step_runner::RunContext;
use partita_orchestrators::docker::{self, DockerLauncher};
use partita_orchestrators::gpus::Gpus;
use partita_orchestrators::launchers::Launchers;
use partita_orchestrators::local::{self, LocalLauncher};
use partita_orchestrators::output::Echo;
use partita_orchestrators::process::{self, Place, ProcessLauncher};
use partita_orchestrators::programs::{WithPrograms, has_others};
use partita_plugin::message::Open;
use partita_plugin::{
    Delegate, Hand, Handed, OpenRun, Patience, PluginLauncher, Registration, Start, StartError,
    StepEnds,
};

use super::PythonPath;
use super::images::Images;
use super::plugin_record::{PluginRecord, redacted};
use super::prepare::Prepared;
use crate::interpreter;
use crate::session::SessionError;

/// Why an orchestrator cannot start anything here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LauncherError {
    /// No processes can be started.
    #[error("{0}")]
    Process(String),
    /// No containers can be started.
    #[error("{0}")]
    Docker(String),
    /// The engine of containers is not there, or lacks something.
    #[error(transparent)]
    Preflight(#[from] docker::PreflightError),
    /// The author's code cannot be taken to where steps run.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Its configuration refers to a secret that is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Its flavor is not registered.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// What implements it cannot be started.
    #[error("the orchestrator `{name}` cannot run anything: {error}")]
    Plugin {
        /// The orchestrator.
        name: String,
        /// Why.
        error: StartError,
    },
    /// It is implemented in Python, and there is none.
    #[error("the orchestrator `{name}` is written in Python: {reason}")]
    NoPython {
        /// The orchestrator.
        name: String,
        /// Why there is none.
        reason: String,
    },
    /// Nothing enters its commands.
    #[error(
        "step `{step}` is a command, which the program `partita` starts in its container, and that is neither beside `{}` nor on `PATH`; install Partita's package there anew, which brings it",
        interpreter.display()
    )]
    NoCommand {
        /// A step that is one.
        step: String,
        /// The Python beside which it is looked for.
        interpreter: PathBuf,
    },
    /// It cannot be told of the run.
    #[error("the orchestrator `{name}` cannot be opened: {error}")]
    Delegate {
        /// The orchestrator.
        name: String,
        /// Why.
        error: String,
    },
    /// Something is asked that nobody would keep to.
    #[error(transparent)]
    Asked(#[from] Report),
}

impl LauncherError {
    /// Returns whether a backend is out of reach.
    pub(crate) fn is_unreachable(&self) -> bool {
        match self {
            Self::Preflight(error) => error.is_unreachable(),
            Self::Session(error) => error.is_unreachable(),
            _ => false,
        }
    }
}

/// Checks, before a run begins, that what it runs on is there.
///
/// # Errors
/// If it is not.
pub(super) fn check(prepared: &Prepared, python: &PythonPath) -> Result<(), LauncherError> {
    let deployment = &prepared.compiled.deployment;
    for orchestrator in &prepared.stack.orchestrators {
        if orchestrator.flavor == docker::NAME && is_used(deployment, orchestrator) {
            docker::check(orchestrator, deployment, &prepared.images, prepared.store.uri())?;
            command(deployment, orchestrator, python)?;
        }
        if is_built_in(orchestrator) {
            continue;
        }
        let start = plugin(prepared, orchestrator, python)?;
        check_secrets(deployment, orchestrator, &start)?;
    }
    Ok(())
}

/// Refuses steps with secrets on an orchestrator that now says otherwise of them than it did when it
/// was configured. It is asked if there are such steps; what cannot be asked tells why when the run
/// opens it.
fn check_secrets(
    deployment: &Deployment,
    orchestrator: &Component,
    start: &Start,
) -> Result<(), LauncherError> {
    if deployment.steps.iter().all(|step| secret::taken_by(step).is_empty()) {
        return Ok(());
    }
    let asked = Registration::open(start, Patience::default())
        .and_then(|plugin| plugin.validate(&orchestrator.config));
    match asked {
        Ok(said) => Ok(compile::check_secrets(deployment, orchestrator, said.claims())?),
        Err(_) => Ok(()),
    }
}

/// What would start steps in Python where there is none; a system that has it all the same finds it.
const NO_PYTHON: &str = "python3";

fn interpreter(python: &PythonPath) -> PathBuf {
    python.clone().unwrap_or_else(|_| NO_PYTHON.into())
}

/// Returns the program that drives a run of its own pipeline.
fn own_program(live: &LiveRun) -> Option<PathBuf> {
    live.header().target.as_ref()?.program.as_ref().map(PathBuf::from)
}

/// Returns the program `partita`, if steps of an orchestrator are commands, which it enters.
///
/// # Errors
/// If they are, and it is not there.
fn command(
    deployment: &Deployment,
    orchestrator: &Component,
    python: &PythonPath,
) -> Result<Option<PathBuf>, LauncherError> {
    let mut steps = deployment.steps_on(&orchestrator.name);
    let Some(step) = steps.find(|step| deployment.is_mere_command(step)) else { return Ok(None) };
    let interpreter = interpreter(python);
    match interpreter::command_of(&interpreter) {
        Some(command) => Ok(Some(command)),
        None => Err(LauncherError::NoCommand { step: step.name.clone(), interpreter }),
    }
}

fn is_built_in(orchestrator: &Component) -> bool {
    [local::NAME, process::NAME, docker::NAME].contains(&orchestrator.flavor.as_str())
}

fn is_used(deployment: &Deployment, orchestrator: &Component) -> bool {
    deployment.steps_on(&orchestrator.name).next().is_some()
}

/// Returns what implements an orchestrator whose flavor is registered.
fn plugin(
    prepared: &Prepared,
    orchestrator: &Component,
    python: &PythonPath,
) -> Result<Start, LauncherError> {
    let flavor = prepared.session.registered_flavor(orchestrator)?;
    let name = || orchestrator.name.clone();
    let origin = flavor.plugin.as_ref().map(|plugin| &plugin.origin);
    let interpreter = match (python, origin) {
        (Ok(path), _) => path,
        (Err(reason), Some(Origin::Python { .. })) => {
            return Err(LauncherError::NoPython { name: name(), reason: reason.clone() });
        }
        (Err(_), _) => Path::new(NO_PYTHON),
    };
    Start::of(&flavor, interpreter).map_err(|error| LauncherError::Plugin { name: name(), error })
}

/// Returns the folder that tells which runs have processes on this machine.
pub(super) fn locks(prepared: &Prepared) -> PathBuf {
    prepared.session.home().path().join("processes")
}

/// Returns the launchers of a run, those of flavor `local` being `local`.
///
/// # Errors
/// If one cannot start anything here.
pub(super) fn open(
    prepared: &Prepared,
    live: &LiveRun,
    local: &LocalLauncher,
    python: &PythonPath,
    echo: Arc<dyn Echo>,
) -> Result<(Launchers, StepObserver), LauncherError> {
    let context = live.context();
    let interpreter = interpreter(python);
    let mut observer = StepObserver(Vec::new());
    let gpus = Arc::new(Gpus::default());
    let processes = |orchestrator: &Component| {
        let place = Place {
            context: Arc::clone(context),
            locks: locks(prepared),
            interpreter: interpreter.clone(),
            program: own_program(live),
            echo: Arc::clone(&echo),
            gpus: Arc::clone(&gpus),
        };
        let opened = ProcessLauncher::open(orchestrator, place);
        opened.map_err(|error| LauncherError::Process(redacted(&error.to_string(), context)))
    };
    let mut launchers: Vec<(String, Box<dyn StepLauncher>)> = Vec::new();
    for orchestrator in &prepared.stack.orchestrators {
        let filled = filled(orchestrator, context)?;
        let launcher: Box<dyn StepLauncher> = match orchestrator.flavor.as_str() {
            local::NAME if has_others(&context.deployment) => {
                let config = BTreeMap::new();
                let programs = Component { config, ..Component::clone(&filled) };
                Box::new(WithPrograms::new(local.clone(), processes(&programs)?))
            }
            local::NAME => Box::new(local.clone()),
            process::NAME => Box::new(processes(&filled)?),
            // Its engine need not be there for steps that run elsewhere.
            docker::NAME if !is_used(&context.deployment, orchestrator) => continue,
            docker::NAME => {
                let place = docker::Place {
                    context: Arc::clone(context),
                    code: code(prepared, live)?,
                    command: command(&context.deployment, orchestrator, python)?,
                    images: prepared.images.clone(),
                    echo: Arc::clone(&echo),
                    gpus: Arc::clone(&gpus),
                };
                let opened = DockerLauncher::open(&filled, place);
                Box::new(opened.map_err(|error| {
                    LauncherError::Docker(redacted(&error.to_string(), context))
                })?)
            }
            _ => {
                let run = open_run(prepared, orchestrator, live, python, &echo)?;
                let launcher = PluginLauncher::new(run);
                observer.0.push(launcher.step_ends());
                Box::new(launcher)
            }
        };
        launchers.push((orchestrator.name.clone(), launcher));
    }
    Ok((Launchers::new(launchers), observer))
}

/// Puts the author's code where steps that do not see the source root find it.
fn code(prepared: &Prepared, live: &LiveRun) -> Result<Option<Digest>, CodeError> {
    let Some(target) = &live.header().target else { return Ok(None) };
    let (store, root) = (&*live.context().store, Path::new(&target.source_root));
    code::pack(store, root, &no_code(prepared)).map(Some)
}

/// Returns folders with nothing that is code, wherever they are kept: keys and artifacts.
pub(super) fn no_code(prepared: &Prepared) -> Vec<PathBuf> {
    let store = prepared.store.uri().strip_prefix("file://").map(PathBuf::from);
    store.into_iter().chain([prepared.session.home().path().to_owned()]).collect()
}

/// Starts the plugin that may be handed a whole run, if the stack's default orchestrator is one.
///
/// # Errors
/// If it cannot start anything here.
pub(super) fn delegate(
    prepared: &Prepared,
    live: &LiveRun,
    python: &PythonPath,
    echo: &Arc<dyn Echo>,
) -> Result<Option<Delegate>, LauncherError> {
    let Some(orchestrator) = prepared.stack.orchestrator() else { return Ok(None) };
    if prepared.capabilities.delegates == Delegates::No {
        return Ok(None);
    }
    let run = open_run(prepared, orchestrator, live, python, echo)?;
    let name = orchestrator.name.clone();
    let delegate = Delegate::start(run);
    Ok(Some(delegate.map_err(|error| LauncherError::Delegate { name, error })?))
}

/// Tells a plugin of a run, and returns whether it takes the whole run.
///
/// # Errors
/// If it cannot, or what it is asked is kept by nobody.
pub(super) fn takes_run(
    delegate: &Delegate,
    prepared: &Prepared,
    live: &LiveRun,
) -> Result<bool, LauncherError> {
    let name = || live.header().orchestrator.clone();
    let opened = delegate.open();
    if !opened.map_err(|error| LauncherError::Delegate { name: name(), error })? {
        return Ok(false);
    }
    compile::check_delegation(&live.context().deployment, &prepared.capabilities)?;
    let claims = Claims { is_remote: false, is_synchronous: delegate.is_synchronous() };
    if let Some(orchestrator) = prepared.stack.orchestrator() {
        compile::check_secrets(&live.context().deployment, orchestrator, claims)?;
    }
    Ok(true)
}

/// Returns what a plugin is opened with.
fn open_run(
    prepared: &Prepared,
    orchestrator: &Component,
    live: &LiveRun,
    python: &PythonPath,
    echo: &Arc<dyn Echo>,
) -> Result<OpenRun, LauncherError> {
    let context = live.context();
    let filled = filled(orchestrator, context)?;
    let submission = live.submission(&orchestrator.name, EndedBy::Driver);
    let flavor = prepared.session.registered_flavor(orchestrator)?;
    Ok(OpenRun {
        start: plugin(prepared, orchestrator, python)?,
        open: opening(&filled, context, &prepared.images),
        interpreter: interpreter(python),
        deployment: Arc::clone(&context.deployment),
        committed: live.committed().to_vec(),
        patience: Patience::default(),
        record: Arc::new(PluginRecord::new(orchestrator, live, echo, submission, flavor)),
        hand: hand(orchestrator, context),
    })
}

/// Tells plugins how steps end.
pub(super) struct StepObserver(Vec<StepEnds>);

impl Observer for StepObserver {
    fn on(&self, event: &RunEvent) {
        if let RunEvent::StepEnded { step, item: None, status, failure, .. } = event {
            for ends in &self.0 {
                let message = failure.as_ref().map(|failure| failure.message.clone());
                ends.ended(*step, *status, message);
            }
        }
    }
}

/// Returns what hands the steps of a plugin their secrets, and its own for their redactors.
fn hand(orchestrator: &Component, context: &Arc<RunContext>) -> Hand {
    let (orchestrator, context) = (orchestrator.clone(), Arc::clone(context));
    Box::new(move |steps| {
        let handed = secrets::Handed::with_orchestrator(steps, &orchestrator, context.secrets())?;
        Ok(handed.map(|handed| Handed { path: handed.path(), kept: Box::new(handed) }))
    })
}

/// Returns what a plugin is told of a run.
fn opening(orchestrator: &Component, context: &RunContext, built: &Images) -> Open {
    let steps = context.deployment.steps_on(&orchestrator.name);
    let images = steps.filter_map(|step| {
        let image = built.get(&step.name).or(step.config.docker.parent_image.as_ref())?;
        Some((step.name.clone(), image.clone()))
    });
    Open {
        component: orchestrator.name.clone(),
        config: orchestrator.config.clone(),
        run_id: context.run_id.to_string(),
        pipeline: context.deployment.pipeline.name.clone(),
        deployment_id: context.deployment.id.clone(),
        artifact_store: context.store.uri().to_owned(),
        stack: (&context.deployment.stack).into(),
        images: images.collect(),
    }
}

/// Returns an orchestrator as its implementation gets it: with values in place of references.
fn filled<'o>(
    orchestrator: &'o Component,
    context: &RunContext,
) -> Result<Cow<'o, Component>, SecretError> {
    let Some(secrets) = context.secrets() else { return Ok(Cow::Borrowed(orchestrator)) };
    secrets.fill_component(orchestrator).map(Cow::Owned)
}
