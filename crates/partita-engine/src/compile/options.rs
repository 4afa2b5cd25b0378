//! Options: the one table of the keys that a layer may hold, and their values once read.

use std::collections::BTreeMap;

use partita_core::diagnostic::Location;
use partita_core::literal::Literal;
use partita_core::settings::{FailureMode, Memory, Resources, Retry, Span};

use super::docker::BuiltOf;
use super::orchestrator_settings::OrchestratorSettings;

/// Where an option may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On pipelines and on steps; on a pipeline it is the default of its steps.
    Step,
    /// On pipelines alone.
    Pipeline,
}

/// One key that a layer of options may hold.
#[derive(Debug, Clone, Copy)]
pub struct OptionKey {
    /// The key, with the keys of the sections around it before it: `retry.delay`.
    pub path: &'static str,
    /// What its value is, for messages and documentation.
    pub takes: &'static str,
    /// Where it may be written.
    pub scope: Scope,
}

const fn step(path: &'static str, takes: &'static str) -> OptionKey {
    OptionKey { path, takes, scope: Scope::Step }
}

const fn pipeline(path: &'static str, takes: &'static str) -> OptionKey {
    OptionKey { path, takes, scope: Scope::Pipeline }
}

const VARIABLES: &str = "names of environment variables, each with a text";

const SPAN: &str = "seconds, or a number and a unit such as `30s`, `10m`, `2h` or `7d`";

/// Every known option, sorted by path.
pub const OPTIONS: [OptionKey; 40] = [
    step("cache_environment", "a list of names of environment variables"),
    step("cache_expiry", SPAN),
    step("cache_files", "a list of paths"),
    step("cache_version", "text or an integer"),
    step("enable_cache", "true or false"),
    pipeline("failure_mode", "`fail_fast`, `stop_on_failure` or `continue_on_failure`"),
    step("limits", "names of limits, each with the number of steps that may run at once"),
    step("orchestrator", "the name of an orchestrator of the stack"),
    step("parameters", "names and values"),
    step("retry", "the keys `max_retries`, `delay` and `backoff`"),
    step("retry.backoff", "a number of at least 1"),
    step("retry.delay", "a number of seconds"),
    step("retry.max_retries", "a whole number"),
    pipeline("run_name", "text"),
    step("settings", "the keys `docker`, `orchestrator` and `resources`"),
    step("settings.docker", "keys such as `parent_image` and `requirements`"),
    step("settings.docker.apt_packages", "a list of names of packages"),
    step("settings.docker.build_context_root", "the path of a folder in the source root"),
    step("settings.docker.cache_mounts", "a list of folders in the image"),
    step("settings.docker.dockerfile", "the path of a file in the source root"),
    step("settings.docker.dockerignore", "the path of a file in the source root"),
    step("settings.docker.environment", VARIABLES),
    step("settings.docker.parent_image", "the name of an image"),
    step("settings.docker.prevent_build_reuse", "true or false"),
    step("settings.docker.pyproject", "the path of a file in the source root"),
    step("settings.docker.python_package_installer", "`pip` or `uv`"),
    step("settings.docker.replicate_local_python_environment", "true or false"),
    step("settings.docker.requirements", "a list of requirements, or the path of a file"),
    step("settings.docker.runtime_environment", VARIABLES),
    step("settings.docker.skip_build", "true or false"),
    step("settings.docker.target_repository", "what the names of images begin with"),
    step("settings.docker.user", "the name or number of a user"),
    step("settings.orchestrator", "keys and values of the orchestrator's flavor"),
    step("settings.resources", "the keys `cpu_count`, `gpu_count`, `gpu_class` and `memory`"),
    step("settings.resources.cpu_count", "a number"),
    step("settings.resources.gpu_class", "text"),
    step("settings.resources.gpu_count", "a whole number"),
    step("settings.resources.memory", "a number and a unit such as `512MiB` or `1.5GB`"),
    pipeline("steps", "step names, each with its options"),
    step("timeout", SPAN),
];

/// Returns the known option at `path`.
pub(super) fn known(path: &str) -> Option<&'static OptionKey> {
    OPTIONS.binary_search_by_key(&path, |key| key.path).ok().map(|index| &OPTIONS[index])
}

/// Returns the keys that may stand in the section `prefix`, which is empty at the top.
pub(super) fn keys_in(prefix: &str, scope: Scope) -> Vec<&'static str> {
    OPTIONS
        .iter()
        .filter(|key| key.scope == Scope::Step || scope == Scope::Pipeline)
        .filter_map(|key| match prefix {
            "" => Some(key.path),
            _ => key.path.strip_prefix(prefix)?.strip_prefix('.'),
        })
        .filter(|key| !key.contains('.'))
        .collect()
}

/// Returns the path of the option whose last key is `key`, if only one has it.
pub(super) fn elsewhere(key: &str, scope: Scope) -> Option<&'static str> {
    let mut paths = OPTIONS
        .iter()
        .filter(|option| option.scope == Scope::Step || scope == Scope::Pipeline)
        .map(|option| option.path)
        .filter(|path| path.rsplit('.').next() == Some(key));
    paths.next().filter(|_| paths.next().is_none())
}

/// A value with the place where it was given.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) location: Option<Location>,
}

/// The options of one layer, or of several put on top of one another; what is absent was not given.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) enable_cache: Option<bool>,
    pub(super) cache_version: Option<String>,
    pub(super) cache_files: Option<Placed<Vec<String>>>,
    pub(super) cache_environment: Option<Vec<String>>,
    pub(super) cache_expiry: Option<Span>,
    pub(super) max_retries: Option<u32>,
    pub(super) delay: Option<f64>,
    pub(super) backoff: Option<f64>,
    pub(super) timeout: Option<Placed<Span>>,
    pub(super) limits: Option<BTreeMap<String, u32>>,
    pub(super) orchestrator: Option<Placed<String>>,
    pub(super) cpu_count: Option<Placed<f64>>,
    pub(super) gpu_count: Option<Placed<u32>>,
    pub(super) gpu_class: Option<Placed<String>>,
    pub(super) memory: Option<Placed<Memory>>,
    pub(super) parent_image: Option<Placed<String>>,
    pub(super) skip_build: Option<Placed<bool>>,
    /// What an image is built of besides, by key.
    pub(super) built: BTreeMap<&'static str, Placed<BuiltOf>>,
    pub(super) orchestrator_settings: OrchestratorSettings,
    /// Values of a step's inputs.
    pub(super) parameters: BTreeMap<String, Placed<Literal>>,
    /// Values of the pipeline's parameters, which its steps do not inherit.
    pub(super) pipeline_parameters: BTreeMap<String, Placed<Literal>>,
    pub(super) failure_mode: Option<FailureMode>,
    pub(super) run_name: Option<String>,
    /// Options of single steps, by name.
    pub(super) steps: BTreeMap<String, Placed<Options>>,
}

impl Options {
    /// Puts in everything that `later` gives a step.
    pub(super) fn put(&mut self, later: &Self) {
        fn put<T: Clone>(into: &mut Option<T>, later: &Option<T>) {
            if later.is_some() {
                into.clone_from(later);
            }
        }
        put(&mut self.enable_cache, &later.enable_cache);
        put(&mut self.cache_version, &later.cache_version);
        put(&mut self.cache_files, &later.cache_files);
        put(&mut self.cache_environment, &later.cache_environment);
        put(&mut self.cache_expiry, &later.cache_expiry);
        put(&mut self.max_retries, &later.max_retries);
        put(&mut self.delay, &later.delay);
        put(&mut self.backoff, &later.backoff);
        put(&mut self.timeout, &later.timeout);
        put(&mut self.limits, &later.limits);
        put(&mut self.orchestrator, &later.orchestrator);
        put(&mut self.cpu_count, &later.cpu_count);
        put(&mut self.gpu_count, &later.gpu_count);
        put(&mut self.gpu_class, &later.gpu_class);
        put(&mut self.memory, &later.memory);
        put(&mut self.parent_image, &later.parent_image);
        put(&mut self.skip_build, &later.skip_build);
        self.built.extend(later.built.iter().map(|(key, placed)| (*key, placed.clone())));
        for (flavor, settings) in &later.orchestrator_settings {
            let own = self.orchestrator_settings.entry(flavor.clone()).or_default();
            own.extend(settings.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        for (name, value) in &later.parameters {
            self.parameters.insert(name.clone(), value.clone());
        }
    }

    /// Returns the retry that these options ask for.
    pub(super) fn retry(&self) -> Retry {
        let never = Retry::default();
        match self.max_retries {
            // A wait before retries that never come is dropped, so that equal behaviour is one
            // document.
            None | Some(0) => never,
            Some(max_retries) => Retry {
                max_retries,
                delay: self.delay.unwrap_or(never.delay),
                backoff: self.backoff.unwrap_or(never.backoff),
            },
        }
    }

    /// Returns the resources that these options ask for.
    pub(super) fn resources(&self) -> Resources {
        Resources {
            cpu_count: self.cpu_count.as_ref().map(|placed| placed.value),
            gpu_count: self.gpu_count.as_ref().map(|placed| placed.value),
            gpu_class: self.gpu_class.as_ref().map(|placed| placed.value.clone()),
            memory: self.memory.as_ref().map(|placed| placed.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_section_is_a_key() {
        assert!(OPTIONS.is_sorted_by_key(|key| key.path));
        for key in OPTIONS {
            let section = key.path.rsplit_once('.').map_or("settings", |(section, _)| section);
            assert!(known(section).is_some(), "{}", key.path);
        }
        assert_eq!(keys_in("retry", Scope::Step), ["backoff", "delay", "max_retries"]);
        assert!(!keys_in("", Scope::Step).contains(&"steps"));
    }
}
