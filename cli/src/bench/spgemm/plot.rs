//! A sweep as a picture.

use plotters::prelude::*;

use super::{ASKED, Row, sweep};
use crate::error::Failure;

const SIZE: (u32, u32) = (800, 500);

/// Utilisation over the values of the first swept key, a line for each matrix and each combination of the other keys.
///
/// # Errors
/// The picture cannot be drawn.
pub(super) fn svg(rows: &[Row], title: &str) -> Result<String, Failure> {
    let mut text = String::new();
    draw(&mut text, rows, title)
        .map_err(|error| Failure::new(ASKED, format!("the picture cannot be drawn: {error}")))?;
    Ok(text)
}

/// Lines in the order of the rows: name and points.
fn lines(rows: &[Row]) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = vec![];
    for row in rows {
        let [(_, value), others @ ..] = &row.point[..] else { continue };
        let name = format!("{} {}", row.matrix, sweep::name(others)).trim_end().to_owned();
        let place = (f64::from(*value), row.utilization);
        match lines.iter_mut().find(|line| line.0 == name) {
            Some(line) => line.1.push(place),
            None => lines.push((name, vec![place])),
        }
    }
    lines
}

fn draw(text: &mut String, rows: &[Row], title: &str) -> Result<(), Box<dyn std::error::Error>> {
    let key = rows.first().and_then(|row| row.point.first()).map_or("", |(key, _)| key);
    let values = || rows.iter().filter_map(|row| row.point.first()).map(|(_, v)| f64::from(*v));
    let low = values().fold(f64::INFINITY, f64::min) / 1.1;
    let high = values().fold(1.0, f64::max) * 1.1;
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((low..high).log_scale(), 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc(key)
        .y_desc("multiply-adds of those the lanes could have done")
        .draw()?;
    for (i, (name, points)) in lines(rows).into_iter().enumerate() {
        let color = Palette99::pick(i).to_rgba();
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(points.iter().map(|p| Circle::new(*p, 3, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    drop(chart);
    drop(root);
    Ok(())
}
