//! The image that others are built on, and the Python that it has.

use std::path::{Path, PathBuf};

use bollard::models::ImageInspect;
use serde::{Deserialize, Serialize};

use crate::builder::Builder;
use crate::error::ImageError;
use crate::own::OwnPython;

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

impl Parent {
    /// Returns the digests of its layers, as they are when they are unpacked.
    pub(crate) fn layers(&self) -> Vec<String> {
        self.inspected.root_fs.as_ref().and_then(|root| root.layers.clone()).unwrap_or_default()
    }

    /// Checks that a builder honours all that it says of images that are built on it.
    pub(crate) fn check(&self, builder: &Builder) -> Result<(), ImageError> {
        let triggers = self.inspected.config.as_ref().and_then(|config| config.on_build.as_ref());
        if matches!(builder, Builder::Docker(_)) || triggers.is_none_or(Vec::is_empty) {
            return Ok(());
        }
        Err(ImageError::Parent(format!(
            "the image `{}` has commands of a Dockerfile for images that are built on it (`ONBUILD`), which the image builder of flavor `native` does not run; take one of flavor `docker`: `partita stack update STACK -i docker`",
            self.name
        )))
    }

    /// Returns where this machine keeps what it knows of its Python.
    fn known(&self, cache: &Path) -> PathBuf {
        cache.join(format!("parent-{}.json", self.id.trim_start_matches("sha256:")))
    }

    /// Returns its Python, if it has one, as far as this machine knows.
    pub(crate) fn known_python(&self, cache: &Path) -> Option<Option<ParentPython>> {
        serde_json::from_slice(&std::fs::read(self.known(cache)).ok()?).ok()
    }

    /// Keeps what was learned of its Python.
    pub(crate) fn keep_python(
        &self,
        python: &Option<ParentPython>,
        cache: &Path,
    ) -> Result<(), ImageError> {
        let known = self.known(cache);
        let text = serde_json::to_vec(python).unwrap_or_default();
        std::fs::write(&known, text).map_err(|error| ImageError::system(&known, error))
    }

    /// Returns its Python if steps of `own` can run in it.
    pub(crate) fn fit(
        &self,
        own: &OwnPython,
        python: Option<ParentPython>,
    ) -> Result<ParentPython, ImageError> {
        let image = &self.name;
        let Some(python) = python else {
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

/// Says that an image is made for another architecture than that of a place.
pub(crate) fn unfit_architecture(image: &str, theirs: &str, place: &str, ours: &str) -> ImageError {
    ImageError::Parent(format!(
        "the image `{image}` is made for `{theirs}`, and {place} runs on `{ours}`; build on one that is made for it"
    ))
}
