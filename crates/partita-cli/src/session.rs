//! An open home and the source root that commands act for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use partita_core::stack::{Capabilities, Component, ComponentType, Flavor, Stack};
use partita_engine::compile::{FlavorSettings, ImageBuilderLimits};
use partita_engine::home::{Home, HomeError};
use partita_engine::metadata::{MetadataError, Registry};
use partita_engine::store::ArtifactStore;
use partita_images::Builder;

use crate::fit::{self, Unfit};
use crate::places;

/// Why a session cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The home failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The registry failed.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A configuration file is wrong.
    #[error("{0}")]
    Config(String),
    /// A component does not fit its flavor.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The stack's orchestrator has a flavor that is neither built in nor registered.
    #[error(
        "the orchestrator `{name}` has the flavor `{flavor}`, which is not registered; register it with `partita orchestrator flavor register`, or choose another stack with `--stack`"
    )]
    UnknownFlavor {
        /// The orchestrator.
        name: String,
        /// Its flavor.
        flavor: String,
    },
}

impl SessionError {
    /// Returns whether an artifact store is out of reach.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Home(error) => error.is_unreachable(),
            Self::Metadata(error) => error.is_unreachable(),
            Self::Config(_) | Self::Unfit(_) | Self::UnknownFlavor { .. } => false,
        }
    }
}

/// An open home, and the source root if there is one.
pub struct Session {
    home: Home,
    source_root: Option<PathBuf>,
}

impl Session {
    /// Opens the home for work on the code at `start`.
    ///
    /// # Errors
    /// If the home cannot be opened, or the source root belongs to another user.
    pub fn open(start: &Path) -> Result<Self, SessionError> {
        let source_root = places::source_root(start);
        if let Some(root) = &source_root {
            places::check_owner(root).map_err(SessionError::Config)?;
        }
        Ok(Self { home: Home::open(&places::home())?, source_root })
    }

    /// Returns the home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Returns the marked source root, if there is one.
    pub fn source_root(&self) -> Option<&Path> {
        self.source_root.as_deref()
    }

    /// Returns the stack with this name, or the active one.
    ///
    /// # Errors
    /// If there is none.
    pub fn stack(&self, name: Option<&str>) -> Result<Stack, SessionError> {
        let registry = self.home.metadata();
        if let Some(name) = name {
            return Ok(registry.stack(name)?);
        }
        let active = self.active_stack()?;
        registry.stack(&active).map_err(|error| match error {
            MetadataError::NotFound { .. } => SessionError::Config(format!(
                "`{}` makes `{active}` the active stack, and there is no such stack; `partita stack list` shows them all, and `partita stack set` chooses another one",
                self.config_file().display()
            )),
            error => error.into(),
        })
    }

    /// Returns the active stack's name.
    ///
    /// # Errors
    /// If the configuration file is wrong.
    pub fn active_stack(&self) -> Result<String, SessionError> {
        let named = places::active_stack(&self.config_file()).map_err(SessionError::Config)?;
        Ok(named.unwrap_or_else(|| "default".to_owned()))
    }

    fn config_file(&self) -> PathBuf {
        places::config_file(self.source_root(), self.home.path())
    }

    /// Opens a stack's artifact store.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn artifact_store(&self, stack: &Stack) -> Result<Arc<dyn ArtifactStore>, SessionError> {
        Ok(self.home.artifact_store(&stack.artifact_store)?)
    }

    /// Checks a component's configuration beyond what its flavor's schema says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, component: &Component) -> Result<(), SessionError> {
        match component.component_type {
            ComponentType::ArtifactStore => self.home.check_artifact_store(component)?,
            ComponentType::Orchestrator => {
                // Of others, the schema is all that is known here.
                if let Some(Err(reason)) = partita_orchestrators::capabilities(component) {
                    return Err(bad_config(component, reason));
                }
            }
            ComponentType::ImageBuilder | ComponentType::ContainerRegistry => {
                partita_images::check(component).map_err(|reason| bad_config(component, reason))?;
            }
        }
        Ok(())
    }

    /// Returns what a stack's default orchestrator can do.
    ///
    /// # Errors
    /// If nothing here implements it, or its configuration is wrong.
    pub fn capabilities(&self, stack: &Stack) -> Result<Capabilities, SessionError> {
        let orchestrator = stack.orchestrator().ok_or_else(|| {
            SessionError::Config(format!("the stack `{}` has no orchestrator; give it one with `partita stack update {0} -o NAME`", stack.name))
        })?;
        self.capabilities_of(orchestrator)
    }

    /// Returns what a stack's other orchestrators can do for steps that name them, by name, without
    /// those that nothing here implements.
    ///
    /// # Errors
    /// If the configuration of one is wrong.
    pub fn other_capabilities(
        &self,
        stack: &Stack,
    ) -> Result<BTreeMap<String, Capabilities>, SessionError> {
        let mut others = BTreeMap::new();
        for orchestrator in stack.orchestrators.iter().skip(1) {
            match self.capabilities_of(orchestrator) {
                Ok(found) => {
                    others.insert(orchestrator.name.clone(), found);
                }
                Err(SessionError::UnknownFlavor { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(others)
    }

    /// Returns what settings flavors of orchestrators take.
    ///
    /// # Errors
    /// If the registry cannot be read.
    pub fn flavor_settings(&self) -> Result<FlavorSettings, SessionError> {
        let registered = self.home.metadata().flavors(ComponentType::Orchestrator, &[])?;
        let registered = registered.into_iter().map(|flavor| {
            let settings = flavor.settings().cloned();
            (flavor.name, settings)
        });
        let built_in = partita_orchestrators::settings_schemas();
        Ok(FlavorSettings { built_in, registered: registered.collect() })
    }

    /// Returns what a stack's image builder cannot do.
    ///
    /// # Errors
    /// If its configuration is wrong.
    pub fn image_builder_limits(&self, stack: &Stack) -> Result<ImageBuilderLimits, SessionError> {
        let component = stack.image_builder.as_ref();
        let builder = Builder::of_stack(stack).map_err(|reason| match component {
            Some(component) => bad_config(component, reason),
            None => SessionError::Config(reason),
        })?;
        let name = component.map_or(builder.flavor(), |component| &component.name).to_owned();
        Ok(ImageBuilderLimits { name, refused: builder.refused() })
    }

    /// Returns the flavor of an orchestrator that is not built in.
    ///
    /// # Errors
    /// If it is not registered.
    pub fn registered_flavor(&self, orchestrator: &Component) -> Result<Flavor, SessionError> {
        let kind = ComponentType::Orchestrator;
        self.home.metadata().flavor(kind, &orchestrator.flavor, &[]).map_err(|error| match error {
            MetadataError::NotFound { .. } => SessionError::UnknownFlavor {
                name: orchestrator.name.clone(),
                flavor: orchestrator.flavor.clone(),
            },
            error => error.into(),
        })
    }

    fn capabilities_of(&self, orchestrator: &Component) -> Result<Capabilities, SessionError> {
        let found = match partita_orchestrators::capabilities(orchestrator) {
            Some(found) => found,
            None => {
                let flavor = self.registered_flavor(orchestrator)?;
                fit::check(orchestrator, &flavor)?;
                let claims = self.home.metadata().claims(orchestrator)?;
                let capabilities = flavor.plugin.map(|plugin| plugin.capabilities);
                capabilities.map(|found| Capabilities { claims, ..found }).ok_or_else(|| {
                    format!("its flavor `{}` has no implementation", orchestrator.flavor)
                })
            }
        };
        found.map_err(|reason| bad_config(orchestrator, reason))
    }
}

fn bad_config(component: &Component, reason: String) -> SessionError {
    let kind = component.component_type;
    HomeError::BadConfig { kind, name: component.name.clone(), reason, verb: kind.verb() }.into()
}
