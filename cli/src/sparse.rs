//! `mattock sparse`: what else the sparse engine computes, with every result checked.
//!
//! ```text
//! $ mattock sparse add A.mtx B.mtx --beta -1
//! $ mattock sparse multiply A.mtx B.mtx
//! $ mattock sparse spmm testbench/data/matrices/bcspwr10.mtx.gz --cols 16
//! $ mattock sparse spmv testbench/data/matrices/bcspwr10.mtx.gz
//! $ mattock sparse spmspv testbench/data/matrices/bcspwr10.mtx.gz --entries 100
//! $ mattock sparse sddmm testbench/data/matrices/karate.mtx.gz --inner 64
//! $ mattock sparse symbolic testbench/data/matrices/bcspwr10.mtx.gz
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mattock::io::Field;
use mattock::sparse::{ConvertError, SparseSum, SpgemmOptions, SpgemmStats, Triplets};
use mattock::{Context, Csr, Error, View, ViewMut};
use mattock_spec::Semiring;
use mattock_spec::config::SpgemmConfig;
use mattock_spec::regs::ValueType;
use mattock_testbench::reference::{self, Comparison, Mask, compare_exact};
use serde::Serialize;

use crate::arguments::whole;
use crate::card::{CardOptions, Chosen};
use crate::error::Failure;
use crate::matrix_file::Reading;
use crate::output::{Output, grouped, percent, table};
use crate::session::Session;
use crate::simulation::{MemoryArgs, SimulatorKind};
use crate::spgemm::{engine, memory_bytes, value_type};
use crate::synthetic::Source;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    /// alpha * A + beta * B of two sparse matrices
    Add {
        #[command(flatten)]
        common: Common,
        /// Matrix B
        #[arg(value_name = "FILE2")]
        b: PathBuf,
        /// A whole number that A is multiplied by
        #[arg(long, value_name = "N", default_value_t = 1, allow_hyphen_values = true)]
        alpha: i32,
        /// A whole number that B is multiplied by
        #[arg(long, value_name = "N", default_value_t = 1, allow_hyphen_values = true)]
        beta: i32,
    },
    /// Products of the entries that two sparse matrices share
    Multiply {
        #[command(flatten)]
        common: Common,
        /// Matrix B
        #[arg(value_name = "FILE2")]
        b: PathBuf,
    },
    /// A sparse matrix times a random dense one
    Spmm {
        #[command(flatten)]
        common: Common,
        /// Columns of the dense matrix
        #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
        cols: u32,
    },
    /// A sparse matrix times a random dense vector
    Spmv(Common),
    /// A sparse matrix times a random sparse vector
    Spmspv {
        #[command(flatten)]
        common: Common,
        /// Entries of the vector
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole::<u64>)]
        entries: u64,
    },
    /// The product of two random dense matrices at the entries of a sparse one
    Sddmm {
        #[command(flatten)]
        common: Common,
        /// Columns of the left dense matrix, rows of the right one
        #[arg(long, value_name = "K", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=65536))]
        inner: u32,
    },
    /// Row pointers and entries of A * A, without values
    Symbolic(Common),
}

#[derive(Args, Debug)]
struct Common {
    /// Matrix A: Matrix Market, SNAP edge list, METIS or triplets, may be gzipped, or rmat:scale=N,edges=N,seed=N
    #[arg(value_name = "FILE")]
    a: PathBuf,
    #[command(flatten)]
    card: CardOptions,
    /// Type of the values: i32 or f32 [default: f32 if the file has real values, else i32]
    #[arg(long, value_name = "TYPE")]
    types: Option<String>,
    /// Names the random values
    #[arg(long, value_name = "SEED", default_value_t = 1, value_parser = whole::<u64>)]
    seed: u64,
    #[command(flatten)]
    reading: Reading,
    /// What simulates the card
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
struct Report {
    operation: &'static str,
    rows: usize,
    cols: usize,
    /// Entries of A.
    nnz_a: usize,
    /// Entries, or elements of a dense result.
    results: usize,
    commands: u64,
    madds: u64,
    lanes: u32,
    clusters: u32,
    cycles: u64,
    utilization: f64,
    dram_bytes: u64,
    mismatches: u64,
    types: &'static str,
    simulator: &'static str,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let operation = &options.operation;
    let (asked, common) = (operation.asked(), operation.common());
    let chosen = common.card.any(asked)?;
    let config = engine(asked, &chosen)?;
    let a = common.reading.read(asked, &common.a, output)?;
    let (b, mut field) = match operation {
        Operation::Add { b, .. } | Operation::Multiply { b, .. } => {
            let b = common.reading.read(asked, b, output)?;
            (Some(b.matrix), if b.field == Field::Real { Field::Real } else { a.field })
        }
        _ => (None, a.field),
    };
    if let Operation::Sddmm { .. } = operation {
        field = Field::Pattern;
    }
    // The scalars, the dense matrices and the results are of the type the card computes in.
    let sums: Vec<ValueType> = [ValueType::I32, ValueType::F32]
        .into_iter()
        .filter(|value| config.values.contains(value))
        .collect();
    let value = value_type(asked, &sums, field, common.types.as_deref())?;
    let work = Work { asked, operation, common, chosen: &chosen, config, output };
    let report = match value {
        ValueType::F32 => work.run::<f32>(&a.matrix, b.as_ref(), Csr::to_f32),
        _ => work.run::<i32>(&a.matrix, b.as_ref(), Csr::to_i32),
    }?;
    output.result(&report, || report.page(&chosen));
    Ok(if report.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Operation {
    fn asked(&self) -> &'static str {
        match self {
            Operation::Add { .. } => "sparse add",
            Operation::Multiply { .. } => "sparse multiply",
            Operation::Spmm { .. } => "sparse spmm",
            Operation::Spmv(_) => "sparse spmv",
            Operation::Spmspv { .. } => "sparse spmspv",
            Operation::Sddmm { .. } => "sparse sddmm",
            Operation::Symbolic(_) => "sparse symbolic",
        }
    }

    fn common(&self) -> &Common {
        match self {
            Operation::Add { common, .. }
            | Operation::Multiply { common, .. }
            | Operation::Spmm { common, .. }
            | Operation::Spmspv { common, .. }
            | Operation::Sddmm { common, .. }
            | Operation::Spmv(common)
            | Operation::Symbolic(common) => common,
        }
    }

    /// Bytes of card memory that are enough.
    fn bytes(&self, a: &Csr<f64>, b: Option<&Csr<f64>>) -> Result<u64, Failure> {
        let stored = |rows: usize, nnz: u64| 4 * (rows as u64 + 1) + 8 * nnz;
        let dense = |rows: usize, cols: u32| stored(rows, rows as u64 * u64::from(cols));
        let more = match self {
            Operation::Add { .. } | Operation::Multiply { .. } => {
                let b = b.map_or(0, |b| stored(b.rows(), b.nnz() as u64));
                // Both again as factors, and the result.
                4 * (b + stored(a.cols(), a.nnz() as u64))
            }
            Operation::Spmm { cols, .. } => dense(a.cols(), *cols) + dense(a.rows(), *cols),
            Operation::Spmv(_) | Operation::Spmspv { .. } => {
                dense(a.cols(), 1) + dense(a.rows(), 1)
            }
            // A copy of the left matrix, one of the right matrix for each row, and the result.
            Operation::Sddmm { inner, .. } => {
                let copies = (a.nnz() as u64 * u64::from(*inner)).min(1 << 22);
                dense(a.rows(), *inner) + 12 * copies + stored(a.rows(), a.nnz() as u64)
            }
            Operation::Symbolic(_) if a.rows() != a.cols() => {
                let shape = format!("a {} x {} matrix", a.rows(), a.cols());
                return Err(Failure::argument(self.asked(), "FILE", shape)
                    .allowed("a square matrix, for A * A")
                    .next("give another matrix"));
            }
            Operation::Symbolic(_) => memory_bytes(a, a)?,
        };
        Ok(stored(a.rows(), a.nnz() as u64) + more + (1 << 16))
    }
}

/// A type whose results can be drawn and judged.
trait Checked: SparseSum + std::fmt::Debug {
    fn draw(source: &mut Source) -> Self;
    fn of(whole: i32) -> Self;
    /// A product, exactly or within its bound.
    fn product(
        a: &Csr<Self>,
        b: &Csr<Self>,
        mask: Option<&Mask>,
        got: &Csr<Self>,
    ) -> Result<Comparison, reference::ShapeError>;
}

impl Checked for i32 {
    fn draw(source: &mut Source) -> Self {
        source.whole()
    }

    fn of(whole: i32) -> Self {
        whole
    }

    fn product(
        a: &Csr<i32>,
        b: &Csr<i32>,
        mask: Option<&Mask>,
        got: &Csr<i32>,
    ) -> Result<Comparison, reference::ShapeError> {
        let all = reference::spgemm(a, b)?;
        Ok(compare_exact(&mask.map_or_else(|| all.clone(), |mask| mask.apply(&all)), got))
    }
}

impl Checked for f32 {
    fn draw(source: &mut Source) -> Self {
        source.real()
    }

    fn of(whole: i32) -> Self {
        whole as f32
    }

    fn product(
        a: &Csr<f32>,
        b: &Csr<f32>,
        mask: Option<&Mask>,
        got: &Csr<f32>,
    ) -> Result<Comparison, reference::ShapeError> {
        let joins = reference::Joins { mask, ..Default::default() };
        reference::check_joined(a, b, Semiring::PlusTimes, &joins, got)
    }
}

/// An operation on a card.
struct Work<'a> {
    asked: &'static str,
    operation: &'a Operation,
    common: &'a Common,
    chosen: &'a Chosen,
    config: &'a SpgemmConfig,
    output: Output,
}

/// Results, what they cost, how many are wrong.
type Done = (usize, SpgemmStats, u64);

impl Work<'_> {
    fn run<T: Checked>(
        &self,
        a: &Csr<f64>,
        b: Option<&Csr<f64>>,
        convert: impl Fn(&Csr<f64>) -> Result<Csr<T>, ConvertError>,
    ) -> Result<Report, Failure> {
        let bytes = self.operation.bytes(a, b)?;
        let typed = |matrix, path: &Path| {
            convert(matrix).map_err(|error| {
                Failure::new(self.asked, format!("{}: {error}", path.display()))
                    .next("take the values as `--types f32`")
            })
        };
        let mut source = Source::new(self.common.seed);
        // Values are looked at before a card is built: that takes longer than to find a wrong one.
        let a = match self.operation {
            Operation::Sddmm { .. } => a.map(|_| T::draw(&mut source)),
            _ => typed(a, &self.common.a)?,
        };
        let b = match self.operation {
            Operation::Add { b: path, .. } | Operation::Multiply { b: path, .. } => {
                b.map(|b| typed(b, path)).transpose()?
            }
            _ => None,
        };
        let memory = MemoryArgs::default();
        let session =
            Session::open(self.chosen, self.common.simulator, bytes, &memory, self.output)?;
        let (results, stats, mismatches) =
            self.compute(session.context(), &a, b.as_ref(), &mut source)?;
        let SpgemmConfig { lanes, clusters, .. } = *self.config;
        let slots = u64::from(lanes) * u64::from(clusters) * stats.cycles;
        Ok(Report {
            operation: self.asked.trim_start_matches("sparse "),
            rows: a.rows(),
            cols: a.cols(),
            nnz_a: a.nnz(),
            results,
            commands: stats.commands,
            madds: stats.products,
            lanes,
            clusters,
            cycles: stats.cycles,
            utilization: if slots == 0 { 0.0 } else { stats.products as f64 / slots as f64 },
            dram_bytes: stats.bytes_read + stats.bytes_written,
            mismatches,
            types: T::TYPE.format().name(),
            simulator: self.chosen.runner(self.common.simulator),
        })
    }

    fn compute<T: Checked>(
        &self,
        card: &Context,
        a: &Csr<T>,
        b: Option<&Csr<T>>,
        source: &mut Source,
    ) -> Result<Done, Failure> {
        let options = SpgemmOptions::default();
        let failed = |error: Error| match error {
            Error::InvalidArg { what, .. } => {
                Failure::new(self.asked, what).next("give matrices whose shapes go together")
            }
            other => other.into(),
        };
        let bad = |error: reference::ShapeError| Failure::new(self.asked, error);
        // There is one where the operation takes one.
        let other = b.unwrap_or(a);
        match self.operation {
            Operation::Add { alpha, beta, .. } => {
                let (alpha, beta) = (T::of(*alpha), T::of(*beta));
                let (c, stats) = card.spadd(alpha, a, beta, other, &options).map_err(failed)?;
                let mut sum = Triplets::new();
                a.entries().for_each(|(row, col, x)| sum.push(row as u32, col, alpha.times(*x)));
                other.entries().for_each(|(row, col, y)| sum.push(row as u32, col, beta.times(*y)));
                let sum = sum.into_csr(a.rows(), a.cols(), |x, y| x.plus(*y));
                let sum = sum.map_err(|error| Failure::new(self.asked, error))?;
                Ok((c.nnz(), stats, compare_exact(&sum, &c).mismatches()))
            }
            Operation::Multiply { .. } => {
                let (c, stats) = card.spmultiply(a, other, &options).map_err(failed)?;
                let mut both = Triplets::new();
                for (row, col, x) in a.entries() {
                    let (columns, values) = other.row(row);
                    if let Ok(at) = columns.binary_search(&col) {
                        both.push(row as u32, col, x.times(values[at]));
                    }
                }
                let both = both.into_csr(a.rows(), a.cols(), |x, _| *x);
                let both = both.map_err(|error| Failure::new(self.asked, error))?;
                Ok((c.nnz(), stats, compare_exact(&both, &c).mismatches()))
            }
            Operation::Spmm { .. } | Operation::Spmv(_) => {
                let cols =
                    if let Operation::Spmm { cols, .. } = self.operation { *cols } else { 1 };
                let x = dense(a.cols(), cols, source)?;
                let mut y = vec![T::ZERO; a.rows() * cols as usize];
                let from = View::rows(x.values(), a.cols(), cols as usize)?;
                let to = ViewMut::rows(&mut y, a.rows(), cols as usize)?;
                let stats = match self.operation {
                    Operation::Spmv(_) => card.spmv(T::ONE, a, from, T::ZERO, to, &options),
                    _ => card.spmm(T::ONE, a, from, T::ZERO, to, &options),
                };
                let stats = stats.map_err(failed)?;
                // Rows of A without entries give zeros, others a sum for each column.
                let (mut got, mut stray) = (Triplets::new(), 0);
                for (i, &value) in y.iter().enumerate() {
                    let (row, col) = (i / cols as usize, i % cols as usize);
                    if a.row_nnz(row) > 0 {
                        got.push(row as u32, col as u32, value);
                    } else {
                        stray += u64::from(value != T::ZERO);
                    }
                }
                let got = got.into_csr(a.rows(), cols as usize, |x, _| *x);
                let got = got.map_err(|error| Failure::new(self.asked, error))?;
                let wrong = T::product(a, &x, None, &got).map_err(bad)?.mismatches();
                Ok((y.len(), stats, wrong + stray))
            }
            Operation::Spmspv { entries, .. } => {
                let x = self.sparse_vector(a.cols(), *entries, source)?;
                let (c, stats) = card.spgemm(a, &x, &options).map_err(failed)?;
                let wrong = T::product(a, &x, None, &c).map_err(bad)?.mismatches();
                Ok((c.nnz(), stats, wrong))
            }
            Operation::Sddmm { inner, .. } => {
                let x = dense::<T>(a.rows(), *inner, source)?;
                let y = dense::<T>(*inner as usize, a.cols() as u32, source)?;
                let mut c = a.clone();
                let left = View::rows(x.values(), a.rows(), *inner as usize)?;
                let right = View::rows(y.values(), *inner as usize, a.cols())?;
                let stats =
                    card.sddmm(T::ONE, left, right, T::ZERO, &mut c, &options).map_err(failed)?;
                let mask = Mask::new(&a.map(|_| 1), false, false);
                let wrong = match inner {
                    0 => c.values().iter().filter(|&&value| value != T::ZERO).count() as u64,
                    _ => T::product(&x, &y, Some(&mask), &c).map_err(bad)?.mismatches(),
                };
                Ok((c.nnz(), stats, wrong))
            }
            Operation::Symbolic(_) => {
                let plan = card.spgemm_symbolic(a, a, &options).map_err(failed)?;
                let right = reference::spgemm(&a.pattern(1), &a.pattern(1)).map_err(bad)?;
                let pairs = plan.row_ptr().iter().zip(right.row_ptr());
                let wrong = pairs.filter(|(got, want)| got != want).count();
                let apart = plan.row_ptr().len() != right.row_ptr().len();
                Ok((plan.nnz() as usize, *plan.stats(), wrong as u64 + u64::from(apart)))
            }
        }
    }

    /// A column of so many random entries at random places.
    fn sparse_vector<T: Checked>(
        &self,
        rows: usize,
        entries: u64,
        source: &mut Source,
    ) -> Result<Csr<T>, Failure> {
        if entries > rows as u64 {
            return Err(Failure::argument(self.asked, "--entries", entries)
                .allowed(format!("0 to {rows}, the columns of A"))
                .next("ask for fewer"));
        }
        let places = source.places(rows, entries as usize);
        let mut at = places.into_iter().peekable();
        let mut row_ptr = vec![0u64];
        for row in 0..rows {
            let here = at.next_if_eq(&row).is_some();
            row_ptr.push(row_ptr[row] + u64::from(here));
        }
        let values = (0..entries).map(|_| T::draw(source)).collect();
        let vector = Csr::new(rows, 1, row_ptr, vec![0; entries as usize], values);
        vector.map_err(|error| Failure::new(self.asked, error))
    }
}

/// A dense matrix of random values, as a sparse one that stores every entry.
fn dense<T: Checked>(rows: usize, cols: u32, source: &mut Source) -> Result<Csr<T>, Failure> {
    let row_ptr = (0..=rows as u64).map(|row| row * u64::from(cols)).collect();
    let columns = (0..rows).flat_map(|_| 0..cols).collect();
    let values = (0..rows * cols as usize).map(|_| T::draw(source)).collect();
    Csr::new(rows, cols as usize, row_ptr, columns, values)
        .map_err(|error| Failure::new("sparse", error))
}

impl Report {
    fn page(&self, chosen: &Chosen) -> String {
        let lanes = self.lanes * self.clusters;
        let rows = [
            ("operation", format!("{} in {}", self.operation, self.types)),
            ("A", format!("{} x {}, {} entries", self.rows, self.cols, grouped(self.nnz_a as u64))),
            ("results", grouped(self.results as u64)),
            ("card", chosen.shown(self.simulator)),
            ("cycles", format!("{} in {} commands", grouped(self.cycles), self.commands)),
            (
                "utilisation",
                format!(
                    "{}: {} multiply-adds on {lanes} lanes",
                    percent(self.utilization),
                    grouped(self.madds)
                ),
            ),
            ("bytes moved", grouped(self.dram_bytes)),
            ("mismatches", self.mismatches.to_string()),
        ];
        table(&rows.map(|(name, text)| vec![name.to_owned(), text]), &[])
    }
}
