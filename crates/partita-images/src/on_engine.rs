//! Images that an engine keeps: looked at, run to know their Python, loaded, and given to registries.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ImportImageOptionsBuilder, ListContainersOptionsBuilder,
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions,
};
use futures_util::StreamExt;
use partita_orchestrators::docker::{Engine, Trouble};
use serde_json::{Value, json};
use tar::{Archive, Builder};
use tokio::time::timeout;

use crate::error::ImageError;
use crate::in_registries::InRegistries;
use crate::layer::{self, Content};
use crate::make::Request;
use crate::native::Layer;
use crate::parent::{Parent, ParentPython, unfit_architecture};
use crate::registry::Registry;
use crate::{engine_run, transfer};

/// Tells of the Python that runs it.
const PROBE: &str = "import json, os, platform, sys, sysconfig
paths = sysconfig.get_paths()
print(json.dumps({'version': '%d.%d' % sys.version_info[:2], 'executable': sys.executable,
    'packages': os.path.realpath(paths['purelib']), 'scripts': os.path.realpath(paths['scripts']),
    'libc': platform.libc_ver()[0]}))";

/// An engine, and where its images are kept besides.
pub(crate) struct OnEngine {
    pub(crate) engine: Engine,
    registry: Option<Registry>,
    /// The folder where this machine keeps what images are made of.
    cache: PathBuf,
    /// What the names of containers begin with.
    containers: String,
    /// How many there have been.
    looks: Cell<usize>,
}

/// How long the Python of an image may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(60);

impl OnEngine {
    pub(crate) fn new(engine: Engine, request: &Request<'_>, containers: String) -> Self {
        let (registry, cache) = (request.registry.clone(), request.cache.clone());
        Self { engine, registry, cache, containers, looks: Cell::new(0) }
    }

    /// Returns an image that the engine has; `None` if it has it not.
    pub(crate) async fn there(&self, name: &str) -> Result<Option<Parent>, ImageError> {
        let engine = &self.engine;
        let inspected = match engine.docker.inspect_image(name).await.map_err(Trouble::from) {
            Ok(found) => found,
            Err(Trouble::NotFound(_)) => return Ok(None),
            Err(trouble) => return Err(looked_at(name, trouble)),
        };
        let architecture = inspected.architecture.clone().unwrap_or_default();
        if !architecture.is_empty() && architecture != engine.architecture {
            let place = format!("the engine at `{}`", engine.endpoint);
            return Err(unfit_architecture(name, &architecture, &place, &engine.architecture));
        }
        let id = inspected.id.clone().unwrap_or_default();
        Ok(Some(Parent { name: name.to_owned(), id, inspected }))
    }

    /// Finds an image, and pulls it if it is not there.
    pub(crate) async fn find(&self, name: &str) -> Result<Parent, ImageError> {
        if let Some(found) = self.there(name).await? {
            return Ok(found);
        }
        transfer::pull(&self.engine, name, self.registry.as_ref()).await?;
        let found = self.there(name).await?;
        found.ok_or_else(|| ImageError::Parent(format!("the image `{name}` has gone again")))
    }

    /// Returns whether the engine has an image, or could get it from the registry.
    pub(crate) async fn has_anywhere(&self, image: &str) -> Result<bool, ImageError> {
        if self.there(image).await?.is_some() {
            return Ok(true);
        }
        match &self.registry {
            Some(registry) => InRegistries::new(registry.clone(), &self.cache)?.has(image).await,
            None => Ok(false),
        }
    }

    /// Returns whether the engine has an image, or has got it from the registry.
    pub(crate) async fn gets(&self, image: &str) -> Result<bool, ImageError> {
        if self.there(image).await?.is_some() {
            return Ok(true);
        }
        match &self.registry {
            Some(registry) => transfer::pull_if_there(&self.engine, image, registry).await,
            None => Ok(false),
        }
    }

    /// Has the engine give an image to the registry.
    pub(crate) async fn push(&self, image: &str) -> Result<(), ImageError> {
        let Some(registry) = &self.registry else { return Ok(()) };
        let pushed = transfer::push(&self.engine, image, registry).await;
        if pushed.is_err() {
            // Nobody is to take it for one that the registry has.
            let options = None::<RemoveImageOptions>;
            let _ = self.engine.docker.remove_image(image, options, None).await;
        }
        pushed
    }

    /// Loads an image, whose parent the engine has.
    pub(crate) async fn load(
        &self,
        image: &str,
        config: &Value,
        parent: &Parent,
        layers: &[Layer],
        steps: &str,
    ) -> Result<(), ImageError> {
        let written = |error| ImageError::system(&self.cache, error);
        let file = || tempfile::tempfile_in(&self.cache);
        let made = |below| archive(file()?, image, config, parent, layers, below);
        let loaded = self.import(made(None).map_err(written)?).await;
        let loaded = match loaded {
            Err(Trouble::Away(why)) => Err(Trouble::Away(why)),
            // Podman wants the layers that it has already as well.
            Err(trouble) if trouble.to_string().contains("missing in the tarball") => {
                let mut below = file().map_err(written)?;
                match self.export(&parent.id, &mut below).await {
                    Ok(()) => self.import(made(Some(below)).map_err(written)?).await,
                    Err(trouble) => Err(trouble),
                }
            }
            loaded => loaded,
        };
        loaded.map_err(|trouble| ImageError::engine(steps, trouble))
    }

    async fn import(&self, archive: File) -> Result<(), Trouble> {
        let parts =
            transfer::parts(archive).map_err(|error| Trouble::Refused(error.to_string()))?;
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let body = bollard::body_try_stream(parts);
        let mut told = std::pin::pin!(self.engine.docker.import_image(options, body, None));
        while let Some(part) = told.next().await {
            part?;
        }
        Ok(())
    }

    /// Writes an image of the engine to a file.
    async fn export(&self, image: &str, into: &mut File) -> Result<(), Trouble> {
        let mut parts = std::pin::pin!(self.engine.docker.export_image(image));
        while let Some(part) = parts.next().await {
            let written = into.write_all(&part?);
            written.map_err(|error| Trouble::Refused(error.to_string()))?;
        }
        Ok(())
    }

    /// Asks the Python of an image; `None` if there is none.
    pub(crate) async fn python(&self, parent: &Parent) -> Result<Option<ParentPython>, ImageError> {
        let failed = |trouble| looked_at(&parent.name, trouble);
        let silent = |why: String| {
            ImageError::Parent(format!(
                "the `python` of the image `{}` does not say what it is: {why}",
                parent.name
            ))
        };
        let body = ContainerCreateBody {
            image: Some(parent.id.clone()),
            entrypoint: Some(["python", "-c", PROBE].map(str::to_owned).to_vec()),
            cmd: Some(Vec::new()),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let name = format!("{}-look-{}", self.containers, self.looks.replace(self.looks.get() + 1));
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let created = self.engine.docker.create_container(Some(options), body).await;
        let container = match created.map_err(Trouble::from) {
            Ok(created) => created.id,
            // Podman looks for the program by now.
            Err(trouble) if has_no_program(&trouble) => return Ok(None),
            Err(trouble) => return Err(failed(trouble)),
        };
        let said = timeout(PATIENCE, said(&self.engine, &container)).await;
        remove(&self.engine, &container).await;
        match said {
            Ok(Ok((said, 0))) => {
                let read = serde_json::from_str(said.lines().last().unwrap_or_default());
                read.map(Some).map_err(|_| silent(format!("it printed `{}`", said.trim())))
            }
            Ok(Ok((_, code))) => Err(silent(format!("its container ended with exit code {code}"))),
            Ok(Err(trouble)) if has_no_program(&trouble) => Ok(None),
            Ok(Err(trouble)) => Err(failed(trouble)),
            Err(_) => Err(silent(format!("it has not ended within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Removes containers whose names begin with this, and images that are parts of others.
    pub(crate) async fn clean(&self, containers: &str, parts: &[String]) {
        let filters = HashMap::from([("name", vec![format!("^/?{containers}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.engine.docker.list_containers(Some(options)).await;
        for container in listed.unwrap_or_default() {
            remove(&self.engine, &container.id.unwrap_or_default()).await;
        }
        engine_run::remove_parts(&self.engine, parts).await;
    }
}

fn looked_at(image: &str, trouble: Trouble) -> ImageError {
    match trouble {
        Trouble::Away(why) => ImageError::Away(why),
        trouble => {
            ImageError::Parent(format!("the image `{image}` cannot be looked at: {trouble}"))
        }
    }
}

/// Removes a container, with what only it had.
pub(crate) async fn remove(engine: &Engine, container: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let _ = engine.docker.remove_container(container, Some(options)).await;
}

/// Returns whether a container could not be started since its program is not in its image.
fn has_no_program(trouble: &Trouble) -> bool {
    let why = trouble.to_string().to_lowercase();
    ["executable file", "no such file or directory"].iter().any(|words| why.contains(words))
}

/// Runs a container to its end and returns what it printed, and its exit code.
async fn said(engine: &Engine, container: &str) -> Result<(String, i64), Trouble> {
    engine.docker.start_container(container, None).await?;
    let options = LogsOptionsBuilder::new().follow(true).stdout(true).build();
    let mut printed = std::pin::pin!(engine.docker.logs(container, Some(options)));
    let mut text = String::new();
    while let Some(part) = printed.next().await {
        text.push_str(&part?.to_string());
    }
    let state = engine.docker.inspect_container(container, None).await?.state;
    Ok((text, state.and_then(|state| state.exit_code).unwrap_or_default()))
}

/// Writes the archive that engines load. It names the layers of the parent and has none of them, since
/// the engine knows them by their digests; or it has them from `below`, an archive of the parent.
fn archive(
    file: File,
    image: &str,
    config: &Value,
    parent: &Parent,
    layers: &[Layer],
    below: Option<File>,
) -> io::Result<File> {
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let path_of = |digest: &String| format!("{}/layer.tar", hex(digest));
    let bytes = serde_json::to_vec(config)?;
    let name = format!("{}.json", hex(&layer::digest(&bytes)));
    let all = parent.layers();
    let all = all.iter().chain(layers.iter().map(|layer| &layer.digest)).map(path_of);
    let manifest = json!([{
        "Config": name,
        "RepoTags": [image],
        "Layers": all.collect::<Vec<_>>(),
    }]);
    let text = |bytes: Vec<u8>| Content::Bytes { bytes, mode: layer::DATA };
    let mut tar = Builder::new(file);
    layer::add(&mut tar, Path::new("manifest.json"), &text(serde_json::to_vec(&manifest)?))?;
    layer::add(&mut tar, Path::new(&name), &text(bytes))?;
    if let Some(below) = below {
        add_layers(&mut tar, below, &parent.layers().iter().map(path_of).collect::<Vec<_>>())?;
    }
    for layer in layers {
        let path = path_of(&layer.digest);
        layer::add(&mut tar, Path::new(&path), &Content::File(layer.file.clone()))?;
    }
    let mut file = tar.into_inner()?;
    file.flush()?;
    Ok(file)
}

/// Adds the layers of an archive of an image, which are called `paths` then.
fn add_layers(tar: &mut Builder<File>, mut image: File, paths: &[String]) -> io::Result<()> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Manifest {
        layers: Vec<PathBuf>,
    }
    image.rewind()?;
    let mut names = Vec::new();
    for entry in Archive::new(&image).entries()? {
        let entry = entry?;
        if entry.path()? == Path::new("manifest.json") {
            let read: Vec<Manifest> = serde_json::from_reader(entry)?;
            names = read.into_iter().flat_map(|manifest| manifest.layers).collect();
        }
    }
    image.rewind()?;
    for entry in Archive::new(&image).entries()? {
        let entry = entry?;
        let at = names.iter().position(|name| entry.path().is_ok_and(|path| path == *name));
        if let Some(path) = at.and_then(|at| paths.get(at)) {
            let mut header = entry.header().clone();
            tar.append_data(&mut header, path, entry)?;
        }
    }
    Ok(())
}
