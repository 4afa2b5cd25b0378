//! The image that others are built on: whether it is there, and the Python that it has.

use std::path::Path;

use bollard::models::{ContainerCreateBody, HostConfig, ImageInspect};
use bollard::query_parameters::{LogsOptionsBuilder, RemoveContainerOptionsBuilder};
use futures_util::StreamExt;
use partita_orchestrators::docker::{Engine, Trouble};
use serde::{Deserialize, Serialize};

use crate::error::ImageError;
use crate::own::OwnPython;
use crate::registry::Registry;
use crate::transfer;

/// The image that others are built on.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) inspected: ImageInspect,
}

/// The Python of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParentPython {
    /// Its minor version, such as `3.11`.
    pub(crate) version: String,
    pub(crate) executable: String,
    /// Where its distributions are, whatever links lead there.
    pub(crate) packages: String,
    /// Where their programs are.
    pub(crate) scripts: String,
    /// The name of its C library; empty where that is not known.
    pub(crate) libc: String,
}

/// Tells of the Python that runs it.
const PROBE: &str = "import json, os, platform, sys, sysconfig
paths = sysconfig.get_paths()
print(json.dumps({'version': '%d.%d' % sys.version_info[:2], 'executable': sys.executable,
    'packages': os.path.realpath(paths['purelib']), 'scripts': os.path.realpath(paths['scripts']),
    'libc': platform.libc_ver()[0]}))";

impl Parent {
    /// Returns an image that the engine has; `None` if it has it not.
    pub(crate) async fn there(engine: &Engine, name: &str) -> Result<Option<Self>, ImageError> {
        let inspected = match engine.docker.inspect_image(name).await.map_err(Trouble::from) {
            Ok(found) => found,
            Err(Trouble::NotFound(_)) => return Ok(None),
            Err(trouble) => return Err(looked_at(name, trouble)),
        };
        let architecture = inspected.architecture.clone().unwrap_or_default();
        if !architecture.is_empty() && architecture != engine.architecture {
            return Err(ImageError::Parent(format!(
                "the image `{name}` is made for `{architecture}`, and the engine at `{}` runs on `{}`; build on one that is made for it",
                engine.endpoint, engine.architecture
            )));
        }
        let id = inspected.id.clone().unwrap_or_default();
        Ok(Some(Self { name: name.to_owned(), id, inspected }))
    }

    /// Finds an image, and pulls it if it is not there.
    pub(crate) async fn find(
        engine: &Engine,
        name: &str,
        registry: Option<&Registry>,
    ) -> Result<Self, ImageError> {
        if let Some(found) = Self::there(engine, name).await? {
            return Ok(found);
        }
        transfer::pull(engine, name, registry).await?;
        let found = Self::there(engine, name).await?;
        found.ok_or_else(|| ImageError::Parent(format!("the image `{name}` has gone again")))
    }

    /// Returns its Python, if it has one; `cache` is where this machine keeps what it knows of images.
    pub(crate) async fn python(
        &self,
        engine: &Engine,
        cache: &Path,
    ) -> Result<Option<ParentPython>, ImageError> {
        let known = cache.join(format!("parent-{}.json", self.id.trim_start_matches("sha256:")));
        let read = std::fs::read(&known).ok();
        if let Some(python) = read.and_then(|text| serde_json::from_slice(&text).ok()) {
            return Ok(python);
        }
        let python = probe(engine, &self.name, &self.id).await?;
        let text = serde_json::to_vec(&python).unwrap_or_default();
        std::fs::write(&known, text).map_err(|error| ImageError::system(&known, error))?;
        Ok(python)
    }

    /// Returns its Python, in which steps of `own` can run.
    pub(crate) async fn python_for(
        &self,
        own: &OwnPython,
        engine: &Engine,
        cache: &Path,
    ) -> Result<ParentPython, ImageError> {
        let image = &self.name;
        let Some(python) = self.python(engine, cache).await? else {
            return Err(ImageError::Parent(format!(
                "the image `{image}` has no `python` on its path, which the steps of this pipeline are run by; build on one that has Python {}",
                own.version
            )));
        };
        if python.version != own.version {
            return Err(ImageError::Parent(format!(
                "the image `{image}` has Python {}, and this pipeline is run with Python {}; build on one that has the same",
                python.version, own.version
            )));
        }
        if python.libc == "glibc" {
            return Ok(python);
        }
        Err(ImageError::Parent(format!(
            "the Python of the image `{image}` is not linked to glibc, which the Partita of this installation is made for; build on one that is, such as `python:{}-slim`",
            own.version
        )))
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

/// Asks the Python of an image; `None` if there is none.
async fn probe(engine: &Engine, image: &str, id: &str) -> Result<Option<ParentPython>, ImageError> {
    let failed = |trouble| looked_at(image, trouble);
    let body = ContainerCreateBody {
        image: Some(id.to_owned()),
        entrypoint: Some(["python", "-c", PROBE].map(str::to_owned).to_vec()),
        cmd: Some(Vec::new()),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let docker = &engine.docker;
    let options = None::<bollard::query_parameters::CreateContainerOptions>;
    let created = docker.create_container(options, body).await.map_err(Trouble::from);
    let container = created.map_err(failed)?.id;
    let said = said(engine, &container).await;
    remove(engine, &container).await;
    match said {
        Ok(said) => Ok(serde_json::from_str(said.lines().last().unwrap_or_default()).ok()),
        Err(Trouble::Away(why)) => Err(ImageError::Away(why)),
        // There is no such program.
        Err(_) => Ok(None),
    }
}

/// Removes a container, with what only it had.
pub(crate) async fn remove(engine: &Engine, container: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let _ = engine.docker.remove_container(container, Some(options)).await;
}

/// Runs a container to its end and returns what it printed.
async fn said(engine: &Engine, container: &str) -> Result<String, Trouble> {
    engine.docker.start_container(container, None).await?;
    let options = LogsOptionsBuilder::new().follow(true).stdout(true).build();
    let mut printed = std::pin::pin!(engine.docker.logs(container, Some(options)));
    let mut text = String::new();
    while let Some(part) = printed.next().await {
        text.push_str(&part?.to_string());
    }
    Ok(text)
}
