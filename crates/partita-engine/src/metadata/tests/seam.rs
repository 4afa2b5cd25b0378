//! An artifact store that lets something happen just before it is asked for something.

use std::path::PathBuf;

use crate::store::{Hold, LeaseState, Result, Staging, Watch};

use super::*;

/// Delegates to a store, after telling `before` the method and its path.
pub(super) struct Seam<F> {
    pub(super) store: Arc<LocalArtifactStore>,
    pub(super) before: F,
}

impl<F: Fn(&str, &str) + Send + Sync> ArtifactStore for Seam<F> {
    fn uri(&self) -> &str {
        self.store.uri()
    }
    fn read(&self, path: &str) -> Result<Bytes> {
        (self.before)("read", path);
        self.store.read(path)
    }
    fn read_from(&self, path: &str, offset: u64) -> Result<Bytes> {
        (self.before)("read", path);
        self.store.read_from(path, offset)
    }
    fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.store.write(path, bytes)
    }
    fn link(&self, from: &str, to: &str) -> Result<bool> {
        self.store.link(from, to)
    }
    fn create(&self, path: &str, bytes: Bytes) -> Result<bool> {
        self.store.create(path, bytes)
    }
    fn appender(&self, path: &str) -> Result<Box<dyn Write + Send>> {
        self.store.appender(path)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        (self.before)("list", prefix);
        self.store.list(prefix)
    }
    fn delete(&self, prefix: &str) -> Result<()> {
        self.store.delete(prefix)
    }
    fn staging(&self, path: &str, owner: &str) -> Result<Staging> {
        self.store.staging(path, owner)
    }
    fn publish(&self, staging: Staging) -> Result<()> {
        self.store.publish(staging)
    }
    fn fetch(&self, path: &str) -> Result<PathBuf> {
        self.store.fetch(path)
    }
    fn hold(&self) -> Result<Hold> {
        (self.before)("hold", "");
        self.store.hold()
    }
    fn collecting(&self) -> Result<Hold> {
        self.store.collecting()
    }
    fn lease(&self, run_id: &str) -> Result<LeaseGuard> {
        self.store.lease(run_id)
    }
    fn lease_state(&self, run_id: &str) -> Result<LeaseState> {
        self.store.lease_state(run_id)
    }
    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>> {
        self.store.watch(prefix)
    }
}
