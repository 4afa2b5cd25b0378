//! `partita runs describe`: a run with its steps.

use partita_cli::count::{self, unit_name};
use partita_cli::{size, span, table::Table, terminal};
use partita_core::status::StepStatus;
use partita_engine::metadata::{RunView, StepView};

use crate::context::{Context, Output};
use crate::error::CommandError;

/// Shows a run with its steps.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A run's name, its id, the beginning of its id, or `latest`.
    #[arg(value_name = "RUN", default_value = "latest")]
    run: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let run = session.home().with_runs(|runs| runs.get(&args.run))?;
    context.show(args.output.output, &run, || text(&run, context.verbose))
}

fn text(run: &RunView, verbose: bool) -> String {
    let mut text = header(run);
    text.push('\n');
    text.push_str(&steps(run));
    let mut tables = vec![metadata(run)];
    if verbose {
        tables.push(outputs(run));
    }
    for table in tables.into_iter().filter(|table| !table.is_empty()) {
        text.push('\n');
        text.push_str(&table.to_text());
    }
    for (name, step) in &run.steps {
        let items = (0..).zip(step.items.iter().flatten());
        let failed = items.filter(|(_, item)| item.status == StepStatus::Failed);
        let shown = if verbose { usize::MAX } else { FAILED_ITEMS };
        let told: String = failed
            .take(shown)
            .map(|(index, item)| failures(&unit_name(name, Some(index)), item, verbose))
            .collect();
        // The failure of a mapped step is that of an item, unless no item failed.
        let own = if told.is_empty() { failures(name, step, verbose) } else { told };
        text.push_str(&own);
    }
    text.push_str(&hook_failures(run));
    text
}

/// Failed items of a mapped step whose failures are shown; the table counts all of them.
const FAILED_ITEMS: usize = 10;

fn header(run: &RunView) -> String {
    let duration = run.duration_s.map(span::duration);
    let mut pairs = vec![
        ("run", run.name.clone()),
        ("id", run.id.clone()),
        ("pipeline", run.pipeline.clone()),
        ("status", run.status.to_string()),
        ("stack", format!("{} (orchestrator {})", run.stack, run.orchestrator)),
        ("started", span::local(run.started_at)),
    ];
    pairs.extend(run.resumed_from.clone().map(|earlier| ("resumed from", earlier)));
    pairs.extend(run.resumed_at.iter().map(|at| ("resumed", span::local(*at))));
    if let Some(ended) = run.ended_at {
        pairs.push(("ended", span::local(ended)));
    }
    pairs.extend(duration.map(|duration| ("duration", duration)));
    pairs.extend(run.error.clone().map(|error| ("error", error)));
    if let Some(parameters) = run.parameters.as_ref().filter(|given| !given.is_empty()) {
        let words: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.push(("parameters", words.join(" ")));
    }
    for (key, value) in &run.metadata {
        pairs.push((key, value.to_string()));
    }
    Table::pairs(pairs)
}

fn steps(run: &RunView) -> String {
    let mut table = Table::new(["step", "status", "duration", "attempts", "why"]);
    for (name, step) in &run.steps {
        let why = step.reason.clone().or_else(|| step.cache_reason.clone());
        let why = step.items.as_deref().map(items).or(why).unwrap_or_default();
        let attempts =
            if step.attempts.is_empty() { String::new() } else { step.attempts.len().to_string() };
        table.row([
            name.clone(),
            step.status.to_string(),
            step.duration_s.map(span::duration).unwrap_or_default(),
            attempts,
            why,
        ]);
    }
    table.to_text()
}

/// Returns how the items of a mapped step fare, as in `10,000 items (9,990 cached)`.
fn items(items: &[StepView]) -> String {
    use StepStatus::{Cached, Cancelled, Failed, Retrying, Running, Skipped, Waiting};
    let told = [Cached, Failed, Cancelled, Skipped, Running, Retrying, Waiting];
    let count = |status| items.iter().filter(|item| item.status == status).count();
    let counts = told.map(|status| (count(status), status));
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| format!("{} {status}", count::grouped(*count)))
        .collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("{}{parts}", count::items(items.len()))
}

/// Returns what the steps noted.
fn metadata(run: &RunView) -> Table {
    let mut table = Table::new(["step", "key", "value"]);
    for (name, step) in &run.steps {
        for (key, value) in &step.metadata {
            table.row([name.clone(), key.clone(), value.to_string()]);
        }
    }
    table
}

fn outputs(run: &RunView) -> Table {
    let mut table = Table::new(["step", "output", "type", "size", "version", "uri"]);
    for (name, step) in &run.steps {
        for (output, made) in &step.outputs {
            table.row([
                name.clone(),
                output.clone(),
                made.type_name.clone(),
                size::short(made.size),
                made.artifact_version.clone(),
                made.uri.clone(),
            ]);
        }
    }
    table
}

/// Returns what went wrong in each attempt; tracebacks of the last one only, unless `verbose`.
fn failures(name: &str, step: &StepView, verbose: bool) -> String {
    let mut text = String::new();
    for attempt in &step.attempts {
        let Some(error) = &attempt.error else { continue };
        let name = terminal::escaped(name);
        let what = terminal::escaped(error);
        text.push_str(&format!("\n{name}, attempt {}: {what}\n", attempt.number));
        let is_last = step.attempts.last().is_some_and(|last| last.number == attempt.number);
        let traceback = attempt.failure.as_ref().and_then(|failure| failure.traceback.as_deref());
        if let Some(traceback) = traceback.filter(|_| is_last || verbose) {
            for line in traceback.trim_end().lines() {
                text.push_str(&format!("  {}\n", terminal::escaped(&line.replace('\t', "    "))));
            }
        }
    }
    text
}

fn hook_failures(run: &RunView) -> String {
    let mut text = String::new();
    for failure in &run.hook_failures {
        let whose = failure.step.as_deref().map(|step| unit_name(step, failure.item));
        let whose = whose.unwrap_or_else(|| "the pipeline".to_owned());
        let (whose, hook) = (terminal::escaped(&whose), terminal::escaped(&failure.hook));
        let error = terminal::escaped(&failure.error);
        text.push_str(&format!("\nthe hook `{hook}` of {whose} failed: {error}\n"));
    }
    text
}
