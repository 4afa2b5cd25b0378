//! The paths of everything in an artifact store.
//!
//! ```text
//! deployments/<deployment_id>.json
//! code/<digest>.tar.zst                    the author's code, see [`crate::code`]
//! runs/<run_id>/run.json · lease.json · submission.json · events.jsonl · end.json
//! runs/<run_id>/orchestrators/<name>.jsonl · <name>.representation
//! runs/<run_id>/steps/<index>-<slug>.commit.json
//! runs/<run_id>/steps/<index>-<slug>.attempt-<n>.json · .attempt-<n>.log.jsonl
//! runs/<run_id>/steps/<index>-<slug>.items/<item>.commit.json · .attempt-<n>.json · …
//! artifacts/<artifact>/<version>/{files…,manifest.json}
//! cache/<key>.json
//! staging/<run_id>.…                       artifact versions that are not whole yet
//! ```
//!
//! A step has no folder of its own: to make one costs a file system as much as to make a file. The
//! items of a mapped step share one.

use partita_core::artifact::ArtifactVersion;
use partita_core::digest::Digest;
use partita_core::launcher::Unit;
use partita_core::name::slug;

/// Where artifact versions are prepared, on the same file system as the rest.
pub const STAGING: &str = "staging";

/// Returns what the names of all that is prepared for a run begin with.
pub fn staging_prefix(run_id: &str) -> String {
    format!("{}.", slug(run_id))
}

/// Returns the path of a deployment.
pub fn deployment(id: &str) -> String {
    format!("deployments/{}.json", slug(id))
}

/// The folder of code archives.
pub const CODE: &str = "code";

/// Returns the path of the archive of the code with this digest.
pub fn code(digest: &Digest) -> String {
    format!("{CODE}/{digest}.tar.zst")
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

/// Returns the path of what says that an orchestrator goes through a run by itself.
pub fn submission(run_id: &str) -> String {
    format!("{}/submission.json", run(run_id))
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

/// Returns what the paths of a step begin with, or those of one of its items; `name` is the step's.
fn unit(run_id: &str, unit: Unit, name: &str) -> String {
    match unit.item {
        None => format!("{}/{}-{}", steps(run_id), unit.step, slug(name)),
        Some(item) => format!("{}/{item}", items(run_id, unit.step, name)),
    }
}

/// Returns the folder of what the items of the mapped step `name` leave.
pub fn items(run_id: &str, index: usize, name: &str) -> String {
    format!("{}/{index}-{}{ITEMS}", steps(run_id), slug(name))
}

/// Returns the path of the commit of a step or an item.
pub fn commit(run_id: &str, of: impl Into<Unit>, name: &str) -> String {
    format!("{}{COMMIT}", unit(run_id, of.into(), name))
}

/// Returns the path of the result of an attempt that did not succeed.
pub fn result(run_id: &str, of: impl Into<Unit>, name: &str, number: u32) -> String {
    format!("{}{ATTEMPT}{number}{RESULT}", unit(run_id, of.into(), name))
}

/// Returns the path of an attempt's log.
pub fn log(run_id: &str, of: impl Into<Unit>, name: &str, number: u32) -> String {
    format!("{}{ATTEMPT}{number}{LOG}", unit(run_id, of.into(), name))
}

const ITEMS: &str = ".items";
const COMMIT: &str = ".commit.json";
const ATTEMPT: &str = ".attempt-";
const RESULT: &str = ".json";
const LOG: &str = ".log.jsonl";

/// Returns the path of what an orchestrator that lives in a process of its own says during a run.
pub fn orchestrator_log(run_id: &str, name: &str) -> String {
    format!("{}/orchestrators/{}.jsonl", run(run_id), slug(name))
}

/// Returns the path of what an orchestrator made of the deployment of a run.
pub fn representation(run_id: &str, name: &str) -> String {
    format!("{}/orchestrators/{}.representation", run(run_id), slug(name))
}

/// What a file among those of a run's steps is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepFile {
    /// The step's commit.
    Commit,
    /// The result or the log of this attempt.
    Attempt(u32),
    /// The folder of its items.
    Items,
}

/// Returns the index of the step that a file of a run's steps belongs to, and what it is. Folders
/// end in `/`.
pub fn step_file(name: &str) -> Option<(usize, StepFile)> {
    let index = name.split('-').next()?.parse().ok()?;
    let is_items = name.strip_suffix('/').is_some_and(|folder| folder.ends_with(ITEMS));
    let file = if is_items { StepFile::Items } else { file(name)? };
    Some((index, file))
}

/// Returns the item that a file in the folder of a step's items belongs to, and what it is.
pub fn item_file(name: &str) -> Option<(u32, StepFile)> {
    let item = name.split('.').next()?.parse().ok()?;
    Some((item, file(name)?))
}

fn file(name: &str) -> Option<StepFile> {
    if name.ends_with(COMMIT) {
        return Some(StepFile::Commit);
    }
    let rest = name.strip_suffix(LOG).or_else(|| name.strip_suffix(RESULT))?;
    let (_, number) = rest.rsplit_once(ATTEMPT)?;
    Some(StepFile::Attempt(number.parse().ok()?))
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

    fn check_item(path: &str, expected: (u32, StepFile)) {
        assert_eq!(item_file(path.rsplit('/').next().unwrap_or_default()), Some(expected));
    }

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
            let folder = format!("{}/", items("r", 12, name));
            let listed = folder.strip_prefix("runs/r/steps/").expect("under the run's steps");
            assert_eq!(step_file(listed), Some((12, StepFile::Items)), "{name}");
            let item = Unit::item(12, 7);
            check_item(&commit("r", item, name), (7, StepFile::Commit));
            check_item(&result("r", item, name, 3), (7, StepFile::Attempt(3)));
            check_item(&log("r", item, name, 3), (7, StepFile::Attempt(3)));
        }
        for other in ["12-train.items", "train.commit.json", "12-train.attempt-x.json", "12"] {
            check(other, None);
        }
    }
}
