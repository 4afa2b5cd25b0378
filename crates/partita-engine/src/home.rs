//! A home: the registry, the run index and the default artifact store, in one folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use partita_core::literal::Literal;
use partita_core::stack::{Component, ComponentType, Flavor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metadata::{MetadataError, Registry, Runs, SqliteMetadataStore};
use crate::store::{ArtifactStore, Durability, LocalArtifactStore, StoreError};

/// The name of the flavor of artifact stores in local folders.
pub const LOCAL: &str = "local";

/// Why a home, or something in it, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// The metadata store failed.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// An artifact store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A component's configuration is not one.
    #[error(
        "the {kind} `{name}` has a wrong configuration: {reason}; see `partita {verb} flavor describe` for its keys"
    )]
    BadConfig {
        /// The component's type.
        kind: ComponentType,
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
        /// The command's word for its type.
        verb: &'static str,
    },
}

/// The configuration of a `local` artifact store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LocalArtifactStoreConfig {
    /// The folder, as an absolute path; `store` in the home if it is not given.
    pub path: Option<String>,
    /// What a commit survives: the death of any process, or the loss of power as well.
    pub durability: Durability,
    /// Whether pickles in it may be loaded, which runs whatever code they hold.
    pub trust_pickles: bool,
}

impl Default for LocalArtifactStoreConfig {
    fn default() -> Self {
        Self { path: None, durability: Durability::Process, trust_pickles: true }
    }
}

/// Returns the artifact store flavors that need no registration.
pub fn artifact_store_flavors() -> Vec<Flavor> {
    vec![Flavor {
        name: LOCAL.to_owned(),
        component_type: ComponentType::ArtifactStore,
        description: "Keeps deployments, runs and artifacts in a folder of this machine."
            .to_owned(),
        source: "built-in".to_owned(),
        config_schema: schemars::schema_for!(LocalArtifactStoreConfig).to_value(),
    }]
}

/// A home that is open.
pub struct Home {
    path: PathBuf,
    metadata: Arc<SqliteMetadataStore>,
}

impl Home {
    /// Opens the home at `path`, making it if it is not there; only its owner may enter.
    ///
    /// # Errors
    /// If it cannot be made or its database cannot be opened.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        make_private(path)?;
        let metadata = Arc::new(SqliteMetadataStore::open(&path.join("metadata.db"))?);
        Ok(Self { path: path.to_owned(), metadata })
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the registry and run index.
    pub fn metadata(&self) -> &Arc<SqliteMetadataStore> {
        &self.metadata
    }

    /// Opens the artifact store that a component describes.
    ///
    /// # Errors
    /// If its configuration is wrong or its folder cannot be used.
    pub fn artifact_store(
        &self,
        component: &Component,
    ) -> Result<Arc<dyn ArtifactStore>, HomeError> {
        let config = self.store_config(component)?;
        let folder = config.path.map_or_else(|| self.path.join("store"), PathBuf::from);
        Ok(Arc::new(LocalArtifactStore::open(&folder, config.durability)?))
    }

    /// Checks the configuration of an artifact store without opening it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_artifact_store(&self, component: &Component) -> Result<(), HomeError> {
        self.store_config(component).map(drop)
    }

    /// Returns whether pickles of this artifact store may be loaded.
    ///
    /// # Errors
    /// If its configuration is wrong.
    pub fn trusts_pickles(&self, component: &Component) -> Result<bool, HomeError> {
        Ok(self.store_config(component)?.trust_pickles)
    }

    /// Returns the artifact store with this URI and its component, among all that are registered.
    pub fn store_at(&self, uri: &str) -> Option<(Component, Arc<dyn ArtifactStore>)> {
        let components = self.metadata.components(ComponentType::ArtifactStore).ok()?;
        components.into_iter().find_map(|component| {
            let store = self.artifact_store(&component).ok()?;
            (store.uri() == uri).then_some((component, store))
        })
    }

    /// Calls `work` with the runs of this home.
    pub fn with_runs<T>(&self, work: impl FnOnce(&Runs<'_>) -> T) -> T {
        let stores = |uri: &str| self.store_at(uri).map(|(_, store)| store);
        work(&Runs::new(&*self.metadata, &stores))
    }

    fn store_config(&self, component: &Component) -> Result<LocalArtifactStoreConfig, HomeError> {
        parse(&component.config).map_err(|reason| HomeError::BadConfig {
            kind: component.component_type,
            name: component.name.clone(),
            reason,
            verb: component.component_type.verb(),
        })
    }
}

fn parse(config: &BTreeMap<String, Literal>) -> Result<LocalArtifactStoreConfig, String> {
    let text = serde_json::to_vec(config).map_err(|error| error.to_string())?;
    let config: LocalArtifactStoreConfig =
        serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    match &config.path {
        Some(path) if !Path::new(path).is_absolute() => Err(format!(
            "`path` is `{path}`, which would be another folder in each working directory; \
             give an absolute path"
        )),
        _ => Ok(config),
    }
}

fn make_private(path: &Path) -> Result<(), HomeError> {
    use std::os::unix::fs::DirBuilderExt;

    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        HomeError::Store(StoreError::Failed {
            path: path.display().to_string(),
            uri: format!("file://{}", path.display()),
            reason: error.to_string(),
            help: "; set `PARTITA_HOME` to a folder that you may write to".to_owned(),
        })
    })
}
