//! Giving an image to a registry: its layers, its configuration, and the manifest that names them.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use oci_client::Reference;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_LAYER_GZIP_MEDIA_TYPE,
    IMAGE_LAYER_GZIP_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor,
    OciImageManifest,
};
use serde_json::Value;

use super::answer::Answer;
use super::pack::Packed;
use super::{Distributed, InRegistries};
use crate::error::ImageError;
use crate::layer;
use crate::native::{Layer, blocking};
use crate::parent::Parent;
use crate::transfer;

/// How many layers are on their way at once.
const AT_ONCE: usize = 4;

/// The words of one family of formats. A manifest names those of one alone, which is its parent's.
struct Family {
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

const DOCKER: Family = Family {
    manifest: IMAGE_MANIFEST_MEDIA_TYPE,
    config: IMAGE_DOCKER_CONFIG_MEDIA_TYPE,
    layer: IMAGE_DOCKER_LAYER_GZIP_MEDIA_TYPE,
};

const OCI: Family = Family {
    manifest: OCI_IMAGE_MEDIA_TYPE,
    config: IMAGE_CONFIG_MEDIA_TYPE,
    layer: IMAGE_LAYER_GZIP_MEDIA_TYPE,
};

impl InRegistries {
    /// Pushes an image whose layers were written here, with those of its parent that the registry lacks.
    pub(crate) async fn push(
        &self,
        image: &str,
        config: &Value,
        parent: &Parent,
        layers: &[Layer],
    ) -> Result<(), ImageError> {
        let target = self.clients.reference(image)?;
        let Distributed { reference, manifest, .. } = self.distributed(&parent.name).await?;
        let family = if manifest.config.media_type == DOCKER.config { DOCKER } else { OCI };
        let carried =
            manifest.layers.iter().map(|layer| self.carry(parent, &reference, image, layer));
        stream::iter(carried).buffered(AT_ONCE).try_collect::<()>().await?;
        let mut all = manifest.layers.clone();
        for layer in layers {
            let Packed { digest, size } = self.give(image, layer).await?;
            all.push(descriptor(family.layer, digest, size));
        }
        let bytes = serde_json::to_vec(config).unwrap_or_default();
        let described = descriptor(family.config, layer::digest(&bytes), bytes.len() as u64);
        let failed = |error| self.refused(image, error);
        let client = self.clients.of(&target).await?;
        if !client.blob_exists(&target, &described.digest).await.map_err(failed)? {
            client.push_blob(&target, bytes, &described.digest).await.map_err(failed)?;
        }
        let manifest = OciImageManifest {
            media_type: Some(family.manifest.to_owned()),
            config: described,
            layers: all,
            ..OciImageManifest::default()
        };
        client.push_manifest(&target, &manifest.into()).await.map_err(failed)?;
        Ok(())
    }

    /// Sees to it that the registry has a layer of the parent beside an image: from another repository
    /// of its own, or else from the parent's registry.
    async fn carry(
        &self,
        parent: &Parent,
        from: &Reference,
        image: &str,
        layer: &OciDescriptor,
    ) -> Result<(), ImageError> {
        let target = self.clients.reference(image)?;
        let failed = |error| self.refused(image, error);
        let client = self.clients.of(&target).await?;
        if client.blob_exists(&target, &layer.digest).await.map_err(failed)? {
            return Ok(());
        }
        // One that cannot take it from beside begins an upload instead, which is an error here.
        if from.registry() == target.registry()
            && client.mount_blob(&target, from, &layer.digest).await.is_ok()
        {
            return Ok(());
        }
        let source = self.clients.of(from).await?;
        let pulled = source.pull_blob_stream(from, layer).await.map_err(Answer::from);
        let pulled =
            pulled.map_err(|answer| self.clients.unavailable(&parent.name, from, &answer))?;
        let body = pulled.stream.map_err(OciDistributionError::from);
        let size = u64::try_from(layer.size).ok();
        client.push_blob_stream(&target, body, &layer.digest, size).await.map_err(failed)?;
        Ok(())
    }

    /// Gives a layer to the registry if it does not have it.
    async fn give(&self, image: &str, layer: &Layer) -> Result<Packed, ImageError> {
        let target = self.clients.reference(image)?;
        let failed = |error| self.refused(image, error);
        let client = self.clients.of(&target).await?;
        if let Some(known) = Packed::known(&self.cache, &layer.digest)
            && client.blob_exists(&target, &known.digest).await.map_err(failed)?
        {
            return Ok(known);
        }
        let written = |error| ImageError::system(&self.cache, error);
        let file = tempfile::tempfile_in(&self.cache).map_err(written)?;
        let into = file.try_clone().map_err(written)?;
        let (cache, name, from) = (self.cache.clone(), layer.digest.clone(), layer.file.clone());
        let packed = blocking(move || Packed::make(&cache, &name, &from, into)).await;
        let packed = packed.map_err(written)?;
        if !client.blob_exists(&target, &packed.digest).await.map_err(failed)? {
            let body = transfer::parts(file).map_err(written)?;
            let body = body.map_ok(Bytes::from).map_err(OciDistributionError::from);
            let pushed = client.push_blob_stream(&target, body, &packed.digest, Some(packed.size));
            pushed.await.map_err(failed)?;
        }
        Ok(packed)
    }

    fn refused(&self, image: &str, error: OciDistributionError) -> ImageError {
        self.clients.told("be given", image, &Answer::from(error))
    }
}

fn descriptor(media_type: &str, digest: String, size: u64) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest,
        size: i64::try_from(size).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}
