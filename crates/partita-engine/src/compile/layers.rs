//! Reads layers of options: known keys become values, anything else becomes a problem.

use std::borrow::Cow;
use std::collections::BTreeMap;

use partita_core::diagnostic::{Diagnostic, Location, Report};
use partita_core::literal::{Kind, Literal};
use partita_core::spec::{Layer, Node, NodeValue};

use super::docker::BuiltOf;
use super::messages::{quoted, suggestion};
use super::options::{Options, Placed, Scope, elsewhere, keys_in, known};
use super::values::{self, Refusal};

/// How the keys begin of what an image is built of.
const DOCKER: &str = "settings.docker.";

/// How a key of `settings` begins that is for one flavor alone.
const FLAVOR: &str = "orchestrator.";

/// Reads the layers of one pipeline or step.
pub(super) struct LayerReader<'a> {
    /// Whose options they are: ``step `train` ``.
    pub(super) owner: &'a str,
    /// The place that stands in for values without a place of their own.
    pub(super) location: Option<&'a Location>,
    /// Whether it is a pipeline or a step.
    pub(super) scope: Scope,
    /// Whether it takes a parameter of this name.
    pub(super) takes: &'a dyn Fn(&str) -> bool,
    /// Where problems go.
    pub(super) report: &'a mut Report,
}

type Section = BTreeMap<String, Node>;

impl LayerReader<'_> {
    /// Returns the options of `layer`; what is wrong in it is reported and left out.
    pub(super) fn read(&mut self, layer: &Layer) -> Options {
        let mut options = Options::default();
        self.section("", &layer.options, &mut options);
        options
    }

    fn section(&mut self, prefix: &str, nodes: &Section, into: &mut Options) {
        for (key, node) in nodes {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            if let ("settings", Some(flavor)) = (prefix, key.strip_prefix(FLAVOR)) {
                self.orchestrator_settings(flavor, node, into);
                continue;
            }
            // Any other key with a dot in it must not pass for a path.
            let option = known(&path).filter(|_| !key.contains('.'));
            match option {
                Some(option) if option.scope == Scope::Step || self.scope == Scope::Pipeline => {
                    if !is_absent(node) {
                        self.set(option.path, node, into);
                    }
                }
                Some(_) => self.report.push(
                    Diagnostic::new(format!("{} cannot be set on {}", quoted(&path), self.owner))
                        .help("it applies to the pipeline as a whole; set it there")
                        .at(self.place(node)),
                ),
                None => self.unknown(prefix, key, node),
            }
        }
    }

    fn unknown(&mut self, prefix: &str, key: &str, node: &Node) {
        let what = match prefix {
            "" => format!("{} is not an option of {}", quoted(key), self.owner),
            _ => format!("{} is not a key of `{prefix}` of {}", quoted(key), self.owner),
        };
        let help = match elsewhere(key, self.scope) {
            _ if prefix.is_empty() && (self.takes)(key) => {
                "it is a parameter; write it below `parameters`".to_owned()
            }
            Some(path) => format!("did you mean `{path}`?"),
            None => suggestion(key, &keys_in(prefix, self.scope)),
        };
        self.report.push(Diagnostic::new(what).help(help).at(self.place(node)));
    }

    fn set(&mut self, path: &'static str, node: &Node, into: &mut Options) {
        match path {
            "enable_cache" => into.enable_cache = self.value(path, node, values::boolean),
            "cache_version" => into.cache_version = self.value(path, node, values::version),
            "cache_files" => into.cache_files = self.placed(path, node, values::texts),
            "cache_environment" => {
                into.cache_environment = self.value(path, node, values::variables);
            }
            "cache_expiry" => into.cache_expiry = self.value(path, node, values::span),
            "retry.max_retries" => into.max_retries = self.value(path, node, values::count),
            "retry.delay" => into.delay = self.value(path, node, values::delay),
            "retry.backoff" => into.backoff = self.value(path, node, values::backoff),
            "timeout" => into.timeout = self.placed(path, node, values::span),
            "limits" => into.limits = self.limits(node),
            "orchestrator" => into.orchestrator = self.placed(path, node, values::text),
            "settings.resources.cpu_count" => {
                into.cpu_count = self.placed(path, node, values::cpu_count);
            }
            "settings.resources.gpu_count" => {
                into.gpu_count = self.placed(path, node, values::count);
            }
            "settings.resources.gpu_class" => {
                into.gpu_class = self.placed(path, node, values::filled_text);
            }
            "settings.resources.memory" => into.memory = self.placed(path, node, values::memory),
            "settings.docker.parent_image" => {
                into.parent_image = self.placed(path, node, values::filled_text);
            }
            "settings.docker.skip_build" => {
                into.skip_build = self.placed(path, node, values::boolean);
            }
            _ if path.starts_with(DOCKER) => {
                let key = &path[DOCKER.len()..];
                // Mappings are traced as sections, and are values here.
                let Ok(literal) = Literal::parse(&json(node)) else { return };
                match BuiltOf::read(key, &literal) {
                    Ok(value) => {
                        into.built.insert(key, Placed { value, location: self.place(node) });
                    }
                    Err(refusal) => self.refuse(path, node, refusal),
                }
            }
            "settings.orchestrator" => self.orchestrator_settings("", node, into),
            "failure_mode" => into.failure_mode = self.value(path, node, values::failure_mode),
            "run_name" => into.run_name = self.value(path, node, values::run_name),
            "parameters" => self.parameters(node, into),
            "steps" => self.steps(node, into),
            _ => {
                if let Some(nodes) = self.nodes(path, node) {
                    self.section(path, &nodes, into);
                }
            }
        }
    }

    /// Takes in settings for the orchestrators of one flavor, or of any.
    fn orchestrator_settings(&mut self, flavor: &str, node: &Node, into: &mut Options) {
        if is_absent(node) {
            return;
        }
        let Some(nodes) = self.nodes("settings.orchestrator", node) else { return };
        let values = nodes.iter().filter_map(|(key, node)| {
            let value = Literal::parse(&json(node)).ok()?;
            Some((key.clone(), Placed { value, location: self.place(node) }))
        });
        into.orchestrator_settings.insert(flavor.to_owned(), values.collect());
    }

    fn parameters(&mut self, node: &Node, into: &mut Options) {
        let Some(nodes) = self.nodes("parameters", node) else { return };
        let values = nodes.iter().filter_map(|(name, node)| {
            let value = Literal::parse(&json(node)).ok()?;
            Some((name.clone(), Placed { value, location: self.place(node) }))
        });
        match self.scope {
            Scope::Pipeline => into.pipeline_parameters = values.collect(),
            Scope::Step => into.parameters = values.collect(),
        }
    }

    fn steps(&mut self, node: &Node, into: &mut Options) {
        let Some(nodes) = self.nodes("steps", node) else { return };
        for (name, node) in nodes.iter().filter(|(_, node)| !is_absent(node)) {
            let location = self.place(node);
            let Some(section) = section_of(node) else {
                self.report.push(
                    Diagnostic::new(format!("step {} has no options in `steps`", quoted(name)))
                        .help("write option keys and values under it")
                        .at(location),
                );
                continue;
            };
            let mut options = Options::default();
            let mut reader = LayerReader {
                owner: &format!("step {}", quoted(name)),
                location: location.as_ref(),
                scope: Scope::Step,
                takes: &|_| false,
                report: self.report,
            };
            reader.section("", &section, &mut options);
            into.steps.insert(name.clone(), Placed { value: options, location });
        }
    }

    fn limits(&mut self, node: &Node) -> Option<BTreeMap<String, u32>> {
        let nodes = self.nodes("limits", node)?;
        let mut limits = BTreeMap::new();
        for (name, node) in nodes.iter().filter(|(_, node)| !is_absent(node)) {
            if let Some(most) = self.value("limits", node, |literal| values::limit(name, literal)) {
                limits.insert(name.clone(), most);
            }
        }
        Some(limits)
    }

    fn nodes<'n>(&mut self, path: &str, node: &'n Node) -> Option<Cow<'n, Section>> {
        let section = section_of(node);
        if section.is_none() {
            self.refuse(path, node, Refusal::Shape);
        }
        section
    }

    fn placed<T>(
        &mut self,
        path: &str,
        node: &Node,
        read: impl Fn(&Literal) -> Result<T, Refusal>,
    ) -> Option<Placed<T>> {
        let value = self.value(path, node, read)?;
        Some(Placed { value, location: self.place(node) })
    }

    fn value<T>(
        &mut self,
        path: &str,
        node: &Node,
        read: impl Fn(&Literal) -> Result<T, Refusal>,
    ) -> Option<T> {
        let result = match &node.value {
            NodeValue::Literal(literal) => read(literal),
            NodeValue::Section(_) => Err(Refusal::Shape),
        };
        result.map_err(|refusal| self.refuse(path, node, refusal)).ok()
    }

    fn refuse(&mut self, path: &str, node: &Node, refusal: Refusal) {
        let (what, help) = match refusal {
            Refusal::Content(what, help) => (format!("`{path}` of {}: {what}", self.owner), help),
            Refusal::Shape => {
                let takes = known(path).map_or("another value", |key| key.takes);
                let what = format!("`{path}` of {} takes {takes}", self.owner);
                (format!("{what}, not {}", written(node)), None)
            }
        };
        let mut problem = Diagnostic::new(what).at(self.place(node));
        problem.help = help;
        self.report.push(problem);
    }

    fn place(&self, node: &Node) -> Option<Location> {
        node.location.as_ref().or(self.location).cloned()
    }
}

/// Returns whether a value says nothing, as `None` in an author's code does.
fn is_absent(node: &Node) -> bool {
    matches!(&node.value, NodeValue::Literal(literal) if literal.kind() == Kind::None)
}

/// Returns a node's keys and values, whether it was traced as a section or as a mapping.
fn section_of(node: &Node) -> Option<Cow<'_, Section>> {
    match &node.value {
        NodeValue::Section(section) => Some(Cow::Borrowed(section)),
        NodeValue::Literal(literal) if literal.kind() == Kind::Dict => {
            let values: BTreeMap<String, Literal> = serde_json::from_str(literal.text()).ok()?;
            let node =
                |value| Node { location: node.location.clone(), value: NodeValue::Literal(value) };
            Some(Cow::Owned(values.into_iter().map(|(key, value)| (key, node(value))).collect()))
        }
        NodeValue::Literal(_) => None,
    }
}

/// Returns the JSON text of a node; a section becomes an object.
fn json(node: &Node) -> String {
    match &node.value {
        NodeValue::Literal(literal) => literal.text().to_owned(),
        NodeValue::Section(section) => {
            let entry = |(key, node): (&String, &Node)| {
                format!("{}:{}", serde_json::Value::from(key.as_str()), json(node))
            };
            format!("{{{}}}", section.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

fn written(node: &Node) -> String {
    match &node.value {
        NodeValue::Literal(literal) => quoted(literal.text()),
        NodeValue::Section(_) => "keys and values".to_owned(),
    }
}
