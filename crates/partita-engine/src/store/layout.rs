//! The paths of everything in an artifact store.
//!
//! ```text
//! deployments/<deployment_id>.json
//! runs/<run_id>/run.json · lease.json · events.jsonl · end.json
//! runs/<run_id>/steps/<index>-<slug>/attempts/<n>/{result.json,log.jsonl}
//! runs/<run_id>/steps/<index>-<slug>/commit.json
//! artifacts/<artifact>/<version>/{files…,manifest.json}
//! cache/<key>.json
//! ```

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

/// Returns the folder of the step `name`, the one with this index in its deployment.
pub fn step(run_id: &str, index: usize, name: &str) -> String {
    format!("{}/steps/{index}-{}", run(run_id), slug(name))
}

/// Returns the path of a step's commit.
pub fn commit(run_id: &str, index: usize, name: &str) -> String {
    format!("{}/commit.json", step(run_id, index, name))
}

/// Returns the folder of a step's attempt.
pub fn attempt(run_id: &str, index: usize, name: &str, number: u32) -> String {
    format!("{}/attempts/{number}", step(run_id, index, name))
}

/// Returns the path of an attempt's result.
pub fn result(run_id: &str, index: usize, name: &str, number: u32) -> String {
    format!("{}/result.json", attempt(run_id, index, name, number))
}

/// Returns the path of an attempt's log.
pub fn log(run_id: &str, index: usize, name: &str, number: u32) -> String {
    format!("{}/log.jsonl", attempt(run_id, index, name, number))
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
