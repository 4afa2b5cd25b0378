//! What a terminal shows while a run goes on, on a terminal in memory.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use partita_core::deployment::Deployment;
use partita_core::run::Failure;
use partita_core::status::{RunStatus, StepStatus};
use partita_engine::drive::RunEvent;
use serde_json::json;

use super::Style;
use super::canvas::Canvas;
use super::shown::{AFTER_PRINT, Shown};
use super::state::State;
use crate::terminal::Size;

/// A terminal in memory, as wide as the tests' `size` says.
#[derive(Clone)]
struct Terminal(Arc<Mutex<vt100::Parser>>);

const SIZE: Size = Size { width: 40, height: 12 };

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut parser = self.0.lock().expect("a terminal");
        for byte in bytes {
            // As a terminal does for its programs.
            parser.process(if *byte == b'\n' { b"\r\n" } else { std::slice::from_ref(byte) });
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A run that is drawn.
struct Display {
    terminal: Terminal,
    shown: Shown,
}

impl Display {
    fn new(steps: &[&str]) -> Self {
        let size = (SIZE.height as u16, SIZE.width as u16);
        let terminal = Terminal(Arc::new(Mutex::new(vt100::Parser::new(size.0, size.1, 100))));
        let state = State::new(Arc::new(deployment(steps)), "first");
        let canvas = Canvas::new(Box::new(terminal.clone()));
        let mut shown = Shown::new(state, Style::default(), canvas);
        shown.is_live = true;
        shown.size = || SIZE;
        Self { terminal, shown }
    }

    /// Returns what is on the terminal, with every length of time as `T`.
    fn seen(&self) -> Vec<String> {
        let text = self.terminal.0.lock().expect("a terminal").screen().contents();
        text.trim_end().lines().map(without_times).collect()
    }

    fn check(&self, expected: &[&str]) {
        assert_eq!(self.seen(), expected);
    }

    fn on(&mut self, event: RunEvent) {
        self.shown.on(&event, Instant::now());
    }

    /// Writes without asking, as a child process and the terminal's own echo do.
    fn write(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).expect("a terminal");
    }

    /// Prints as a step does.
    fn print(&mut self, text: &str) {
        self.shown.make_room(text);
        self.write(text);
        self.shown.printed();
    }
}

fn without_times(line: &str) -> String {
    let words = line.trim_end().split(' ').map(|word| {
        let is_time = word.strip_suffix("ms").is_some_and(|n| n.parse::<u32>().is_ok());
        if is_time { "T" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn deployment(steps: &[&str]) -> Deployment {
    let component = |kind: &str| json!({ "name": "default", "type": kind, "flavor": "local" });
    let steps: Vec<_> =
        steps.iter().map(|name| json!({ "name": name, "source": "train:step" })).collect();
    serde_json::from_value(json!({
        "version": 1, "id": "", "pipeline": { "name": "wine", "source": "train:wine" },
        "stack": { "name": "default", "orchestrators": [component("orchestrator")],
                   "artifact_store": component("artifact_store") },
        "environment": { "interpreter": "cpython-3.11", "platform": "linux-x86_64" },
        "sources": {}, "steps": steps,
    }))
    .expect("a deployment")
}

fn started(step: usize) -> RunEvent {
    RunEvent::StepStarted { step, item: None, attempt: 1 }
}

fn ended(step: usize, status: StepStatus) -> RunEvent {
    RunEvent::StepEnded { step, item: None, status, result: None, failure: None, because: None }
}

fn over(status: RunStatus) -> RunEvent {
    RunEvent::RunEnded { status, error: None }
}

const BAR: &str = "────────────────────────";

#[test]
fn running_steps_and_a_bar_are_drawn_below_finished_lines() {
    let mut display = Display::new(&["load", "train"]);
    display.on(started(0));
    display.on(ended(0, StepStatus::Completed));
    display.on(started(1));
    for _ in 0..3 {
        display.shown.draw();
    }
    let half = format!("{}{} 1/2 T", "━".repeat(12), "─".repeat(12));
    display.check(&["✓ load: completed in T", "", "▸ train T", &half]);
    display.on(ended(1, StepStatus::Completed));
    display.on(over(RunStatus::Completed));
    display.check(&[
        "✓ load: completed in T",
        "✓ train: completed in T",
        "✓ run first: completed in T (2 completed)",
    ]);
}

#[test]
fn what_a_step_prints_stays_above_and_the_drawing_comes_back_at_once() {
    let mut display = Display::new(&["train"]);
    display.on(started(0));
    display.shown.draw();
    display.shown.drawn_at = display.shown.drawn_at.and_then(|at| at.checked_sub(AFTER_PRINT));
    display.print("epoch 1\n");
    display.check(&["epoch 1", "", "▸ train T", &format!("{BAR} 0/1 T")]);
    display.print("epoch 2\n");
    display.shown.draw();
    display.check(&["epoch 1", "epoch 2", "", "▸ train T", &format!("{BAR} 0/1 T")]);
}

#[test]
fn nothing_is_drawn_while_a_text_is_being_written() {
    let mut display = Display::new(&["train"]);
    display.on(started(0));
    display.shown.draw();
    display.shown.make_room("a\n");
    display.shown.draw();
    display.check(&[]);
    display.write("a\n");
    display.shown.printed();
    display.shown.draw();
    display.check(&["a", "", "▸ train T", &format!("{BAR} 0/1 T")]);
}

#[test]
fn a_line_that_a_step_left_open_is_left_alone_until_it_ends() {
    let mut display = Display::new(&["load", "train"]);
    display.on(started(0));
    display.shown.draw();
    display.print("loading");
    display.shown.draw();
    display.check(&["loading"]);
    display.print("...");
    display.print(" done\n");
    display.print("name: ");
    display.shown.take_back();
    display.on(ended(0, StepStatus::Completed));
    display.shown.draw();
    let half = format!("{}{} 1/2 T", "━".repeat(12), "─".repeat(12));
    display.check(&["loading... done", "name:", "✓ load: completed in T", "", &half]);
}

#[test]
fn a_step_that_reads_has_the_terminal_to_itself() {
    let mut display = Display::new(&["ask"]);
    display.on(started(0));
    display.shown.draw();
    display.shown.lend();
    display.write("your name? ");
    display.shown.draw();
    display.check(&["your name?"]);
    display.write("Ada\n");
    display.print("hello Ada\n");
    display.shown.draw();
    display.check(&["your name? Ada", "hello Ada"]);
    display.shown.take_back();
    display.shown.draw();
    display.check(&["your name? Ada", "hello Ada", "", "▸ ask T", &format!("{BAR} 0/1 T")]);
}

#[test]
fn no_drawn_line_is_left_after_ctrl_c() {
    let mut display = Display::new(&["train"]);
    display.on(started(0));
    display.shown.draw();
    display.write("^C");
    display.on(RunEvent::CancelRequested);
    display.shown.draw();
    display.write("^C");
    display.on(ended(0, StepStatus::Cancelled));
    display.on(over(RunStatus::Cancelled));
    display.check(&[
        "run first: cancelling; the step that runs is asked to end",
        "- train: cancelled",
        "- run first: cancelled in T (1 cancelled)",
        "help: `partita runs resume first` goes on where it stopped",
    ]);
}

#[test]
fn a_run_whose_code_cannot_be_loaded_again_is_not_said_to_resume() {
    let mut display = Display::new(&["train"]);
    display.shown.state.can_resume = false;
    display.on(over(RunStatus::Cancelled));
    display.check(&[
        "- run first: cancelled in T",
        "help: call the pipeline again; what has finished comes from the cache",
    ]);
}

#[test]
fn a_child_process_that_prints_leaves_no_drawn_line_behind() {
    let mut display = Display::new(&["train"]);
    display.on(started(0));
    display.shown.draw();
    display.write("from a child\n");
    display.shown.draw();
    display.check(&["from a child", "", "▸ train T", &format!("{BAR} 0/1 T")]);
}

#[test]
fn drawn_lines_never_wrap_and_never_fill_the_terminal() {
    let long = "x".repeat(100);
    let names: Vec<String> = (0..20).map(|n| format!("{n}-{long}")).collect();
    let mut display = Display::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    (0..20).for_each(|step| display.on(started(step)));
    display.shown.draw();
    display.shown.draw();
    let seen = display.seen();
    assert_eq!(seen.len(), 11, "{seen:?}");
    assert!(seen[1].starts_with("▸ 0-xxx") && seen[1].ends_with("… T"), "{seen:?}");
    assert_eq!(seen[9], "  and 12 more");
}

#[test]
fn only_a_step_that_printed_has_a_log_to_look_at() {
    let check = |has_log: bool| {
        let mut display = Display::new(&["bad"]);
        display.shown.has_log =
            Box::new(move |unit, attempt| has_log && (unit, attempt) == (0.into(), 2));
        display.on(RunEvent::StepStarted { step: 0, item: None, attempt: 2 });
        let failure = Arc::new(Failure::ours("no luck"));
        display.on(RunEvent::AttemptFailed {
            step: 0,
            item: None,
            attempt: 2,
            failure,
            retry_in: None,
        });
        display.on(ended(0, StepStatus::Failed));
        display.on(over(RunStatus::Failed));
        assert_eq!(display.seen().concat().contains("runs logs first --step bad"), has_log);
    };
    check(true);
    check(false);
}

#[test]
fn steps_that_were_finished_before_are_counted() {
    let mut display = Display::new(&["load", "train"]);
    display.shown.state.finished_before = 1;
    display.on(started(1));
    display.on(ended(1, StepStatus::Completed));
    display.on(over(RunStatus::Completed));
    let seen = display.seen().concat();
    assert!(seen.contains("(1 completed, 1 finished before)"), "{seen}");
}

#[test]
fn elsewhere_than_on_a_terminal_each_event_is_a_line() {
    let mut display = Display::new(&["load"]);
    display.shown.is_live = false;
    display.on(started(0));
    display.shown.draw();
    display.on(ended(0, StepStatus::Completed));
    display.on(over(RunStatus::Completed));
    display.check(&[
        "load: started",
        "load: completed in T",
        "run first: completed in T (1 completed)",
    ]);
}

fn item_ended(item: u32, status: StepStatus) -> RunEvent {
    let failure = (status == StepStatus::Failed).then(|| Arc::new(Failure::ours("no luck")));
    let (result, because) = (None, None);
    RunEvent::StepEnded { step: 0, item: Some(item), status, result, failure, because }
}

#[test]
fn a_mapped_step_is_drawn_with_how_far_it_has_come() {
    let mut display = Display::new(&["train"]);
    display.on(RunEvent::StepExpanded { step: 0, items: 4, committed: 1 });
    display.on(RunEvent::StepStarted { step: 0, item: Some(1), attempt: 1 });
    display.on(item_ended(1, StepStatus::Completed));
    display.shown.draw();
    display.check(&["", "▸ train 2/4 T", &format!("{BAR} 0/1 T")]);
    display.on(item_ended(2, StepStatus::Cached));
    display.on(item_ended(3, StepStatus::Completed));
    display.on(ended(0, StepStatus::Completed));
    display.on(over(RunStatus::Completed));
    let seen = display.seen();
    assert!(seen[0].starts_with("✓ train: completed in"), "{seen:?}");
    assert!(seen[0].ends_with(", 4 items (1 cached)"), "{seen:?}");
}

#[test]
fn elsewhere_a_map_of_many_items_is_told_in_tenths_and_its_first_failures() {
    let mut display = Display::new(&["train"]);
    display.shown.is_live = false;
    display.on(RunEvent::StepExpanded { step: 0, items: 20, committed: 0 });
    display.check(&[]);
    let begun = |item| RunEvent::StepStarted { step: 0, item: Some(item), attempt: 1 };
    (0..4).for_each(|item| display.on(begun(item)));
    (0..4).for_each(|item| display.on(item_ended(item, StepStatus::Completed)));
    display.check(&[
        "train: started, 20 items",
        "train: 2/20 items done",
        "train: 4/20 items done",
    ]);
    for item in 4..18 {
        display.on(RunEvent::AttemptFailed {
            step: 0,
            item: Some(item),
            attempt: 1,
            failure: Arc::new(Failure::ours("no luck")),
            retry_in: None,
        });
        display.on(item_ended(item, StepStatus::Failed));
    }
    // The terminal has room for the last of them.
    let seen = display.seen();
    assert_eq!(seen.last().map(String::as_str), Some("train[13]: failed: no luck"), "{seen:?}");
}

#[test]
fn elsewhere_a_map_whose_items_are_cached_does_not_start() {
    let mut display = Display::new(&["train"]);
    display.shown.is_live = false;
    display.on(RunEvent::StepExpanded { step: 0, items: 4, committed: 0 });
    (0..4).for_each(|item| display.on(item_ended(item, StepStatus::Cached)));
    display.on(ended(0, StepStatus::Cached));
    display.check(&["train: cached, 4 items"]);
}

#[test]
fn a_failure_that_ends_in_a_full_stop_goes_on_without_it() {
    let mut display = Display::new(&["load"]);
    display.shown.is_live = false;
    let failure = Arc::new(Failure::ours("no good."));
    display.on(RunEvent::AttemptFailed {
        step: 0,
        item: None,
        attempt: 1,
        failure,
        retry_in: Some(1.0),
    });
    let seen = display.seen().concat();
    assert!(seen.contains("failed: no good; retry"), "{seen}");
}
