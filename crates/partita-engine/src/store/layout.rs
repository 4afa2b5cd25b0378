//! The paths of everything in an artifact store.
//!
//! ```text
//! deployments/<deployment_id>.json
//! runs/<run_id>/run.json · lease.json · events.jsonl · end.json
//! runs/<run_id>/steps/<index>-<slug>.commit.json
//! runs/<run_id>/steps/<index>-<slug>.attempt-<n>.json · .attempt-<n>.log.jsonl
//! artifacts/<artifact>/<version>/{files…,manifest.json}
//! cache/<key>.json
//! ```
//!
//! A step has no folder of its own: to make one costs a file system as much as to make a file.

use partita_core::artifact::ArtifactVersion;
use partita_core::digest::Digest;
use partita_core::name::slug;

/// Returns the path of a deployment.
pub fn deployment(id: &str) -> String {
    format!("deployments/{}.json", slug(id))
}

/// Returns the folder of a run.
pub fn run(run_id: &str) -> String {
    format!("runs/{}", slug(run_id))
}

/// Returns the path of a run's header.
pub fn run_header(run_id: &str) -> String {
    format!("{}/run.json", run(run_id))
}

/// Returns the path of a run's end.
pub fn run_end(run_id: &str) -> String {
    format!("{}/end.json", run(run_id))
}

/// Returns the path of a run's events.
pub fn events(run_id: &str) -> String {
    format!("{}/events.jsonl", run(run_id))
}

/// Returns the path of a run's lease.
pub fn lease(run_id: &str) -> String {
    format!("{}/lease.json", run(run_id))
}

/// Returns the folder of what a run's steps leave.
pub fn steps(run_id: &str) -> String {
    format!("{}/steps", run(run_id))
}

/// Returns what the paths of the step `name` begin with, the one with this index in its deployment.
fn step(run_id: &str, index: usize, name: &str) -> String {
    format!("{}/{index}-{}", steps(run_id), slug(name))
}

/// Returns the path of a step's commit.
pub fn commit(run_id: &str, index: usize, name: &str) -> String {
    format!("{}{COMMIT}", step(run_id, index, name))
}

/// Returns the path of the result of an attempt that did not succeed.
pub fn result(run_id: &str, index: usize, name: &str, number: u32) -> String {
    format!("{}{ATTEMPT}{number}{RESULT}", step(run_id, index, name))
}

/// Returns the path of an attempt's log.
pub fn log(run_id: &str, index: usize, name: &str, number: u32) -> String {
    format!("{}{ATTEMPT}{number}{LOG}", step(run_id, index, name))
}

const COMMIT: &str = ".commit.json";
const ATTEMPT: &str = ".attempt-";
const RESULT: &str = ".json";
const LOG: &str = ".log.jsonl";

/// What a file among those of a run's steps is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepFile {
    /// The step's commit.
    Commit,
    /// The result or the log of this attempt.
    Attempt(u32),
}

/// Returns the index of the step that a file of a run's steps belongs to, and what it is.
pub fn step_file(name: &str) -> Option<(usize, StepFile)> {
    let index = name.split('-').next()?.parse().ok()?;
    if name.ends_with(COMMIT) {
        return Some((index, StepFile::Commit));
    }
    let rest = name.strip_suffix(LOG).or_else(|| name.strip_suffix(RESULT))?;
    let (_, number) = rest.rsplit_once(ATTEMPT)?;
    Some((index, StepFile::Attempt(number.parse().ok()?)))
}

/// Returns the folder of an artifact version.
pub fn artifact(version: &ArtifactVersion) -> String {
    artifact_folder(&version.artifact, &version.id)
}

/// Returns the folder of the version `id` of `artifact`.
pub fn artifact_folder(artifact: &str, id: &str) -> String {
    format!("artifacts/{}/{}", slug(artifact), slug(id))
}

/// Returns the path of a cache entry.
pub fn cache(key: &Digest) -> String {
    format!("cache/{key}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<(usize, StepFile)>) {
        assert_eq!(step_file(path.rsplit('/').next().unwrap_or_default()), expected, "{path}");
    }

    #[test]
    fn files_of_steps_are_told_apart_whatever_the_steps_are_called() {
        for name in ["train", "a b", "x.commit.json", "x.attempt-7", "x.attempt-7.json", "-", "é"]
        {
            check(&commit("r", 12, name), Some((12, StepFile::Commit)));
            check(&result("r", 12, name, 3), Some((12, StepFile::Attempt(3))));
            check(&log("r", 12, name, 3), Some((12, StepFile::Attempt(3))));
        }
        for other in ["12-train.items", "train.commit.json", "12-train.attempt-x.json", "12"] {
            check(other, None);
        }
    }
}
