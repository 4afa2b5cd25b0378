//! The graph of a pipeline: which step waits for which, in which order they come, and its cycles.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use partita_core::diagnostic::{Diagnostic, Report};
use partita_core::spec::{PipelineSpec, StepSpec};

use super::messages::{quoted, suggestion};

/// Names of a cycle that a message shows.
const SHOWN: usize = 10;
/// Suggestions made for one pipeline: each compares a word with every step's name.
const SUGGESTIONS: usize = 50;

/// The steps by name, looked up once for everything that speaks of them.
pub(super) struct Names<'a> {
    by_name: HashMap<&'a str, usize>,
    names: Vec<&'a str>,
    suggestions_left: Cell<usize>,
}

impl<'a> Names<'a> {
    /// Returns the names of `steps`; of steps with one name, the first one counts.
    pub(super) fn of(steps: &'a [StepSpec], report: &mut Report) -> Self {
        let mut by_name = HashMap::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            let first = *by_name.entry(step.name.as_str()).or_insert(index);
            if first != index {
                report.push(duplicate(&steps[first], step));
            }
        }
        let names = steps.iter().map(|step| step.name.as_str()).collect();
        Self { by_name, names, suggestions_left: Cell::new(SUGGESTIONS) }
    }

    /// Returns the index of the step with this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Returns what to do about a name that no step has.
    pub(super) fn suggestion(&self, name: &str) -> String {
        match self.suggestions_left.get().checked_sub(1) {
            Some(left) => {
                self.suggestions_left.set(left);
                suggestion(name, &self.names)
            }
            None => "name a step of this pipeline".to_owned(),
        }
    }
}

fn duplicate(first: &StepSpec, second: &StepSpec) -> Diagnostic {
    let place = match &first.location {
        Some(location) => format!(", the other one at {}:{}", location.file, location.line),
        None => String::new(),
    };
    let help = match first.named || second.named {
        true => "give each step an `id` of its own, or leave `id` out to have them numbered",
        false => "number the uses of a step: `train`, `train_2`, …",
    };
    Diagnostic::new(format!("two steps are named {}{place}", quoted(&second.name)))
        .help(help)
        .at(second.location.clone())
}

/// Which step waits for which, by index into the spec's steps.
pub(super) struct Graph {
    /// The steps that each step waits for, ascending, each once.
    pub(super) upstream: Vec<Vec<usize>>,
    /// Every step after those it waits for; steps that could trade places keep the order of tracing.
    pub(super) order: Vec<usize>,
}

impl Graph {
    /// Returns the graph of `spec`; unknown upstream steps and cycles are reported and left out.
    pub(super) fn of(spec: &PipelineSpec, names: &Names<'_>, report: &mut Report) -> Self {
        let upstream: Vec<Vec<usize>> =
            spec.steps.iter().map(|step| upstream_of(step, names, report)).collect();
        let order = order(&upstream);
        if order.len() < upstream.len() {
            for cycle in cycles(&upstream, &order) {
                report.push(told(&cycle, &spec.steps));
            }
        }
        Self { upstream, order }
    }
}

fn upstream_of(step: &StepSpec, names: &Names<'_>, report: &mut Report) -> Vec<usize> {
    let mut upstream = Vec::new();
    let mut unknown: Vec<&str> = Vec::new();
    let mut add = |name| match names.find(name) {
        Some(index) => upstream.push(index),
        None if unknown.contains(&name) => {}
        None => {
            unknown.push(name);
            let what =
                format!("step {} waits for {}, which is no step", quoted(&step.name), quoted(name));
            report
                .push(Diagnostic::new(what).help(names.suggestion(name)).at(step.location.clone()));
        }
    };
    step.inputs.values().for_each(|input| input.visit_outputs(&mut |output| add(&output.step)));
    step.after.iter().for_each(|name| add(name));
    upstream.sort_unstable();
    upstream.dedup();
    upstream
}

/// Returns the steps in topological order, without those in or behind a cycle (Kahn's algorithm; of
/// the ready steps, the one traced first comes first).
fn order(upstream: &[Vec<usize>]) -> Vec<usize> {
    let mut downstream = vec![Vec::new(); upstream.len()];
    for (step, upstream) in upstream.iter().enumerate() {
        upstream.iter().for_each(|&before| downstream[before].push(step));
    }
    let mut waiting: Vec<usize> = upstream.iter().map(Vec::len).collect();
    let ready = (0..upstream.len()).filter(|&step| waiting[step] == 0).map(Reverse);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
    let mut order = Vec::with_capacity(upstream.len());
    while let Some(Reverse(step)) = ready.pop() {
        order.push(step);
        for &after in &downstream[step] {
            waiting[after] -= 1;
            if waiting[after] == 0 {
                ready.push(Reverse(after));
            }
        }
    }
    order
}

/// How far the search for cycles is with a step.
#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    /// It lies on the path that is being followed.
    Open,
    Done,
}

/// Returns cycles that have no step in common, each in the direction in which values would flow.
fn cycles(upstream: &[Vec<usize>], ordered: &[usize]) -> Vec<Vec<usize>> {
    let mut visits = vec![Visit::New; upstream.len()];
    ordered.iter().for_each(|&step| visits[step] = Visit::Done);
    let mut told = vec![false; upstream.len()];
    let mut found = Vec::new();
    for start in 0..upstream.len() {
        if visits[start] != Visit::New {
            continue;
        }
        visits[start] = Visit::Open;
        // The path of steps, each with how many of its upstream steps have been followed.
        let mut path = vec![(start, 0)];
        while let Some((step, followed)) = path.last_mut() {
            let step = *step;
            let Some(&before) = upstream[step].get(*followed) else {
                visits[step] = Visit::Done;
                path.pop();
                continue;
            };
            *followed += 1;
            match visits[before] {
                Visit::New => {
                    visits[before] = Visit::Open;
                    path.push((before, 0));
                }
                Visit::Open if !told[before] && !told[step] => {
                    let steps = path.iter().rev().map(|&(step, _)| step);
                    let mut cycle: Vec<usize> = steps.take_while(|&step| step != before).collect();
                    cycle.push(before);
                    if !cycle.iter().any(|&step| told[step]) {
                        cycle.iter().for_each(|&step| told[step] = true);
                        found.push(cycle);
                    }
                }
                Visit::Open | Visit::Done => {}
            }
        }
    }
    found
}

/// Returns the problem of a cycle, told from the step traced first.
fn told(cycle: &[usize], steps: &[StepSpec]) -> Diagnostic {
    let first = (0..cycle.len()).min_by_key(|&at| cycle[at]).unwrap_or_default();
    let around = cycle[first..].iter().chain(&cycle[..first]).chain(cycle.get(first));
    let names: Vec<String> = around.map(|&step| quoted(&steps[step].name)).collect();
    let way = match names.len() {
        count if count > SHOWN + 1 => {
            let (head, last) = (&names[..SHOWN - 1], &names[count - 1]);
            format!("{} → … {} more … → {last}", head.join(" → "), count - SHOWN)
        }
        _ => names.join(" → "),
    };
    let location = cycle.get(first).and_then(|&step| steps[step].location.clone());
    let what = match cycle {
        [_] => format!("step {} waits for itself: {way}", names[0]),
        _ => format!("the steps wait for one another in a circle: {way}"),
    };
    Diagnostic::new(what)
        .help("take away one of these inputs, or one of these steps' `after`")
        .at(location)
}
