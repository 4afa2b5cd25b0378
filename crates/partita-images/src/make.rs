//! The images of the steps of a deployment: which there are, which are missing and why, and making
//! these.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::try_join_all;
use partita_core::deployment::Deployment;
use partita_core::digest::Digest;
use partita_core::stack::Component;
use partita_engine::file_digest::KnownDigests;
use partita_orchestrators::docker::PreflightError;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

use crate::builder::Builder;
use crate::bytecode;
use crate::code::Code;
use crate::engine_build;
use crate::error::ImageError;
use crate::groups::{Group, groups};
use crate::keeper::Keeper;
use crate::layer::Files;
use crate::own::{Own, OwnPython};
use crate::parent::Parent;
use crate::recipe::{Recipe, short};
use crate::registry::Registry;
use crate::work::{self, Work};

/// What images are made for, and with.
pub struct Request<'a> {
    /// The deployment whose steps run in them.
    pub deployment: &'a Deployment,
    /// The orchestrator that runs these steps, whose engine it is.
    pub orchestrator: &'a Component,
    /// What makes them.
    pub builder: Builder,
    /// Where they are kept besides, with values in place of references to secrets.
    pub registry: Option<Registry>,
    /// The Python of this installation, if steps are in Python.
    pub python: Option<OwnPython>,
    /// The root of the author's code.
    pub source_root: &'a Path,
    /// That code, where it is part of the images.
    pub code: Option<Code>,
    /// The folder where this machine keeps what images are made of.
    pub cache: PathBuf,
    /// Whether steps run on the engine as soon as their images are there, so that there has to be one.
    pub runs_on_engine: bool,
}

/// The image of some steps.
#[derive(Debug, Clone, PartialEq)]
pub struct StepImage {
    /// Its name; absent as long as what it is built on is not there.
    pub image: Option<String>,
    /// The steps that run in it.
    pub steps: Vec<String>,
    /// Why it is built; absent where it is there.
    pub reason: Option<String>,
    /// The seconds that building it took; absent where it was not built.
    pub seconds: Option<f64>,
}

/// What is at hand while images are made.
pub(crate) struct Place<'a> {
    pub(crate) keeper: Keeper,
    pub(crate) registry: Option<Registry>,
    pub(crate) source_root: &'a Path,
    pub(crate) code: Option<&'a Code>,
    pub(crate) cache: PathBuf,
    builder: &'a Builder,
    python: Option<&'a OwnPython>,
    own: Option<Arc<Own>>,
    pub(crate) work: Work,
    /// The images that these builds began with, which only they need.
    pub(crate) parts: RefCell<Vec<String>>,
    /// The recipes of the last time, by step.
    before: BTreeMap<String, Recipe>,
}

/// One image that is to be made.
pub(crate) struct Task<'a> {
    pub(crate) place: &'a Place<'a>,
    pub(crate) image: &'a str,
    /// The digest of its recipe.
    pub(crate) tag: String,
    /// The steps that run in it, in words.
    pub(crate) steps: &'a str,
    /// An image that has all its layers but for the last one.
    pub(crate) earlier: Option<String>,
}

impl<'a> Task<'a> {
    fn new(place: &'a Place<'a>, image: &'a str, tag: String, steps: &'a str) -> Self {
        Self { place, image, tag, steps, earlier: None }
    }

    /// Waits until no other process builds the image, and empties the log of the last time.
    async fn turn(&self, tell: &dyn Fn(&str)) -> Result<File, ImageError> {
        let (log, image) = (self.log(), self.image);
        let wait = || tell(&format!("waiting for the image `{image}`, which another run builds"));
        let turn = work::turn(&log, wait).await;
        let turn = turn.and_then(|file| file.set_len(0).map(|()| file));
        turn.map_err(|error| ImageError::system(&log, error))
    }

    fn log(&self) -> PathBuf {
        self.place.cache.join(format!("build-{}.log", self.tag))
    }

    /// Keeps what a build has said, after what it has said before, for whoever wants to see all of it.
    pub(crate) fn write_log(&self, output: &str) -> Result<PathBuf, ImageError> {
        let path = self.log();
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened
            .and_then(|mut log| log.write_all(output.as_bytes()))
            .map_err(|error| ImageError::system(&path, error))?;
        Ok(path)
    }
}

/// Returns the images of steps, and whether each is there; makes nothing.
///
/// # Errors
/// If nothing is there that keeps them, or that cannot run what they are built on.
pub fn plan(request: &Request<'_>) -> Result<Vec<StepImage>, ImageError> {
    with_place(request, async |place, groups| {
        let mut planned = Vec::new();
        for group in &groups {
            planned.push(place.planned(group).await?);
        }
        Ok(planned)
    })
}

/// Makes the images of steps that are not there, several at once; `tell` is told of each.
///
/// # Errors
/// If one cannot be made.
pub fn make(request: &Request<'_>, tell: &dyn Fn(&str)) -> Result<Vec<StepImage>, ImageError> {
    let kept = last(request);
    with_place(request, async |place, groups| {
        let made = try_join_all(groups.iter().map(|group| place.made(group, tell))).await?;
        let mut recipes = place.before.clone();
        for (group, (_, recipe)) in groups.iter().zip(&made) {
            recipes.extend(group.steps.iter().map(|step| (step.clone(), recipe.clone())));
        }
        if recipes != place.before {
            let text = serde_json::to_vec(&recipes).unwrap_or_default();
            fs::write(&kept, text).map_err(|error| ImageError::system(&kept, error))?;
        }
        Ok(made.into_iter().map(|(image, _)| image).collect())
    })
}

/// Returns what the names of the containers of builds begin with.
pub(crate) fn containers_of(work: &str) -> String {
    format!("partita-build-{work}")
}

/// Returns an id that nothing else has.
fn new_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let this = format!("{} {}", std::process::id(), now.as_nanos());
    short(&Digest::of(this.as_bytes()))
}

/// Returns where the recipes of the last time are kept.
fn last(request: &Request<'_>) -> PathBuf {
    let name = Digest::of(request.deployment.pipeline.name.as_bytes());
    request.cache.join(format!("last-{}.json", short(&name)))
}

fn with_place<T>(
    request: &Request<'_>,
    run: impl AsyncFnOnce(&Place<'_>, Vec<Group>) -> Result<Vec<T>, ImageError>,
) -> Result<Vec<T>, ImageError> {
    let groups = groups(request);
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let cache = &request.cache;
    fs::create_dir_all(cache).map_err(|error| ImageError::system(cache, error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(PreflightError::from)?;
    let before = fs::read(last(request)).ok();
    let own = match request.python.as_ref().filter(|_| groups.iter().any(|group| group.is_python)) {
        Some(python) => {
            let known = KnownDigests::in_folder(cache.join("digests"));
            let own = Own::read(&python.package, &known);
            Some(Arc::new(own.map_err(|error| ImageError::system(&python.package, error))?))
        }
        None => None,
    };
    let begun = Work::begin(cache, new_id());
    let (work, dead) = begun.map_err(|error| ImageError::system(cache, error))?;
    let made = runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).map_err(PreflightError::from)?;
        let place = Place {
            keeper: Keeper::of(request, containers_of(&work.id)).await?,
            registry: request.registry.clone(),
            source_root: request.source_root,
            code: request.code.as_ref(),
            cache: cache.clone(),
            builder: &request.builder,
            python: request.python.as_ref(),
            own,
            work,
            parts: RefCell::default(),
            before: before.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default(),
        };
        for id in dead {
            place.keeper.clean(&containers_of(&id), &[]).await;
        }
        tokio::select! {
            made = run(&place, groups) => return made,
            _ = ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        place.keeper.clean(&containers_of(&place.work.id), &place.parts.take()).await;
        Err(ImageError::Cancelled)
    });
    // What was cancelled need not come to its end.
    runtime.shutdown_background();
    made
}

impl Place<'_> {
    fn recipe(&self, group: &Group, parent: &Parent) -> Recipe {
        let own = self.own.as_ref().filter(|_| group.is_python);
        Recipe {
            builder: self.builder.flavor().to_owned(),
            parent: parent.id.clone(),
            docker: group.docker.clone(),
            partita: own.map(|own| own.digest),
            code: self.code.map(|code| code.digest),
        }
    }

    /// Returns the name of what an image is built on, as the engine has it.
    fn parent_name(group: &Group) -> String {
        let docker = &group.docker;
        let made = || engine_build::dockerfile_image(docker);
        docker.parent_image.clone().unwrap_or_else(made)
    }

    async fn planned(&self, group: &Group) -> Result<StepImage, ImageError> {
        let name = Self::parent_name(group);
        let mut planned =
            StepImage { image: None, steps: group.steps.clone(), reason: None, seconds: None };
        let Some(parent) = self.keeper.there(&name).await? else {
            planned.reason = Some(match &group.docker.dockerfile {
                Some(dockerfile) => format!("nothing was built of `{dockerfile}` as it is now"),
                None => format!("`{name}` is not there, and is pulled first"),
            });
            return Ok(planned);
        };
        parent.check(self.builder)?;
        let recipe = self.recipe(group, &parent);
        let image = recipe.image(self.registry.as_ref());
        if group.docker.prevent_build_reuse || !self.keeper.has_anywhere(&image).await? {
            planned.reason = Some(self.reason(group, &recipe));
        }
        planned.image = Some(image);
        Ok(planned)
    }

    /// Returns why the image of a recipe is built.
    fn reason(&self, group: &Group, recipe: &Recipe) -> String {
        if group.docker.prevent_build_reuse {
            return "`prevent_build_reuse` says so".to_owned();
        }
        let Some(before) = self.before.get(&group.steps[0]) else {
            return "none was built before".to_owned();
        };
        let changes = recipe.changes(before);
        match changes.is_empty() {
            true => format!("{} does not have it any more", self.keeper.in_words()),
            false => changes.join(", "),
        }
    }

    /// Returns the image that steps had the last time, if nothing but the code has changed since.
    async fn with_other_code(
        &self,
        group: &Group,
        recipe: &Recipe,
    ) -> Result<Option<String>, ImageError> {
        let before = self.before.get(&group.steps[0]);
        let Some(before) = before.filter(|before| recipe.changes_code_alone(before)) else {
            return Ok(None);
        };
        let image = before.image(self.registry.as_ref());
        Ok(self.keeper.has(&image).await?.then_some(image))
    }

    async fn made(
        &self,
        group: &Group,
        tell: &dyn Fn(&str),
    ) -> Result<(StepImage, Recipe), ImageError> {
        let begun = Instant::now();
        let steps = group.in_words();
        let parent = self.parent(group, &steps, tell).await?;
        let recipe = self.recipe(group, &parent);
        let image = recipe.image(self.registry.as_ref());
        let made = |reason, seconds| StepImage {
            image: Some(image.clone()),
            steps: group.steps.clone(),
            reason,
            seconds,
        };
        if !group.docker.prevent_build_reuse && self.keeper.gets(&image).await? {
            return Ok((made(None, None), recipe));
        }
        let reason = self.reason(group, &recipe);
        let mut task = Task::new(self, &image, short(&recipe.digest()), &steps);
        task.earlier = self.with_other_code(group, &recipe).await?;
        let _turn = task.turn(tell).await?;
        if !group.docker.prevent_build_reuse && self.keeper.has(&image).await? {
            // Another run has built it meanwhile.
            return Ok((made(None, None), recipe));
        }
        tell(&format!("building the image `{image}` of {steps}: {reason}"));
        self.build(&task, group, &parent).await?;
        self.keeper.share(&image).await?;
        let seconds = begun.elapsed().as_secs_f64();
        tell(&format!("the image `{image}` is built, in {seconds:.1} s"));
        Ok((made(Some(reason), Some(seconds)), recipe))
    }

    /// Returns what an image is built on, which is made or pulled if it is not there.
    async fn parent(
        &self,
        group: &Group,
        steps: &str,
        tell: &dyn Fn(&str),
    ) -> Result<Parent, ImageError> {
        let name = Self::parent_name(group);
        if let (Some(_), Builder::Docker(config)) = (&group.docker.dockerfile, self.builder) {
            let tag = group.docker.context.as_ref().map(short).unwrap_or_default();
            let task = Task::new(self, &name, tag, steps);
            let _turn = task.turn(tell).await?;
            task.build_dockerfile(config, &group.docker).await?;
        }
        let parent = self.keeper.find(&name).await?;
        parent.check(self.builder)?;
        Ok(parent)
    }

    async fn build(
        &self,
        task: &Task<'_>,
        group: &Group,
        parent: &Parent,
    ) -> Result<(), ImageError> {
        let python = match self.python.filter(|_| group.is_python) {
            Some(own) => Some((own, self.keeper.python_for(own, parent, &self.cache).await?)),
            None => None,
        };
        let folder = task.temporary()?;
        let mut files = Files::new();
        if let (Some(own), Some((ours, theirs))) = (&self.own, &python) {
            files = own.layer(theirs);
            let compiled = bytecode::add(&mut files, ours, folder.path()).await;
            compiled.map_err(|error| ImageError::system(folder.path(), error))?;
        }
        match self.builder {
            Builder::Docker(config) => {
                task.build_by_engine(config, &group.docker, parent, files).await
            }
            Builder::Native => {
                let python = python.as_ref().map(|(own, parent)| (*own, parent));
                task.build_by_hand(&group.docker, parent, python, files).await
            }
        }
    }
}
