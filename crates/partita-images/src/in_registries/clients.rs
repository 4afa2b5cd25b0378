//! What asks registries, and on whose behalf.

use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use rustls::crypto::ring;
use std::cell::OnceCell;
use std::time::Duration;

use super::answer::Answer;
use crate::error::ImageError;
use crate::registry::{Registry, is_here};

/// How long a registry may take until it is connected, and between two parts of an answer.
const CONNECT: Duration = Duration::from_secs(20);
const READ: Duration = Duration::from_secs(120);

/// What asks registries: those of this machine without TLS, all others with it.
pub(super) struct Clients {
    registry: Registry,
    here: OnceCell<Client>,
    elsewhere: OnceCell<Client>,
}

impl Clients {
    pub(super) fn new(registry: Registry) -> Self {
        Self { registry, here: OnceCell::new(), elsewhere: OnceCell::new() }
    }

    /// Returns what the name of an image means.
    pub(super) fn reference(&self, image: &str) -> Result<Reference, ImageError> {
        Reference::try_from(image).map_err(|error| {
            ImageError::Parent(format!("`{image}` is no name of an image: {error}; correct it"))
        })
    }

    /// Returns what asks the registry of an image.
    pub(super) async fn of(&self, reference: &Reference) -> Result<Client, ImageError> {
        let host = reference.resolve_registry();
        let is_here = is_here(host);
        let cell = if is_here { &self.here } else { &self.elsewhere };
        let client = match cell.get() {
            Some(made) => made.clone(),
            None => {
                let made = client(is_here).map_err(|error| {
                    ImageError::RegistryAway(format!(
                        "the registry `{host}` cannot be asked: {}",
                        Answer::from(error)
                    ))
                })?;
                cell.get_or_init(|| made).clone()
            }
        };
        client.store_auth_if_needed(host, &self.auth(reference)).await;
        Ok(client)
    }

    /// Returns who asks: the password of the stack's registry is for that alone.
    pub(super) fn auth(&self, reference: &Reference) -> RegistryAuth {
        match &self.registry.credentials {
            Some((name, password)) if self.is_of_stack(reference) => {
                RegistryAuth::Basic(name.clone(), password.clone())
            }
            _ => RegistryAuth::Anonymous,
        }
    }

    /// Returns whether an image is in the registry of the stack.
    fn is_of_stack(&self, reference: &Reference) -> bool {
        let named = Reference::try_from(format!("{}/a", self.registry.uri));
        named.is_ok_and(|named| named.registry() == reference.registry())
    }

    /// Says that the registry of the stack cannot do something for an image that is made.
    pub(super) fn told(&self, what: &str, image: &str, answer: &Answer) -> ImageError {
        let is_denied = matches!(answer, Answer::Denied(_));
        let words = self.registry.cannot(what, image, &answer.to_string(), is_denied);
        match answer {
            Answer::Away(_) => ImageError::RegistryAway(words),
            _ => ImageError::Registry(words),
        }
    }

    /// Says that an image that others are built on is not to be had.
    pub(super) fn unavailable(
        &self,
        image: &str,
        reference: &Reference,
        answer: &Answer,
    ) -> ImageError {
        let host = reference.registry();
        if let Answer::Absent(why) = answer {
            return ImageError::Parent(format!(
                "the registry `{host}` does not have the image `{image}`: {why}; push it there, or correct its name"
            ));
        }
        if self.is_of_stack(reference) {
            return self.told("be asked for", image, answer);
        }
        let uri = &self.registry.uri;
        let words =
            format!("the registry `{host}` cannot be asked for the image `{image}`: {answer}");
        match answer {
            Answer::Away(_) => ImageError::RegistryAway(words),
            Answer::Denied(_) => ImageError::Parent(format!(
                "{words}; no password is sent there, since the stack has one for `{uri}` alone; push the image there, or correct its name"
            )),
            _ => ImageError::Parent(words),
        }
    }
}

/// Makes what asks registries of this machine, or others.
fn client(is_here: bool) -> oci_client::errors::Result<Client> {
    // Whoever was first in this process has provided one.
    let _ = ring::default_provider().install_default();
    let mut config = ClientConfig {
        // One request for a layer: not every registry takes it in parts.
        use_monolithic_push: true,
        connect_timeout: Some(CONNECT),
        read_timeout: Some(READ),
        user_agent: concat!("partita/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    if is_here {
        config.protocol = ClientProtocol::Http;
        // No proxy leads to this machine.
        config.http_proxy = Some("http://localhost".to_owned());
        config.no_proxy = Some("localhost,127.0.0.0/8,::1".to_owned());
    }
    Client::try_from(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, image: &str, registry: &str, repository: &str, is_told: bool) {
        let credentials = Some(("robot".to_owned(), "secret".to_owned()));
        let clients = Clients::new(Registry { uri: uri.to_owned(), credentials });
        let reference = clients.reference(image).unwrap();
        assert_eq!((reference.registry(), reference.repository()), (registry, repository));
        assert_eq!(clients.auth(&reference) != RegistryAuth::Anonymous, is_told, "{image}");
    }

    #[test]
    fn a_password_is_told_to_its_registry_alone() {
        let team = "registry.example.org/team";
        check(team, "registry.example.org/a/b:7", "registry.example.org", "a/b", true);
        check(team, "registry.example.org:5000/a", "registry.example.org:5000", "a", false);
        check(
            team,
            "example.org/registry.example.org/a",
            "example.org",
            "registry.example.org/a",
            false,
        );
        check(team, "python:3.11-slim", "docker.io", "library/python", false);
        check(team, "team/python", "docker.io", "team/python", false);
        check("docker.io/team", "python:3.11-slim", "docker.io", "library/python", true);
    }

    #[test]
    fn what_is_no_name_of_an_image_is_told() {
        let clients = Clients::new(Registry { uri: "a.b".to_owned(), credentials: None });
        let told = clients.reference("Not A Name").unwrap_err().to_string();
        assert!(told.starts_with("`Not A Name` is no name of an image: "), "{told}");
    }
}
