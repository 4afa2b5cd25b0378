//! Compiles a traced pipeline, a stack and settings into a deployment, or says everything that is
//! wrong with them.
//!
//! # Layers of options
//! Options come in layers, and what a later one gives replaces what an earlier one gave, key by key
//! (`retry` and `settings.resources` too; lists are replaced as a whole):
//!
//! 1. the pipeline's decorator: the defaults of its steps;
//! 2. the step: its definition, then `with_options` of its use;
//! 3. the pipeline's `with_options`;
//! 4. the configuration file, outside `steps`;
//! 5. the configuration file's `steps`;
//! 6. the command line.
//!
//! So a step's own options win over those in the decorator of its pipeline, and whoever starts a run
//! wins over its author: `enable_cache: false` in a configuration file turns caching off for every
//! step that the file does not name. `parameters` of a pipeline are no defaults for its steps; an SDK
//! applies them before it traces ([`ConfigFile::parameters`]) and says what is wrong with them
//! ([`PipelineSpec::parameter_problems`]), which is reported first.
//!
//! # Cost
//! Names are looked up once in hash maps and each layer is read once, so that compiling is linear in
//! steps and edges.

mod cache_files;
mod capabilities;
mod config_file;
mod declarations;
mod delegation;
mod docker;
mod executables;
mod graph;
mod images;
mod inputs;
mod layers;
mod mapped;
mod messages;
mod options;
mod orchestrator_settings;
mod requirements;
mod secrets;
mod settings;
mod values;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use partita_core::deployment::{Deployment, Input, Pipeline, Step, StepConfig, VERSION};
use partita_core::diagnostic::{Diagnostic, Report};
use partita_core::literal::Literal;
use partita_core::settings::FailureMode;
use partita_core::spec::PipelineSpec;
use partita_core::stack::{Capabilities, Stack};

pub use config_file::ConfigFile;
pub use delegation::check_delegation;
pub use options::{OPTIONS, OptionKey, Scope};
pub use orchestrator_settings::FlavorSettings;
pub use secrets::check_secrets;

use capabilities::CapabilityChecker;
use graph::{Graph, Names};
use inputs::InputChecker;
use orchestrator_settings::SettingsChecker;
use settings::{ConfigMaker, Settings};

/// What a pipeline is compiled for and with.
#[derive(Debug, Clone)]
pub struct CompileRequest {
    /// The stack it will run on.
    pub stack: Stack,
    /// What the stack's default orchestrator can do.
    pub capabilities: Capabilities,
    /// What the stack's other orchestrators can do for single steps, by name; a step that names one
    /// that is not here is refused.
    pub other_capabilities: BTreeMap<String, Capabilities>,
    /// What settings flavors of orchestrators take.
    pub flavor_settings: FlavorSettings,
    /// The orchestrators that run every step in an image, by name.
    pub images: BTreeMap<String, StepImages>,
    /// What the stack's image builder cannot do.
    pub image_builder: ImageBuilderLimits,
    /// The folders where the distributions of this Python are.
    pub site_packages: Vec<PathBuf>,
    /// The configuration file, if one was given.
    pub config: Option<ConfigFile>,
    /// What the command line, or the call that starts the run, says.
    pub overrides: Overrides,
    /// The folder that `cache_files` are relative to.
    pub source_root: PathBuf,
    /// The variables that `cache_environment` may name, with their values.
    pub environment_variables: BTreeMap<String, String>,
}

/// The images of an orchestrator that runs every step in one.
#[derive(Debug, Clone, Default)]
pub struct StepImages {
    /// That of steps that name none, or what it is built on.
    pub parent: Option<String>,
    /// Whether images are built for its steps.
    pub are_built: bool,
}

/// What an image builder cannot do.
#[derive(Debug, Clone, Default)]
pub struct ImageBuilderLimits {
    /// What it is called in messages.
    pub name: String,
    /// The keys of `settings.docker` that it cannot honour, each with the reason.
    pub refused: BTreeMap<&'static str, &'static str>,
}

/// The last layer of options.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Values of the pipeline's parameters, as it has been traced with.
    pub parameters: Vec<(String, Literal)>,
    /// Whether any step may be cached.
    pub enable_cache: Option<bool>,
    /// The run's name.
    pub run_name: Option<String>,
}

/// A compiled pipeline.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The document.
    pub deployment: Deployment,
    /// The name that the run was given; absent if it is to be made up.
    pub run_name: Option<String>,
}

/// Compiles `spec`.
///
/// It reads the files that steps list as key material, and nothing else.
///
/// # Errors
/// Every problem of the pipeline, its options and its stack.
pub fn compile(spec: PipelineSpec, request: &CompileRequest) -> Result<Compiled, Report> {
    let mut report = Report { problems: spec.parameter_problems.clone() };
    declarations::check(&spec, &request.overrides, &mut report);
    let plan = plan(&spec, request, &mut report);
    report.unless_problems(())?;
    let run_name = plan.run_name.clone();
    let mut deployment = build(spec, plan, request);
    deployment.id = deployment.content_id().map_err(|error| {
        Diagnostic::new(format!("the deployment cannot be written as JSON: {error}"))
    })?;
    if request.capabilities.is_delegated() {
        check_delegation(&deployment, &request.capabilities)?;
    }
    secrets::check(&deployment, request)?;
    Ok(Compiled { deployment, run_name })
}

/// What has been decided about a pipeline.
struct Plan {
    graph: Graph,
    failure_mode: FailureMode,
    run_name: Option<String>,
    steps: Vec<StepPlan>,
}

/// What has been decided about a step.
struct StepPlan {
    config: StepConfig,
    /// Parameters that differ from the ones traced.
    parameters: Vec<(String, Literal)>,
}

fn plan(spec: &PipelineSpec, request: &CompileRequest, report: &mut Report) -> Plan {
    let names = Names::of(&spec.steps, report);
    let graph = Graph::of(spec, &names, report);
    let settings = Settings::read(spec, request, report);
    settings.check_steps(&names, report);
    settings.check_parameters(spec, report);
    let mut capabilities = CapabilityChecker::new(request, report);
    let mut own_settings = SettingsChecker::new(request);
    let mut configs = ConfigMaker::new(request);
    let mut inputs = InputChecker::new(spec, &names);
    let steps = spec.steps.iter().map(|step| {
        let mut options = settings.of_step(step, report);
        capabilities.fill_image(&mut options, &spec.environment.interpreter);
        let mut config = configs.make(step, &options, report);
        config.orchestrator = capabilities.check(step, spec.sources.get(&step.source), &options);
        executables::check(step, spec.sources.get(&step.source), &config, report);
        let orchestrator = config.orchestrator.as_deref();
        config.settings = own_settings.check(step, &options, orchestrator, report);
        if let Some(definition) = spec.definitions.get(&step.source) {
            config.hooks = definition.hooks.clone();
        }
        let given = std::mem::take(&mut options.parameters);
        StepPlan { config, parameters: inputs.check(step, given) }
    });
    let steps = steps.collect();
    inputs.finish(report);
    capabilities.finish(report);
    let (failure_mode, run_name) = (settings.failure_mode(), settings.run_name());
    Plan { graph, failure_mode, run_name, steps }
}

fn build(mut spec: PipelineSpec, plan: Plan, request: &CompileRequest) -> Deployment {
    let steps = steps(&mut spec, plan.graph, plan.steps);
    let used: std::collections::HashSet<&str> =
        steps.iter().map(|step| step.source.as_str()).collect();
    spec.sources.retain(|source, _| used.contains(source.as_str()));
    Deployment {
        version: VERSION,
        id: String::new(),
        pipeline: Pipeline {
            name: spec.name,
            source: spec.source,
            parameters: spec.parameters,
            failure_mode: plan.failure_mode,
            hooks: spec.hooks,
        },
        stack: request.stack.clone(),
        environment: spec.environment,
        sources: spec.sources,
        steps,
    }
}

/// Returns the steps of the document, in order; those of `spec` are used up.
fn steps(spec: &mut PipelineSpec, graph: Graph, plans: Vec<StepPlan>) -> Vec<Step> {
    let names: Vec<String> = spec.steps.iter().map(|step| step.name.clone()).collect();
    let upstream = graph.upstream.iter().map(|upstream| {
        let mut upstream: Vec<String> = upstream.iter().map(|&step| names[step].clone()).collect();
        upstream.sort_unstable();
        upstream
    });
    let traced = std::mem::take(&mut spec.steps).into_iter().zip(plans).zip(upstream);
    let mut made: Vec<Option<Step>> = traced
        .map(|((step, plan), upstream_steps)| {
            let definition = spec.definitions.get(&step.source);
            // A plain value is a parameter, however it was traced: one value, one cache key.
            let (mut parameters, mut inputs) = (step.parameters, BTreeMap::new());
            let is_mapped_over = |name: &String| step.map_over.as_ref() == Some(name);
            for (name, input) in step.inputs {
                match input {
                    Input::Value(value) if !is_mapped_over(&name) => {
                        parameters.insert(name, value).map(drop)
                    }
                    input => inputs.insert(name, input).map(drop),
                };
            }
            for (name, value) in plan.parameters {
                match is_mapped_over(&name) {
                    true => inputs.insert(name, Input::Value(value)).map(drop),
                    false => parameters.insert(name, value).map(drop),
                };
            }
            let source = executables::placed(step.source, &plan.config, &mut spec.sources);
            Some(Step {
                name: step.name,
                source,
                parameters,
                inputs,
                map_over: step.map_over,
                upstream_steps,
                outputs: definition
                    .map(|definition| definition.outputs.clone())
                    .unwrap_or_default(),
                config: plan.config,
            })
        })
        .collect();
    graph.order.iter().filter_map(|&step| made[step].take()).collect()
}
