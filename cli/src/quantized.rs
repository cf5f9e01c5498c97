//! `mattock gemm --quantized FILE.npz`: activations times quantised weights on a card, every element checked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mattock::Context;
use mattock::quant::{Matrix, OutlierPlace, QuantizedStats, QuantizedWeights};
use mattock_testbench::reference::QuantizedProduct;
use serde::Serialize;

use crate::card::Chosen;
use crate::error::Failure;
use crate::output::{Output, grouped, table};
use crate::progress::Progress;
use crate::quantize;
use crate::session::Session;
use crate::simulation::{MemoryArgs, SimulatorKind};
use crate::synthetic::Source;

/// A product with weights from a file.
#[derive(Args, Clone, Debug)]
pub(crate) struct QuantizedArgs {
    /// Multiply by quantised weights (`mattock quantize`), whose sizes are K and N
    #[arg(long, value_name = "FILE", conflicts_with_all = ["n", "k", "types", "acc", "resident", "order", "rounding", "saturate", "plan", "EpilogueArgs"])]
    quantized: Option<PathBuf>,
    /// The activations [default: M rows near to a normal distribution]
    #[arg(long, value_name = "FILE", requires = "quantized", conflicts_with = "m")]
    activations: Option<PathBuf>,
    /// The array of that .npz file [default: its only one]
    #[arg(long, value_name = "NAME", requires = "activations")]
    activations_array: Option<String>,
    /// Who multiplies outlier rows: this card, the host, or a second simulated card, such as floats
    #[arg(long, value_name = "same|host|CARD", requires = "quantized", default_value = "same")]
    outliers_on: String,
}

impl QuantizedArgs {
    /// The file of weights, when it is such a product.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.quantized.as_deref()
    }
}

/// What the product runs on.
pub(crate) struct Setting<'a> {
    pub(crate) chosen: &'a Chosen,
    pub(crate) simulator: SimulatorKind,
    pub(crate) memory: &'a MemoryArgs,
    pub(crate) output: Output,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
struct Report {
    m: usize,
    n: usize,
    k: usize,
    method: &'static str,
    bits_per_weight: f64,
    /// The integer products.
    types: String,
    #[serde(flatten)]
    counts: Counts,
    mismatches: u64,
    simulator: &'static str,
}

/// Cycles of the integer products, and of the outliers where a card computes them.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Counts {
    pub(crate) commands: u64,
    pub(crate) cycles: u64,
    pub(crate) ideal_cycles: u64,
    pub(crate) ratio: f64,
    pub(crate) compute_cycles: u64,
    pub(crate) dram_bytes: u64,
    pub(crate) outlier_cycles: u64,
    pub(crate) outlier_ideal_cycles: u64,
}

impl Counts {
    pub(crate) fn of(stats: &QuantizedStats) -> Counts {
        let QuantizedStats { integers, ideal_cycles, outliers, outliers_ideal_cycles } = *stats;
        Counts {
            commands: integers.commands,
            cycles: integers.cycles,
            ideal_cycles,
            ratio: integers.cycles as f64 / ideal_cycles.max(1) as f64,
            compute_cycles: integers.compute_cycles,
            dram_bytes: integers.bytes_read + integers.bytes_written,
            outlier_cycles: outliers.cycles,
            outlier_ideal_cycles: outliers_ideal_cycles,
        }
    }
}

/// Who multiplies outliers.
pub(crate) enum Place {
    Same,
    Host,
    Card(Box<Session>),
}

impl Place {
    /// A second card with memory for outliers of such a product.
    ///
    /// # Errors
    /// It cannot be simulated.
    pub(crate) fn card(
        chosen: &Chosen,
        setting: &Setting<'_>,
        bytes: u64,
    ) -> Result<Self, Failure> {
        let Setting { simulator, memory, output, .. } = *setting;
        let session = Session::open(chosen, simulator, bytes, memory, output)?;
        Ok(Place::Card(Box::new(session)))
    }

    fn driver(&self) -> OutlierPlace<'_> {
        match self {
            Place::Same => OutlierPlace::SameCard,
            Place::Host => OutlierPlace::Host,
            Place::Card(session) => OutlierPlace::Card(session.context()),
        }
    }
}

/// A product that was checked.
pub(crate) struct Done {
    pub(crate) d: Vec<f32>,
    pub(crate) counts: Counts,
    /// Types of the integer products.
    pub(crate) types: String,
    pub(crate) mismatches: u64,
}

/// Bytes of card memory that such a product takes at most: weights with padded lines, activations, sums of a few groups.
pub(crate) fn memory_bytes(weights: &QuantizedWeights, m: usize) -> u64 {
    let ((k, n), groups) = (weights.shape(), weights.groups());
    let [k, n, m, groups] = [k, n, m, groups].map(|size| size as u64);
    let slabs = groups * 2 * 64 * (n + k.div_ceil(groups.max(1))) + k * n;
    slabs + 16 * (m * (k + 64) + 4 * m * (n + 64)) + (1 << 20)
}

/// Multiplies on the card and compares with the reference.
///
/// # Errors
/// Those of the driver.
pub(crate) fn multiply(
    card: &Context,
    weights: &QuantizedWeights,
    inputs: &Matrix,
    outliers: &Place,
) -> Result<Done, Failure> {
    let loaded = card.load_quantized(weights.clone(), inputs.rows())?;
    let (d, stats) = card.gemm_quantized(inputs, &loaded, outliers.driver())?;
    let expected = QuantizedProduct::of(weights).product(inputs.values(), inputs.cols());
    let same = d.iter().zip(&expected).filter(|(got, want)| got.to_bits() == want.to_bits());
    let mismatches = (expected.len().max(d.len()) - same.count()) as u64;
    let types =
        loaded.parts().map(|(format, columns)| format!("{columns} columns i8,{format},i32"));
    let types = types.collect::<Vec<_>>().join("; ");
    Ok(Done { d, counts: Counts::of(&stats), types, mismatches })
}

pub(crate) fn run(
    args: &QuantizedArgs,
    path: &Path,
    (m, seed): (u32, u64),
    setting: &Setting<'_>,
) -> Result<ExitCode, Failure> {
    let weights = QuantizedWeights::read(path).map_err(|error| {
        Failure::new("gemm", error).next("make the file with `mattock quantize`")
    })?;
    let (k, n) = weights.shape();
    let inputs = match &args.activations {
        Some(path) => quantize::read(path, args.activations_array.as_deref())?,
        None => {
            let values = Source::new(seed).normals(m as usize * k);
            Matrix::new(m as usize, k, values).map_err(|error| Failure::new("gemm", error))?
        }
    };
    if inputs.cols() != k {
        let value = format!("{} x {}", inputs.rows(), inputs.cols());
        return Err(Failure::argument("gemm", "--activations", value)
            .allowed(format!("rows of {k} values, one for each row of the weights")));
    }
    let m = inputs.rows();
    let Setting { chosen, simulator, memory, output } = *setting;
    let bytes = memory_bytes(&weights, m);
    let place = match args.outliers_on.as_str() {
        "same" => Place::Same,
        "host" => Place::Host,
        name => Place::card(&Chosen::load(name, "--outliers-on")?, setting, bytes)?,
    };
    let session = Session::open(chosen, simulator, bytes, memory, output)?;
    let progress = Progress::start(output, format!("multiplying {m} x {n} x {k}"));
    let done = multiply(session.context(), &weights, &inputs, &place)?;
    drop(progress);
    let report = Report {
        m,
        n,
        k,
        method: weights.arrays().method.name(),
        bits_per_weight: quantize::bits_per_weight(&weights),
        types: done.types,
        counts: done.counts,
        mismatches: done.mismatches,
        simulator: chosen.runner(simulator),
    };
    output.result(&report, || report.page(chosen));
    Ok(if report.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Report {
    fn page(&self, chosen: &Chosen) -> String {
        let Counts { commands, cycles, ideal_cycles, ratio, compute_cycles, dram_bytes, .. } =
            self.counts;
        let Counts { outlier_cycles, outlier_ideal_cycles, .. } = self.counts;
        let ideal = |cycles: u64, ideal: u64| {
            format!("{}, of which {} would do", grouped(cycles), grouped(ideal))
        };
        let rows = [
            ("product", format!("{} x {} x {}, {}", self.m, self.n, self.k, self.method)),
            ("weights", format!("{:.2} bits each; {}", self.bits_per_weight, self.types)),
            ("card", chosen.shown(self.simulator)),
            ("cycles", format!("{} ({:.3})", ideal(cycles, ideal_cycles), ratio)),
            ("compute cycles", grouped(compute_cycles)),
            ("commands", grouped(commands)),
            ("bytes moved", grouped(dram_bytes)),
            ("outliers", ideal(outlier_cycles, outlier_ideal_cycles)),
            ("mismatches", format!("{} of {}", self.mismatches, self.m as u64 * self.n as u64)),
        ];
        table(&rows.map(|(name, text)| vec![name.to_owned(), text]), &[])
    }
}
