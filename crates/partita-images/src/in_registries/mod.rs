//! Images in registries, without an engine: what they are built on is read there, and what is made is
//! pushed there.

mod answer;
mod clients;
mod files;
mod pack;
mod push;
mod python;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs::File;
use std::path::{Path, PathBuf};

use bollard::models::{ImageConfig, ImageInspect, ImageInspectRootFs};
use oci_client::Reference;
use oci_client::client::Client;
use oci_client::manifest::{OciDescriptor, OciImageIndex, OciImageManifest, OciManifest};
use partita_orchestrators::docker::architecture_of_images;
use serde::Deserialize;

use crate::error::ImageError;
use crate::native::blocking;
use crate::parent::{Parent, ParentPython, unfit_architecture};
use crate::registry::Registry;
use answer::Answer;
use clients::Clients;
use files::Files;

/// The system that images are made for.
const SYSTEM: &str = "linux";

/// The registry of a stack, and those that have what its images are built on.
pub(crate) struct InRegistries {
    clients: Clients,
    /// The folder where this machine keeps what images are made of.
    cache: PathBuf,
    /// What was asked for already, by the names of images.
    asked: RefCell<BTreeMap<String, Distributed>>,
}

/// How a registry has an image.
#[derive(Clone)]
struct Distributed {
    reference: Reference,
    manifest: OciImageManifest,
    inspected: ImageInspect,
}

/// What a registry says of an image, as far as it counts here.
#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    architecture: String,
    os: Option<String>,
    config: Option<ImageConfig>,
    rootfs: Layers,
}

#[derive(Deserialize)]
struct Layers {
    diff_ids: Vec<String>,
}

impl InRegistries {
    /// Returns the registries of a stack with this one; a build that has none refuses.
    pub(crate) fn new(registry: Registry, cache: &Path) -> Result<Self, ImageError> {
        let (clients, asked) = (Clients::new(registry), RefCell::default());
        Ok(Self { clients, cache: cache.to_owned(), asked })
    }

    /// Returns an image that others are built on, as the registry in its name has it.
    pub(crate) async fn find(&self, name: &str) -> Result<Parent, ImageError> {
        let Distributed { manifest, inspected, .. } = self.distributed(name).await?;
        Ok(Parent { name: name.to_owned(), id: manifest.config.digest, inspected })
    }

    /// Returns whether the registry has an image.
    pub(crate) async fn has(&self, image: &str) -> Result<bool, ImageError> {
        let reference = self.clients.reference(image)?;
        let client = self.clients.of(&reference).await?;
        let auth = self.clients.auth(&reference);
        match client.fetch_manifest_digest(&reference, &auth).await.map_err(Answer::from) {
            Ok(_) => Ok(true),
            Err(Answer::Absent(_)) => Ok(false),
            Err(answer) => Err(self.clients.told("be asked for", image, &answer)),
        }
    }

    /// Reads the Python of an image off its files; `None` if there is none.
    pub(crate) async fn python(&self, parent: &Parent) -> Result<Option<ParentPython>, ImageError> {
        let name = &parent.name;
        let Distributed { reference, manifest, .. } = self.distributed(name).await?;
        let mut files = Files::default();
        for layer in &manifest.layers {
            let file = self.fetched(&reference, layer, name).await?;
            let added = blocking(move || files.add_layer(file).map(|()| files)).await;
            files = added.map_err(|error| unreadable(name, &error.to_string()))?;
        }
        let config = parent.inspected.config.as_ref();
        let variables = config.and_then(|config| config.env.clone()).unwrap_or_default();
        python::find(&files, &variables).map_err(|why| {
            ImageError::Parent(format!(
                "the Python of the image `{name}` cannot be known without running it: {why}; build on another one, or where an engine is"
            ))
        })
    }

    /// Fetches a layer into a file that is gone once it is closed.
    async fn fetched(
        &self,
        reference: &Reference,
        layer: &OciDescriptor,
        image: &str,
    ) -> Result<File, ImageError> {
        let written = |error| ImageError::system(&self.cache, error);
        let file = tempfile::tempfile_in(&self.cache).map_err(written)?;
        let client = self.clients.of(reference).await?;
        let into = tokio::fs::File::from_std(file.try_clone().map_err(written)?);
        let fetched = client.pull_blob(reference, layer, into).await;
        fetched.map_err(|error| self.clients.unavailable(image, reference, &error.into()))?;
        Ok(file)
    }

    /// Returns how a registry has an image that others are built on; each is asked for once.
    async fn distributed(&self, name: &str) -> Result<Distributed, ImageError> {
        if let Some(known) = self.asked.borrow().get(name) {
            return Ok(known.clone());
        }
        let reference = self.clients.reference(name)?;
        let client = self.clients.of(&reference).await?;
        let failed = |error| self.clients.unavailable(name, &reference, &Answer::from(error));
        let auth = self.clients.auth(&reference);
        let (found, _) = client.pull_manifest(&reference, &auth).await.map_err(failed)?;
        let manifest = match found {
            OciManifest::Image(manifest) => manifest,
            OciManifest::ImageIndex(index) => {
                let reference = reference.clone_with_digest(for_this_machine(name, &index)?);
                match client.pull_manifest(&reference, &auth).await.map_err(failed)?.0 {
                    OciManifest::Image(manifest) => manifest,
                    OciManifest::ImageIndex(_) => {
                        return Err(unreadable(name, "it is an index of indexes"));
                    }
                }
            }
        };
        let found = self.described(&client, name, reference.clone(), manifest).await?;
        self.asked.borrow_mut().insert(name.to_owned(), found.clone());
        Ok(found)
    }

    async fn described(
        &self,
        client: &Client,
        name: &str,
        reference: Reference,
        manifest: OciImageManifest,
    ) -> Result<Distributed, ImageError> {
        let mut text = Vec::new();
        let asked = client.pull_blob(&reference, &manifest.config, &mut text).await;
        asked.map_err(|error| self.clients.unavailable(name, &reference, &error.into()))?;
        let described = serde_json::from_slice(&text);
        let Described { architecture, os, config, rootfs } =
            described.map_err(|error| unreadable(name, &error.to_string()))?;
        if rootfs.diff_ids.len() != manifest.layers.len() {
            return Err(unreadable(name, "its manifest and its configuration name other layers"));
        }
        let ours = architecture_of_images(ARCH);
        if !architecture.is_empty() && architecture != ours {
            return Err(unfit_architecture(name, &architecture, "this machine", ours));
        }
        let inspected = ImageInspect {
            id: Some(manifest.config.digest.clone()),
            architecture: Some(architecture),
            os,
            config,
            root_fs: Some(ImageInspectRootFs {
                typ: "layers".to_owned(),
                layers: Some(rootfs.diff_ids),
            }),
            ..ImageInspect::default()
        };
        Ok(Distributed { reference, manifest, inspected })
    }
}

/// Returns the digest of the image of an index that is made for this machine.
fn for_this_machine(name: &str, index: &OciImageIndex) -> Result<String, ImageError> {
    let ours = architecture_of_images(ARCH);
    let platforms = index.manifests.iter().filter_map(|entry| {
        let platform = entry.platform.as_ref()?;
        let is_system = platform.os.to_string() == SYSTEM;
        is_system.then(|| (platform.architecture.to_string(), &entry.digest))
    });
    let platforms: Vec<(String, &String)> = platforms.collect();
    if let Some((_, digest)) = platforms.iter().find(|(architecture, _)| architecture == ours) {
        return Ok((*digest).clone());
    }
    let theirs: Vec<&str> = platforms.iter().map(|(theirs, _)| theirs.as_str()).collect();
    Err(unfit_architecture(name, &theirs.join("`, `"), "this machine", ours))
}

fn unreadable(image: &str, why: &str) -> ImageError {
    ImageError::Parent(format!("the image `{image}` cannot be read: {why}; build on another one"))
}
