//! Answers about artifact versions: which there are, what they came from and what came of them.

use std::collections::{HashSet, VecDeque};

use partita_core::artifact::ArtifactVersion;
use partita_core::launcher::Unit;
use partita_core::name;

use super::error::{MetadataError, Result};
use super::{ArtifactView, Direction, Lineage, LineageStep, RunIndex, VersionFilter};
use crate::store::{ArtifactStore, Documents};

/// Versions that an ambiguous reference is explained with, at most.
const CANDIDATES: usize = 8;

/// The artifact versions of an index.
pub struct Artifacts<'a> {
    index: &'a dyn RunIndex,
}

impl<'a> Artifacts<'a> {
    /// Returns the artifact versions in `index`.
    pub fn new(index: &'a dyn RunIndex) -> Self {
        Self { index }
    }

    /// Returns artifact versions, latest first.
    ///
    /// # Errors
    /// If the index fails.
    pub fn list(&self, filter: &VersionFilter) -> Result<Vec<ArtifactView>> {
        self.index.versions(filter)
    }

    /// Returns the artifact version that `reference` means: an artifact's name for its latest
    /// version, a version's id, or an unambiguous beginning of one.
    ///
    /// # Errors
    /// [`MetadataError::NotFound`] or [`MetadataError::Ambiguous`].
    pub fn find(&self, reference: &str) -> Result<ArtifactView> {
        let named = VersionFilter {
            artifact: Some(reference.to_owned()),
            limit: Some(1),
            ..VersionFilter::default()
        };
        if let Some(latest) = self.index.versions(&named)?.pop() {
            return Ok(latest);
        }
        if reference.is_empty() {
            return self.unknown(reference);
        }
        let begun = VersionFilter {
            id_prefix: Some(reference.to_owned()),
            limit: Some(CANDIDATES),
            ..VersionFilter::default()
        };
        let mut found = self.index.versions(&begun)?;
        if let Some(exact) =
            found.iter().position(|view| view.version.artifact_version == reference)
        {
            return Ok(found.swap_remove(exact));
        }
        match found.len() {
            0 => self.unknown(reference),
            1 => Ok(found.swap_remove(0)),
            _ => Err(MetadataError::Ambiguous {
                what: "artifact versions".to_owned(),
                reference: reference.to_owned(),
                candidates: found
                    .iter()
                    .map(|view| {
                        format!("`{}` ({})", view.version.artifact_version, view.version.artifact)
                    })
                    .collect(),
            }),
        }
    }

    fn unknown<T>(&self, reference: &str) -> Result<T> {
        let known = self
            .index
            .versions(&VersionFilter { limit: Some(1000), ..VersionFilter::default() })?;
        let names = || known.iter().map(|view| view.version.artifact.as_str());
        Err(MetadataError::NotFound {
            what: "artifact".to_owned(),
            name: reference.chars().take(name::NAME_LENGTH).collect(),
            nearest: with_parts(reference, names())
                .or_else(|| name::nearest(reference, names()))
                .or_else(|| nearest_end(reference, names()))
                .map(str::to_owned),
            help: "`partita artifacts list` shows them all".to_owned(),
        })
    }

    /// Returns where the version that `reference` means comes from and what came of it.
    ///
    /// # Errors
    /// As for [`Self::find`].
    pub fn lineage(&self, reference: &str) -> Result<Lineage> {
        let found = self.find(reference)?.version;
        Ok(Lineage {
            upstream: self.walk(&found.artifact_version, Direction::Upstream)?,
            downstream: self.walk(&found.artifact_version, Direction::Downstream)?,
            artifact: found.artifact,
            artifact_version: found.artifact_version,
        })
    }

    /// Returns the steps reached from a version, nearest first, each once.
    fn walk(&self, version: &str, direction: Direction) -> Result<Vec<LineageStep>> {
        let mut seen_versions = HashSet::from([version.to_owned()]);
        let mut seen_steps = HashSet::new();
        let mut next = VecDeque::from([version.to_owned()]);
        let mut steps = Vec::new();
        while let Some(version) = next.pop_front() {
            for step in self.index.neighbours(&version, direction)? {
                if !seen_steps.insert((step.run_id.clone(), step.step.clone(), step.item)) {
                    continue;
                }
                let further = match direction {
                    Direction::Upstream => &step.inputs,
                    Direction::Downstream => &step.outputs,
                };
                for version in further.values() {
                    if seen_versions.insert(version.clone()) {
                        next.push_back(version.clone());
                    }
                }
                steps.push(step);
            }
        }
        Ok(steps)
    }

    /// Returns an artifact version as its step recorded it, with its value if that lives there.
    ///
    /// # Errors
    /// If `store` no longer has the commit, or it is damaged.
    pub fn read(&self, store: &dyn ArtifactStore, view: &ArtifactView) -> Result<ArtifactVersion> {
        let documents = Documents::new(store);
        let header = documents.run_header(&view.run_id)?;
        let deployment = documents.deployment(&header.deployment_id)?;
        let index = deployment.steps.iter().position(|step| step.name == view.step);
        let commit = match index {
            Some(step) => {
                let unit = Unit { step, item: view.item };
                documents.commit(&view.run_id, unit, &view.step)?
            }
            None => None,
        };
        commit.and_then(|mut commit| commit.outputs.remove(&view.output)).ok_or_else(|| {
            MetadataError::NotFound {
                what: "artifact version".to_owned(),
                name: view.version.artifact_version.clone(),
                nearest: None,
                help: format!(
                    "run `{}` has lost it; run the step again with `--no-cache`",
                    view.run
                ),
            }
        })
    }
}

/// Returns the first name that has `reference` in it, as one or several of its parts between dots.
fn with_parts<'n>(reference: &str, mut names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let parts = format!(".{reference}.");
    names.find(|name| format!(".{name}.").contains(&parts))
}

/// Returns the name whose end, after one of its dots, is nearest to `reference`: artifacts are often
/// asked for without their pipeline and their step.
fn nearest_end<'n>(reference: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let ends: Vec<(&str, &str)> = names
        .flat_map(|name| name.match_indices('.').map(move |(dot, _)| (&name[dot + 1..], name)))
        .collect();
    let nearest = name::nearest(reference, ends.iter().map(|(end, _)| *end))?;
    ends.iter().find(|(end, _)| *end == nearest).map(|(_, name)| *name)
}
