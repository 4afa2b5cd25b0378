//! Images on their way between an engine, registries and files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use bollard::auth::DockerCredentials;
use bollard::query_parameters::{CreateImageOptionsBuilder, PushImageOptionsBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use partita_orchestrators::docker::{Engine, Trouble};

use crate::error::ImageError;
use crate::registry::Registry;

/// How much of a file is sent at a time.
const PART: usize = 1 << 20;

/// Returns what a file holds, from its beginning, part by part.
pub(crate) fn parts(
    mut file: File,
) -> std::io::Result<impl Stream<Item = std::io::Result<Bytes>> + Send + 'static> {
    file.seek(SeekFrom::Start(0))?;
    Ok(stream::unfold(Some(file), |file| async move {
        let mut file = file?;
        let mut part = vec![0; PART];
        match file.read(&mut part) {
            Ok(0) => None,
            Ok(read) => {
                part.truncate(read);
                Some((Ok(Bytes::from(part)), Some(file)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// Returns who asks, where an image has a name in this registry.
pub(crate) fn credentials(image: &str, registry: Option<&Registry>) -> Option<DockerCredentials> {
    let registry = registry.filter(|registry| registry.holds(image))?;
    let (username, password) = registry.credentials.clone()?;
    Some(DockerCredentials {
        username: Some(username),
        password: Some(password),
        serveraddress: Some(registry.host().to_owned()),
        ..DockerCredentials::default()
    })
}

/// Returns who asks, as builds are told.
pub(crate) fn all_credentials(registry: Option<&Registry>) -> HashMap<String, DockerCredentials> {
    let named = registry.and_then(|registry| {
        let host = registry.host().to_owned();
        Some((host.clone(), credentials(&format!("{host}/"), Some(registry))?))
    });
    named.into_iter().collect()
}

/// Has the engine get an image.
pub(crate) async fn pull(
    engine: &Engine,
    image: &str,
    registry: Option<&Registry>,
) -> Result<(), ImageError> {
    pulled(engine, image, registry).await.map_err(|trouble| match trouble {
        Trouble::Away(why) => ImageError::Away(why),
        trouble => ImageError::Parent(format!(
            "the engine at `{}` does not have the image `{image}`, and cannot pull it: {trouble}{}",
            engine.endpoint,
            help(&trouble, image, registry)
        )),
    })
}

/// Has the engine get an image if the registry has it; returns whether that is so.
pub(crate) async fn pull_if_there(
    engine: &Engine,
    image: &str,
    registry: &Registry,
) -> Result<bool, ImageError> {
    match pulled(engine, image, Some(registry)).await {
        Ok(()) => Ok(true),
        Err(Trouble::Away(why)) => Err(ImageError::Away(why)),
        Err(trouble) if is_absence(&trouble) => Ok(false),
        Err(trouble) => Err(told(registry, "be asked for", image, &trouble)),
    }
}

/// Has the engine give an image to its registry.
pub(crate) async fn push(
    engine: &Engine,
    image: &str,
    registry: &Registry,
) -> Result<(), ImageError> {
    let (repository, tag) = split(image);
    let options = PushImageOptionsBuilder::new().tag(tag).build();
    // An engine sends no image without a header that says who asks.
    let who = credentials(image, Some(registry)).unwrap_or_default();
    let pushed = engine.docker.push_image(repository, Some(options), Some(who));
    drained(pushed).await.map_err(|trouble| match trouble {
        Trouble::Away(why) => ImageError::Away(why),
        trouble => told(registry, "be given", image, &trouble),
    })
}

async fn pulled(engine: &Engine, image: &str, registry: Option<&Registry>) -> Result<(), Trouble> {
    let (repository, tag) = split(image);
    let options = CreateImageOptionsBuilder::new().from_image(repository).tag(tag).build();
    let who = credentials(image, registry);
    drained(engine.docker.create_image(Some(options), None, who)).await
}

async fn drained<T>(
    told: impl Stream<Item = Result<T, bollard::errors::Error>>,
) -> Result<(), Trouble> {
    let mut told = std::pin::pin!(told);
    while let Some(part) = told.next().await {
        part?;
    }
    Ok(())
}

/// Returns the repository and the tag of an image's name.
fn split(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    }
}

/// Returns whether a registry says that it has no such image.
fn is_absence(trouble: &Trouble) -> bool {
    let why = trouble.to_string();
    let is_there = ["manifest unknown", "name unknown", "not found"];
    is_there.iter().any(|words| why.contains(words)) && !is_refusal(&why)
}

/// Returns whether a registry does not take who asks.
fn is_refusal(why: &str) -> bool {
    let words = ["denied", "unauthorized", "no basic auth credentials", "authentication required"];
    words.iter().any(|words| why.contains(words))
}

fn told(registry: &Registry, what: &str, image: &str, trouble: &Trouble) -> ImageError {
    let why = trouble.to_string();
    let told = registry.cannot(what, image, &why, is_refusal(&why));
    match is_away(&why) {
        true => ImageError::RegistryAway(told),
        false => ImageError::Registry(told),
    }
}

/// Returns whether an engine says that a registry does not answer.
fn is_away(why: &str) -> bool {
    let words = ["connection refused", "no such host", "i/o timeout", "network is unreachable"];
    words.iter().any(|words| why.contains(words))
}

fn help(trouble: &Trouble, image: &str, registry: Option<&Registry>) -> &'static str {
    if !is_refusal(&trouble.to_string()) {
        return "";
    }
    match credentials(image, registry) {
        Some(_) => "; correct `username` and `password` of the container registry",
        None => "; say who asks, with `username` and `password` of the stack's container registry",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(split("localhost:5000/a"), ("localhost:5000/a", "latest"));
        assert_eq!(split("localhost:5000/a:7"), ("localhost:5000/a", "7"));
        assert_eq!(split("python"), ("python", "latest"));
    }

    #[test]
    fn what_is_refused_is_not_taken_for_absent() {
        let said = |why: &str| is_absence(&Trouble::NotFound(why.to_owned()));
        assert!(said("manifest for localhost:5000/a:7 not found: manifest unknown"));
        assert!(!said("pull access denied for a, repository does not exist"));
        assert!(!said("unauthorized: authentication required"));
    }
}
