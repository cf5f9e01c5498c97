//! The pictures, as SVG inside the page.

use std::error::Error;
use std::fmt::Write;

use plotters::prelude::*;

use super::ASKED;
use super::waves::{SIGNALS, Waves};
use crate::error::Failure;

/// Wide enough for a phone to show its letters.
const SIZE: (u32, u32) = (480, 300);
const LETTERS: (&str, u32) = ("sans-serif", 15);

/// What the roofline shows.
pub(super) struct Roofline {
    /// Multiply-adds a cycle at most.
    pub(super) peak: f64,
    /// Bytes a cycle at most.
    pub(super) bytes_per_cycle: f64,
    /// Multiply-adds a byte and a cycle of the product.
    pub(super) intensity: f64,
    pub(super) reached: f64,
}

pub(super) fn roofline(of: &Roofline) -> Result<String, Failure> {
    drawn(|text| {
        let knee = of.peak / of.bytes_per_cycle;
        let (low, high) = (knee.min(of.intensity) / 8.0, knee.max(of.intensity) * 8.0);
        let roof = |x: f64| (x * of.bytes_per_cycle).min(of.peak);
        let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
        let bottom = roof(low).min(of.reached) / 2.0;
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d((low..high).log_scale(), (bottom..of.peak * 2.0).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .label_style(LETTERS)
            .y_labels(5)
            .x_desc("multiply-adds a byte")
            .y_desc("multiply-adds a cycle")
            .draw()?;
        let line = [low, knee, high].map(|x| (x, roof(x)));
        chart.draw_series(LineSeries::new(line, BLUE.stroke_width(2)))?;
        chart.draw_series([Circle::new((of.intensity, of.reached), 6, RED.filled())])?;
        root.present()?;
        Ok(())
    })
}

pub(super) fn utilisation(waves: &Waves) -> Result<String, Failure> {
    let parts = waves.utilisation(120);
    drawn(|text| {
        let clocks = waves.clocks() as f64;
        let span = clocks / parts.len().max(1) as f64;
        let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..clocks, 0.0..105.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .label_style(LETTERS)
            .x_labels(6)
            .x_label_formatter(&|cycle| format!("{cycle:.0}"))
            .y_label_formatter(&|percent| format!("{percent:.0}"))
            .x_desc("cycle")
            .y_desc("% of cycles with operands")
            .draw()?;
        let steps = parts.iter().enumerate().flat_map(|(i, part)| {
            let from = i as f64 * span;
            [(from, 100.0 * part), (from + span, 100.0 * part)]
        });
        chart.draw_series(LineSeries::new(steps, BLUE.stroke_width(2)))?;
        root.present()?;
        Ok(())
    })
}

fn drawn(draw: impl FnOnce(&mut String) -> Result<(), Box<dyn Error>>) -> Result<String, Failure> {
    let mut text = String::new();
    draw(&mut text)
        .map_err(|error| Failure::new(ASKED, format!("a picture cannot be drawn: {error}")))?;
    Ok(text)
}

/// Levels of the signals around the first operands.
pub(super) fn waveform(waves: &Waves) -> String {
    const CLOCKS: usize = 72;
    let (from, window) = waves.window(CLOCKS);
    let height = 36 * window.len() + 24;
    let step = 470.0 / CLOCKS as f64;
    let mut text = format!(
        "<svg viewBox=\"0 0 480 {height}\" role=\"img\" aria-label=\"waveform\" font-family=\"sans-serif\" font-size=\"13\">"
    );
    for (row, bits) in window.iter().enumerate() {
        let top = 36 * row;
        let level = |bit: bool| top + if bit { 18 } else { 30 };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "<text x=\"2\" y=\"{}\" fill=\"#111\">{}</text>",
            top + 13,
            SIGNALS[row].1
        );
        let mut path = String::new();
        for (at, bit) in bits.iter().enumerate() {
            let x = 5.0 + at as f64 * step;
            let command = if at == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{x:.1} {0}H{1:.1}", level(*bit), x + step);
        }
        let _ = write!(
            text,
            "<path d=\"{path}\" fill=\"none\" stroke=\"#2b5c94\" stroke-width=\"1.5\"/>"
        );
    }
    let last = from + window.first().map_or(0, |bits| bits.len());
    let y = height - 6;
    let _ = write!(
        text,
        "<text x=\"5\" y=\"{y}\" fill=\"#444\">cycle {from}</text><text x=\"475\" y=\"{y}\" text-anchor=\"end\" fill=\"#444\">cycle {last}</text></svg>"
    );
    text
}
