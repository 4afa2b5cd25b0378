//! A compiled pipeline with the place where it runs.

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;

use partita_core::run::Target;
use partita_core::stack::{Capabilities, Stack};
use partita_engine::compile::{CompileRequest, Compiled, ConfigFile, Overrides, StepImages};
use partita_engine::secrets::{SecretError, Secrets};
use partita_engine::store::ArtifactStore;
use partita_orchestrators::docker;

use super::images::Images;
use super::{Error, PythonPath, PythonPlace, Request, images, launchers};
use crate::progress::{Style, note};
use crate::session::Session;

/// A compiled pipeline with the place where it runs.
pub(super) struct Prepared {
    pub(super) session: Session,
    pub(super) stack: Stack,
    pub(super) capabilities: Capabilities,
    other_capabilities: BTreeMap<String, Capabilities>,
    pub(super) store: Arc<dyn ArtifactStore>,
    pub(super) compiled: Compiled,
    pub(super) target: Option<Target>,
    pub(super) python: Option<PythonPlace>,
    /// The root of the author's code.
    pub(super) source_root: PathBuf,
    /// The orchestrators that run every step in an image, by name.
    pub(super) step_images: BTreeMap<String, StepImages>,
    /// The images that were made of it.
    pub(super) images: Images,
    pub(super) style: Style,
    pub(super) detach: Option<RawFd>,
}

impl Prepared {
    /// Opens the place and compiles the pipeline for it.
    pub(super) fn of(request: Request) -> Result<Self, Error> {
        let session = Session::open(&request.source_root)?;
        let stack = session.stack(request.stack.as_deref())?;
        let capabilities = session.capabilities(&stack)?;
        let other_capabilities = session.other_capabilities(&stack)?;
        let store = session.artifact_store(&stack)?;
        let site_packages = request.python.as_ref().map(|python| python.site_packages.clone());
        let config = request.config.as_deref().map(ConfigFile::read).transpose()?;
        let compile = CompileRequest {
            stack: stack.clone(),
            capabilities,
            other_capabilities: other_capabilities.clone(),
            flavor_settings: session.flavor_settings()?,
            images: step_images(&stack, &capabilities, &other_capabilities),
            image_builder: session.image_builder_limits(&stack)?,
            site_packages: site_packages.unwrap_or_default(),
            config,
            overrides: Overrides {
                parameters: request.parameters.into_iter().collect(),
                enable_cache: request.enable_cache,
                run_name: request.run_name,
            },
            source_root: request.source_root,
            environment_variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
                })
                .collect(),
        };
        let compiled = partita_engine::compile::compile(request.spec, &compile)?;
        session.home().secrets().check(&compiled.deployment).map_err(|error| match error {
            SecretError::Missing(missing) => Error::Refused(missing),
            error => error.into(),
        })?;
        let style =
            Style { quiet: request.quiet, verbose: request.verbose, raises: request.raises };
        Ok(Self {
            session,
            stack,
            capabilities,
            other_capabilities,
            store,
            compiled,
            target: request.target,
            python: request.python,
            source_root: compile.source_root,
            step_images: compile.images,
            images: Images::new(),
            style,
            detach: request.detach,
        })
    }

    /// Makes the images of its steps and checks that what it runs on is there, before a run begins.
    pub(super) fn check(&mut self, python: &PythonPath) -> Result<(), Error> {
        let style = self.style;
        let made = images::make(self, true, &|told| note(style, told))?;
        self.images = images::by_step(&made);
        Ok(launchers::check(self, python)?)
    }

    /// Returns what the stack's orchestrators can do, in its order. No step runs on one whose flavor
    /// is not registered.
    pub(super) fn all_capabilities(&self) -> Vec<Capabilities> {
        let others = self.stack.orchestrators.iter().skip(1).map(|orchestrator| {
            self.other_capabilities.get(&orchestrator.name).copied().unwrap_or(self.capabilities)
        });
        std::iter::once(self.capabilities).chain(others).collect()
    }

    /// Returns the values of the secrets that the deployment refers to.
    pub(super) fn secrets(&self) -> Result<Option<Secrets>, SecretError> {
        self.session.home().secrets().resolve(&self.compiled.deployment)
    }
}

/// The key of a configuration that names the image of steps that name none.
const PARENT_IMAGE: &str = "parent_image";

/// Returns the orchestrators whose steps all run in images: the built-in one, for which images are
/// always built, and others whose flavor runs steps in images, if the stack has an image builder or
/// their configuration names an image.
fn step_images(
    stack: &Stack,
    default: &Capabilities,
    others: &BTreeMap<String, Capabilities>,
) -> BTreeMap<String, StepImages> {
    let able = stack.orchestrators.iter().enumerate().filter(|(index, orchestrator)| {
        let able = if *index == 0 { Some(default) } else { others.get(&orchestrator.name) };
        able.is_some_and(|able| able.images)
    });
    let images = able.filter_map(|(_, orchestrator)| {
        let of_docker = orchestrator.flavor == docker::NAME;
        let named = orchestrator.config.get(PARENT_IMAGE);
        let parent = named.and_then(|image| serde_json::from_str(image.text()).ok()).flatten();
        let are_built = of_docker || stack.image_builder.is_some();
        let images = StepImages { parent, are_built };
        (are_built || images.parent.is_some()).then(|| (orchestrator.name.clone(), images))
    });
    images.collect()
}
