//! The front as a picture.

use plotters::prelude::*;

use super::ASKED;
use super::space::{Candidate, front};
use crate::error::Failure;

/// Area and time of every candidate, the front joined by a line, as SVG.
///
/// # Errors
/// The picture cannot be drawn.
pub(super) fn svg(all: &[Candidate], title: &str) -> Result<String, Failure> {
    let mut text = String::new();
    draw(&mut text, all, title)
        .map_err(|error| Failure::new(ASKED, format!("the picture cannot be drawn: {error}")))?;
    Ok(text)
}

fn draw(
    text: &mut String,
    all: &[Candidate],
    title: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let point = |c: &Candidate| (100.0 * c.share, c.microseconds);
    let times = || all.iter().map(|c| c.microseconds);
    let low = times().fold(f64::INFINITY, f64::min) * 0.8;
    let high = times().fold(0.0, f64::max) * 1.25;
    let root = SVGBackend::with_string(text, (800, 500)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..110.0, (low..high).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("largest share of the part's LUTs, flip-flops, DSPs or RAMs, %")
        .y_desc("time of the workload, microseconds")
        .draw()?;
    chart.draw_series(all.iter().map(|c| Circle::new(point(c), 2, BLACK.mix(0.3).filled())))?;
    let best = front(all);
    chart.draw_series(LineSeries::new(best.iter().map(|c| point(c)), &BLUE))?;
    chart.draw_series(best.iter().map(|c| Circle::new(point(c), 4, BLUE.filled())))?;
    root.present()?;
    drop(chart);
    drop(root);
    Ok(())
}
