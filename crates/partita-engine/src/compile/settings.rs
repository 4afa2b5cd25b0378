//! Puts the layers of options on top of one another, for the pipeline and for each step.

use std::collections::{BTreeMap, HashMap, HashSet};

use partita_core::deployment::StepConfig;
use partita_core::diagnostic::{Diagnostic, Location, Report};
use partita_core::digest::Digest;
use partita_core::literal::{Kind, Literal};
use partita_core::settings::{Docker, FailureMode};
use partita_core::spec::{PipelineSpec, StepSpec};

use super::cache_files::FileDigests;
use super::graph::Names;
use super::images::ImageMaker;
use super::layers::LayerReader;
use super::messages::{quoted, suggestion};
use super::options::{Options, Placed, Scope};
use super::{CompileRequest, Overrides};

/// Every layer of a pipeline, read once.
pub(super) struct Settings<'a> {
    overrides: &'a Overrides,
    /// The pipeline's layers, the decorator's first and the configuration file's last.
    pipeline: Vec<Options>,
    definitions: HashMap<&'a str, Options>,
}

impl<'a> Settings<'a> {
    /// Reads the layers of `spec` and `request`.
    pub(super) fn read(
        spec: &'a PipelineSpec,
        request: &'a CompileRequest,
        report: &mut Report,
    ) -> Self {
        let owner = format!("pipeline {}", quoted(&spec.name));
        let (location, scope) = (spec.location.as_ref(), Scope::Pipeline);
        let takes = |name: &str| spec.parameters.contains_key(name);
        let mut reader = LayerReader { owner: &owner, location, scope, takes: &takes, report };
        let mut pipeline: Vec<Options> =
            spec.options.iter().map(|layer| reader.read(layer)).collect();
        if pipeline.is_empty() {
            pipeline.push(Options::default());
        }
        pipeline.extend(request.config.iter().map(|config| reader.read(&config.layer)));
        let definitions = spec.definitions.iter().map(|(source, definition)| {
            let owner = format!("step {}", quoted(&definition.name));
            let (location, scope) = (definition.location.as_ref(), Scope::Step);
            let takes = |name: &str| definition.inputs.contains_key(name);
            let mut reader = LayerReader { owner: &owner, location, scope, takes: &takes, report };
            let mut options = Options::default();
            definition.options.iter().for_each(|layer| options.put(&reader.read(layer)));
            (source.as_str(), options)
        });
        let definitions = definitions.collect();
        Self { overrides: &request.overrides, pipeline, definitions }
    }

    /// Reports options for steps that the pipeline does not have.
    pub(super) fn check_steps(&self, names: &Names<'_>, report: &mut Report) {
        for (name, options) in self.pipeline.iter().flat_map(|layer| &layer.steps) {
            if names.find(name).is_none() {
                let what = format!("`steps` names {}, which is no step", quoted(name));
                let problem = Diagnostic::new(what).help(names.suggestion(name));
                report.push(problem.at(options.location.clone()));
            }
        }
    }

    /// Reports parameters that the pipeline does not have, or that it was not traced with.
    pub(super) fn check_parameters(&self, spec: &PipelineSpec, report: &mut Report) {
        let mut given: BTreeMap<&str, (&Literal, Option<&Location>)> = BTreeMap::new();
        for (name, placed) in self.pipeline.iter().flat_map(|layer| &layer.pipeline_parameters) {
            given.insert(name, (&placed.value, placed.location.as_ref()));
        }
        for (name, value) in &self.overrides.parameters {
            given.insert(name, (value, None));
        }
        let owner = quoted(&spec.name);
        for (name, (value, location)) in given {
            let (what, help) = match spec.parameters.get(name) {
                None => {
                    let known: Vec<&str> = spec.parameters.keys().map(String::as_str).collect();
                    let what = format!("pipeline {owner} has no parameter {}", quoted(name));
                    (what, suggestion(name, &known))
                }
                Some(traced) if is_other_scalar(traced, value) => {
                    let what = format!(
                        "parameter {} of pipeline {owner} is {} here, but it was called with {}",
                        quoted(name),
                        quoted(value.text()),
                        quoted(traced.text())
                    );
                    (what, "give it in one of the two places".to_owned())
                }
                Some(_) => continue,
            };
            report.push(Diagnostic::new(what).help(help).at(location.cloned()));
        }
    }

    /// Returns what becomes of a run when a step has failed.
    pub(super) fn failure_mode(&self) -> FailureMode {
        self.pipeline.iter().rev().find_map(|layer| layer.failure_mode).unwrap_or_default()
    }

    /// Returns the name that the run was given.
    pub(super) fn run_name(&self) -> Option<String> {
        let given = || self.pipeline.iter().rev().find_map(|layer| layer.run_name.clone());
        self.overrides.run_name.clone().or_else(given)
    }

    /// Returns the options of one step, all layers put on top of one another.
    pub(super) fn of_step(&self, step: &StepSpec, report: &mut Report) -> Options {
        let mut options = Options::default();
        let put_pipeline = |layer: &Options, options: &mut Options| {
            options.put(layer);
            if let Some(of_step) = layer.steps.get(&step.name) {
                options.put(&of_step.value);
            }
        };
        let mut layers = self.pipeline.iter();
        layers.by_ref().take(1).for_each(|layer| put_pipeline(layer, &mut options));
        if let Some(definition) = self.definitions.get(step.source.as_str()) {
            options.put(definition);
        }
        if !step.options.is_empty() {
            let owner = format!("step {}", quoted(&step.name));
            let (location, scope) = (step.location.as_ref(), Scope::Step);
            let takes = |name: &str| step.parameters.contains_key(name);
            let mut reader = LayerReader { owner: &owner, location, scope, takes: &takes, report };
            step.options.iter().for_each(|layer| options.put(&reader.read(layer)));
        }
        layers.for_each(|layer| put_pipeline(layer, &mut options));
        if self.overrides.enable_cache.is_some() {
            options.enable_cache = self.overrides.enable_cache;
        }
        options
    }
}

/// Returns whether two scalars of one kind differ. Other values may differ in how they are written
/// and mean the same, once an SDK has converted them.
fn is_other_scalar(traced: &Literal, given: &Literal) -> bool {
    let kind = traced.kind();
    let is_scalar = matches!(kind, Kind::Bool | Kind::Int | Kind::Float | Kind::Str);
    is_scalar && kind == given.kind() && !is_same(traced, given)
}

fn is_same(traced: &Literal, given: &Literal) -> bool {
    let value = |literal: &Literal| serde_json::from_str::<serde_json::Value>(literal.text()).ok();
    traced == given || value(traced) == value(given)
}

/// Makes steps' configurations of their options, with the digests of what they list as key material.
pub(super) struct ConfigMaker<'a> {
    environment_variables: &'a BTreeMap<String, String>,
    files: FileDigests<'a>,
    images: ImageMaker<'a>,
    /// Paths already reported, by the place that lists them.
    refused: HashSet<(Option<(String, u64)>, String)>,
}

impl<'a> ConfigMaker<'a> {
    pub(super) fn new(request: &'a CompileRequest) -> Self {
        Self {
            environment_variables: &request.environment_variables,
            files: FileDigests::under(&request.source_root),
            images: ImageMaker::new(&request.source_root, &request.site_packages),
            refused: HashSet::new(),
        }
    }

    /// Returns the configuration that `options` ask for; its hooks and orchestrator are left out.
    pub(super) fn make(
        &mut self,
        step: &StepSpec,
        options: &Options,
        report: &mut Report,
    ) -> StepConfig {
        let variables = options.cache_environment.iter().flatten().map(|name| {
            let value = self.environment_variables.get(name);
            (name.clone(), value.map(|value| Digest::of(value.as_bytes())))
        });
        let cache_environment = variables.collect();
        let mut cache_files = BTreeMap::new();
        if let Some(listed) = &options.cache_files {
            for path in &listed.value {
                match self.files.of(path) {
                    Ok((path, digest)) => {
                        cache_files.insert(path, digest);
                    }
                    Err(refused) => {
                        let what = format!(
                            "`cache_files` of step {}: {}",
                            quoted(&step.name),
                            refused.what
                        );
                        self.refuse(listed, path, what, refused.help, step, report);
                    }
                }
            }
        }
        StepConfig {
            enable_cache: options.enable_cache.unwrap_or(true),
            cache_version: options.cache_version.clone(),
            cache_files,
            cache_environment,
            cache_expiry: options.cache_expiry,
            retry: options.retry(),
            timeout: options.timeout.as_ref().map(|placed| placed.value),
            resources: options.resources(),
            docker: self.image(step, options, report),
            limits: options.limits.clone().unwrap_or_default(),
            ..StepConfig::default()
        }
    }

    fn image(&mut self, step: &StepSpec, options: &Options, report: &mut Report) -> Docker {
        match self.images.make(options) {
            Ok(docker) => docker,
            Err((key, refused)) => {
                let placed = options.built.get(key);
                let location = placed.and_then(|placed| placed.location.as_ref());
                let location = location.or(step.location.as_ref());
                let place = location.map(|location| (location.file.clone(), location.line));
                if self.refused.insert((place, key.to_owned())) {
                    let what = format!(
                        "`settings.docker.{key}` of step {}: {}",
                        quoted(&step.name),
                        refused.what
                    );
                    report.push(Diagnostic::new(what).help(refused.help).at(location.cloned()));
                }
                Docker::default()
            }
        }
    }

    /// Reports a path once for the place that lists it, however many steps inherit the list.
    fn refuse(
        &mut self,
        listed: &Placed<Vec<String>>,
        path: &str,
        what: String,
        help: &str,
        step: &StepSpec,
        report: &mut Report,
    ) {
        let location = listed.location.as_ref().or(step.location.as_ref());
        let place = location.map(|location| (location.file.clone(), location.line));
        if self.refused.insert((place, path.to_owned())) {
            report.push(Diagnostic::new(what).help(help).at(location.cloned()));
        }
    }
}
