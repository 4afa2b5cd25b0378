//! Where a path of the store lies, and why it cannot be reached.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use object_store::path::Path as Location;

use super::LocalArtifactStore;
use crate::store::{Result, StoreError};

impl LocalArtifactStore {
    pub(super) fn location(path: &str) -> Result<Location> {
        let outside = || StoreError::OutsideStore(path.chars().take(200).collect());
        if path.is_empty() || path.starts_with('/') {
            return Err(outside());
        }
        Location::parse(path).map_err(|_| outside())
    }

    pub(super) fn file(&self, path: &str) -> Result<PathBuf> {
        Self::location(path)?;
        Ok(self.files.root().join(path))
    }

    /// Returns the file at `path`, which is a plain one or not there: a link would lead out of the
    /// store, and whoever opened a pipe would wait for ever.
    pub(super) fn plain_file(&self, path: &str) -> Result<PathBuf> {
        let file = self.file(path)?;
        match fs::symlink_metadata(&file) {
            Ok(found) if !found.is_file() => Err(StoreError::BadDocument {
                path: path.to_owned(),
                uri: self.uri.clone(),
                reason: "it is no plain file".to_owned(),
                help: "remove it".to_owned(),
            }),
            _ => Ok(file),
        }
    }

    /// Checks that no folder above `file` is a link out of the store: what lies there is somebody
    /// else's.
    pub(super) fn check_inside(&self, path: &str, file: &Path) -> Result<()> {
        match file.parent().map(Path::canonicalize) {
            Some(Ok(folder)) if !folder.starts_with(self.files.root()) => {
                Err(StoreError::OutsideStore(path.to_owned()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&self, path: &str, error: &std::io::Error) -> StoreError {
        if error.kind() == ErrorKind::NotFound {
            return StoreError::NotFound { path: path.to_owned(), uri: self.uri.clone() };
        }
        StoreError::Failed {
            path: path.to_owned(),
            uri: self.uri.clone(),
            reason: error.to_string(),
            help: help(error.kind()).to_owned(),
        }
    }

    pub(super) fn object_failed(&self, path: &str, error: object_store::Error) -> StoreError {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return StoreError::NotFound { path: path.to_owned(), uri: self.uri.clone() };
        }
        let mut cause: &dyn std::error::Error = &error;
        loop {
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                return self.failed(path, io);
            }
            match cause.source() {
                Some(deeper) => cause = deeper,
                None => break,
            }
        }
        StoreError::Failed {
            path: path.to_owned(),
            uri: self.uri.clone(),
            reason: error.to_string(),
            help: String::new(),
        }
    }
}

pub(super) fn uri(root: &Path) -> String {
    format!("file://{}", root.display())
}

/// Returns a path without symbolic links in as much of it as is there.
pub(super) fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    for ancestor in path.ancestors() {
        match ancestor.canonicalize() {
            Ok(found) => {
                let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
                return Ok(if rest.as_os_str().is_empty() { found } else { found.join(rest) });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(path)
}

fn help(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space (`partita store gc --cache` removes what no run needs) and resume the run"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; make the folder writable, or set `PARTITA_HOME` to one that is"
        }
        _ => "",
    }
}
