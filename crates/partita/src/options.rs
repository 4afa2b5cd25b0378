//! Options of steps and pipelines: how they run.

use std::collections::BTreeMap;

use serde::Serialize;

use partita_core::diagnostic::Location;
use partita_core::literal::Literal;
use partita_core::spec::{Layer, Node, NodeValue};

use crate::value;

/// Options of a step, of one use of it, or of a pipeline, as its steps' defaults.
///
/// What they may be is checked when the pipeline is compiled, with everything else; see the reference
/// of settings.
///
/// ```
/// use partita::Options;
///
/// let options = Options::new().max_retries(3).timeout("10m").memory("2GB").cache_version("2");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// By path.
    values: BTreeMap<&'static str, Literal>,
    location: Option<Location>,
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $path:literal,)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self, value: impl Serialize) -> Self {
            self.set($path, value)
        }
    )* };
}

impl Options {
    /// Returns no options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    options! {
        /// Sets how often a failed attempt is retried.
        max_retries: "retry.max_retries",
        /// Sets the seconds before the first retry.
        retry_delay: "retry.delay",
        /// Sets the factor by which that grows with each further one.
        retry_backoff: "retry.backoff",
        /// Sets the longest time that an attempt may take: seconds, or text such as `10m`.
        timeout: "timeout",
        /// Sets the processor cores that it needs.
        cpu_count: "settings.resources.cpu_count",
        /// Sets the memory that it needs: bytes, or text such as `2GB`.
        memory: "settings.resources.memory",
        /// Sets the graphics processors that it needs.
        gpu_count: "settings.resources.gpu_count",
        /// Sets which graphics processors these are.
        gpu_class: "settings.resources.gpu_class",
        /// Sets whether an earlier result is taken where nothing has changed.
        enable_cache: "enable_cache",
        /// Sets key material of your own: another version runs anew.
        cache_version: "cache_version",
        /// Sets the files that count as key material, as a list of paths below the source root.
        cache_files: "cache_files",
        /// Sets the environment variables that count as key material, as a list of names.
        cache_environment: "cache_environment",
        /// Sets the age at which an earlier result is no longer taken, such as `7d`.
        cache_expiry: "cache_expiry",
        /// Sets the orchestrator of the stack that runs it.
        orchestrator: "orchestrator",
        /// Sets the settings of that orchestrator's flavor, as a map or a struct.
        orchestrator_settings: "settings.orchestrator",
        /// Sets how many steps under a name may run at once in all runs, as a map.
        limits: "limits",
        /// Sets what becomes of the run when a step fails; for pipelines: `fail_fast`,
        /// `stop_on_failure` or `continue_on_failure`.
        failure_mode: "failure_mode",
    }

    /// Says where they are written, for messages.
    #[must_use]
    pub fn at(mut self, file: &str, line: u32) -> Self {
        self.location = Some(Location { file: file.to_owned(), line: line.into() });
        self
    }

    fn set(mut self, path: &'static str, value: impl Serialize) -> Self {
        // What cannot be written is told as what it cannot be read as.
        if let Ok(value) = value::literal(&value) {
            self.values.insert(path, value);
        }
        self
    }

    pub(crate) fn layer(&self) -> Layer {
        let mut options = BTreeMap::new();
        for (path, value) in &self.values {
            let keys: Vec<&str> = path.split('.').collect();
            self.put(&mut options, &keys, value);
        }
        Layer { options }
    }

    fn put(&self, section: &mut BTreeMap<String, Node>, keys: &[&str], value: &Literal) {
        let Some((key, rest)) = keys.split_first() else { return };
        let location = self.location.clone();
        if rest.is_empty() {
            section.insert((*key).to_owned(), self.node(value));
            return;
        }
        let empty = || Node { location, value: NodeValue::Section(BTreeMap::new()) };
        let node = section.entry((*key).to_owned()).or_insert_with(empty);
        if let NodeValue::Section(inner) = &mut node.value {
            self.put(inner, rest, value);
        }
    }

    /// Returns the node of a value; a map is a section.
    fn node(&self, value: &Literal) -> Node {
        let entries = serde_json::from_str::<BTreeMap<String, Literal>>(value.text());
        let value = match entries {
            Ok(entries) if !entries.contains_key("$partita") => NodeValue::Section(
                entries.iter().map(|(key, value)| (key.clone(), self.node(value))).collect(),
            ),
            _ => NodeValue::Literal(value.clone()),
        };
        Node { location: self.location.clone(), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_a_layer_with_a_section_for_each_part_of_a_path() {
        let options = Options::new().cpu_count(2).memory("1GB").limits(BTreeMap::from([("db", 1)]));
        let layer = serde_json::to_value(options.layer()).expect("JSON");
        let resources = &layer["options"]["settings"]["value"]["section"]["resources"]["value"];
        assert_eq!(resources["section"]["cpu_count"]["value"]["literal"], 2);
        assert_eq!(resources["section"]["memory"]["value"]["literal"], "1GB");
        assert_eq!(layer["options"]["limits"]["value"]["section"]["db"]["value"]["literal"], 1);
    }
}
