//! The configuration file of `--config`: options, parameters and options of single steps, in YAML.
//!
//! ```yaml
//! enable_cache: true
//! settings: {resources: {cpu_count: 2, memory: 1.5GB}}
//! parameters: {depth: 5}
//! steps:
//!   train:
//!     timeout: 10m
//!     parameters: {learning_rate: 0.1}
//! ```
//!
//! Which keys are known is [`OPTIONS`](super::OPTIONS)' affair; this module only keeps the line of each.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use partita_core::diagnostic::{Diagnostic, Location, Report};
use partita_core::literal::Literal;
use partita_core::spec::{Layer, Node, NodeValue};

use super::messages::quoted;
use super::yaml::{self, Placed, Value};

/// Bytes that a configuration file may have.
const MAX_BYTES: u64 = 1024 * 1024;

/// A configuration file, read but not yet checked against a pipeline.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// Its path as the user wrote it.
    pub file: String,
    /// What it says.
    pub layer: Layer,
}

impl ConfigFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, is too large, or is not what [`parse`](Self::parse) takes.
    pub fn read(path: &Path) -> Result<Self, Report> {
        let file = path.display().to_string();
        let problem = |what: String| Diagnostic::new(format!("{} {what}", quoted(&file)));
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|opened| opened.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| {
                problem(format!("cannot be read: {error}"))
                    .help("give the path of a YAML file that you may read")
            })?;
        if bytes.len() as u64 > MAX_BYTES {
            let help = "a configuration file has at most 1 MiB";
            return Err(problem("is too large".to_owned()).help(help).into());
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| problem("is not UTF-8 text".to_owned()).help("save it as UTF-8"))?;
        Self::parse(&file, &text)
    }

    /// Reads `text`, the content of `file`.
    ///
    /// # Errors
    /// The first place that is not YAML; else every key that is not text or has no value.
    pub fn parse(file: &str, text: &str) -> Result<Self, Report> {
        let entries = match yaml::read(file, text)? {
            Value::Null => Vec::new(),
            Value::Mapping(entries) => entries,
            other => {
                let what = format!("{} holds {}, not keys and values", quoted(file), other.kind());
                return Err(Diagnostic::new(what).help("write `key: value` lines").into());
            }
        };
        let mut reader = Reader { file, report: Report::default() };
        let options = reader.section(entries, Place::Pipeline);
        reader.report.unless_problems(Self { file: file.to_owned(), layer: Layer { options } })
    }

    /// Returns the pipeline's parameters and where they are written; an SDK applies them before it
    /// traces the pipeline.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Literal, Option<&Location>)> {
        let section = match self.layer.options.get("parameters").map(|node| &node.value) {
            Some(NodeValue::Section(section)) => Some(section),
            _ => None,
        };
        section.into_iter().flatten().filter_map(|(name, node)| match &node.value {
            NodeValue::Literal(literal) => Some((name.as_str(), literal, node.location.as_ref())),
            NodeValue::Section(_) => None,
        })
    }
}

/// Where in the file a section lies: below `parameters`, mappings are values.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Pipeline,
    Steps,
    Options,
    Parameters,
}

struct Reader<'a> {
    file: &'a str,
    report: Report,
}

impl Reader<'_> {
    fn section(&mut self, entries: Vec<(Placed, Placed)>, place: Place) -> BTreeMap<String, Node> {
        let mut nodes = BTreeMap::new();
        for (key, value) in entries {
            let line = key.referenced.line();
            let Some(key) = self.key(key) else { continue };
            let inner = match (place, key.as_str()) {
                (Place::Pipeline, "steps") => Place::Steps,
                (Place::Pipeline | Place::Options, "parameters") => Place::Parameters,
                _ => Place::Options,
            };
            if let Some(value) = self.value(&key, value, place, inner) {
                nodes.insert(key, Node { location: Some(self.location(line)), value });
            }
        }
        nodes
    }

    fn value(
        &mut self,
        key: &str,
        placed: Placed,
        place: Place,
        inner: Place,
    ) -> Option<NodeValue> {
        let line = placed.referenced.line();
        match placed.value {
            Value::Mapping(entries) if place != Place::Parameters => {
                Some(NodeValue::Section(self.section(entries, inner)))
            }
            Value::Null if place != Place::Parameters => {
                let what = format!("{} has no value", quoted(key));
                self.problem(line, what, "write one, or leave the key out");
                None
            }
            value => {
                let mut json = String::new();
                self.json(value, &mut json);
                Literal::parse(&json).ok().map(NodeValue::Literal)
            }
        }
    }

    /// Writes a value as the JSON text of a literal.
    fn json(&mut self, value: Value, into: &mut String) {
        match value {
            Value::Null => into.push_str("null"),
            Value::Bool(value) => into.push_str(if value { "true" } else { "false" }),
            Value::Int(value) => into.push_str(&value.to_string()),
            Value::Float(value) if value.is_finite() => {
                into.push_str(&serde_json::Value::from(value).to_string());
            }
            Value::Float(value) => {
                let word = if value.is_nan() {
                    "nan"
                } else if value > 0.0 {
                    "inf"
                } else {
                    "-inf"
                };
                into.push_str(&format!(r#"{{"$partita":"float","value":"{word}"}}"#));
            }
            Value::Text(text) => into.push_str(&serde_json::Value::from(text).to_string()),
            Value::List(items) => {
                into.push('[');
                for (index, item) in items.into_iter().enumerate() {
                    into.push_str(if index == 0 { "" } else { "," });
                    self.json(item.value, into);
                }
                into.push(']');
            }
            Value::Mapping(entries) => {
                into.push('{');
                let keyed = entries.into_iter();
                let keyed = keyed.filter_map(|(key, value)| Some((self.key(key)?, value)));
                for (index, (key, value)) in keyed.collect::<Vec<_>>().into_iter().enumerate() {
                    into.push_str(if index == 0 { "" } else { "," });
                    into.push_str(&serde_json::Value::from(key).to_string());
                    into.push(':');
                    self.json(value.value, into);
                }
                into.push('}');
            }
        }
    }

    fn key(&mut self, key: Placed) -> Option<String> {
        match key.value {
            // An author's mapping must not pass for one of the tagged values of literals.
            Value::Text(text) if text != "$partita" => Some(text),
            Value::Text(text) => {
                let what = format!("{} cannot be a key", quoted(&text));
                self.problem(key.referenced.line(), what, "choose another one");
                None
            }
            other => {
                let what = format!("a key is {}, not text", other.kind());
                self.problem(key.referenced.line(), what, "put it in quotes");
                None
            }
        }
    }

    fn problem(&mut self, line: u64, what: String, help: &str) {
        let location = Some(self.location(line));
        self.report.push(Diagnostic::new(what).help(help).at(location));
    }

    fn location(&self, line: u64) -> Location {
        Location { file: self.file.to_owned(), line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tree of a file as `key@line=value`, or its problems.
    fn tree(text: &str) -> String {
        fn show(nodes: &BTreeMap<String, Node>) -> String {
            let entry = |(key, node): (&String, &Node)| {
                let line = node.location.as_ref().map_or(0, |location| location.line);
                match &node.value {
                    NodeValue::Literal(literal) => format!("{key}@{line}={}", literal.text()),
                    NodeValue::Section(nodes) => format!("{key}@{line}:({})", show(nodes)),
                }
            };
            nodes.iter().map(entry).collect::<Vec<_>>().join(" ")
        }
        match ConfigFile::parse("run.yaml", text) {
            Ok(config) => show(&config.layer.options),
            Err(report) => report.to_string(),
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(tree(text), expected, "{text}");
    }

    #[test]
    fn every_key_keeps_its_line_and_sections_stay_sections() {
        check("", "");
        check("# nothing yet\n", "");
        check(
            "enable_cache: false\nsteps:\n  train:\n    retry:\n      delay: 1\n    timeout: 10m\n",
            r#"enable_cache@1=false steps@2:(train@3:(retry@4:(delay@5=1) timeout@6="10m"))"#,
        );
        check("x: &a {k: 1}\ny: *a\n", "x@1:(k@1=1) y@2:(k@2=1)");
    }

    #[test]
    fn scalars_keep_their_kinds() {
        check(
            "parameters: {a: 1, b: 1.0, c: '1', d: true, e: on, f: ~, g: 1e3, h: 010, i: .inf}",
            concat!(
                r#"parameters@1:(a@1=1 b@1=1.0 c@1="1" d@1=true e@1="on" f@1=null g@1=1000.0 "#,
                r#"h@1="010" i@1={"$partita":"float","value":"inf"})"#
            ),
        );
        check("parameters: {a: !!binary aGVsbG8=}", r#"parameters@1:(a@1="hello")"#);
    }

    #[test]
    fn mappings_under_parameters_are_values_in_the_order_written() {
        check(
            "parameters:\n  model: {z: 1, a: [x, {b: ~}]}\n",
            r#"parameters@1:(model@2={"z":1,"a":["x",{"b":null}]})"#,
        );
        check(
            "steps: {train: {parameters: {grid: {b: 1}}}}",
            r#"steps@1:(train@1:(parameters@1:(grid@1={"b":1})))"#,
        );
    }

    #[test]
    fn what_is_not_keys_and_values_is_told_with_its_line() {
        let invalid = "the configuration is not valid YAML";
        let help = "mend the line, or the one above it";
        check(
            "a: 1\n b: 2\n",
            &format!(
                "run.yaml:2: {invalid}: mapping values are not allowed in this context; {help}"
            ),
        );
        check(
            "a: 1\na: 2\n",
            &format!(
                "run.yaml:2: {invalid}: duplicate mapping key `a` is not allowed here; {help}"
            ),
        );
        check("- a\n", "`run.yaml` holds a list, not keys and values; write `key: value` lines");
        check(
            "timeout:\n1: a\nparameters: {a: {2: b}, $partita: c}\n",
            "4 problems:\n  \
             - run.yaml:1: `timeout` has no value; write one, or leave the key out\n  \
             - run.yaml:2: a key is a number, not text; put it in quotes\n  \
             - run.yaml:3: a key is a number, not text; put it in quotes\n  \
             - run.yaml:3: `$partita` cannot be a key; choose another one",
        );
    }

    #[test]
    fn a_file_that_would_explode_is_refused() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..9 {
            let below = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        for text in [bomb, format!("a: {}", "[".repeat(5_000)), "a: !shell rm\n".to_owned()] {
            assert!(tree(&text).contains("is not valid YAML"), "{}", tree(&text));
        }
    }
}
