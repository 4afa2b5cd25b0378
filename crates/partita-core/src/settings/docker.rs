//! The image that a step runs in, and what that is built of.

use std::collections::BTreeMap;
use std::ops::Not;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, FieldHasher};

/// The image that a step runs in. Files that settings name were read when the pipeline was compiled:
/// here is what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Docker {
    /// The image's name, or that of the image which it is built on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_image: Option<String>,
    /// Whether it is used as it is, and none is built of it.
    #[serde(skip_serializing_if = "Not::not")]
    pub skip_build: bool,
    /// The path of a Dockerfile in the source root, which makes the image that it is built on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<String>,
    /// The folder in the source root whose files the Dockerfile may copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_context_root: Option<String>,
    /// The path of a file in the source root that lists what of that folder stays behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dockerignore: Option<String>,
    /// The digest of the Dockerfile and of what it may copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Digest>,
    /// Lines of a requirements file: the distributions that are installed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// What installs them.
    #[serde(skip_serializing_if = "PackageInstaller::is_default")]
    pub python_package_installer: PackageInstaller,
    /// Packages of Debian that are installed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apt_packages: Vec<String>,
    /// Variables of the environment, in the image and while it is built.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Variables of the environment, in the image alone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runtime_environment: BTreeMap<String, String>,
    /// The user that its processes are run by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the names of images built of this begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_repository: Option<String>,
    /// Folders that builds share, and that are in no image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cache_mounts: Vec<String>,
    /// Whether it is built anew for each run.
    #[serde(skip_serializing_if = "Not::not")]
    pub prevent_build_reuse: bool,
}

/// What installs Python distributions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PackageInstaller {
    /// `pip`.
    #[default]
    Pip,
    /// `uv`.
    Uv,
}

impl PackageInstaller {
    /// The words that settings accept.
    pub const WORDS: [&'static str; 2] = ["pip", "uv"];

    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Uv => "uv",
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Docker {
    /// Returns whether the step runs in an image, and not among the programs of a machine.
    pub fn has_image(&self) -> bool {
        self.parent_image.is_some() || self.dockerfile.is_some()
    }

    /// Returns whether there is an image to be built.
    pub fn is_built(&self) -> bool {
        !self.skip_build && *self != Self::default()
    }

    /// Returns the digest of what results may depend on, besides the name of the image; absent if that
    /// is all.
    pub fn content(&self) -> Option<Digest> {
        let mut hasher = FieldHasher::default();
        let mut is_empty = true;
        let mut field = |name: &str, value: &str| {
            hasher.field(name, value.as_bytes());
            is_empty = false;
        };
        self.context.iter().for_each(|digest| field("context", &digest.to_string()));
        self.requirements.iter().for_each(|line| field("requirement", line));
        self.apt_packages.iter().for_each(|package| field("package", package));
        for (name, value) in self.environment.iter().chain(&self.runtime_environment) {
            field("variable", name);
            field("value", value);
        }
        (!is_empty).then(|| hasher.finish())
    }
}
