//! Layers as registries keep them: packed, the same bytes each time.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};

use crate::layer::Hashing;

/// What a layer is once it is packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    pub(super) digest: String,
    pub(super) size: u64,
}

impl Packed {
    fn kept(cache: &Path, layer: &str) -> PathBuf {
        cache.join(format!("packed-{}.json", layer.trim_start_matches("sha256:")))
    }

    /// Returns what this machine has made of a layer before, so that what a registry has is not packed again.
    pub(super) fn known(cache: &Path, layer: &str) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::kept(cache, layer)).ok()?).ok()
    }

    /// Packs a layer and keeps what that makes of it.
    pub(super) fn make(cache: &Path, layer: &str, from: &Path, into: File) -> io::Result<Self> {
        // Neither a name nor a time.
        let mut packing = GzBuilder::new().write(Hashing::new(into), Compression::default());
        io::copy(&mut BufReader::new(File::open(from)?), &mut packing)?;
        let (digest, size) = packing.finish()?.finish()?;
        let packed = Self { digest, size };
        fs::write(Self::kept(cache, layer), serde_json::to_vec(&packed)?)?;
        Ok(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_layer_is_packed_into_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("layer.tar");
        fs::write(&from, b"layer ".repeat(10_000)).unwrap();
        let packed = |name: &str| {
            let cache = folder.path().join(name);
            fs::create_dir(&cache).unwrap();
            let into = cache.join("layer.tar.gz");
            let made = Packed::make(&cache, "sha256:a", &from, File::create(&into).unwrap());
            assert_eq!(Packed::known(&cache, "sha256:a").as_ref(), made.as_ref().ok());
            (made.unwrap(), fs::read(into).unwrap())
        };
        let (made, bytes) = packed("first");
        assert_eq!(made.size, bytes.len() as u64);
        assert_eq!(made.digest, crate::layer::digest(&bytes));
        assert_eq!((made, bytes), packed("second"));
    }
}
