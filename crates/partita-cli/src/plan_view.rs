//! What `partita plan` shows: each step, whether it would run, and why.

use std::fmt::Write;

use anstyle::AnsiColor;
use partita_engine::runs::{ImageVerdict, PlannedImage, PlannedStep, Verdict};
use serde::{Deserialize, Serialize};

use crate::count;
use crate::format::Format;
use crate::table::Table;
use crate::terminal;

/// One step of a plan; the JSON of `partita plan --output json` is a list of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The step invocation.
    pub step: String,
    /// `run`, `cached`, or `depends` on what its upstream steps make.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// What is known of its items, if it is mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
    /// Why it would start Python anew, where others are forked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_anew: Option<String>,
    /// The image that is built for it, if it would run in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PlannedImage>,
    /// Where a whole file counts, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What would become of the items of a mapped step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// How many there are.
    pub count: usize,
    /// How many are cached; absent where that cannot be known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<usize>,
}

impl Items {
    fn in_words(self) -> String {
        let cached = self.cached.filter(|cached| *cached > 0);
        let cached = cached.map(|cached| format!(", {} cached", count::grouped(cached)));
        format!("{}{}: ", count::items(self.count), cached.unwrap_or_default())
    }
}

impl From<&PlannedStep> for Row {
    fn from(planned: &PlannedStep) -> Self {
        let verdict = match planned.verdict {
            Verdict::Run => "run",
            Verdict::Cached => "cached",
            Verdict::Depends => "depends",
        };
        Self {
            step: planned.step.clone(),
            verdict: verdict.to_owned(),
            reason: planned.reason.clone(),
            items: planned.items.map(|items| Items { count: items.count, cached: items.cached }),
            starts_anew: planned.starts_anew.clone(),
            image: planned.image.clone(),
            notes: planned.notes.clone(),
        }
    }
}

impl Row {
    fn in_words(&self) -> String {
        let items = self.items.map(Items::in_words).unwrap_or_default();
        let anew = self.starts_anew.as_ref();
        let anew = anew.map(|why| format!("; starts Python anew, since {why}")).unwrap_or_default();
        format!("{items}{}{anew}", self.reason)
    }
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Table, JSON or YAML.
    pub format: Format,
    /// Whether a table says where a whole file counts.
    pub verbose: bool,
    /// The columns that a table may take; `None` if nothing wraps it.
    pub width: Option<u16>,
}

impl View {
    /// Returns the view for standard output.
    pub fn on_stdout(format: Format, verbose: bool) -> Self {
        Self { format, verbose, width: terminal::stdout_width() }
    }
}

/// Returns a plan, as JSON of [`PlannedStep`]s, in the way that `view` says.
///
/// # Errors
/// If the JSON is not a plan.
pub fn render_json(planned: &[u8], view: View) -> Result<String, String> {
    let rows: Vec<Row> = serde_json::from_slice(planned).map_err(|error| error.to_string())?;
    render(&rows, view)
}

/// Returns a plan in the way that `view` says.
///
/// # Errors
/// If the format cannot say it.
pub fn render(rows: &[Row], view: View) -> Result<String, String> {
    if let Some(text) = view.format.encode(rows)? {
        return Ok(text);
    }
    let mut table = Table::with_width(["step", "verdict", "reason"], view.width);
    for row in rows {
        table.row([row.step.clone(), row.verdict.clone(), row.in_words()]);
    }
    let mut text = table.to_text();
    if view.verbose {
        for (row, note) in rows.iter().flat_map(|row| row.notes.iter().map(move |note| (row, note)))
        {
            let _ = writeln!(
                text,
                "note: {}: {}",
                terminal::escaped(&row.step),
                terminal::escaped(note)
            );
        }
    }
    let _ = writeln!(text, "\n{}", summary(rows));
    for told in images(rows) {
        let _ = writeln!(text, "{}", terminal::escaped(&told));
    }
    Ok(text)
}

/// Returns which images would be built and why, each in a sentence.
fn images(rows: &[Row]) -> Vec<String> {
    let mut of_steps: Vec<(&PlannedImage, Vec<&str>)> = Vec::new();
    for row in rows {
        let Some(image) = row.image.as_ref().filter(|image| image.verdict != ImageVerdict::There)
        else {
            continue;
        };
        match of_steps.iter_mut().find(|(known, _)| *known == image) {
            Some((_, steps)) => steps.push(&row.step),
            None => of_steps.push((image, vec![&row.step])),
        }
    }
    let told = |(image, steps): (&PlannedImage, Vec<&str>)| {
        let name = image.image.as_ref().map(|name| format!("the image `{name}`"));
        let name = name.unwrap_or_else(|| "an image".to_owned());
        let (steps, reason) = (steps.join("`, `"), image.reason.as_deref().unwrap_or_default());
        match image.verdict {
            ImageVerdict::Unknown => {
                format!("Whether an image would be built for `{steps}` is not known: {reason}.")
            }
            _ => format!("Before that, {name} would be built for `{steps}`: {reason}."),
        }
    };
    of_steps.into_iter().map(told).collect()
}

/// Returns how many steps would run, in one sentence.
pub fn summary(rows: &[Row]) -> String {
    let count = |verdict: &str| rows.iter().filter(|row| row.verdict == verdict).count();
    let (run, cached, depends) = (count("run"), count("cached"), count("depends"));
    let mut parts = Vec::new();
    if run > 0 || rows.is_empty() {
        parts.push(format!("{run} would run"));
    }
    if depends > 0 {
        parts.push(format!("{depends} would run unless the inputs come out as before"));
    }
    if cached > 0 {
        parts.push(format!("{cached} cached"));
    }
    let steps = if rows.len() == 1 { "step" } else { "steps" };
    let colour = terminal::stdout_has_colour();
    let total = terminal::painted(&format!("{} {steps}", rows.len()), AnsiColor::Cyan, colour);
    format!("{total}: {}.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"[
        {"step":"load","verdict":"cached","reason":"nothing changed"},
        {"step":"tr\u001bain","verdict":"run","reason":"the source of `helpers.scale` changed","starts_anew":"its GPUs are chosen first","notes":["`helpers` counts as a whole"]},
        {"step":"report","verdict":"depends","reason":"its input comes from `train`, which will run"}]"#;

    fn check(view: View, expected: &str) {
        assert_eq!(render_json(PLAN.as_bytes(), view).expect("a plan"), expected);
    }

    #[test]
    fn tables_say_why_and_sum_up() {
        check(
            View { format: Format::Table, verbose: true, width: None },
            "\
STEP         VERDICT  REASON
load         cached   nothing changed
tr\\u{1b}ain  run      the source of `helpers.scale` changed; starts Python anew, since its GPUs are chosen first
report       depends  its input comes from `train`, which will run
note: tr\\u{1b}ain: `helpers` counts as a whole

3 steps: 1 would run, 1 would run unless the inputs come out as before, 1 cached.
",
        );
    }

    #[test]
    fn narrow_terminals_wrap_the_reason() {
        let view = View { format: Format::Table, verbose: false, width: Some(40) };
        let text = render_json(PLAN.as_bytes(), view).expect("a plan");
        let table = text.split("\n\n").next().expect("a table");
        assert!(table.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn programs_get_the_steps_as_they_are() {
        let view = View { format: Format::Json, verbose: false, width: None };
        let text = render_json(PLAN.as_bytes(), view).expect("a plan");
        let again: Vec<Row> = serde_json::from_str(&text).expect("JSON");
        assert_eq!(again[1].step, "tr\u{1b}ain");
        let yaml =
            render_json(PLAN.as_bytes(), View { format: Format::Yaml, ..view }).expect("YAML");
        assert!(yaml.contains("verdict: depends"), "{yaml}");
    }
}
