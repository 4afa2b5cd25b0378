//! Pipelines: functions that put steps together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use partita_core::deployment::{Environment, Hooks, Source, SourcePart};
use partita_core::diagnostic::{Diagnostic, Location};
use partita_core::digest::Digest;
use partita_core::literal::Literal;
use partita_core::name::nearest;
use partita_core::run::Failure;
use partita_core::spec::PipelineSpec;
use partita_core::status::RunStatus;

use crate::caller::caught;
use crate::options::Options;
use crate::program::own::OwnProgram;
use crate::step::{FailureHook, Step, SuccessHook};
use crate::trace::{Trace, trace};
use crate::types;
use crate::value::{self, ValueError};

/// A value that the pipeline `P` can be called with as its parameter `N`, from a command line, a file or
/// a document.
///
/// `P` and `N` are types that stand for both, for messages alone: the macro `pipeline` makes them, named
/// after what they stand for.
#[diagnostic::on_unimplemented(
    message = "the parameter `{N}` of the pipeline `{P}` cannot be a `{Self}`",
    label = "no command line, file or document can give a value of this type",
    note = "derive `serde::Serialize` and `serde::Deserialize` for `{Self}`, or make the value in a step"
)]
pub trait Parameter<P, N>: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<P, N, T: Serialize + DeserializeOwned + 'static> Parameter<P, N> for T {}

type Body = dyn Fn(&Arguments) -> Result<(), ValueError> + Send + Sync;

/// A pipeline by its definition; the macro `pipeline` makes one of a function.
///
/// ```
/// use partita::prelude::*;
/// use partita::Pipeline;
///
/// #[step]
/// fn train(depth: u32) -> f64 {
///     1.0 / f64::from(depth)
/// }
///
/// /// Stand for the pipeline and its parameter in messages.
/// struct Wine;
/// struct Depth;
///
/// let pipeline = Pipeline::new("wine", "wine::wine")
///     .parameter_with::<Wine, Depth, _>("depth", 3_u32)
///     .calls(|given| {
///         train(given.get::<u32>("depth")?);
///         Ok(())
///     });
/// assert_eq!(pipeline.trace_defaults().steps[0].name, "train");
/// ```
pub struct Pipeline {
    pub(crate) name: String,
    pub(crate) source: String,
    location: Option<Location>,
    pub(crate) parameters: Vec<DeclaredParameter>,
    options: Options,
    on_success: Option<SuccessHook>,
    on_failure: Option<FailureHook>,
    body: Arc<Body>,
}

/// A parameter of a pipeline.
pub(crate) struct DeclaredParameter {
    pub(crate) name: &'static str,
    pub(crate) type_name: &'static str,
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) default: Option<Literal>,
    accepts: fn(&Literal) -> Result<(), ValueError>,
}

/// A value that was given to a parameter, with the place where it is written.
pub(crate) type Given = BTreeMap<String, (Literal, Option<Location>)>;

/// The values that a pipeline is called with.
pub struct Arguments(BTreeMap<&'static str, Literal>);

impl Arguments {
    /// Returns the value of a parameter.
    ///
    /// # Errors
    /// If it is not one that was declared with this type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, ValueError> {
        let value = self.0.get(name);
        let value =
            value.ok_or_else(|| ValueError::new(format!("there is no parameter `{name}`")))?;
        value::decode(value.text().as_bytes())
    }
}

/// Values by parameter, values of no parameter, and problems.
type Bound = (BTreeMap<&'static str, Literal>, BTreeMap<String, Literal>, Vec<Diagnostic>);

/// A pipeline that was traced.
pub(crate) struct TracedPipeline {
    pub(crate) spec: PipelineSpec,
    /// Its steps, by source.
    pub(crate) steps: BTreeMap<&'static str, Step>,
    /// Whether its function was called to its end; if not, the spec says why not.
    pub(crate) is_whole: bool,
}

impl Pipeline {
    /// Returns a pipeline with this name; `source` is its path in the program, unique in it.
    #[must_use]
    pub fn new(name: &str, source: &str) -> Self {
        Self {
            name: name.to_owned(),
            source: source.to_owned(),
            location: None,
            parameters: Vec::new(),
            options: Options::new(),
            on_success: None,
            on_failure: None,
            body: Arc::new(|_| Ok(())),
        }
    }

    /// Says where it is defined, for messages.
    #[must_use]
    pub fn at(mut self, file: &str, line: u32) -> Self {
        self.location = Some(Location { file: file.to_owned(), line: line.into() });
        self
    }

    /// Sets options: the defaults of its steps.
    #[must_use]
    pub fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Has a function called when a run has completed.
    #[must_use]
    pub fn on_success(mut self, hook: SuccessHook) -> Self {
        self.on_success = Some(hook);
        self
    }

    /// Has a function called when a run has failed, with what went wrong.
    #[must_use]
    pub fn on_failure(mut self, hook: FailureHook) -> Self {
        self.on_failure = Some(hook);
        self
    }

    /// Calls the hook for how a run has ended; returns its name, and what it said when it panicked.
    pub(crate) fn ended(
        &self,
        status: RunStatus,
        error: Option<&str>,
    ) -> Result<(), (&str, String)> {
        let (name, called) = match (status, self.on_success, self.on_failure) {
            (RunStatus::Completed, Some(hook), _) => ("on_success", caught(hook)),
            (RunStatus::Failed, _, Some(hook)) => {
                let failure = Failure::ours(error.unwrap_or("the run failed"));
                ("on_failure", caught(|| hook(&failure)))
            }
            _ => return Ok(()),
        };
        called.map_err(|failure| (name, failure.message))
    }

    /// Declares a parameter that has to be given, of type `T`.
    #[must_use]
    pub fn parameter<P, N, T: Parameter<P, N>>(mut self, name: &'static str) -> Self {
        self.parameters.push(DeclaredParameter {
            name,
            type_name: types::type_name::<T>(),
            kinds: types::kinds::<T>(),
            default: None,
            accepts: |value| value::decode::<T>(value.text().as_bytes()).map(drop),
        });
        self
    }

    /// Declares a parameter with a default.
    #[must_use]
    pub fn parameter_with<P, N, T: Parameter<P, N>>(self, name: &'static str, default: T) -> Self {
        let mut pipeline = self.parameter::<P, N, T>(name);
        if let Some(parameter) = pipeline.parameters.last_mut() {
            parameter.default = value::literal(&default).ok();
        }
        pipeline
    }

    /// Sets what puts its steps together.
    #[must_use]
    pub fn calls(
        mut self,
        body: impl Fn(&Arguments) -> Result<(), ValueError> + Send + Sync + 'static,
    ) -> Self {
        self.body = Arc::new(body);
        self
    }

    /// Returns what it puts together with the defaults of its parameters.
    #[must_use]
    pub fn trace_defaults(&self) -> PipelineSpec {
        self.trace(Given::new(), None).spec
    }

    /// Calls its function once.
    pub(crate) fn trace(&self, given: Given, program: Option<&OwnProgram>) -> TracedPipeline {
        let (values, unknown, mut problems) = self.bind(given);
        let all = self.parameters.iter().all(|parameter| values.contains_key(parameter.name));
        let arguments = Arguments(values);
        let mut refused = None;
        let found = match all {
            true => trace(|| refused = (self.body)(&arguments).err()),
            false => Trace::default(),
        };
        let is_whole = all && refused.is_none();
        problems.extend(refused.map(|error| {
            let what = format!("pipeline `{}` cannot be put together: {error}", self.name);
            Diagnostic::new(what).at(self.location.clone())
        }));
        let (steps, unwritable) = found.steps();
        problems.extend(unwritable);
        let mut sources = BTreeMap::new();
        for (source, step) in &found.definitions {
            match source_of(source, step, program) {
                Ok(found) => _ = sources.insert((*source).to_owned(), found),
                Err(why) => problems.push(Diagnostic::new(why).at(step.location.clone())),
            }
        }
        let parameters = arguments.0.into_iter();
        let spec = PipelineSpec {
            name: self.name.clone(),
            source: self.source.clone(),
            location: self.location.clone(),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value))
                .chain(unknown)
                .collect(),
            parameter_problems: problems,
            options: vec![self.options.layer()],
            hooks: Hooks {
                on_success: self.on_success.map(|_| format!("{}:on_success", self.source)),
                on_failure: self.on_failure.map(|_| format!("{}:on_failure", self.source)),
            },
            environment: environment(),
            sources,
            definitions: found
                .definitions
                .iter()
                .map(|(source, step)| ((*source).to_owned(), step.spec(source)))
                .collect(),
            steps,
        };
        TracedPipeline { spec, steps: found.definitions, is_whole }
    }

    /// Returns the values to call it with, those that it does not take, and what is wrong with those
    /// given.
    fn bind(&self, given: Given) -> Bound {
        let (mut problems, mut left) = (Vec::new(), BTreeMap::new());
        let mut wrong = BTreeSet::new();
        let mut values: BTreeMap<&'static str, Literal> = self
            .parameters
            .iter()
            .filter_map(|parameter| Some((parameter.name, parameter.default.clone()?)))
            .collect();
        for (name, (value, location)) in given {
            let known = self.parameters.iter().find(|parameter| parameter.name == name);
            let problem = match known {
                None => {
                    let problem = self.unknown(&name);
                    left.insert(name, value);
                    Some(problem)
                }
                Some(parameter) => match (parameter.accepts)(&value) {
                    Ok(()) => {
                        values.insert(parameter.name, value);
                        None
                    }
                    Err(error) => {
                        wrong.insert(parameter.name);
                        Some(self.mismatch(parameter, &value, &error))
                    }
                },
            };
            problems.extend(problem.map(|problem| problem.at(location)));
        }
        for parameter in &self.parameters {
            if !values.contains_key(parameter.name) && !wrong.contains(parameter.name) {
                let (name, own) = (parameter.name, &self.name);
                let what = format!("parameter `{name}` of pipeline `{own}` is missing");
                problems
                    .push(Diagnostic::new(what).help(format!("give it with `--param {name}=…`")));
            }
        }
        (values, left, problems)
    }

    fn unknown(&self, name: &str) -> Diagnostic {
        let names = || self.parameters.iter().map(|parameter| parameter.name);
        let help = match nearest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if self.parameters.is_empty() => "it takes none".to_owned(),
            None => format!("it takes `{}`", names().collect::<Vec<_>>().join("`, `")),
        };
        Diagnostic::new(format!("pipeline `{}` has no parameter `{name}`", self.name)).help(help)
    }

    fn mismatch(
        &self,
        parameter: &DeclaredParameter,
        value: &Literal,
        error: &ValueError,
    ) -> Diagnostic {
        let what = format!(
            "parameter `{}` of pipeline `{}` is declared as `{}` and got `{}` ({error})",
            parameter.name,
            self.name,
            parameter.type_name,
            value.text()
        );
        Diagnostic::new(what).help("give it a value of that type")
    }
}

/// Returns what the cache keys of steps in Rust take from the place where they run.
fn environment() -> Environment {
    Environment {
        interpreter: "rust".to_owned(),
        platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    }
}

/// Returns the code of a step: which one of the program it is, and the program as a whole; or a
/// command alone.
pub(crate) fn source_of(
    source: &str,
    step: &Step,
    program: Option<&OwnProgram>,
) -> Result<Source, String> {
    // A program that enters a step has its source from the deployment.
    if let (Some(command), Some(program)) = (step.command(), program) {
        let (line, parts) = command.line(&step.name)?;
        let none = BTreeMap::new();
        let program = Some(program.program.clone());
        return Ok(Source {
            file: None,
            program,
            command: Some(line),
            parts,
            distributions: none,
            notes: Vec::new(),
        });
    }
    let part = |name: &str, kind: &str, digest| SourcePart {
        name: name.to_owned(),
        kind: kind.to_owned(),
        digest,
    };
    let own = part(source, "function", Digest::of(source.as_bytes()));
    // The name of the crate, which is no path of this machine.
    let name = source.split("::").next().unwrap_or(source);
    let whole = program.map(|program| part(name, "program", program.program.digest));
    Ok(Source {
        file: None,
        program: program.map(|program| program.program.clone()),
        command: None,
        parts: std::iter::once(own).chain(whole).collect(),
        distributions: BTreeMap::new(),
        notes: program
            .map(|_| {
                format!("the whole program `{name}` counts: what a step reaches in it is not known")
            })
            .into_iter()
            .collect(),
    })
}
