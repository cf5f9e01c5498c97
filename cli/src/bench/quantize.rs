//! `mattock bench quantize`: the digits read with weights quantised in every way, all products on cards.

use std::process::ExitCode;

use clap::Args;
use mattock::quant::{Matrix, Outliers, QuantizedWeights, Quantizer, Wide};
use mattock_testbench::digits::{Digits, FloatLayer, PIXELS};
use serde::Serialize;

use crate::card::Chosen;
use crate::error::Failure;
use crate::output::{Output, grouped, table};
use crate::quantize::bits_per_weight;
use crate::quantized::{Place, Setting, memory_bytes, multiply};
use crate::session::Session;
use crate::simulation::{MemoryArgs, SimulatorKind};

/// Images, of those the network was trained on, that tell which inputs matter.
const CALIBRATION: usize = 256;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Card of the integers
    #[arg(long, value_name = "NAME|PATH", default_value = "bench16")]
    config: String,
    /// Card of the outliers
    #[arg(long, value_name = "NAME|PATH", default_value = "floats")]
    outliers_on: String,
    /// Only the first so many images
    #[arg(long, value_name = "COUNT", value_parser = crate::arguments::whole::<u32>)]
    images: Option<u32>,
    /// What simulates the cards
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

/// One way to quantise, as a line of JSON.
#[derive(Serialize)]
struct Line {
    method: &'static str,
    settings: String,
    bits_per_weight: f64,
    images: usize,
    correct: usize,
    /// Of those the network was not trained on.
    unseen: usize,
    correct_unseen: usize,
    cycles: u64,
    ideal_cycles: u64,
    outlier_cycles: u64,
    mismatches: u64,
}

/// The ways that are compared.
fn ways() -> Vec<(String, Quantizer)> {
    let outliers = |bits| Quantizer::outliers(bits, Outliers::Share(0.1));
    let columns = |bits, wide| Quantizer::columns(bits, Wide { bits: wide, share: 0.25 });
    let named = |text: &str, how| (text.to_owned(), how);
    let mut ways: Vec<_> =
        [8, 4, 3, 2].map(|bits| (format!("{bits} bits"), Quantizer::rtn(bits))).to_vec();
    ways.extend([
        named("3 bits, inputs scaled", Quantizer::rtn(3).scaled_by_activations()),
        named("4 bits by 16", Quantizer::groups(4, 16)),
        named("3 bits by 16, zero points", Quantizer::groups(3, 16).zero_points()),
        named("2 bits by 16, zero points", Quantizer::groups(2, 16).zero_points()),
        named("8 bits, a tenth in f16", outliers(8)),
        named("3 bits, a tenth in f16", outliers(3)),
        named("4 bits, a quarter in 8", columns(4, 8)),
        named("2 bits, a quarter in 8", columns(2, 8)),
        named("2 bits by 16, zero points, a quarter in 4", columns(2, 4).grouped(16).zero_points()),
    ]);
    ways
}

pub(super) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("bench quantize", error);
    let digits = Digits::load().map_err(|error| failed(&error))?;
    let layers = FloatLayer::load().map_err(|error| failed(&error))?;
    let images =
        options.images.map_or(digits.labels.len(), |n| n as usize).min(digits.labels.len());
    let pixels = |image: usize| &digits.images[image * PIXELS..][..PIXELS];
    let rows = |images: &[usize]| {
        let values = images.iter().flat_map(|&image| pixels(image));
        let values = values.map(|&pixel| f32::from(pixel) / 16.0).collect();
        Matrix::new(images.len(), PIXELS, values).map_err(|error| failed(&error))
    };
    let all: Vec<usize> = (0..images).collect();
    let trained = (0..digits.labels.len()).filter(|i| !digits.model.test.contains(i));
    let trained: Vec<usize> = trained.take(CALIBRATION).collect();
    let (inputs, calibration) = (rows(&all)?, rows(&trained)?);

    let chosen = Chosen::load(&options.config, "--config")?;
    let (simulator, memory) = (options.simulator, &MemoryArgs::default());
    let setting = Setting { chosen: &chosen, simulator, memory, output };
    let room = Quantizer::groups(8, 1).quantize(&layers[0].weights, None);
    let room = memory_bytes(&room.map_err(|error| failed(&error))?, images);
    let second = Chosen::load(&options.outliers_on, "--outliers-on")?;
    let place = Place::card(&second, &setting, room)?;
    let session = Session::open(&chosen, simulator, room, memory, output)?;

    let mut lines = vec![];
    for (settings, quantizer) in ways() {
        let network =
            quantised(&layers, quantizer, &calibration).map_err(|error| failed(&error))?;
        let mut values = inputs.clone();
        let mut line = Line {
            method: network[0].arrays().method.name(),
            settings,
            bits_per_weight: mean_bits(&network),
            images,
            correct: 0,
            unseen: 0,
            correct_unseen: 0,
            cycles: 0,
            ideal_cycles: 0,
            outlier_cycles: 0,
            mismatches: 0,
        };
        for (index, (weights, layer)) in network.iter().zip(&layers).enumerate() {
            let done = multiply(session.context(), weights, &values, &place)?;
            line.cycles += done.counts.cycles;
            line.ideal_cycles += done.counts.ideal_cycles;
            line.outlier_cycles += done.counts.outlier_cycles;
            line.mismatches += done.mismatches;
            let hidden = index + 1 < layers.len();
            let d = layer.finish(done.d, hidden);
            values = Matrix::new(images, weights.shape().1, d).map_err(|error| failed(&error))?;
        }
        for &image in &all {
            let right = FloatLayer::answer(values.row(image)) == digits.labels[image];
            let unseen = digits.model.test.contains(&image);
            line.correct += usize::from(right);
            line.unseen += usize::from(unseen);
            line.correct_unseen += usize::from(right && unseen);
        }
        lines.push(line);
    }
    let wrong: u64 = lines.iter().map(|line| line.mismatches).sum();
    if output.json {
        lines.iter().for_each(|line| output.result(line, String::new));
    } else {
        output.page(&page(&lines));
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every layer quantised, calibrated with what the layers before it make of the images.
fn quantised(
    layers: &[FloatLayer],
    quantizer: Quantizer,
    images: &Matrix,
) -> Result<Vec<QuantizedWeights>, mattock::quant::QuantError> {
    let mut inputs = images.clone();
    let mut network = vec![];
    for layer in layers {
        network.push(quantizer.quantize(&layer.weights, Some(&inputs))?);
        let d = layer.finish(layer.product(&inputs), true);
        inputs = Matrix::new(images.rows(), layer.weights.cols(), d)?;
    }
    Ok(network)
}

fn mean_bits(network: &[QuantizedWeights]) -> f64 {
    let weights = |w: &QuantizedWeights| (w.shape().0 * w.shape().1) as f64;
    let bits: f64 = network.iter().map(|w| bits_per_weight(w) * weights(w)).sum();
    bits / network.iter().map(weights).sum::<f64>()
}

fn page(lines: &[Line]) -> String {
    let heads = [
        "method",
        "settings",
        "bits a weight",
        "read right",
        "",
        "of the unseen",
        "cycles",
        "ideal",
        "outliers",
        "mismatches",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for line in lines {
        let share =
            |right: usize, of: usize| format!("{:.2} %", 100.0 * right as f64 / of.max(1) as f64);
        rows.push(vec![
            line.method.to_owned(),
            line.settings.clone(),
            format!("{:.2}", line.bits_per_weight),
            grouped(line.correct as u64),
            share(line.correct, line.images),
            share(line.correct_unseen, line.unseen),
            grouped(line.cycles),
            grouped(line.ideal_cycles),
            grouped(line.outlier_cycles),
            line.mismatches.to_string(),
        ]);
    }
    table(&rows, &[2, 3, 4, 5, 6, 7, 8, 9])
}
