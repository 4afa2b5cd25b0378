//! What is in an image, seen in a container that is never started: nothing of the image is run.

use std::io::Read;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder,
};
use futures_util::StreamExt;

use super::engine::{Engine, Trouble};
use super::stopping;

/// A container that is not started.
pub(super) struct Unstarted<'a> {
    engine: &'a Engine,
    container: String,
}

/// Has a container of an image looked into, and removes it.
pub(super) async fn look<T>(
    engine: &Engine,
    image: &str,
    into: impl AsyncFnOnce(&Unstarted<'_>) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        // An image without a command of its own is no container without one.
        entrypoint: Some(vec!["python".to_owned()]),
        network_disabled: Some(true),
        ..ContainerCreateBody::default()
    };
    let container = engine.docker.create_container(None, body).await?.id;
    let unstarted = Unstarted { engine, container };
    let found = into(&unstarted).await;
    stopping::remove(engine, &unstarted.container).await?;
    found
}

impl Unstarted<'_> {
    /// Returns where the file at `path` is once links are followed, if there is one.
    pub(super) async fn target(&self, path: &str) -> Result<Option<String>, Trouble> {
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let docker = &self.engine.docker;
        let asked = docker.get_container_archive_info(&self.container, Some(options)).await;
        match asked.map_err(Trouble::from) {
            Ok(found) if found.link_target.is_empty() => Ok(Some(path.to_owned())),
            Ok(found) => Ok(Some(found.link_target)),
            Err(Trouble::NotFound(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Returns the text of the file at `path`, if there is one.
    pub(super) async fn text(&self, path: &str) -> Result<Option<String>, Trouble> {
        let Some(target) = self.target(path).await? else { return Ok(None) };
        let options = DownloadFromContainerOptionsBuilder::new().path(&target).build();
        let docker = &self.engine.docker;
        let parts = docker.download_from_container(&self.container, Some(options));
        let mut parts = std::pin::pin!(parts);
        let mut archive = Vec::new();
        while let Some(part) = parts.next().await {
            archive.extend_from_slice(&part?);
        }
        let text = only_text(&archive);
        text.map(Some)
            .map_err(|error| Trouble::Refused(format!("`{path}` cannot be read: {error}")))
    }
}

/// Returns the text of the one file in an archive.
fn only_text(archive: &[u8]) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(entry) = tar::Archive::new(archive).entries()?.next() {
        entry?.read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
