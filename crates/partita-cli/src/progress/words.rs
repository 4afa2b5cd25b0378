//! What is said of each event of a run.

use anstyle::AnsiColor;
use partita_core::run::Failure;
use partita_core::status::{RunStatus, StepStatus};
use partita_engine::drive::RunEvent;

use super::Style;
use super::state::State;
use crate::span::duration;
use crate::terminal::{Size, escaped, fitted, painted, shell_word};

/// Steps that are drawn at once; more are counted.
const DRAWN: usize = 8;
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
        RunEvent::StepStarted { .. } if look.is_drawn || style.quiet => Vec::new(),
        RunEvent::StepStarted { step, attempt: 1 } => {
            vec![format!("{}: started", name(state, *step))]
        }
        RunEvent::StepStarted { step, attempt } => {
            vec![format!("{}: attempt {attempt} started", name(state, *step))]
        }
        RunEvent::AttemptFailed { retry_in: None, .. } => Vec::new(),
        RunEvent::AttemptFailed { .. } if style.quiet => Vec::new(),
        RunEvent::AttemptFailed { step, attempt, failure, retry_in: Some(delay) } => {
            let (name, failure) = (name(state, *step), one_line(failure));
            let failure = failure.strip_suffix('.').unwrap_or(&failure);
            let text = format!(
                "{name}: attempt {attempt} failed: {failure}; retrying in {}",
                duration(*delay)
            );
            vec![look.marked("!", AnsiColor::Yellow, &text)]
        }
        RunEvent::StepEnded { step, status, failure, result, because } => {
            let reason = result.as_ref().and_then(|result| result.cache_reason.clone());
            let reason =
                reason.or_else(|| because.map(|because| because.reason(&state.deployment)));
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
        StepStatus::Failed => return failed(state, step, failure, look),
        _ if look.style.quiet => return Vec::new(),
        StepStatus::Completed => {
            look.marked("✓", AnsiColor::Green, &format!("{name}: completed in {took}{reason}"))
        }
        StepStatus::Cached => look.marked("✓", AnsiColor::Cyan, &format!("{name}: cached{reason}")),
        StepStatus::Skipped => {
            look.marked("-", AnsiColor::Yellow, &format!("{name}: skipped{reason}"))
        }
        _ => look.marked("-", AnsiColor::Yellow, &format!("{name}: {status}")),
    };
    vec![line]
}

/// Tells of a failed step, with its author's traceback if nobody else shows that.
fn failed(state: &State, step: usize, failure: Option<&Failure>, look: Look) -> Vec<String> {
    let name = name(state, step);
    let after = if state.last_took > 0.0 {
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
        look.style.raises && state.failed.is_some_and(|(failed, _)| failed == step);
    let traceback = failure.traceback.as_deref().filter(|_| !is_shown_elsewhere);
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
    has_log: &dyn Fn(usize, u32) -> bool,
) -> Vec<String> {
    if status == RunStatus::Completed {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let run = escaped(&state.run_name);
    match (state.failed, error) {
        (Some((step, attempt)), _) if has_log(step, attempt) => lines.push(format!(
            "help: `partita runs logs {} --step {}` shows what the step printed",
            shell_word(&run),
            shell_word(&escaped(state.name(step)))
        )),
        (None, Some(error)) => lines.push(format!("error: {}", escaped(error))),
        _ => {}
    }
    lines.push(if state.can_resume {
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
        let name = fitted(&name(state, *step), size.width.saturating_sub(took.len() + 4));
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
