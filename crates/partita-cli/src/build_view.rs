//! What `partita build` shows: each image, the steps that run in it, and what became of it.

use serde::Serialize;

use crate::format::Format;
use crate::pipeline::StepImage;
use crate::table::Table;
use crate::terminal;

/// One image; the JSON of `partita build --output json` is a list of these.
#[derive(Debug, Serialize)]
struct Row<'a> {
    image: Option<&'a str>,
    steps: &'a [String],
    /// `built`, or `there`.
    verdict: &'static str,
    /// Why it was built.
    reason: Option<&'a str>,
    duration_s: Option<f64>,
}

impl<'a> From<&'a StepImage> for Row<'a> {
    fn from(made: &'a StepImage) -> Self {
        Self {
            image: made.image.as_deref(),
            steps: &made.steps,
            verdict: if made.seconds.is_some() { "built" } else { "there" },
            reason: made.reason.as_deref(),
            duration_s: made.seconds,
        }
    }
}

/// Returns images in this format.
///
/// # Errors
/// If the format cannot say it.
pub fn render(made: &[StepImage], format: Format) -> Result<String, String> {
    let rows: Vec<Row<'_>> = made.iter().map(Row::from).collect();
    if let Some(text) = format.encode(&rows)? {
        return Ok(text);
    }
    if rows.is_empty() {
        return Ok("no step runs in an image that is built\n".to_owned());
    }
    let width = terminal::stdout_width();
    let mut table = Table::with_width(["image", "steps", "verdict", "reason"], width);
    for row in &rows {
        let reason = row.reason.unwrap_or("nothing has changed");
        table.row([
            row.image.unwrap_or_default().to_owned(),
            row.steps.join(", "),
            row.verdict.to_owned(),
            reason.to_owned(),
        ]);
    }
    Ok(table.to_text())
}
