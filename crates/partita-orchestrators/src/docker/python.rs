//! The Python of an image, as far as its files tell: nothing of it is run.

use super::cuda::Variables;
use super::engine::{Engine, Trouble};
use super::unstarted::{self, Unstarted};

/// Where programs are in an image that does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The Python of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Python {
    /// There is none in the folders of this path.
    Missing(String),
    /// There is one, of this version where its name says so.
    There(Option<String>),
}

/// How deployments begin to name the interpreter that they were compiled with.
const CPYTHON: &str = "cpython-";

impl Python {
    /// Returns what does not fit code that was compiled with an interpreter such as `cpython-3.11`, in
    /// words that follow "the image …".
    pub(super) fn unfit(&self, interpreter: &str) -> Option<String> {
        let ours = interpreter.strip_prefix(CPYTHON);
        match (self, ours) {
            (Self::Missing(path), _) => Some(format!(
                "has no `python` in `{path}`; NVIDIA's own images bring none, so make one of it that has Python and Partita"
            )),
            (Self::There(Some(theirs)), Some(ours)) if theirs != ours => Some(format!(
                "has Python {theirs}, and this run is begun with Python {ours}; take one that has the same"
            )),
            _ => None,
        }
    }
}

/// Looks for the `python` of an image, in a container that is never started.
pub(super) async fn find(
    engine: &Engine,
    image: &str,
    variables: &Variables,
) -> Result<Python, Trouble> {
    unstarted::look(engine, image, async |container| find_in(container, variables).await).await
}

async fn find_in(container: &Unstarted<'_>, variables: &Variables) -> Result<Python, Trouble> {
    let path = variables.get("PATH").map_or(PATH, String::as_str);
    for folder in path.split(':').filter(|folder| folder.starts_with('/')) {
        if let Some(target) = container.target(&format!("{folder}/python")).await? {
            return Ok(Python::There(version(&target, variables)));
        }
    }
    Ok(Python::Missing(path.to_owned()))
}

/// Returns the version in the name of an interpreter, as in `python3.11`, or else what images of
/// Python's makers say.
fn version(file: &str, variables: &Variables) -> Option<String> {
    let (_, name) = file.rsplit_once('/').unwrap_or(("", file));
    let in_name = name.strip_prefix("python").filter(|version| version.contains('.'));
    let said = variables.get("PYTHON_VERSION").map(String::as_str);
    let mut parts = in_name.or(said)?.split('.');
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::cuda::variables;

    #[test]
    fn a_python_of_another_version_does_not_fit() {
        let there = |version: &str| Python::There(Some(version.to_owned()));
        for (python, expected) in [
            (there("3.11"), None),
            (Python::There(None), None),
            (there("3.10"), Some("has Python 3.10, and this run is begun with Python 3.11")),
            (Python::Missing("/bin".to_owned()), Some("has no `python` in `/bin`")),
        ] {
            let unfit = python.unfit("cpython-3.11");
            assert_eq!(unfit.is_some(), expected.is_some(), "{unfit:?}");
            assert!(unfit.unwrap_or_default().starts_with(expected.unwrap_or_default()));
        }
    }

    #[test]
    fn the_version_is_in_the_name_or_the_environment() {
        for (file, environment, expected) in [
            ("/usr/bin/python3.10", "PYTHON_VERSION=3.12.1", Some("3.10")),
            ("/usr/local/bin/python", "PYTHON_VERSION=3.12.1", Some("3.12")),
            ("/usr/bin/python3", "HOME=/root", None),
        ] {
            let found = version(file, &variables(&[environment.to_owned()]));
            assert_eq!(found.as_deref(), expected, "{file} {environment}");
        }
    }
}
