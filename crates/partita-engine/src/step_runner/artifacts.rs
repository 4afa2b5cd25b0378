//! Artifacts between a step and the store: published once, and checked before they are loaded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use partita_core::artifact::{
    ArtifactFile, ArtifactVersion, Manifest, content_digest, inline_files,
};
use partita_core::digest::Digest;
use partita_core::launcher::Attempt;
use partita_core::literal::Literal;
use partita_core::run::VERSION;

use super::{Content, NewOutput, RunContext};
use crate::clock;
use crate::file_digest::digest_file;
use crate::store::{ArtifactStore, Result, Staging, StoreError, encode, layout, read_document};

/// Name of the document that describes an artifact folder.
const MANIFEST: &str = "manifest.json";

/// Returns the name of the artifact that an output makes. What an item of a mapped step makes is
/// named apart from the list of all of them.
pub(super) fn artifact_name(attempt: &Attempt, output: &str) -> String {
    let item = if attempt.item.is_some() { ".item" } else { "" };
    format!("{}.{}.{output}{item}", attempt.deployment.pipeline.name, attempt.step().name)
}

/// Publishes an output, unless its value lives in the result.
pub(super) fn publish(
    context: &RunContext,
    attempt: &Attempt,
    output: NewOutput,
) -> Result<ArtifactVersion> {
    let artifact = artifact_name(attempt, &output.name);
    match output.content {
        Content::Inline(value) => {
            let files = inline_files(&value);
            Ok(ArtifactVersion {
                artifact,
                id: clock::new_id(),
                type_name: output.type_name,
                digest: content_digest(&output.format, &files),
                format: output.format,
                code: output.code,
                size: files[0].size,
                value: Some(value),
                items: None,
                metadata: output.metadata,
            })
        }
        Content::Files(staging) => {
            let files = digest_files(&*context.store, &staging)?;
            let id = staging.path().rsplit('/').next().unwrap_or_default().to_owned();
            let version = ArtifactVersion {
                artifact,
                id,
                type_name: output.type_name,
                digest: content_digest(&output.format, &files),
                format: output.format,
                code: output.code,
                size: files.iter().map(|file| file.size).sum(),
                value: None,
                items: None,
                metadata: output.metadata,
            };
            let maker = (&*context.run_id, attempt.step().name.as_str());
            write_manifest(&*context.store, maker, &version, files, &staging)?;
            context.store.publish(staging)?;
            Ok(version)
        }
    }
}

/// Publishes a value that no step made. The same content is one version, whoever passes it.
///
/// # Errors
/// If it cannot be stored.
pub fn publish_literal(
    store: &dyn ArtifactStore,
    artifact: &str,
    type_name: String,
    format: String,
    code: Option<Digest>,
    metadata: BTreeMap<String, Literal>,
    staging: Staging,
) -> Result<ArtifactVersion> {
    let files = digest_files(store, &staging)?;
    let digest = content_digest(&format, &files);
    let version = ArtifactVersion {
        artifact: artifact.to_owned(),
        id: digest.short(),
        type_name,
        format,
        digest,
        code,
        size: files.iter().map(|file| file.size).sum(),
        value: None,
        items: None,
        metadata,
    };
    let path = layout::artifact(&version);
    if store.list(&path)?.is_empty() {
        let staging = staging.moved_to(path.clone());
        write_manifest(store, ("", ""), &version, files, &staging)?;
        match store.publish(staging) {
            // Another process has stored the same content in the meantime.
            Err(_) if !store.list(&path)?.is_empty() => {}
            published => published?,
        }
    }
    Ok(version)
}

fn write_manifest(
    store: &dyn ArtifactStore,
    (run_id, step): (&str, &str),
    version: &ArtifactVersion,
    files: Vec<ArtifactFile>,
    staging: &Staging,
) -> Result<()> {
    let manifest = Manifest {
        version: VERSION,
        artifact: version.header(),
        files,
        run_id: run_id.to_owned(),
        step: step.to_owned(),
        created_at: clock::now(),
    };
    let path = staging.folder().join(MANIFEST);
    let bytes = encode(store, staging.path(), &manifest)?;
    fs::write(path, bytes).map_err(|error| failed(store, staging.path(), &error))
}

/// Returns the files of a staged folder, sorted by path, with their digests.
fn digest_files(store: &dyn ArtifactStore, staging: &Staging) -> Result<Vec<ArtifactFile>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    let fail = |error: &std::io::Error| failed(store, staging.path(), error);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(staging.folder().join(&folder)).map_err(|error| fail(&error))? {
            let entry = entry.map_err(|error| fail(&error))?;
            let path = folder.join(entry.file_name());
            let metadata = entry.metadata().map_err(|error| fail(&error))?;
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            if path == Path::new(MANIFEST) {
                let what = "an artifact's own files cannot be called `manifest.json`; rename it";
                return Err(fail(&std::io::Error::other(what)));
            }
            if !metadata.is_file() {
                let what =
                    format!("`{}` is not a file; an artifact holds nothing else", path.display());
                return Err(fail(&std::io::Error::other(what)));
            }
            let name = path
                .to_str()
                .ok_or_else(|| StoreError::OutsideStore(path.display().to_string()))?;
            let digest = match staging.known_digest(name) {
                Some(digest) => digest,
                None => digest_file(&entry.path()).map_err(|error| fail(&error))?,
            };
            files.push(ArtifactFile { path: name.to_owned(), size: metadata.len(), digest });
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Returns the value of an artifact version that lives in its document, after checking its digest.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is not the one that was stored.
pub fn load_inline<'a>(
    store: &dyn ArtifactStore,
    version: &'a ArtifactVersion,
) -> Result<Option<&'a Literal>> {
    if version.is_value_whole() {
        return Ok(version.value.as_ref());
    }
    Err(StoreError::Corrupt { path: version.artifact.clone(), uri: store.uri().to_owned() })
}

/// Returns a local folder with the files of an artifact version, after checking every digest.
///
/// # Errors
/// [`StoreError::Corrupt`] if the content is not what was stored.
pub fn load_folder(store: &dyn ArtifactStore, version: &ArtifactVersion) -> Result<PathBuf> {
    let path = layout::artifact(version);
    let folder = store.fetch(&path)?;
    let corrupt = |file: &str| StoreError::Corrupt {
        path: format!("{path}/{file}"),
        uri: store.uri().to_owned(),
    };
    let document = format!("{path}/{MANIFEST}");
    let manifest: Manifest =
        read_document(&store.read(&document)?, VERSION).map_err(|(reason, help)| {
            StoreError::BadDocument {
                path: document.clone(),
                uri: store.uri().to_owned(),
                reason,
                help,
            }
        })?;
    if content_digest(&version.format, &manifest.files) != version.digest {
        return Err(corrupt(MANIFEST));
    }
    for file in &manifest.files {
        let inside =
            Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
        let local = folder.join(&file.path);
        // What lies elsewhere, or is no file, is not even opened: it may be a device without end.
        let is_whole =
            || fs::symlink_metadata(&local).is_ok_and(|is| is.is_file() && is.len() == file.size);
        if !inside || !is_whole() || digest_file(&local).ok() != Some(file.digest) {
            return Err(corrupt(&file.path));
        }
    }
    Ok(folder)
}

fn failed(store: &dyn ArtifactStore, path: &str, error: &std::io::Error) -> StoreError {
    StoreError::Failed {
        path: path.to_owned(),
        uri: store.uri().to_owned(),
        reason: error.to_string(),
        help: String::new(),
    }
}
