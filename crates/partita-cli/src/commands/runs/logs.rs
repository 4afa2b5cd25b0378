//! `partita runs logs`: what the steps of a run printed.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::sync::Arc;

use partita_cli::{count, terminal};
use partita_core::launcher::Unit;
use partita_core::name::nearest;
use partita_engine::metadata::{Artifacts, RunView, StepView};
use partita_engine::runs::Follower;
use partita_engine::store::{ArtifactStore, Documents, StoreError, layout};
use serde::Deserialize;

use crate::context::{Context, whole_number};
use crate::error::CommandError;

/// Prints what the steps of a run printed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A run's name, its id, the beginning of its id, or `latest`.
    #[arg(value_name = "RUN", default_value = "latest")]
    run: String,
    /// Only this step.
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Only this item of a mapped step, from 0.
    #[arg(long, value_name = "I", requires = "step")]
    item: Option<u32>,
    /// Only this attempt.
    #[arg(long, value_name = "N", value_parser = whole_number::<u32>)]
    attempt: Option<u32>,
    /// Go on with what is printed from now on, until the run ends.
    #[arg(long, short)]
    follow: bool,
}

/// A line of a `log.jsonl`.
#[derive(Deserialize)]
struct Line {
    line: String,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let run = session.home().with_runs(|runs| runs.get(&args.run))?;
    let store = session.home().store_at(&run.store)?;
    let only = Only { step: args.step.as_deref(), item: args.item, attempt: args.attempt };
    only.check(&run)?;
    if args.follow {
        drop(session);
        return follow(&run, only, store, context);
    }
    let logs = logs(&run, only)?;
    let mut units: Vec<Unit> = logs.iter().map(|log| log.unit).collect();
    units.dedup();
    let is_prefixed = units.len() > 1;
    let mut printed = false;
    for log in &logs {
        printed |= print(context, &*store, &run, log, is_prefixed)?;
    }
    if !printed {
        say_that_nothing_is_printed(&run, only, context);
        let artifacts = Artifacts::new(&**session.home().metadata());
        say_where_it_ran(&run, args.step.as_deref(), &artifacts, context);
    }
    Ok(())
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Only<'a> {
    step: Option<&'a str>,
    item: Option<u32>,
    attempt: Option<u32>,
}

impl Only<'_> {
    fn has_step(&self, name: &str) -> bool {
        self.step.is_none_or(|step| step == name)
    }

    fn has(&self, unit: Unit, attempt: u32) -> bool {
        self.item.is_none_or(|item| unit.item == Some(item))
            && self.attempt.is_none_or(|asked| asked == attempt)
    }

    fn check(&self, run: &RunView) -> Result<(), CommandError> {
        let Some(step) = self.step else { return Ok(()) };
        check_step(run, step)?;
        let items = run.steps.get(step).and_then(|view| view.items.as_ref());
        let (message, help) = match (self.item, items) {
            (Some(_), None) => {
                (format!("step `{step}` has no items"), "leave `--item` out".to_owned())
            }
            (Some(item), Some(items)) if item as usize >= items.len() => (
                format!("step `{step}` has no item {item}"),
                format!("it has {}, numbered from 0", count::items(items.len())),
            ),
            _ => return Ok(()),
        };
        Err(CommandError::failed(message).help(help))
    }
}

fn say_that_nothing_is_printed(run: &RunView, only: Only<'_>, context: &Context) {
    let item = only.item.map(|item| format!("item {item} of ")).unwrap_or_default();
    let who = match only.step {
        Some(step) => format!("{item}step `{step}` of run `{}`", run.name),
        None => format!("run `{}`", run.name),
    };
    let when = only.attempt.map(|number| format!(" in attempt {number}")).unwrap_or_default();
    context.say(&format!("{who} has printed nothing{when}"));
}

/// Says in which runs the cached ones of the steps that were asked for ran, and so printed.
fn say_where_it_ran(
    run: &RunView,
    step: Option<&str>,
    artifacts: &Artifacts<'_>,
    context: &Context,
) {
    let asked = run.steps.iter().filter(|(name, _)| step.is_none_or(|step| step == *name));
    let mut commands: Vec<String> = asked
        .filter(|(_, view)| view.cached)
        .filter_map(|(_, view)| view.outputs.values().next())
        .filter_map(|output| artifacts.find(&output.artifact_version).ok())
        .filter(|made| made.run_id != run.id)
        .map(|made| {
            let command = format!("partita runs logs {}", terminal::shell_word(&made.run));
            match step {
                Some(_) => format!("`{command} --step {}`", terminal::shell_word(&made.step)),
                None => format!("`{command}`"),
            }
        })
        .collect();
    let mut seen = HashSet::new();
    commands.retain(|command| seen.insert(command.clone()));
    let who = match (step, commands.len()) {
        (_, 0) => return,
        (Some(_), _) => "it is cached, and ran in an earlier run",
        (None, 1) => "its cached steps ran in an earlier run",
        (None, _) => "its cached steps ran in earlier runs",
    };
    context.say(&format!("{who}: {}", commands.join(", ")));
}

/// The log of one attempt.
struct Log<'a> {
    unit: Unit,
    step: &'a str,
    attempt: u32,
    is_only_attempt: bool,
}

fn logs<'a>(run: &'a RunView, only: Only<'_>) -> Result<Vec<Log<'a>>, CommandError> {
    let mut logs = Vec::new();
    for (index, (name, view)) in run.steps.iter().enumerate() {
        if only.has_step(name) {
            add_logs(&mut logs, index.into(), name, view, only);
            for (item, view) in (0..).zip(view.items.iter().flatten()) {
                add_logs(&mut logs, Unit::item(index, item), name, view, only);
            }
        }
    }
    if let (true, Some(attempt)) = (logs.is_empty(), only.attempt) {
        return Err(CommandError::failed(format!("there is no attempt {attempt}")).help(format!(
            "`partita runs describe {}` shows the attempts",
            terminal::shell_word(&run.name)
        )));
    }
    Ok(logs)
}

fn add_logs<'a>(
    logs: &mut Vec<Log<'a>>,
    unit: Unit,
    step: &'a str,
    view: &StepView,
    only: Only<'_>,
) {
    let numbers = view.attempts.iter().map(|found| found.number);
    let chosen: Vec<u32> = numbers.filter(|number| only.has(unit, *number)).collect();
    let is_only_attempt = chosen.len() == 1;
    logs.extend(chosen.iter().map(|attempt| Log {
        unit,
        step,
        attempt: *attempt,
        is_only_attempt,
    }));
}

fn check_step(run: &RunView, step: &str) -> Result<(), CommandError> {
    if run.steps.contains_key(step) {
        return Ok(());
    }
    let meant = nearest(step, run.steps.keys().map(String::as_str));
    let meant = meant.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
    let message = format!("run `{}` has no step `{step}`{meant}", run.name);
    Err(CommandError::failed(message).help(format!(
        "`partita runs describe {}` shows its steps",
        terminal::shell_word(&run.name)
    )))
}

/// Prints what has been printed and what is from now on, until the run ends.
fn follow(
    run: &RunView,
    only: Only<'_>,
    store: Arc<dyn ArtifactStore>,
    context: &Context,
) -> Result<(), CommandError> {
    let names: Vec<&str> = run.steps.keys().map(String::as_str).collect();
    let mut offsets: BTreeMap<(Unit, u32), u64> = BTreeMap::new();
    for happened in Follower::new(&run.id, Arc::clone(&store))? {
        happened?;
        for (index, left) in Documents::new(&*store).left_by_steps(&run.id)? {
            let Some(step) = names.get(index).filter(|name| only.has_step(name)) else { continue };
            let is_prefixed = only.item.is_none()
                && (!left.items.is_empty() || only.step.is_none() && names.len() > 1);
            let items = left.items.iter().map(|(item, left)| (Unit::item(index, *item), left));
            for (unit, left) in std::iter::once((Unit::from(index), &left)).chain(items) {
                for number in left.attempts.iter().filter(|number| only.has(unit, **number)) {
                    let is_only_attempt = *number == 1;
                    let log = Log { unit, step, attempt: *number, is_only_attempt };
                    let offset = offsets.entry((unit, *number)).or_default();
                    go_on(&*store, &run.id, &log, offset, is_prefixed, context)?;
                }
            }
        }
    }
    if offsets.values().all(|offset| *offset == 0) {
        say_that_nothing_is_printed(run, only, context);
    }
    Ok(())
}

/// Prints what a log has from `offset` on, and moves that.
fn go_on(
    store: &dyn ArtifactStore,
    run_id: &str,
    log: &Log<'_>,
    offset: &mut u64,
    is_prefixed: bool,
    context: &Context,
) -> Result<(), CommandError> {
    let path = layout::log(run_id, log.unit, log.step, log.attempt);
    let bytes = match store.read_from(&path, *offset) {
        Ok(bytes) => bytes,
        Err(StoreError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // A line is whole once it has its end.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    *offset += whole as u64;
    let prefix = prefix(log, is_prefixed);
    context.stream(|out| write_lines(out, &bytes[..whole], &prefix))?;
    Ok(())
}

/// Prints one log. Returns whether there was one.
fn print(
    context: &Context,
    store: &dyn ArtifactStore,
    run: &RunView,
    log: &Log<'_>,
    is_prefixed: bool,
) -> Result<bool, CommandError> {
    let bytes = match store.read(&layout::log(&run.id, log.unit, log.step, log.attempt)) {
        Ok(bytes) => bytes,
        Err(StoreError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let prefix = prefix(log, is_prefixed);
    context.stream(|out| write_lines(out, &bytes, &prefix))?;
    Ok(true)
}

/// Returns what says before a line which log it is from.
fn prefix(log: &Log<'_>, is_prefixed: bool) -> String {
    let name = count::unit_name(&terminal::escaped(log.step), log.unit.item);
    match (is_prefixed, log.is_only_attempt) {
        (true, true) => format!("{name}: "),
        (true, false) => format!("{name} ({}): ", log.attempt),
        (false, true) => String::new(),
        (false, false) => format!("({}): ", log.attempt),
    }
}

/// Writes the lines of a log as the step printed them; a line that a crash cut off is left out.
fn write_lines(out: &mut dyn Write, bytes: &[u8], prefix: &str) -> std::io::Result<()> {
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            writeln!(out, "{prefix}{}", line.line)?;
        }
    }
    Ok(())
}
