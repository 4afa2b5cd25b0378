//! What keeps images: those that others are built on come from there, and what is made goes there.

use std::path::Path;

use partita_orchestrators::docker::Engine;
use serde_json::Value;

use crate::builder::Builder;
use crate::error::ImageError;
use crate::in_registries::InRegistries;
use crate::make::Request;
use crate::native::Layer;
use crate::on_engine::OnEngine;
use crate::own::OwnPython;
use crate::parent::{Parent, ParentPython};

/// What keeps images.
#[cfg_attr(
    not(feature = "registries"),
    allow(clippy::large_enum_variant, reason = "the other one is never made")
)]
pub(crate) enum Keeper {
    /// An engine, which gets them from registries and gives them there.
    Engine(OnEngine),
    /// Registries alone: no engine is there, and none is needed.
    Registries(InRegistries),
}

impl Keeper {
    /// Returns what keeps the images of a request: the engine if it is there, and else the registry of
    /// the stack, as long as nothing has to be run; `containers` begins the names of containers.
    pub(crate) async fn of(request: &Request<'_>, containers: String) -> Result<Self, ImageError> {
        let registry = request.registry.as_ref();
        let away = match Engine::of(request.orchestrator).await {
            Ok(engine) => {
                return Ok(Self::Engine(OnEngine::new(engine, request, containers)));
            }
            Err(away) if !away.is_unreachable() || request.runs_on_engine => {
                return Err(away.into());
            }
            Err(away) => away,
        };
        match (&request.builder, registry) {
            (Builder::Native, Some(registry)) => {
                InRegistries::new(registry.clone(), &request.cache).map(Self::Registries)
            }
            _ => Err(ImageError::NoEngine(away)),
        }
    }

    /// Returns the engine, which whatever runs something while an image is made needs.
    pub(crate) fn engine(&self) -> Result<&Engine, ImageError> {
        match self {
            Self::Engine(kept) => Ok(&kept.engine),
            Self::Registries(_) => Err(ImageError::Away("there is none".to_owned())),
        }
    }

    /// Returns the words for it.
    pub(crate) fn in_words(&self) -> &'static str {
        match self {
            Self::Engine(_) => "the engine",
            Self::Registries(_) => "the registry",
        }
    }

    /// Returns an image that others are built on; `None` if it has to be pulled first.
    pub(crate) async fn there(&self, name: &str) -> Result<Option<Parent>, ImageError> {
        match self {
            Self::Engine(kept) => kept.there(name).await,
            Self::Registries(kept) => kept.find(name).await.map(Some),
        }
    }

    /// Returns an image that others are built on, which is pulled if it has to be.
    pub(crate) async fn find(&self, name: &str) -> Result<Parent, ImageError> {
        match self {
            Self::Engine(kept) => kept.find(name).await,
            Self::Registries(kept) => kept.find(name).await,
        }
    }

    /// Returns whether an image that was made is there.
    pub(crate) async fn has(&self, image: &str) -> Result<bool, ImageError> {
        match self {
            Self::Engine(kept) => Ok(kept.there(image).await?.is_some()),
            Self::Registries(kept) => kept.has(image).await,
        }
    }

    /// Returns whether an image that was made is there, or where images are kept besides.
    pub(crate) async fn has_anywhere(&self, image: &str) -> Result<bool, ImageError> {
        match self {
            Self::Engine(kept) => kept.has_anywhere(image).await,
            Self::Registries(kept) => kept.has(image).await,
        }
    }

    /// Returns whether an image that was made is there, or can be got from where images are kept besides.
    pub(crate) async fn gets(&self, image: &str) -> Result<bool, ImageError> {
        match self {
            Self::Engine(kept) => kept.gets(image).await,
            Self::Registries(kept) => kept.has(image).await,
        }
    }

    /// Returns the Python of an image, in which steps of `own` can run; `cache` is where this machine
    /// keeps what it knows of images.
    pub(crate) async fn python_for(
        &self,
        own: &OwnPython,
        parent: &Parent,
        cache: &Path,
    ) -> Result<ParentPython, ImageError> {
        let python = match parent.known_python(cache) {
            Some(known) => known,
            None => {
                let found = match self {
                    Self::Engine(kept) => kept.python(parent).await?,
                    Self::Registries(kept) => kept.python(parent).await?,
                };
                parent.keep_python(&found, cache)?;
                found
            }
        };
        parent.fit(own, python)
    }

    /// Takes an image whose layers were written here, on top of those of its parent; `steps` run in it.
    pub(crate) async fn take(
        &self,
        image: &str,
        config: &Value,
        parent: &Parent,
        layers: &[Layer],
        steps: &str,
    ) -> Result<(), ImageError> {
        match self {
            Self::Engine(kept) => kept.load(image, config, parent, layers, steps).await,
            Self::Registries(kept) => kept.push(image, config, parent, layers).await,
        }
    }

    /// Gives an image that was built to where it is kept besides.
    pub(crate) async fn share(&self, image: &str) -> Result<(), ImageError> {
        match self {
            Self::Engine(kept) => kept.push(image).await,
            Self::Registries(_) => Ok(()),
        }
    }

    /// Removes what builds that were cancelled have left: containers whose names begin with this, and
    /// images that are parts of others.
    pub(crate) async fn clean(&self, containers: &str, parts: &[String]) {
        match self {
            Self::Engine(kept) => kept.clean(containers, parts).await,
            Self::Registries(_) => {}
        }
    }
}
