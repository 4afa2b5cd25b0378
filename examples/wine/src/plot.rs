//! Draws how well models do.

use partita::Result;
use plotters::prelude::*;

use crate::Score;

/// Returns an SVG image with a bar for each model and quality.
///
/// # Errors
/// If it cannot be drawn.
pub(crate) fn bars(scores: &[Score]) -> Result<String> {
    let mut image = String::new();
    {
        let area = SVGBackend::with_string(&mut image, (640, 320)).into_drawing_area();
        area.fill(&WHITE)?;
        let qualities =
            scores.iter().flat_map(|score| &score.by_quality).map(|(quality, _)| *quality);
        let (least, most) = (qualities.clone().min().unwrap_or(0), qualities.max().unwrap_or(1));
        let mut chart = ChartBuilder::on(&area)
            .margin(24)
            .build_cartesian_2d(least as f64..most as f64 + 1.0, 0.0..1.0)?;
        chart.configure_mesh().disable_x_mesh().draw()?;
        let width = 0.8 / scores.len().max(1) as f64;
        for (place, score) in scores.iter().enumerate() {
            let colour = Palette99::pick(place).filled();
            chart.draw_series(score.by_quality.iter().map(|(quality, accuracy)| {
                let left = *quality as f64 + 0.1 + width * place as f64;
                Rectangle::new([(left, 0.0), (left + width, *accuracy)], colour)
            }))?;
        }
        area.present()?;
    }
    Ok(image)
}
