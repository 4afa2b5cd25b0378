//! Checks that the stack can do what its pipeline asks, so that nothing asked for is ever dropped.

use std::collections::HashMap;

use indexmap::IndexMap;
use partita_core::deployment::Source;
use partita_core::diagnostic::{Diagnostic, Location, Report};
use partita_core::settings::Memory;
use partita_core::spec::StepSpec;
use partita_core::stack::{Capabilities, Component};

use super::messages::{listed, quoted, suggestion};
use super::options::{Options, Placed};
use super::{CompileRequest, images};

const HELP: &str = "take the request away, or use an orchestrator that can; one of flavor `local` \
                    that is registered with `--allow_unenforced=true` ignores it";

/// One request that an orchestrator cannot meet, as several steps may make it.
#[derive(PartialEq, Eq, Hash)]
struct Unmet {
    /// What is asked, as in "step `a` asks for …".
    asked: String,
    /// Why that cannot be.
    because: String,
    help: String,
    location: Option<(String, u64)>,
}

/// Checks requests of steps, and tells alike ones in one problem.
pub(super) struct CapabilityChecker<'a> {
    request: &'a CompileRequest,
    default: Option<&'a Component>,
    orchestrators: HashMap<&'a str, &'a Component>,
    unmet: IndexMap<Unmet, Vec<&'a str>>,
}

impl<'a> CapabilityChecker<'a> {
    pub(super) fn new(request: &'a CompileRequest, report: &mut Report) -> Self {
        let default = request.stack.orchestrator();
        if default.is_none() {
            let what = format!("stack {} has no orchestrator", quoted(&request.stack.name));
            report.push(Diagnostic::new(what).help("update the stack with one, or choose another"));
        }
        let orchestrators = request.stack.orchestrators.iter();
        let orchestrators =
            orchestrators.map(|component| (component.name.as_str(), component)).collect();
        Self { request, default, orchestrators, unmet: IndexMap::new() }
    }

    /// Checks what one step asks. Returns its orchestrator where that is not the default one.
    pub(super) fn check(
        &mut self,
        spec: &'a StepSpec,
        source: Option<&Source>,
        options: &Options,
    ) -> Option<String> {
        let (step, place) = (spec.name.as_str(), spec.location.as_ref());
        let default = self.default?;
        let named = options.orchestrator.as_ref().filter(|placed| placed.value != default.name);
        let (orchestrator, capabilities) = match named {
            None => (default, self.request.capabilities),
            Some(placed) => {
                let location = placed.location.as_ref().or(place);
                self.other(step, &placed.value, location)?
            }
        };
        if capabilities.loads_steps_again && !can_be_loaded_again(&spec.source, source) {
            let because = format!(
                "orchestrator {} (flavor {}) cannot give it, since its function {} is at the top of \
                 no file's module and cannot be loaded again",
                quoted(&orchestrator.name),
                quoted(&orchestrator.flavor),
                quoted(&spec.source)
            );
            let help = "define the function at the top of a module, or choose an orchestrator of \
                        flavor `local`";
            self.add(step, "a process of its own".to_owned(), because, help.to_owned(), place);
        }
        for (asked, because, location) in unmet(options, &capabilities, orchestrator) {
            self.add(step, asked, because, HELP.to_owned(), location.or(place));
        }
        self.check_image(step, options, &capabilities, orchestrator, place);
        named.map(|placed| placed.value.clone())
    }

    /// Has a step that says nothing of its image run in the one that its orchestrator has for such steps,
    /// or in one that is built on that.
    pub(super) fn fill_image(&self, options: &mut Options, interpreter: &str) {
        let named = options.orchestrator.as_ref().map(|placed| placed.value.as_str());
        let name = named.or(self.default.map(|default| default.name.as_str()));
        let Some(images) = name.and_then(|name| self.request.images.get(name)) else {
            return;
        };
        if options.parent_image.is_some() || options.built.contains_key("dockerfile") {
            return;
        }
        let is_asked = options.built.values().any(|placed| placed.value.is_something());
        let is_built = images.are_built && (is_asked || self.request.stack.image_builder.is_some());
        let image = match &images.parent {
            Some(image) => {
                let skip_build = Placed { value: !is_built, location: None };
                options.skip_build.get_or_insert(skip_build);
                image.clone()
            }
            None if options.skip_build.as_ref().is_some_and(|placed| placed.value) => return,
            None => images::of_interpreter(interpreter),
        };
        options.parent_image = Some(Placed { value: image, location: None });
    }

    /// Checks that the image that a step asks for can be had, and is used.
    fn check_image(
        &mut self,
        step: &'a str,
        options: &Options,
        capabilities: &Capabilities,
        orchestrator: &Component,
        place: Option<&Location>,
    ) {
        let images = self.request.images.get(&orchestrator.name);
        let unbuilt = (!images.is_some_and(|images| images.are_built))
            .then(|| images::unbuilt(orchestrator, capabilities.images));
        let Some(refused) = images::refused(options, &self.request.image_builder, unbuilt) else {
            let image = options.parent_image.as_ref().filter(|_| !capabilities.images);
            let Some(image) = image else { return };
            let (name, flavor) = (quoted(&orchestrator.name), quoted(&orchestrator.flavor));
            let because = format!(
                "orchestrator {name} (flavor {flavor}) does not use, since its flavor does not say that steps run in images"
            );
            let help = "take the image away, or use an orchestrator that runs steps in images; the flavor of one says so with `Supply(images=True)`";
            let location = image.location.as_ref().or(place);
            let asked = format!("the image {}", quoted(&image.value));
            return self.add(step, asked, because, help.to_owned(), location);
        };
        let location = refused.location.or(place);
        self.add(step, refused.asked, refused.because, refused.help.to_owned(), location);
    }

    /// Returns an orchestrator that a step names and what it can do, or notes that it cannot serve.
    fn other(
        &mut self,
        step: &'a str,
        name: &str,
        location: Option<&Location>,
    ) -> Option<(&'a Component, Capabilities)> {
        let asked = format!("orchestrator {}", quoted(name));
        let Some(&component) = self.orchestrators.get(name) else {
            let stack = quoted(&self.request.stack.name);
            let mut known: Vec<&str> = self.orchestrators.keys().copied().collect();
            known.sort_unstable();
            let help = suggestion(name, &known);
            let because = format!("stack {stack} does not have");
            self.add(step, asked, because, help, location);
            return None;
        };
        let Some(&capabilities) = self.request.other_capabilities.get(name) else {
            let because = "only runs whole pipelines, not single steps of them".to_owned();
            let help = format!("run the pipeline on a stack whose default is {}", quoted(name));
            self.add(step, asked, because, help, location);
            return None;
        };
        Some((component, capabilities))
    }

    fn add(
        &mut self,
        step: &'a str,
        asked: String,
        because: String,
        help: String,
        location: Option<&Location>,
    ) {
        let location = location.map(|location| (location.file.clone(), location.line));
        let unmet = Unmet { asked, because, help, location };
        self.unmet.entry(unmet).or_default().push(step);
    }

    /// Reports every request that cannot be met.
    pub(super) fn finish(self, report: &mut Report) {
        for (unmet, steps) in self.unmet {
            let (noun, verb) = if steps.len() == 1 { ("step", "asks") } else { ("steps", "ask") };
            let Unmet { asked, because, .. } = unmet;
            let what = format!("{noun} {} {verb} for {asked}, which {because}", listed(&steps));
            let location = unmet.location.map(|(file, line)| Location { file, line });
            report.push(Diagnostic::new(what).help(unmet.help).at(location));
        }
    }
}

/// Returns whether another process finds a function again by its module and name.
fn can_be_loaded_again(key: &str, source: Option<&Source>) -> bool {
    // What is made while other code runs has `<locals>` or `<lambda>` in its name.
    let is_no_function =
        source.is_some_and(|source| source.program.is_some() || source.command.is_some());
    let is_in_file = source.is_some_and(|source| source.file.is_some());
    is_no_function || (!key.contains('<') && is_in_file)
}

/// What is said of an orchestrator that would give graphics processors if it had some.
const NO_GPUS: &str = "has none of: NVIDIA's driver tells of none on this machine, and `gpus` of its configuration names none; \
    `partita doctor --gpu` looks at the driver, and in containers at its toolkit";

/// Returns what is asked of an orchestrator that it cannot do, why, and where it is asked.
fn unmet<'o>(
    options: &'o Options,
    capabilities: &Capabilities,
    orchestrator: &Component,
) -> Vec<(String, String, Option<&'o Location>)> {
    let mut unmet = Vec::new();
    if capabilities.allow_unenforced {
        return unmet;
    }
    let cannot = |what: &str| {
        let (name, flavor) = (quoted(&orchestrator.name), quoted(&orchestrator.flavor));
        format!("orchestrator {name} (flavor {flavor}) {what}")
    };
    if let Some(timeout) = options.timeout.as_ref().filter(|_| !capabilities.timeouts) {
        let asked = format!("a timeout of {}", timeout.value.in_words());
        unmet.push((asked, cannot("cannot enforce"), timeout.location.as_ref()));
    }
    let lacks = |what: String| cannot(&format!("does not have: there {what} in all"));
    let supply = capabilities.supply();
    if let Some(memory) = options.memory.as_ref().filter(|asked| asked.value.0 > supply.memory) {
        let asked = format!("{} of memory", memory.value);
        let because = match supply.memory {
            0 => cannot("cannot enforce"),
            all => lacks(format!("is {}", Memory(all))),
        };
        unmet.push((asked, because, memory.location.as_ref()));
    }
    let gpus = options.resources().gpus();
    if u64::from(gpus) > supply.gpus {
        let class = options.gpu_class.as_ref();
        let count = options.gpu_count.as_ref().map(|count| count.location.as_ref());
        let location = count.or(class.map(|class| class.location.as_ref())).flatten();
        let kind = class.map(|class| format!(" of class {}", quoted(&class.value)));
        let asked =
            format!("{gpus} GPU{}{}", if gpus == 1 { "" } else { "s" }, kind.unwrap_or_default());
        let because = match supply.gpus {
            // Such a one keeps to nothing, or says itself what it has.
            0 if supply.memory == 0 || capabilities.claims.is_some() => {
                cannot("cannot give to a step")
            }
            0 => cannot(NO_GPUS),
            1 => lacks("is 1".to_owned()),
            all => lacks(format!("are {all}")),
        };
        unmet.push((asked, because, location));
    }
    if let Some(class) = options.gpu_class.as_ref()
        && u64::from(gpus) <= supply.gpus
        && !capabilities.gpu_classes
    {
        let asked = format!("a GPU of class {}", quoted(&class.value));
        unmet.push((asked, cannot("cannot choose by class"), class.location.as_ref()));
    }
    if let (Some(cpu), Some(all)) = (&options.cpu_count, capabilities.cpus)
        && cpu.value > all
    {
        let because = lacks(if all == 1.0 { "is 1".to_owned() } else { format!("are {all}") });
        unmet.push((format!("{} CPUs", cpu.value), because, cpu.location.as_ref()));
    }
    unmet
}
