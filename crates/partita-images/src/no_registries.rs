//! What there is in place of registries in a build without the feature `registries`: a refusal.

use std::path::Path;

use serde_json::Value;

use crate::error::ImageError;
use crate::native::Layer;
use crate::parent::{Parent, ParentPython};
use crate::registry::Registry;

/// Registries, which nobody has here.
pub(crate) enum InRegistries {}

impl InRegistries {
    pub(crate) fn new(registry: Registry, _: &Path) -> Result<Self, ImageError> {
        Err(ImageError::Registry(format!(
            "the container registry `{}` has to be asked for images, and this program is built without \
             that; build it with the feature `registries` of the crate `partita`, or use \
             images as they are, with `skip_build`",
            registry.uri
        )))
    }

    pub(crate) async fn find(&self, _: &str) -> Result<Parent, ImageError> {
        match *self {}
    }

    pub(crate) async fn has(&self, _: &str) -> Result<bool, ImageError> {
        match *self {}
    }

    pub(crate) async fn python(&self, _: &Parent) -> Result<Option<ParentPython>, ImageError> {
        match *self {}
    }

    pub(crate) async fn push(
        &self,
        _: &str,
        _: &Value,
        _: &Parent,
        _: &[Layer],
    ) -> Result<(), ImageError> {
        match *self {}
    }
}
