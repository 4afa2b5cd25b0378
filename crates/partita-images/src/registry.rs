//! The flavors of container registries and their configurations.

use std::net::IpAddr;

use partita_core::secret::Reference;
use partita_core::stack::{Component, ComponentType, Flavor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Any registry.
pub const DEFAULT: &str = "default";
/// A registry of this machine.
pub const LOCAL: &str = "local";

/// The configuration of a container registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerRegistryConfig {
    /// Where it is, and what the names of images in it begin with: `registry.example.org/team`.
    pub uri: String,
    /// Who asks; by default nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password or token; a reference to a secret such as `{{registry.password}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// The configuration of a registry of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LocalContainerRegistryConfig {
    /// Where it is.
    pub uri: String,
}

impl Default for LocalContainerRegistryConfig {
    fn default() -> Self {
        Self { uri: "localhost:5000".to_owned() }
    }
}

/// Where images are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// What the names of its images begin with.
    pub uri: String,
    /// Name and password of whoever asks.
    pub credentials: Option<(String, String)>,
}

/// Returns the flavors.
pub(crate) fn flavors() -> Vec<Flavor> {
    let kind = ComponentType::ContainerRegistry;
    vec![
        crate::flavor::<ContainerRegistryConfig>(
            kind,
            DEFAULT,
            "Keeps images in any OCI registry.",
        ),
        crate::flavor::<LocalContainerRegistryConfig>(
            kind,
            LOCAL,
            "Keeps images in a registry of this machine.",
        ),
    ]
}

impl Registry {
    /// Returns the registry that a component describes, whose references to secrets stand for
    /// themselves unless they were filled in.
    ///
    /// # Errors
    /// What is wrong with its configuration.
    pub fn of(component: &Component) -> Result<Self, String> {
        match component.flavor.as_str() {
            DEFAULT => Self::checked(crate::configuration(&component.config)?),
            LOCAL => {
                let LocalContainerRegistryConfig { uri } = crate::configuration(&component.config)?;
                let registry =
                    Self::checked(ContainerRegistryConfig { uri, username: None, password: None })?;
                if is_here(registry.host()) {
                    return Ok(registry);
                }
                Err(format!(
                    "`uri` is `{}`, which is not on this machine; take the flavor `default` for it",
                    registry.uri
                ))
            }
            _ => Err(crate::unknown_flavor(component)),
        }
    }

    /// Checks a component, whose password has to be a secret: components are shown, and kept with each run.
    ///
    /// # Errors
    /// What is wrong with its configuration.
    pub(crate) fn check(component: &Component) -> Result<(), String> {
        let credentials = Self::of(component)?.credentials;
        match credentials {
            Some((_, password)) if Reference::parse(&password).is_none() => Err(
                "`password` is written out, and would be shown and be kept with each run; store it with `partita secret set registry password`, and write `--password={{registry.password}}`"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    fn checked(config: ContainerRegistryConfig) -> Result<Self, String> {
        let ContainerRegistryConfig { uri, username, password } = config;
        if Reference::parse(&uri).is_some() {
            return Err(format!(
                "`uri` is `{uri}`, and a place is told in messages, so that it can be no secret; write it out"
            ));
        }
        if !is_place(&uri) {
            return Err(format!(
                "`uri` is `{uri}`; write a host, and what the names of its images begin with, as in `registry.example.org/team`"
            ));
        }
        let credentials = match (username, password) {
            (None, None) => None,
            (Some(username), Some(password)) => Some((username, password)),
            _ => {
                return Err("`username` and `password` are given together or not at all".to_owned());
            }
        };
        Ok(Self { uri, credentials })
    }

    /// Returns its host, with its port.
    pub fn host(&self) -> &str {
        self.uri.split('/').next().unwrap_or_default()
    }

    /// Returns whether an image has one of its names.
    pub fn holds(&self, image: &str) -> bool {
        image.strip_prefix(self.host()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Says that it cannot do something for an image, and what helps where it does not take who asks.
    pub(crate) fn cannot(&self, what: &str, image: &str, why: &str, is_denied: bool) -> String {
        let help = match &self.credentials {
            _ if !is_denied => "",
            Some(_) => "; correct `username` and `password` of the container registry",
            None => {
                "; say who asks, with `username` and `password` of the stack's container registry"
            }
        };
        let uri = &self.uri;
        format!("the container registry at `{uri}` cannot {what} the image `{image}`: {why}{help}")
    }
}

/// Returns whether a host, which may have a port, is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns whether text names a host, and perhaps what follows it in the names of images.
fn is_place(uri: &str) -> bool {
    let (host, path) = uri.split_once('/').unwrap_or((uri, "images"));
    let is_host = host == "localhost" || host.contains(['.', ':']);
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.chars().all(|c| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || ['.', '_', '-'].contains(&c)
            })
    };
    let is_in_host = |c: char| c.is_ascii_alphanumeric() || ['.', '-', ':'].contains(&c);
    is_host && host.chars().all(is_in_host) && path.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flavor: &str, config: &str, expected: Result<&str, &str>) {
        let component = Component {
            name: "registry".to_owned(),
            component_type: ComponentType::ContainerRegistry,
            flavor: flavor.to_owned(),
            config: serde_json::from_str(config).unwrap(),
        };
        match (Registry::of(&component), expected) {
            (Ok(registry), Ok(host)) => assert_eq!(registry.host(), host),
            (Err(error), Err(words)) => assert!(error.contains(words), "{error}"),
            (found, _) => panic!("{config}: {found:?}"),
        }
    }

    #[test]
    fn a_registry_is_a_host_and_what_names_begin_with() {
        check(LOCAL, "{}", Ok("localhost:5000"));
        check(LOCAL, r#"{"uri": "127.0.0.1:5001/team"}"#, Ok("127.0.0.1:5001"));
        check(LOCAL, r#"{"uri": "registry.example.org"}"#, Err("not on this machine"));
        check(DEFAULT, r#"{"uri": "registry.example.org/team/a"}"#, Ok("registry.example.org"));
        check(DEFAULT, r#"{"uri": "https://registry.example.org"}"#, Err("write a host"));
        check(DEFAULT, r#"{"uri": "team"}"#, Err("write a host"));
        check(DEFAULT, r#"{"uri": "{{a.b}}"}"#, Err("can be no secret"));
        check(DEFAULT, r#"{"uri": "a.b", "username": "me"}"#, Err("given together"));
    }

    #[test]
    fn its_images_are_known_by_their_names() {
        let registry = Registry { uri: "localhost:5000/team".to_owned(), credentials: None };
        assert!(registry.holds("localhost:5000/other/train:7"));
        assert!(!registry.holds("localhost:50001/team/train:7"));
        assert!(!registry.holds("python:3.11"));
    }
}
