//! What a run would do: for each step, whether it would run, and why.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use partita_core::deployment::Deployment;
use serde::Serialize;

use crate::cache::{CACHING_IS_OFF, CacheResolver, Lookup};
use crate::metadata::RunIndex;
use crate::step_runner::RunContext;
use crate::store::{ArtifactStore, Result};

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
    /// Where a whole file counts, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
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
) -> Result<Vec<PlannedStep>> {
    // No run has this id, so nothing is ever found committed but what is remembered below.
    let context = Arc::new(RunContext::new("plan", Arc::clone(&deployment), store));
    let resolver = CacheResolver::new(Arc::clone(&context), history, None, source_root);
    let mut unknown: HashSet<&str> = HashSet::new();
    let mut planned = Vec::with_capacity(deployment.steps.len());
    for (index, step) in deployment.steps.iter().enumerate() {
        let waits_for: BTreeSet<&str> =
            step.inputs.values().flat_map(upstream).filter(|name| unknown.contains(name)).collect();
        let (verdict, reason) = if !step.config.enable_cache {
            (Verdict::Run, CACHING_IS_OFF.to_owned())
        } else if let Some(first) = waits_for.first() {
            let others = if waits_for.len() > 1 { " and others" } else { "" };
            let mut reasons = resolver.own_changes(index);
            reasons.insert(0, format!("its input comes from `{first}`{others}, which will run"));
            (Verdict::Depends, reasons.join("; "))
        } else {
            match resolver.look_up(index)? {
                Lookup::Hit { entry, reason } => {
                    context.remember(index, Arc::new(*entry));
                    (Verdict::Cached, reason)
                }
                Lookup::Miss { reason } => (Verdict::Run, reason),
            }
        };
        if verdict != Verdict::Cached {
            unknown.insert(&step.name);
        }
        let notes = deployment
            .sources
            .get(&step.source)
            .map(|source| source.notes.clone())
            .unwrap_or_default();
        planned.push(PlannedStep { step: step.name.clone(), verdict, reason, notes });
    }
    Ok(planned)
}

fn upstream(input: &partita_core::deployment::Input) -> Vec<&str> {
    let mut steps = Vec::new();
    input.visit_outputs(&mut |reference| steps.push(reference.step.as_str()));
    steps
}
