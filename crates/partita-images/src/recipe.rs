//! What an image is made of: equal recipes are one image, which is named after its recipe.

use partita_core::digest::{Digest, FieldHasher};
use partita_core::settings::Docker;
use serde::{Deserialize, Serialize};

use crate::registry::Registry;

/// Raised whenever the same recipe makes another image than before.
pub(crate) const LAYOUT: u32 = 2;

/// The label of all that is made, by which it is found. That of an image has the digest of its recipe.
pub const LABEL: &str = "partita.recipe";

/// What is said where the code is another.
const CODE_CHANGED: &str = "the code changed";

/// What the names of images begin with where settings say nothing.
const REPOSITORY: &str = "partita";

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    /// The flavor of the image builder.
    pub builder: String,
    /// The id of the image that it is built on.
    pub parent: String,
    /// What steps ask.
    pub docker: Docker,
    /// The digest of the running Partita's files; absent where no step is in Python.
    pub partita: Option<Digest>,
    /// The digest of the author's code; absent where that is no part of it.
    #[serde(default)]
    pub code: Option<Digest>,
}

impl Recipe {
    /// Returns the digest of all of it, but for what does not change the image itself.
    pub(crate) fn digest(&self) -> Digest {
        let docker = Docker {
            // The parent's id says more than its name.
            parent_image: None,
            target_repository: None,
            prevent_build_reuse: false,
            cache_mounts: Vec::new(),
            ..self.docker.clone()
        };
        let mut hasher = FieldHasher::default();
        hasher
            .field("layout", &LAYOUT.to_le_bytes())
            .field("builder", self.builder.as_bytes())
            .field("parent", self.parent.as_bytes())
            .field("docker", &serde_json::to_vec(&docker).unwrap_or_default());
        if let Some(partita) = self.partita {
            hasher.field("partita", partita.to_string().as_bytes());
        }
        if let Some(code) = self.code {
            hasher.field("code", code.to_string().as_bytes());
        }
        hasher.finish()
    }

    /// Returns the name of its image.
    pub(crate) fn image(&self, registry: Option<&Registry>) -> String {
        let repository = self.docker.target_repository.as_deref().unwrap_or(REPOSITORY);
        let tag = short(&self.digest());
        match registry {
            Some(registry) => format!("{}/{repository}:{tag}", registry.uri),
            None => format!("{repository}:{tag}"),
        }
    }

    /// Returns what is another than in an earlier recipe of the same steps, in words.
    pub(crate) fn changes(&self, earlier: &Self) -> Vec<String> {
        let (old, new) = (&earlier.docker, &self.docker);
        let keys = [
            ("dockerfile", old.context != new.context || old.dockerfile != new.dockerfile),
            ("requirements", old.requirements != new.requirements),
            ("apt_packages", old.apt_packages != new.apt_packages),
            ("environment", old.environment != new.environment),
            ("runtime_environment", old.runtime_environment != new.runtime_environment),
            ("user", old.user != new.user),
            (
                "python_package_installer",
                old.python_package_installer != new.python_package_installer,
            ),
        ];
        let mut said: Vec<String> = keys
            .iter()
            .filter(|(_, is_changed)| *is_changed)
            .map(|(key, _)| format!("`{key}` changed"))
            .collect();
        match (&old.parent_image, &new.parent_image) {
            (Some(old), Some(new)) if old != new => {
                said.push(format!("`parent_image` changed from `{old}` to `{new}`"));
            }
            (Some(image), Some(_)) if earlier.parent != self.parent => {
                said.push(format!("the image `{image}` that it is built on is another one now"));
            }
            _ => {}
        }
        if earlier.partita != self.partita {
            said.push("Partita is another one than before".to_owned());
        }
        if earlier.code != self.code {
            said.push(CODE_CHANGED.to_owned());
        }
        if earlier.builder != self.builder {
            said.push(format!("the image builder is of flavor `{}` now", self.builder));
        }
        said
    }
}

impl Recipe {
    /// Returns whether nothing but the code is another than in an earlier recipe of the same steps.
    pub(crate) fn changes_code_alone(&self, earlier: &Self) -> bool {
        self.changes(earlier) == [CODE_CHANGED]
    }
}

/// Returns what is enough of a digest for a tag.
pub(crate) fn short(digest: &Digest) -> String {
    let text = digest.to_string();
    let hex = text.rsplit(':').next().unwrap_or(&text);
    hex.chars().take(24).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        let docker = Docker {
            parent_image: Some("python:3.11-slim".to_owned()),
            requirements: vec!["six".to_owned()],
            ..Docker::default()
        };
        Recipe {
            builder: "native".to_owned(),
            parent: "sha256:a".to_owned(),
            docker,
            partita: None,
            code: None,
        }
    }

    fn check(change: impl FnOnce(&mut Recipe), is_same: bool, words: &[&str]) {
        let mut changed = recipe();
        change(&mut changed);
        assert_eq!(changed.digest() == recipe().digest(), is_same, "{words:?}");
        assert_eq!(changed.changes(&recipe()), words);
    }

    #[test]
    fn whatever_makes_another_image_gives_it_another_name() {
        check(|_| {}, true, &[]);
        check(|recipe| recipe.docker.prevent_build_reuse = true, true, &[]);
        check(|recipe| recipe.docker.cache_mounts = vec!["/a".to_owned()], true, &[]);
        check(|recipe| recipe.docker.requirements.clear(), false, &["`requirements` changed"]);
        check(|recipe| recipe.docker.user = Some("1".to_owned()), false, &["`user` changed"]);
        let another = "the image `python:3.11-slim` that it is built on is another one now";
        check(|recipe| recipe.parent = "sha256:b".to_owned(), false, &[another]);
        check(
            |recipe| recipe.partita = Some(Digest::of(b"1")),
            false,
            &["Partita is another one than before"],
        );
        check(|recipe| recipe.code = Some(Digest::of(b"1")), false, &["the code changed"]);
        let native = "the image builder is of flavor `docker` now";
        check(|recipe| recipe.builder = "docker".to_owned(), false, &[native]);
    }

    #[test]
    fn its_name_is_its_repository_and_its_digest() {
        let tag = short(&recipe().digest());
        assert_eq!(recipe().image(None), format!("partita:{tag}"));
        let registry = Registry { uri: "localhost:5000/team".to_owned(), credentials: None };
        let mut named = recipe();
        named.docker.target_repository = Some("digits".to_owned());
        assert_eq!(named.image(Some(&registry)), format!("localhost:5000/team/digits:{tag}"));
    }
}
