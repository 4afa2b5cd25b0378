//! What is looked at before a run begins: the engine, and the images that steps run in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use partita_core::deployment::{Deployment, Step};
use partita_core::stack::Component;

use super::config::DockerOrchestratorConfig;
use super::cuda::{self, Variables};
use super::endpoint::Endpoint;
use super::engine::{Engine, Trouble, away};
use super::python::{self, Python};
use super::users::Users;
use crate::nvidia;

/// Why no step of a run could be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreflightError {
    /// The configuration is wrong.
    #[error("the orchestrator `{name}` has a wrong configuration: {reason}")]
    BadConfig {
        /// The orchestrator.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The engine does not answer.
    #[error(
        "{0}; start it, or say where it is with `DOCKER_HOST` or with `host` of the orchestrator's configuration"
    )]
    Away(String),
    /// The engine cannot run a step.
    #[error("{0}")]
    Unfit(String),
    /// The system refuses what asking the engine takes.
    #[error("the engine cannot be asked: {0}")]
    System(#[from] std::io::Error),
}

impl PreflightError {
    /// Returns whether the engine is out of reach.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

impl Engine {
    /// Connects to the engine of an orchestrator; to that of this machine for one of another flavor.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn of(orchestrator: &Component) -> Result<Self, PreflightError> {
        let config = match orchestrator.flavor.as_str() {
            super::NAME => orchestrator.config.clone(),
            _ => BTreeMap::new(),
        };
        let (_, endpoint) = read(&Component { config, ..orchestrator.clone() })?;
        connect(&endpoint).await
    }
}

/// Returns which engine an orchestrator has, in words.
///
/// # Errors
/// If it is not there.
pub fn found(orchestrator: &Component) -> Result<String, PreflightError> {
    let (_, endpoint) = read(orchestrator)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = connect(&endpoint).await?;
        let asked = engine.docker.version().await.map_err(Trouble::from);
        let said = asked.map_err(|trouble| PreflightError::Away(engine.away(&trouble.to_string())));
        let version = said?.version.unwrap_or_default();
        Ok(format!("`{}` has the one at `{endpoint}`, version {version}", orchestrator.name))
    })
}

/// Checks that an orchestrator's engine is there, with the images of the steps that it runs, that it
/// keeps these to what they ask for, that their users may write to the artifact store `store`, and that
/// images of steps that ask for graphics processors fit them; `built` has the images that were built for
/// steps, by the steps' names.
///
/// # Errors
/// If it is not, or they do not.
pub fn check(
    orchestrator: &Component,
    deployment: &Deployment,
    built: &BTreeMap<String, String>,
    store: &str,
) -> Result<(), PreflightError> {
    let (config, endpoint) = read(orchestrator)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = connect(&endpoint).await?;
        for step in deployment.steps_on(&orchestrator.name) {
            check_settings(&engine, &config, step).await?;
        }
        let mut environments = BTreeMap::new();
        let steps = deployment.steps_on(&orchestrator.name);
        let images = steps.filter_map(|step| Some((image_of(step, built)?, step)));
        for (image, step) in images.collect::<BTreeMap<&str, &Step>>() {
            environments.insert(image, check_image(&engine, image, step).await?);
        }
        deployment.steps_on(&orchestrator.name).try_for_each(|step| check_limits(&engine, step))?;
        for step in deployment.steps_on(&orchestrator.name) {
            let Some(image) = image_of(step, built) else { continue };
            let variables = environments.get(image).cloned().unwrap_or_default();
            check_hooks(&engine, deployment, (step, image), &variables).await?;
        }
        let mut users = Users::new(&engine, store.strip_prefix("file://").map(Path::new));
        for step in deployment.steps_on(&orchestrator.name) {
            let Some(image) = image_of(step, built) else { continue };
            let settings = config.settings.with(&step.config.settings);
            users.check(step, image, &settings.map_err(PreflightError::Unfit)?).await?;
        }
        let gpus = Gpus { engine: &engine, config: &config, deployment, built };
        gpus.check(orchestrator, &environments).await
    })
}

/// Returns the configuration of an orchestrator, and which engine it means.
pub(super) fn read(
    orchestrator: &Component,
) -> Result<(DockerOrchestratorConfig, Endpoint), PreflightError> {
    let name = || orchestrator.name.clone();
    let bad_config = |reason| PreflightError::BadConfig { name: name(), reason };
    let config = DockerOrchestratorConfig::of(&orchestrator.config).map_err(bad_config)?;
    let endpoint = Endpoint::of(&config).map_err(bad_config)?;
    Ok((config, endpoint))
}

/// Connects to an engine that has to be there.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<Engine, PreflightError> {
    let engine = Engine::connect(endpoint).await;
    engine.map_err(|trouble| PreflightError::Away(away(endpoint, &trouble.to_string())))
}

/// Returns the image that a step runs in.
fn image_of<'a>(step: &'a Step, built: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let image = built.get(&step.name).or(step.config.docker.parent_image.as_ref());
    image.map(String::as_str)
}

/// Checks that an image is there and can run, and returns the variables of its environment.
async fn check_image(
    engine: &Engine,
    image: &str,
    step: &Step,
) -> Result<Variables, PreflightError> {
    let step = &step.name;
    let inspected = engine.docker.inspect_image(image).await;
    let found = inspected.map_err(|error| match Trouble::from(error) {
        Trouble::Away(why) => PreflightError::Away(engine.away(&why)),
        Trouble::NotFound(_) => PreflightError::Unfit(format!(
            "step `{step}` runs in the image `{image}`, which the engine at `{}` does not have; pull or build it there, or correct its name",
            engine.endpoint
        )),
        trouble => PreflightError::Unfit(format!(
            "step `{step}` runs in the image `{image}`, which cannot be looked at: {trouble}"
        )),
    })?;
    let architecture = found.architecture.unwrap_or_default();
    if architecture.is_empty() || architecture == engine.architecture {
        return Ok(cuda::variables(
            &found.config.and_then(|config| config.env).unwrap_or_default(),
        ));
    }
    Err(PreflightError::Unfit(format!(
        "step `{step}` runs in the image `{image}`, which is made for `{architecture}`, and the engine at `{}` runs on `{}`; take one that is made for it",
        engine.endpoint, engine.architecture
    )))
}

/// Checks that an image has the Python that calls the hooks of a command, which needs none itself.
async fn check_hooks(
    engine: &Engine,
    deployment: &Deployment,
    (step, image): (&Step, &str),
    variables: &Variables,
) -> Result<(), PreflightError> {
    let has_hooks = !step.config.hooks.is_empty() && deployment.program_of(step).is_none();
    if !has_hooks || deployment.command_of(step).is_none() {
        return Ok(());
    }
    match find_python(engine, image, variables).await? {
        Python::There(_) => Ok(()),
        Python::Missing(path) => Err(PreflightError::Unfit(format!(
            "step `{}` runs in the image `{image}`, which has no `python` in `{path}`, and its hooks are in Python; take an image that has Python and Partita, or the hooks away",
            step.name
        ))),
    }
}

/// Looks for the Python of an image.
async fn find_python(
    engine: &Engine,
    image: &str,
    variables: &Variables,
) -> Result<Python, PreflightError> {
    let found = python::find(engine, image, variables).await;
    found.map_err(|trouble| match trouble {
        Trouble::Away(why) => PreflightError::Away(engine.away(&why)),
        trouble => {
            PreflightError::Unfit(format!("the image `{image}` cannot be looked at: {trouble}"))
        }
    })
}

/// Checks what a step says of its container, as far as that is known before.
async fn check_settings(
    engine: &Engine,
    config: &DockerOrchestratorConfig,
    step: &Step,
) -> Result<(), PreflightError> {
    let name = &step.name;
    let settings = config.settings.with(&step.config.settings).map_err(|why| {
        PreflightError::Unfit(format!("the settings of step `{name}` are wrong: {why}"))
    })?;
    let Some(network) = settings.network else { return Ok(()) };
    let is_made = ["none", "host", "bridge", "default"].contains(&network.as_str());
    if is_made || network.starts_with("container:") || network.contains(':') {
        return Ok(());
    }
    let options = None::<bollard::query_parameters::InspectNetworkOptions>;
    match engine.docker.inspect_network(&network, options).await.map_err(Trouble::from) {
        Err(Trouble::NotFound(_)) => Err(PreflightError::Unfit(format!(
            "step `{name}` is to be in the network `{network}`, which the engine at `{}` does not have; create it there, or correct its name",
            engine.endpoint
        ))),
        Err(Trouble::Away(why)) => Err(PreflightError::Away(engine.away(&why))),
        _ => Ok(()),
    }
}

/// Checks that an engine keeps a step to what it asks for: one without control groups leaves limits out.
fn check_limits(engine: &Engine, step: &Step) -> Result<(), PreflightError> {
    let resources = &step.config.resources;
    let memory = resources.memory.filter(|_| !engine.limits_memory);
    let cores = resources.cpu_count.filter(|_| !engine.limits_cores);
    let asked = match (memory, cores) {
        (Some(memory), _) => format!("{memory} of memory"),
        (None, Some(cores)) => format!("{cores} CPUs"),
        (None, None) => return Ok(()),
    };
    Err(PreflightError::Unfit(format!(
        "step `{}` asks for {asked}, which the engine at `{}` does not enforce, since it has no control groups (a rootless one needs those of version 2); take the request away, or use an engine that has them",
        step.name, engine.endpoint
    )))
}

/// What steps that ask for graphics processors are checked with.
struct Gpus<'a> {
    engine: &'a Engine,
    config: &'a DockerOrchestratorConfig,
    deployment: &'a Deployment,
    built: &'a BTreeMap<String, String>,
}

impl Gpus<'_> {
    /// Checks every image that such a step runs in, once for each environment that steps give it.
    async fn check(
        &self,
        orchestrator: &Component,
        environments: &BTreeMap<&str, Variables>,
    ) -> Result<(), PreflightError> {
        let steps = self.deployment.steps_on(&orchestrator.name);
        let mut asking = steps.filter(|step| step.config.resources.gpus() > 0).peekable();
        if asking.peek().is_none() {
            return Ok(());
        }
        let driver = nvidia::driver();
        let mut seen = BTreeSet::new();
        for step in asking {
            let Some(image) = image_of(step, self.built) else { continue };
            let settings = self.config.settings.with(&step.config.settings);
            let settings = settings.map_err(PreflightError::Unfit)?;
            let mut variables = environments.get(image).cloned().unwrap_or_default();
            variables.extend(settings.environment);
            if !seen.insert((image, variables.clone())) {
                continue;
            }
            let unfit = match cuda::unfit(&variables, driver.as_ref()) {
                None => self.python_unfit(step, image, &variables).await?,
                unfit => unfit,
            };
            if let Some(unfit) = unfit {
                return Err(PreflightError::Unfit(format!(
                    "step `{}` asks for a GPU and runs in the image `{image}`, which {unfit}",
                    step.name
                )));
            }
        }
        Ok(())
    }

    /// Returns why a step's Python is not that of an image. That of one that was built has been looked at
    /// for that.
    async fn python_unfit(
        &self,
        step: &Step,
        image: &str,
        variables: &Variables,
    ) -> Result<Option<String>, PreflightError> {
        let is_python =
            self.deployment.program_of(step).is_none() && !self.deployment.is_mere_command(step);
        if self.built.contains_key(&step.name) || !is_python {
            return Ok(None);
        }
        let found = find_python(self.engine, image, variables).await?;
        Ok(found.unfit(&self.deployment.environment.interpreter))
    }
}
