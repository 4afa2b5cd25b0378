//! Whether steps that ask for graphics processors find in an image what they need, as far as the image
//! says so, and whether this machine's driver is enough for it.

use std::collections::BTreeMap;

use crate::nvidia::{self, Driver};

/// What images that bring CUDA say, in variables of their environment.
const CUDA_VERSION: &str = "CUDA_VERSION";
const REQUIREMENT: &str = "NVIDIA_REQUIRE_";
const NO_REQUIREMENT: &str = "NVIDIA_DISABLE_REQUIRE";
/// The parts of the driver that a container gets.
const PARTS: &str = "NVIDIA_DRIVER_CAPABILITIES";

/// The part of the driver that CUDA is run by, and what stands for all of them.
const COMPUTE: [&str; 2] = ["compute", "all"];

/// The variables of an image's environment, those of a step's settings on top.
pub(super) type Variables = BTreeMap<String, String>;

/// Returns the variables in `NAME=VALUE`.
pub(super) fn variables(environment: &[String]) -> Variables {
    let pairs = environment.iter().filter_map(|entry| entry.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns what does not fit, in words that follow "the image …".
pub(super) fn unfit(variables: &Variables, driver: Option<&Driver>) -> Option<String> {
    without_compute(variables).or_else(|| too_new(variables, driver?))
}

fn without_compute(variables: &Variables) -> Option<String> {
    let parts = variables.get(PARTS).filter(|parts| !parts.is_empty())?;
    let has_compute = parts.split(',').any(|part| COMPUTE.contains(&part.trim()));
    (!has_compute).then(|| {
        format!(
            "lets only `{parts}` of NVIDIA's driver in (`{PARTS}`), and CUDA needs `compute`; set that to `compute,utility` in the image, or in `environment` of the step's settings"
        )
    })
}

fn too_new(variables: &Variables, driver: &Driver) -> Option<String> {
    let is_off = variables.get(NO_REQUIREMENT).is_some_and(|off| ["1", "true"].contains(&&**off));
    if is_off {
        return None;
    }
    let mut required =
        variables.iter().filter(|(name, _)| name.starts_with(REQUIREMENT)).peekable();
    if required.peek().is_some() {
        let (name, unmet) = required.find(|(_, requirement)| !driver.meets(requirement))?;
        let first = unmet.split_whitespace().next().unwrap_or_default();
        return Some(format!("needs `{first}` (`{name}`), and {}", here(driver)));
    }
    // Within one major version all run on a driver of any of them.
    let (version, runs) = (variables.get(CUDA_VERSION)?, driver.cuda.as_deref()?);
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    let is_newer = nvidia::compare(&major(version), &major(runs)).is_gt();
    is_newer.then(|| format!("has CUDA {version} (`{CUDA_VERSION}`), and {}", here(driver)))
}

fn here(driver: &Driver) -> String {
    format!(
        "this machine has {}; take an image made for that, or update the driver",
        driver.in_words()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &[&str], expected: Option<&str>) {
        let driver = Driver {
            version: Some("535.104.05".to_owned()),
            cuda: Some("12.2".to_owned()),
            ..Driver::default()
        };
        let environment: Vec<String> = environment.iter().map(|&entry| entry.to_owned()).collect();
        let unfit = unfit(&variables(&environment), Some(&driver));
        match (unfit, expected) {
            (Some(unfit), Some(expected)) => assert!(unfit.contains(expected), "{unfit}"),
            (unfit, expected) => assert_eq!(unfit.as_deref(), expected, "{environment:?}"),
        }
    }

    #[test]
    fn an_image_has_to_fit_the_driver() {
        check(&[], None);
        check(&["CUDA_VERSION=12.8.1"], None);
        check(&["CUDA_VERSION=13.0.0"], Some("has CUDA 13.0.0 (`CUDA_VERSION`), and this machine"));
        check(&["NVIDIA_REQUIRE_CUDA=cuda>=12.0"], None);
        let needs = "needs `cuda>=12.4` (`NVIDIA_REQUIRE_CUDA`), and this machine has the driver";
        check(&["NVIDIA_REQUIRE_CUDA=cuda>=12.4 driver>=470,driver<471"], Some(needs));
        check(&["NVIDIA_REQUIRE_CUDA=cuda>=12.4", "NVIDIA_DISABLE_REQUIRE=1"], None);
        // What an image requires comes before what it has: it may bring what makes up for it.
        check(&["CUDA_VERSION=13.0.0", "NVIDIA_REQUIRE_CUDA=driver>=535"], None);
    }

    #[test]
    fn an_image_has_to_let_in_what_cuda_is_run_by() {
        check(&["NVIDIA_DRIVER_CAPABILITIES=compute,utility"], None);
        check(&["NVIDIA_DRIVER_CAPABILITIES=all"], None);
        check(&["NVIDIA_DRIVER_CAPABILITIES="], None);
        check(&["NVIDIA_DRIVER_CAPABILITIES=utility"], Some("lets only `utility` of"));
    }

    #[test]
    fn nothing_is_said_of_a_driver_that_is_not_seen() {
        let variables = variables(&["NVIDIA_REQUIRE_CUDA=cuda>=99".to_owned()]);
        assert_eq!(unfit(&variables, None), None);
    }
}
