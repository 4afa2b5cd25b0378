//! The images of a deployment's steps: planned, and made before a run begins.

use std::collections::BTreeMap;

use partita_core::stack::Component;
use partita_engine::runs::{ImageVerdict, PlannedImage};
use partita_images::{Builder, Code, ImageError, OwnPython, Registry, StepImage};
use partita_orchestrators::docker;

use super::prepare::Prepared;
use super::{Error, launchers};

/// The image of each step for which one is built, by the step's name.
pub(super) type Images = BTreeMap<String, String>;

/// Returns what becomes of the image of each step for which one is built. What cannot be known without
/// an engine that is away is told as such.
pub(super) fn planned(prepared: &Prepared) -> Result<BTreeMap<String, PlannedImage>, Error> {
    let mut planned = BTreeMap::new();
    for orchestrator in of_containers(prepared) {
        let found = match partita_images::plan(&request(prepared, orchestrator, false)?) {
            Ok(found) => found,
            Err(error) if error.is_unreachable() => {
                let unknown = |reason: String| PlannedImage {
                    image: None,
                    verdict: ImageVerdict::Unknown,
                    reason: Some(reason),
                };
                let steps = prepared.compiled.deployment.steps_on(&orchestrator.name);
                let built = steps.filter(|step| step.config.docker.is_built());
                let told = built.map(|step| (step.name.clone(), unknown(error.to_string())));
                planned.extend(told);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        for StepImage { image, steps, reason, .. } in found {
            let verdict = if reason.is_some() { ImageVerdict::Build } else { ImageVerdict::There };
            let image = PlannedImage { image, verdict, reason };
            planned.extend(steps.into_iter().map(|step| (step, image.clone())));
        }
    }
    Ok(planned)
}

/// Makes the images that are not there, for a run that begins then or not; `tell` is told of each.
///
/// # Errors
/// If one cannot be made.
pub(super) fn make(
    prepared: &Prepared,
    is_run: bool,
    tell: &dyn Fn(&str),
) -> Result<Vec<StepImage>, Error> {
    let mut made = Vec::new();
    for orchestrator in of_containers(prepared) {
        let request = request(prepared, orchestrator, is_run)?;
        let of_orchestrator = partita_images::make(&request, tell);
        if let Err(error @ ImageError::Cancelled) = &of_orchestrator {
            tell(&error.to_string());
        }
        made.extend(of_orchestrator?);
    }
    Ok(made)
}

/// Returns the image of each step.
pub(super) fn by_step(made: &[StepImage]) -> Images {
    let named = made.iter().filter_map(|made| Some((made.image.as_ref()?, &made.steps)));
    let steps = named.flat_map(|(image, steps)| steps.iter().map(move |step| (step, image)));
    steps.map(|(step, image)| (step.clone(), image.clone())).collect()
}

/// Returns the orchestrators for whose steps images are built.
fn of_containers(prepared: &Prepared) -> impl Iterator<Item = &Component> {
    let orchestrators = prepared.stack.orchestrators.iter();
    orchestrators.filter(|orchestrator| {
        let images = prepared.step_images.get(&orchestrator.name);
        images.is_some_and(|images| images.are_built)
    })
}

/// Returns the author's code, if it is part of an orchestrator's images: steps of the built-in one
/// fetch it by themselves.
fn code(prepared: &Prepared, orchestrator: &Component) -> Result<Option<Code>, Error> {
    if orchestrator.flavor == docker::NAME {
        return Ok(None);
    }
    let read = Code::read(&prepared.source_root, &launchers::no_code(prepared));
    Ok(Some(read.map_err(ImageError::from)?))
}

fn request<'a>(
    prepared: &'a Prepared,
    orchestrator: &'a Component,
    is_run: bool,
) -> Result<partita_images::Request<'a>, Error> {
    let deployment = &prepared.compiled.deployment;
    let registry = match &prepared.stack.container_registry {
        Some(component) => {
            let filled = match prepared.secrets()? {
                Some(secrets) => secrets.fill_component(component)?,
                None => component.clone(),
            };
            Some(Registry::of(&filled).map_err(ImageError::Registry)?)
        }
        None => None,
    };
    let interpreter = &deployment.environment.interpreter;
    let version = interpreter.rsplit('-').next().unwrap_or_default();
    let version = version.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    Ok(partita_images::Request {
        deployment,
        orchestrator,
        builder: Builder::of_stack(&prepared.stack).map_err(ImageError::Registry)?,
        registry,
        python: prepared.python.as_ref().map(|python| OwnPython {
            interpreter: python.interpreter.clone(),
            package: python.package.clone(),
            version: version.to_owned(),
        }),
        source_root: &prepared.source_root,
        code: code(prepared, orchestrator)?,
        cache: prepared.session.home().path().join("images"),
        runs_on_engine: is_run && orchestrator.flavor == docker::NAME,
    })
}
