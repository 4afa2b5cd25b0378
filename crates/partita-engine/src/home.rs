//! A home: the registry, the run index and the default artifact store, in one folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partita_core::secret::Reference;
use partita_core::stack::{Component, ComponentType, Flavor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metadata::{MetadataError, Registry, Runs, SqliteMetadataStore};
use crate::secrets::SecretStore;
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

impl HomeError {
    /// Returns whether an artifact store is out of reach.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Metadata(error) => error.is_unreachable(),
            Self::Store(error) => error.is_unreachable(),
            Self::BadConfig { .. } => false,
        }
    }
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

impl LocalArtifactStoreConfig {
    /// Reads the configuration of a component.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(component: &Component) -> Result<Self, String> {
        let text = serde_json::to_vec(&component.config).map_err(|error| error.to_string())?;
        let config: Self = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        match &config.path {
            Some(path) if Reference::parse(path).is_some() => Err(format!(
                "`path` is `{path}`, and a place is told in documents and messages, so that it can be \
                 no secret; write it out"
            )),
            Some(path) if !Path::new(path).is_absolute() => Err(format!(
                "`path` is `{path}`, which would be another folder in each working directory; \
                 give an absolute path"
            )),
            _ => Ok(config),
        }
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
        settings_schema: None,
        plugin: None,
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

    /// Returns the secrets.
    pub fn secrets(&self) -> SecretStore<'_> {
        SecretStore::new(&self.path, &*self.metadata)
    }

    /// Opens the artifact store that a component describes. Its folder is made with the first thing
    /// that is put into it.
    ///
    /// # Errors
    /// If its configuration is wrong or its folder cannot be used.
    pub fn artifact_store(
        &self,
        component: &Component,
    ) -> Result<Arc<dyn ArtifactStore>, HomeError> {
        Ok(Arc::new(self.local_store(component)?))
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

    /// Returns whether pickles of a run that the stack `stack` keeps in the artifact store `uri` may
    /// be loaded. Where that stack has been changed, every component at that place must allow it.
    ///
    /// # Errors
    /// If no artifact store with this URI is registered.
    pub fn trusts_pickles_of(&self, stack: &str, uri: &str) -> Result<bool, HomeError> {
        let components = self.components_at(uri)?;
        let of_stack = self.metadata.stack(stack).ok().map(|stack| stack.artifact_store.name);
        let deciding =
            components.iter().filter(|component| Some(&component.name) == of_stack.as_ref());
        let mut deciding: Vec<&Component> = deciding.collect();
        if deciding.is_empty() {
            deciding = components.iter().collect();
        }
        for component in deciding {
            if !self.trusts_pickles(component)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Opens the artifact store with this URI, which must be registered and be there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it is not.
    pub fn store_at(&self, uri: &str) -> Result<Arc<dyn ArtifactStore>, HomeError> {
        let component = self.components_at(uri)?.swap_remove(0);
        let store = self.local_store(&component)?;
        if store.exists() {
            return Ok(Arc::new(store));
        }
        let name = &component.name;
        Err(HomeError::Store(StoreError::Unavailable {
            uri: uri.to_owned(),
            reason: format!("the folder of the component `{name}` is not there"),
            help: format!(
                "bring it back, or, if it was moved, type `partita artifact-store update {name} --path=FOLDER` and then `partita store rebuild`"
            ),
        }))
    }

    /// Returns the components that keep what they hold at this URI; at least one.
    fn components_at(&self, uri: &str) -> Result<Vec<Component>, HomeError> {
        let mut here = Vec::new();
        let mut unopened = None;
        for component in self.metadata.components(ComponentType::ArtifactStore)? {
            match self.local_store(&component) {
                Ok(store) if store.uri() == uri => here.push(component),
                Err(HomeError::Store(StoreError::Unavailable { uri: at, reason, help }))
                    if at == uri =>
                {
                    unopened = Some(StoreError::Unavailable { uri: at, reason, help });
                }
                _ => {}
            }
        }
        if here.is_empty() {
            return Err(unopened.unwrap_or_else(|| unregistered(uri)).into());
        }
        Ok(here)
    }

    /// Calls `work` with the runs of this home.
    pub fn with_runs<T>(&self, work: impl FnOnce(&Runs<'_>) -> T) -> T {
        let stores = |uri: &str| {
            self.store_at(uri).map_err(|error| match error {
                HomeError::Store(error) => error,
                error => StoreError::Unavailable {
                    uri: uri.to_owned(),
                    reason: error.to_string(),
                    help: "`partita artifact-store list` shows what is registered".to_owned(),
                },
            })
        };
        work(&Runs::new(&*self.metadata, &stores))
    }

    fn local_store(&self, component: &Component) -> Result<LocalArtifactStore, HomeError> {
        let config = self.store_config(component)?;
        let folder = config.path.map_or_else(|| self.path.join("store"), PathBuf::from);
        Ok(LocalArtifactStore::open(&folder, config.durability)?)
    }

    fn store_config(&self, component: &Component) -> Result<LocalArtifactStoreConfig, HomeError> {
        LocalArtifactStoreConfig::of(component).map_err(|reason| HomeError::BadConfig {
            kind: component.component_type,
            name: component.name.clone(),
            reason,
            verb: component.component_type.verb(),
        })
    }
}

fn unregistered(uri: &str) -> StoreError {
    let path = uri.strip_prefix("file://").unwrap_or(uri);
    StoreError::Unavailable {
        uri: uri.to_owned(),
        reason: "no registered component keeps anything there".to_owned(),
        help: format!(
            "register it with `partita artifact-store register NAME --flavor=local --path={path}`"
        ),
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

#[cfg(test)]
mod tests {
    use partita_core::literal::Literal;

    use super::*;
    use crate::metadata::{Save, StackReferences};

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(&folder.path().join("home")).expect("a home");
        (folder, home)
    }

    /// Registers an artifact store, and a stack of the same name that has it.
    fn register(home: &Home, name: &str, config: &[(&str, String)]) -> Component {
        let value = |text: &String| Literal::parse(text).expect("JSON");
        let component = Component {
            name: name.to_owned(),
            component_type: ComponentType::ArtifactStore,
            flavor: LOCAL.to_owned(),
            config: config.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect(),
        };
        let flavor = &artifact_store_flavors()[0];
        home.metadata().save_component(&component, flavor, None, Save::Register).expect("saved");
        let stack = StackReferences {
            name: name.to_owned(),
            orchestrators: vec!["default".to_owned()],
            artifact_store: name.to_owned(),
            image_builder: None,
            container_registry: None,
        };
        home.metadata().save_stack(&stack, Save::Register).expect("saved");
        component
    }

    fn why(opened: Result<Arc<dyn ArtifactStore>, HomeError>) -> String {
        opened.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn looking_makes_no_folder_and_says_why_a_store_cannot_be_opened() {
        let (folder, home) = home();
        let path = folder.path().join("big");
        let component = register(&home, "big", &[("path", format!("{path:?}"))]);
        let uri = home.artifact_store(&component).expect("opened").uri().to_owned();
        assert!(
            why(home.store_at(&uri)).contains("the folder of the component `big` is not there")
        );
        assert!(why(home.store_at("file:///nowhere")).contains("--flavor=local --path=/nowhere`"));
        assert_eq!(home.with_runs(|runs| runs.list(&Default::default())).expect("runs"), []);
        assert!(!path.exists() && !home.path().join("store").exists());

        let store = home.artifact_store(&component).expect("opened");
        store.write("runs/a", bytes::Bytes::new()).expect("written");
        assert_eq!(home.store_at(&uri).expect("opened").uri(), uri);
        std::fs::remove_dir_all(&path).expect("removed");
        std::fs::write(&path, "").expect("a file");
        assert!(why(home.artifact_store(&component)).contains("it is no folder"));
        assert!(why(home.store_at(&uri)).contains("it is no folder"));
    }

    #[test]
    fn the_stack_of_a_run_decides_whose_word_on_pickles_counts() {
        let (_folder, home) = home();
        register(&home, "careful", &[("trust_pickles", "false".to_owned())]);
        register(&home, "trusting", &[]);
        let uri = format!(
            "file://{}",
            home.path().canonicalize().expect("a home").join("store").display()
        );
        let trusts = |stack: &str| home.trusts_pickles_of(stack, &uri).expect("an answer");
        assert!(!trusts("careful"));
        assert!(trusts("trusting") && trusts("default"));
        assert!(!trusts("deleted"), "all of them must agree");
    }
}
