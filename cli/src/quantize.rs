//! `mattock quantize`: NumPy weights become codes, scales and what else a product on a card needs.
//!
//! ```text
//! $ mattock quantize weights.npy --method groups --bits 4 --group 128 --zero-point --out weights4.npz
//! ```

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mattock::quant::{Matrix, Outliers, QuantizedWeights, Quantizer, Wide};
use mattock_testbench::reference::QuantizedProduct;
use serde::Serialize;

use crate::arguments::whole;
use crate::error::Failure;
use crate::files::write_bytes;
use crate::output::{Output, grouped, percent, table};
use crate::progress::Progress;

/// Rows of activations that the error of results is measured on; choosing uses all.
const MEASURED_ROWS: usize = 64;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Weights, inputs x outputs: a .npy file, or a .npz file with `--array`
    #[arg(value_name = "WEIGHTS")]
    weights: PathBuf,
    /// What becomes of them
    #[arg(long, value_enum)]
    method: Kind,
    /// The array of a .npz file [default: its only one]
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// The file holds outputs x inputs
    #[arg(long)]
    transposed: bool,
    /// Bits of a code, 2 to 8 [default: 8 with outliers, 4 otherwise]
    #[arg(long, value_name = "BITS", value_parser = whole::<u32>)]
    bits: Option<u32>,
    /// Rows that share a scale; the last group may be shorter [default: 128 for `groups`, all otherwise]
    #[arg(long, value_name = "ROWS", value_parser = whole::<u32>)]
    group: Option<u32>,
    /// Codes from the smallest weight of a group to its largest, instead of both sides of zero alike
    #[arg(long)]
    zero_point: bool,
    /// Multiply weights of large inputs first, and divide the inputs (AWQ); needs `--activations`
    #[arg(long)]
    awq: bool,
    /// Share of the rows that stay in binary16 [default for `outliers`: 0.01]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    outlier_share: Option<f64>,
    /// Rows whose input reaches this magnitude stay in binary16
    #[arg(long, value_name = "MAGNITUDE", conflicts_with = "outlier_share")]
    outlier_threshold: Option<f32>,
    /// Share of the columns that get more bits [default for `columns`: 0.25]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    wide_share: Option<f64>,
    /// Bits of those [default for `columns`: 8]
    #[arg(long, value_name = "BITS", value_parser = whole::<u32>)]
    wide_bits: Option<u32>,
    /// Activations, samples x inputs, as the layer sees them: they tell which inputs and outputs matter
    #[arg(long, value_name = "FILE")]
    activations: Option<PathBuf>,
    /// The array of that .npz file [default: its only one]
    #[arg(long, value_name = "NAME", requires = "activations")]
    activations_array: Option<String>,
    /// Write the quantised weights here (.npz)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The methods, as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Every weight to the nearest code, a scale a column
    Rtn,
    /// A scale for each group of rows of a column (GPTQ, AWQ)
    Groups,
    /// Rows of large inputs stay in binary16 (LLM.int8())
    Outliers,
    /// Columns that matter most get more bits (MixLLM)
    Columns,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
struct Report {
    weights: String,
    method: &'static str,
    k: usize,
    n: usize,
    bits: u32,
    wide_columns: usize,
    group: usize,
    groups: usize,
    zero_points: bool,
    outliers: usize,
    scaled_inputs: bool,
    bits_per_weight: f64,
    max_error: f64,
    rms_error: f64,
    /// Of the products with the activations; `null` without any.
    output_error: Option<f64>,
    out: String,
    bytes: usize,
}

/// How far quantised weights are from what they were.
pub(crate) struct Errors {
    pub(crate) max: f64,
    pub(crate) rms: f64,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    let quantizer = options.quantizer()?;
    let mut weights = read(&options.weights, options.array.as_deref())?;
    if options.transposed {
        weights = weights.transposed();
    }
    let array = options.activations_array.as_deref();
    let inputs = options.activations.as_deref().map(|path| read(path, array)).transpose()?;
    let progress = Progress::start(output, "quantising");
    let coded = quantizer.quantize(&weights, inputs.as_ref()).map_err(refused)?;
    let output_error = inputs.map(|inputs| output_error(&weights, &coded, &inputs));
    drop(progress);
    let bytes = coded.to_bytes().map_err(refused)?;
    write_bytes("quantize", &options.out, &bytes)?;
    let arrays = coded.arrays();
    let bits = arrays.widths.iter().copied().min().unwrap_or(0);
    let Errors { max, rms } = errors(&weights, &coded);
    let report = Report {
        weights: options.weights.display().to_string(),
        method: arrays.method.name(),
        k: weights.rows(),
        n: weights.cols(),
        bits: bits.into(),
        wide_columns: arrays.widths.iter().filter(|&&width| width > bits).count(),
        group: arrays.group,
        groups: coded.groups(),
        zero_points: !arrays.zeros.is_empty(),
        outliers: arrays.outliers.len(),
        scaled_inputs: !arrays.factors.is_empty(),
        bits_per_weight: bits_per_weight(&coded),
        max_error: max,
        rms_error: rms,
        output_error,
        out: options.out.display().to_string(),
        bytes: bytes.len(),
    };
    output.result(&report, || report.page());
    Ok(())
}

/// Reads a matrix for this command or another that takes the same files.
///
/// # Errors
/// The file is none, or holds no such matrix.
pub(crate) fn read(path: &Path, array: Option<&str>) -> Result<Matrix, Failure> {
    Matrix::read(path, array).map_err(|error| {
        Failure::new("reading a matrix", error)
            .next("give a .npy file, or a .npz file and the name of its array")
    })
}

fn refused(error: mattock::quant::QuantError) -> Failure {
    Failure::new("quantize", error)
}

/// The weights' errors.
pub(crate) fn errors(weights: &Matrix, coded: &QuantizedWeights) -> Errors {
    let values = coded.values();
    let pairs = weights.values().iter().zip(&values);
    let errors = pairs.map(|(&weight, &value)| (f64::from(weight) - f64::from(value)).abs());
    let (max, sum) = errors.fold((0.0f64, 0.0), |(max, sum), e| (max.max(e), sum + e * e));
    Errors { max, rms: (sum / values.len() as f64).sqrt() }
}

/// Bits of codes, outliers, scales, zero points and factors for each weight.
pub(crate) fn bits_per_weight(coded: &QuantizedWeights) -> f64 {
    let arrays = coded.arrays();
    let (k, n) = coded.shape();
    let zeros = 8 * arrays.zeros.len();
    let words = 32 * (arrays.scales.len() + arrays.factors.len() + arrays.outliers.len());
    let beside = zeros + words + 16 * arrays.outlier_weights.len();
    (coded.bits() as f64 + beside as f64) / (k * n) as f64
}

/// The error of the product with the first activations, activations quantised too, relative to the product itself (Frobenius norms).
fn output_error(weights: &Matrix, coded: &QuantizedWeights, inputs: &Matrix) -> f64 {
    let inputs = inputs.head(MEASURED_ROWS);
    let (k, n) = coded.shape();
    let got = QuantizedProduct::of(coded).product(inputs.values(), k);
    let (mut error, mut norm) = (0.0, 0.0);
    for (row, got) in inputs.values().chunks(k).zip(got.chunks(n)) {
        let mut exact = vec![0.0f64; n];
        for (k, &input) in row.iter().enumerate() {
            let weights = weights.row(k);
            exact
                .iter_mut()
                .zip(weights)
                .for_each(|(sum, &w)| *sum += f64::from(input) * f64::from(w));
        }
        for (exact, &got) in exact.iter().zip(got) {
            error += (exact - f64::from(got)).powi(2);
            norm += exact.powi(2);
        }
    }
    if norm == 0.0 { error.sqrt() } else { (error / norm).sqrt() }
}

impl Options {
    /// The method with its settings; a setting of another method is refused.
    fn quantizer(&self) -> Result<Quantizer, Failure> {
        let of_outliers = self.outlier_share.is_some() || self.outlier_threshold.is_some();
        let of_columns = self.wide_share.is_some() || self.wide_bits.is_some();
        let foreign = [
            (of_outliers, Kind::Outliers, "--outlier-share, --outlier-threshold", "outliers"),
            (of_columns, Kind::Columns, "--wide-share, --wide-bits", "columns"),
        ];
        for (given, kind, key, name) in foreign {
            if given && self.method != kind {
                let value = "given for another method";
                return Err(Failure::argument("quantize", key, value)
                    .allowed(format!("`--method {name}`"))
                    .next(format!("leave it out, or choose `--method {name}`"))
                    .usage());
            }
        }
        let bits = self.bits.unwrap_or(if self.method == Kind::Outliers { 8 } else { 4 });
        let group = self.group.map(|group| group as usize);
        let mut quantizer = match self.method {
            Kind::Rtn => Quantizer::rtn(bits),
            Kind::Groups => Quantizer::groups(bits, group.unwrap_or(128)),
            Kind::Outliers => Quantizer::outliers(bits, self.outlier_rule()),
            Kind::Columns => {
                let (bits_wide, share) =
                    (self.wide_bits.unwrap_or(8), self.wide_share.unwrap_or(0.25));
                Quantizer::columns(bits, Wide { bits: bits_wide, share })
            }
        };
        if let Some(group) = group {
            quantizer = quantizer.grouped(group);
        }
        if self.zero_point {
            quantizer = quantizer.zero_points();
        }
        if self.awq {
            quantizer = quantizer.scaled_by_activations();
        }
        Ok(quantizer)
    }

    fn outlier_rule(&self) -> Outliers {
        match self.outlier_threshold {
            Some(threshold) => Outliers::Threshold(threshold),
            None => Outliers::Share(self.outlier_share.unwrap_or(0.01)),
        }
    }
}

impl Report {
    fn page(&self) -> String {
        let also =
            |what: &str, there: bool| if there { format!(", {what}") } else { String::new() };
        let codes = match self.wide_columns {
            0 => format!("{} bits", self.bits),
            wide => format!("{} bits, {} columns in more", self.bits, grouped(wide as u64)),
        };
        let groups = match self.groups {
            1 => "a scale a column".into(),
            groups => format!("{groups} groups of {} rows", self.group),
        };
        let more =
            also("zero points", self.zero_points) + &also("inputs scaled", self.scaled_inputs);
        let error = self.output_error.map_or("no activations".into(), percent);
        let rows = [
            ("weights", format!("{} x {}, {}", self.k, self.n, self.weights)),
            ("method", self.method.to_owned()),
            ("codes", format!("{codes}, {groups}{more}")),
            ("outlier rows", grouped(self.outliers as u64)),
            ("bits a weight", format!("{:.2}", self.bits_per_weight)),
            ("largest error", format!("{:.4e}", self.max_error)),
            ("root mean square", format!("{:.4e}", self.rms_error)),
            ("error of results", error),
            ("written", format!("{}, {} bytes", self.out, grouped(self.bytes as u64))),
        ];
        table(&rows.map(|(name, text)| vec![name.to_owned(), text]), &[])
    }
}
