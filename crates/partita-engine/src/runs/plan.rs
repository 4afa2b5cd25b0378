//! What a run would do: for each step, whether it would run, and why.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use partita_core::deployment::{Deployment, Input};
use partita_core::launcher::Unit;
use serde::{Deserialize, Serialize};

use crate::cache::{CACHING_IS_OFF, CacheResolver, Lookup};
use crate::metadata::RunIndex;
use crate::step_runner::{Gathered, InputError, RunContext, gathered};
use crate::store::ArtifactStore;

/// Whether a step would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It would.
    Run,
    /// An earlier result would be taken.
    Cached,
    /// It would run unless its upstream steps make what they made before.
    Depends,
}

/// What would become of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The step invocation.
    pub step: String,
    /// Whether it would run.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What is known of its items, if it is mapped and its list is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<PlannedItems>,
    /// Why it would start Python anew where others are forked from a process that has imported
    /// their modules; its orchestrator knows, and who asks it fills this in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_anew: Option<String>,
    /// The image that is built for it, if it would run in one; who builds it fills this in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<PlannedImage>,
    /// Where a whole file counts, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What would become of the image of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedImage {
    /// Its name; absent as long as what it is built on is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether it would be built.
    pub verdict: ImageVerdict,
    /// Why, or why that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether an image would be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageVerdict {
    /// It would.
    Build,
    /// It is there.
    There,
    /// That cannot be known now.
    Unknown,
}

/// What would become of the items of a mapped step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlannedItems {
    /// How many there are.
    pub count: usize,
    /// For how many an earlier result would be taken; absent where that cannot be known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<usize>,
}

/// Returns what a run of `deployment` would do, step by step, without doing any of it.
/// `source_root` is where the pipeline's code lies.
///
/// # Errors
/// If the artifact store cannot be read.
pub fn plan(
    deployment: Arc<Deployment>,
    store: Arc<dyn ArtifactStore>,
    history: Arc<dyn RunIndex>,
    source_root: Option<String>,
) -> Result<Vec<PlannedStep>, InputError> {
    // No run has this id, so nothing is ever found committed but what is remembered below.
    let context = Arc::new(RunContext::new("plan", Arc::clone(&deployment), store));
    let resolver = CacheResolver::new(Arc::clone(&context), history, None, source_root);
    let mut unknown: HashSet<&str> = HashSet::new();
    let mut planned = Vec::with_capacity(deployment.steps.len());
    for (index, step) in deployment.steps.iter().enumerate() {
        let waits_for: BTreeSet<&str> =
            step.inputs.values().flat_map(upstream).filter(|name| unknown.contains(name)).collect();
        let mut items = sized(&context, index, &unknown)?;
        let (verdict, reason) = if !step.config.enable_cache {
            (Verdict::Run, CACHING_IS_OFF.to_owned())
        } else if let Some(first) = waits_for.first() {
            let others = if waits_for.len() > 1 { " and others" } else { "" };
            let mut reasons = resolver.own_changes(index);
            reasons.insert(0, format!("its input comes from `{first}`{others}, which will run"));
            if step.map_over.is_some() && items.is_none() {
                reasons.push("how many items it has is known when it runs".to_owned());
            }
            (Verdict::Depends, reasons.join("; "))
        } else if let Some(items) = &mut items {
            look_up_items(&context, &resolver, index, items)?
        } else {
            look_up(&context, &resolver, index)?
        };
        if verdict != Verdict::Cached {
            unknown.insert(&step.name);
        }
        let source = deployment.sources.get(&step.source);
        let notes = source.map(|source| source.notes.clone()).unwrap_or_default();
        let (step, starts_anew, image) = (step.name.clone(), None, None);
        planned.push(PlannedStep { step, verdict, reason, items, starts_anew, image, notes });
    }
    Ok(planned)
}

fn look_up(
    context: &RunContext,
    resolver: &CacheResolver,
    step: usize,
) -> Result<(Verdict, String), InputError> {
    Ok(match resolver.look_up(step)? {
        Lookup::Hit { entry, reason } => {
            context.remember(step, Arc::new(*entry));
            (Verdict::Cached, reason)
        }
        Lookup::Miss { reason } => (Verdict::Run, reason),
    })
}

/// Returns how many items a step has, if it is mapped and its list does not come from a step that
/// would run.
fn sized(
    context: &RunContext,
    index: usize,
    unknown: &HashSet<&str>,
) -> Result<Option<PlannedItems>, InputError> {
    let step = &context.deployment.steps[index];
    let Some(list) = step.map_over.as_ref().and_then(|name| step.inputs.get(name)) else {
        return Ok(None);
    };
    // The items of a list that is written out are counted without their values.
    let is_open = |input: &Input| upstream(input).iter().any(|name| unknown.contains(name));
    if matches!(list, Input::Output(_)) && is_open(list) {
        return Ok(None);
    }
    Ok(Some(PlannedItems { count: context.expand(index)?, cached: None }))
}

/// Looks each item of a mapped step up; if all have results, so has the step.
fn look_up_items(
    context: &RunContext,
    resolver: &CacheResolver,
    step: usize,
    items: &mut PlannedItems,
) -> Result<(Verdict, String), InputError> {
    let (mut found, mut missed) = (Vec::new(), None);
    for item in 0..items.count as u32 {
        match resolver.look_up(Unit::item(step, item))? {
            Lookup::Hit { entry, .. } => found.push(Arc::new(*entry)),
            Lookup::Miss { reason } => drop(missed.get_or_insert(reason)),
        }
    }
    items.cached = Some(found.len());
    if let Some(reason) = missed {
        return Ok((Verdict::Run, reason));
    }
    let result = gathered(context, step, &found, Gathered::Imagined)?;
    context.remember(step, Arc::new(result));
    let reason = match items.count {
        0 => "its list is empty",
        _ => "all of its items are cached",
    };
    Ok((Verdict::Cached, reason.to_owned()))
}

fn upstream(input: &Input) -> Vec<&str> {
    let mut steps = Vec::new();
    input.visit_outputs(&mut |reference| steps.push(reference.step.as_str()));
    steps
}
