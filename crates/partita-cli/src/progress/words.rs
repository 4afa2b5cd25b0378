//! What is said of each event of a run.

use anstyle::AnsiColor;
use partita_core::launcher::Unit;
use partita_core::run::Failure;
use partita_core::status::{RunStatus, StepStatus};
use partita_engine::drive::{Reached, RunEvent};

use super::Style;
use super::state::State;
use crate::count::{self, grouped};
use crate::span::duration;
use crate::terminal::{Size, escaped, fitted, painted, shell_word};

/// Steps that are drawn at once; more are counted.
const DRAWN: usize = 8;
/// Failures of items that are told for one mapped step; more are only counted.
const TOLD: usize = 10;
/// The widest bar, in columns.
const BAR: usize = 24;

/// How finished lines look: plain ones stand alone, drawn ones have a symbol before them.
#[derive(Clone, Copy)]
struct Look {
    style: Style,
    is_drawn: bool,
    colour: bool,
}

/// Returns the finished lines for an event.
pub(super) fn lines(state: &State, event: &RunEvent, style: Style, look: LiveLook) -> Vec<String> {
    let look = Look { style, is_drawn: look.is_drawn, colour: look.colour };
    match event {
        RunEvent::StepStarted { .. } | RunEvent::StepExpanded { .. } => {
            if look.is_drawn || style.quiet { Vec::new() } else { begun(state, event) }
        }
        RunEvent::HeldBack { .. } if style.quiet => Vec::new(),
        RunEvent::HeldBack { step, item, reached } => {
            let name = unit_name(state, Unit { step: *step, item: *item });
            vec![look.marked("-", AnsiColor::Yellow, &format!("{name}: {}", waits(reached)))]
        }
        RunEvent::AttemptFailed { retry_in: None, .. } => Vec::new(),
        RunEvent::AttemptFailed { .. } if style.quiet => Vec::new(),
        RunEvent::AttemptFailed { step, item: Some(_), .. } if too_many(state, *step) => Vec::new(),
        RunEvent::AttemptFailed { step, item, attempt, failure, retry_in: Some(delay) } => {
            let unit = Unit { step: *step, item: *item };
            let (name, failure) = (unit_name(state, unit), one_line(failure));
            let failure = failure.strip_suffix('.').unwrap_or(&failure);
            let text = format!(
                "{name}: attempt {attempt} failed: {failure}; retrying in {}",
                duration(*delay)
            );
            vec![look.marked("!", AnsiColor::Yellow, &text)]
        }
        RunEvent::StepEnded { step, item: Some(item), status, failure, .. } => {
            let unit = Unit::item(*step, *item);
            item_ended(state, unit, *status, failure.as_deref(), look)
        }
        RunEvent::StepEnded { step, status, failure, result, because, .. } => {
            let reason = result.as_ref().and_then(|result| result.cache_reason.clone());
            let reason = reason.or_else(|| because.as_deref().map(str::to_owned));
            step_ended(state, *step, *status, failure.as_deref(), reason, look)
        }
        RunEvent::CancelRequested if style.quiet => Vec::new(),
        RunEvent::CancelRequested => {
            vec![format!(
                "run {}: cancelling; the step that runs is asked to end",
                escaped(&state.run_name)
            )]
        }
        RunEvent::RunEnded { status, .. } => run_ended(state, *status, look),
    }
}

/// Says which limit a step waits for, and who holds it.
fn waits(Reached { limit, holders }: &Reached) -> String {
    let limit = escaped(limit);
    let held = match holders.as_slice() {
        [] => "all of its places are taken".to_owned(),
        [one] => format!("run `{}` holds it", escaped(one)),
        many => {
            let names: Vec<String> =
                many.iter().map(|name| format!("`{}`", escaped(name))).collect();
            format!("runs {} hold it", names.join(", "))
        }
    };
    format!("waits for the limit `{limit}`; {held}")
}

/// Returns what is said of the beginning of a step: of a mapped one, when the first item begins.
fn begun(state: &State, event: &RunEvent) -> Vec<String> {
    match event {
        // Whether its items are cached is known once they are looked up.
        RunEvent::StepStarted { step, item: Some(_), .. } => match state.maps.get(step) {
            Some(items) if items.launches == 1 => {
                vec![format!("{}: started, {}", name(state, *step), count::items(items.count))]
            }
            _ => Vec::new(),
        },
        RunEvent::StepStarted { step, item: None, attempt: 1 } => {
            vec![format!("{}: started", name(state, *step))]
        }
        RunEvent::StepStarted { step, item: None, attempt } => {
            vec![format!("{}: attempt {attempt} started", name(state, *step))]
        }
        _ => Vec::new(),
    }
}

/// What the terminal can show of finished lines.
#[derive(Clone, Copy)]
pub(super) struct LiveLook {
    /// Whether running steps are drawn below them.
    pub(super) is_drawn: bool,
    /// Whether colours may be used.
    pub(super) colour: bool,
}

impl Look {
    fn marked(self, symbol: &str, colour: AnsiColor, text: &str) -> String {
        if self.is_drawn {
            format!("{} {text}", painted(symbol, colour, self.colour))
        } else {
            text.to_owned()
        }
    }
}

fn name(state: &State, step: usize) -> String {
    escaped(state.name(step)).into_owned()
}

/// Returns what a step or an item is called: `train`, or `train[3]`.
fn unit_name(state: &State, unit: Unit) -> String {
    count::unit_name(&name(state, unit.step), unit.item)
}

/// Returns whether enough failures of a mapped step's items have been told.
fn too_many(state: &State, step: usize) -> bool {
    state.maps.get(&step).is_some_and(|items| items.failures > TOLD)
}

/// Returns what is said of an item: its failure, else how far its step has come with each tenth.
fn item_ended(
    state: &State,
    unit: Unit,
    status: StepStatus,
    failure: Option<&Failure>,
    look: Look,
) -> Vec<String> {
    if status == StepStatus::Failed {
        return match too_many(state, unit.step) {
            true => Vec::new(),
            false => failed(state, unit, failure, look),
        };
    }
    let Some(items) = state.maps.get(&unit.step) else { return Vec::new() };
    let (ended, tenth) = (items.ended(), |ended: usize| ended * 10 / items.count.max(1));
    let is_news =
        tenth(ended) > tenth(ended.saturating_sub(1)) && ended < items.count && items.launches > 0;
    if look.is_drawn || look.style.quiet || !is_news || !status.is_successful() {
        return Vec::new();
    }
    vec![format!(
        "{}: {}/{} done",
        name(state, unit.step),
        grouped(ended),
        count::items(items.count)
    )]
}

/// Returns how the items of a mapped step ended, for the line of its own end.
fn items_ended(state: &State, step: usize) -> String {
    let Some(items) = state.maps.get(&step) else { return String::new() };
    let cached = match items.tally.cached {
        0 => String::new(),
        cached => format!(" ({} cached)", grouped(cached)),
    };
    format!(", {}{cached}", count::items(items.count))
}

fn step_ended(
    state: &State,
    step: usize,
    status: StepStatus,
    failure: Option<&Failure>,
    reason: Option<String>,
    look: Look,
) -> Vec<String> {
    let name = name(state, step);
    let took = duration(state.last_took);
    let reason = reason.filter(|_| look.style.verbose || status == StepStatus::Skipped);
    let reason = reason.map(|reason| format!(": {}", escaped(&reason))).unwrap_or_default();
    let line = match status {
        StepStatus::Failed => return failed(state, step.into(), failure, look),
        _ if look.style.quiet => return Vec::new(),
        StepStatus::Completed => {
            let items = items_ended(state, step);
            let text = format!("{name}: completed in {took}{items}{reason}");
            look.marked("✓", AnsiColor::Green, &text)
        }
        StepStatus::Cached => {
            let items = state.maps.get(&step).map(|items| count::items(items.count));
            let items = items.map(|items| format!(", {items}")).unwrap_or_default();
            look.marked("✓", AnsiColor::Cyan, &format!("{name}: cached{items}{reason}"))
        }
        StepStatus::Skipped => {
            look.marked("-", AnsiColor::Yellow, &format!("{name}: skipped{reason}"))
        }
        _ => look.marked("-", AnsiColor::Yellow, &format!("{name}: {status}")),
    };
    vec![line]
}

/// Tells of a failed step or item, with its author's traceback if nobody else shows that.
fn failed(state: &State, unit: Unit, failure: Option<&Failure>, look: Look) -> Vec<String> {
    let name = unit_name(state, unit);
    let after = if state.last_took > 0.0 && unit.item.is_none() {
        format!(" after {}", duration(state.last_took))
    } else {
        String::new()
    };
    let Some(failure) = failure else {
        return vec![look.marked("✗", AnsiColor::Red, &format!("{name}: failed{after}"))];
    };
    let text = format!("{name}: failed{after}: {}", one_line(failure));
    let mut lines = vec![look.marked("✗", AnsiColor::Red, &text)];
    let is_shown_elsewhere =
        look.style.raises && state.failed.is_some_and(|(failed, _)| failed == unit);
    // The failure of a mapped step is that of an item, which has been told.
    let is_told = unit.item.is_none() && state.maps.contains_key(&unit.step);
    let traceback = failure.traceback.as_deref().filter(|_| !is_shown_elsewhere && !is_told);
    let traceback = traceback.unwrap_or_default();
    lines.extend(
        traceback
            .trim_end()
            .lines()
            .map(|line| format!("  {}", escaped(&line.replace('\t', "    ")))),
    );
    lines
}

fn one_line(failure: &Failure) -> String {
    let message = failure.message.trim();
    let text = match (failure.kind.as_str(), message) {
        ("partita" | "", message) => message.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    };
    escaped(&text).into_owned()
}

fn run_ended(state: &State, status: RunStatus, look: Look) -> Vec<String> {
    if look.style.quiet && status == RunStatus::Completed {
        return Vec::new();
    }
    let (symbol, colour) = match status {
        RunStatus::Completed => ("✓", AnsiColor::Green),
        RunStatus::Failed => ("✗", AnsiColor::Red),
        _ => ("-", AnsiColor::Yellow),
    };
    let run = escaped(&state.run_name);
    let text = format!("run {run}: {status} in {}{}", duration(state.seconds()), counted(state));
    vec![look.marked(symbol, colour, &text)]
}

/// Returns what to know and to do after a run that did not complete; `has_log` says whether an
/// attempt of a step printed anything.
pub(super) fn after(
    state: &State,
    status: RunStatus,
    error: Option<&str>,
    has_log: &dyn Fn(Unit, u32) -> bool,
) -> Vec<String> {
    if status == RunStatus::Completed {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let run = escaped(&state.run_name);
    match (state.failed, error) {
        (Some((unit, attempt)), _) if has_log(unit, attempt) => lines.push(format!(
            "help: `partita runs logs {} --step {}{}` shows what the step printed",
            shell_word(&run),
            shell_word(&escaped(state.name(unit.step))),
            unit.item.map(|item| format!(" --item {item}")).unwrap_or_default()
        )),
        (None, Some(error)) => lines.push(format!("error: {}", escaped(error))),
        _ => {}
    }
    let is_of_run = state.failed.is_none() && error.is_some();
    lines.push(if state.can_resume && is_of_run {
        format!(
            "help: mend that, then `partita runs resume {}` runs the steps that are left",
            shell_word(&run)
        )
    } else if state.can_resume {
        format!("help: `partita runs resume {}` goes on where it stopped", shell_word(&run))
    } else {
        "help: call the pipeline again; what has finished comes from the cache".to_owned()
    });
    lines
}

fn counted(state: &State) -> String {
    let tally = &state.tally;
    let counts = [
        (tally.completed, "completed"),
        (tally.cached, "cached"),
        (tally.failed, "failed"),
        (tally.skipped, "skipped"),
        (tally.cancelled, "cancelled"),
        (state.finished_before, "finished before"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// Returns the lines that are drawn below the finished ones: the running steps, then a bar. No line
/// is wider than the terminal, and all of them fit on it.
pub(super) fn live_lines(state: &State, size: Size, colour: bool) -> Vec<String> {
    let mut lines = Vec::new();
    // The cursor's line, the bar, and the count of those that are left out.
    let drawn = DRAWN.min(size.height.saturating_sub(3));
    for (step, began) in state.running.iter().take(drawn) {
        let took = duration(began.elapsed().as_secs_f64());
        let mut name = name(state, *step);
        if let Some(items) = state.maps.get(step) {
            name = format!("{name} {}/{}", items.ended(), items.count);
        }
        let name = fitted(&name, size.width.saturating_sub(took.len() + 4));
        lines.push(format!("{} {name} {took}", painted("▸", AnsiColor::Cyan, colour)));
    }
    if state.running.len() > drawn {
        lines.push(fitted(&format!("  and {} more", state.running.len() - drawn), size.width - 1));
    }
    lines.push(bar(state, size.width - 1, colour));
    lines
}

fn bar(state: &State, width: usize, colour: bool) -> String {
    let (ended, total) = (state.ended(), state.deployment.steps.len().max(1));
    let mut counts = format!("{ended}/{total} {}", duration(state.seconds()));
    if state.tally.cached > 0 {
        counts.push_str(&format!(", {} cached", state.tally.cached));
    }
    if state.is_cancelling {
        counts.push_str(", cancelling");
    }
    let room = width.saturating_sub(counts.len() + 1).min(BAR);
    if room < 4 {
        return fitted(&counts, width);
    }
    let filled = (room * ended / total).min(room);
    let done = painted(&"━".repeat(filled), AnsiColor::Green, colour);
    format!("{done}{} {counts}", "─".repeat(room - filled))
}
