//! `mattock spgemm`: a sparse product of matrices from files on a card, every entry checked.
//!
//! ```text
//! $ mattock spgemm testbench/data/matrices/karate.mtx.gz --config sparse4 --types i32
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mattock::Csr;
use mattock::io::{Field, MatrixMarketValue, write_matrix_market};
use mattock::sparse::{ConvertError, Determinism, Mask, SparseValue, SpgemmOptions};
use mattock_spec::config::SpgemmConfig;
use mattock_spec::regs::ValueType;
use mattock_spec::semiring::{SEMIRINGS, Semiring};
use mattock_testbench::reference::{self, Comparison, compare_exact, compare_floats};
use mattock_testbench::stats::ProductStats;
use serde::Serialize;

use crate::arguments::whole;
use crate::card::{CardOptions, Chosen};
use crate::error::{Failure, nearest};
use crate::matrix_file::Reading;
use crate::output::{Output, grouped, percent, table};
use crate::session::{Session, SpgemmCounts};
use crate::simulation::{MemoryArgs, SimulatorKind};
use crate::synthetic::Source;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Matrix A: Matrix Market, SNAP edge list, METIS or triplets, may be gzipped, or rmat:scale=N,edges=N,seed=N
    #[arg(value_name = "FILE")]
    a: PathBuf,
    /// Matrix B [default: A]
    #[arg(value_name = "FILE2")]
    b: Option<PathBuf>,
    #[command(flatten)]
    card: CardOptions,
    /// Type of the values: i32, f32, i16, f16, i8 or bf16, as far as the card has it; sums are i32 or f32 [default: f32 if a file has real values, else i32]
    #[arg(long, value_name = "TYPE")]
    types: Option<String>,
    /// What stands for multiplication and addition
    #[arg(long, value_name = "NAME", default_value = "plus-times")]
    semiring: String,
    /// Where the values come from
    #[arg(long, value_enum, default_value = "file")]
    values: Values,
    /// Names the random values
    #[arg(long, default_value_t = 1, value_parser = whole::<u64>, allow_negative_numbers = true)]
    seed: u64,
    /// Multiply the transpose of A
    #[arg(long)]
    transpose_a: bool,
    /// Multiply by the transpose of B
    #[arg(long)]
    transpose_b: bool,
    #[command(flatten)]
    reading: Reading,
    /// Keep only the entries of C where this matrix has one: on the card if it was built with masks, else the host leaves the others out
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// Keep those where the mask has none
    #[arg(long, requires = "mask")]
    mask_complement: bool,
    /// A zero of the mask is no entry
    #[arg(long, requires = "mask")]
    mask_by_value: bool,
    /// Add the products to this matrix, of the shape of C; its values come from where those of A do
    #[arg(long, value_name = "FILE")]
    accumulate: Option<PathBuf>,
    /// Leave out entries of C that are zero
    #[arg(long)]
    prune: bool,
    /// Add the products of each entry by rising k, so that sums of floats have the same bits on every card (sums of integers have anyway):
    /// on cards with `spgemm.determinism`, such as sparse4_ordered
    #[arg(long)]
    deterministic: bool,
    /// Write C to this file as Matrix Market; gzipped when it ends in .gz
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What simulates the card
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Values {
    /// The file's own; 1 where it gives positions only
    File,
    /// 1 everywhere
    Ones,
    /// Random: whole numbers from -100 to 100, or reals from -1 to 1
    Random,
}

/// What was read.
struct Operands {
    a: Csr<f64>,
    /// B, when it is not A.
    b: Option<Csr<f64>>,
    /// The richer one of both files' fields.
    field: Field,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
pub(crate) struct Report {
    rows: usize,
    cols: usize,
    nnz_a: usize,
    nnz_b: usize,
    pub(crate) nnz_c: usize,
    pub(crate) madds: u64,
    lanes: u32,
    clusters: u32,
    pub(crate) cycles: u64,
    pub(crate) utilization: f64,
    pub(crate) dram_bytes: u64,
    hazard_stalls: u64,
    spills: u64,
    windows: u64,
    pub(crate) mismatches: u64,
    simulator: &'static str,
    /// Of the values of A and B.
    types: &'static str,
    semiring: &'static str,
    /// Sums are in order: checked bit for bit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deterministic: bool,
    /// How C was masked, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<&'static str>,
    /// Entries of the matrix that was added to, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    nnz_accumulated: Option<usize>,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let chosen = options.card.any("spgemm")?;
    let config = engine("spgemm", &chosen)?;
    let Operands { a, b, field } = options.operands(output)?;
    let value = value_type("spgemm", &config.values, field, options.types.as_deref())?;
    let semiring = semiring("spgemm", config, &options.semiring)?;
    if options.deterministic && value.is_float() && !config.ordered {
        let value = format!("sums of {} on {:?}", value.sum().format(), chosen.origin);
        return Err(Failure::argument("spgemm", "--deterministic", value)
            .allowed("cards with `determinism = [\"ordered\"]` in `[spgemm]`, such as sparse4_ordered; integers on any")
            .next("choose another card with `--config`"));
    }
    let transposed = |matrix: Csr<f64>, yes: bool| {
        if yes {
            matrix.transpose().map_err(|error| Failure::new("spgemm", error))
        } else {
            Ok(matrix)
        }
    };
    let mut source = Source::new(options.seed);
    let a = options.with_values(a, value, &mut source);
    let b = b.map(|b| options.with_values(b, value, &mut source));
    // B may be A itself, which may not be transposed yet.
    let b = transposed(b.unwrap_or_else(|| a.clone()), options.transpose_b)?;
    let a = transposed(a, options.transpose_a)?;
    if a.cols() != b.rows() {
        return Err(Failure::new(
            "spgemm",
            format!("A has {} columns but B has {} rows", a.cols(), b.rows()),
        )
        .allowed("matrices whose inner dimensions agree")
        .next("transpose one with `--transpose-a` or `--transpose-b`"));
    }
    let mask = options.read_mask(a.rows(), b.cols(), output)?;
    let mask = mask.as_ref();
    let onto = options.read_onto((a.rows(), b.cols()), value, &mut source, output)?;
    let joined = |nnz: usize| 4 * (a.rows() as u64 + 1) + 24 * nnz as u64;
    let bytes = memory_bytes(&a, &b)?
        + mask.map_or(0, |mask| joined(mask.matrix.nnz()))
        + onto.as_ref().map_or(0, |onto| joined(onto.nnz()));
    let onto = onto.as_ref();
    let open = || Session::open(&chosen, options.simulator, bytes, &MemoryArgs::default(), output);
    let product = Product { options, config, semiring, mask, onto, a: &a, b: &b, open: &open };
    let mut report = match value {
        ValueType::I32 => {
            product.of(Csr::to_i32, Csr::to_i32, |job, a, b, c| job.integers(a, b, c))
        }
        ValueType::I16 => {
            product.of(Csr::to_i16, Csr::to_i32, |job, a, b, c| job.integers(a, b, c))
        }
        ValueType::I8 => product.of(Csr::to_i8, Csr::to_i32, |job, a, b, c| job.integers(a, b, c)),
        ValueType::F32 => product.of(Csr::to_f32, Csr::to_f32, |job, a, b, c| job.floats(a, b, c)),
        ValueType::F16 => product.of(Csr::to_f16, Csr::to_f32, |job, a, b, c| job.floats(a, b, c)),
        ValueType::BF16 => {
            product.of(Csr::to_bf16, Csr::to_f32, |job, a, b, c| job.floats(a, b, c))
        }
    }?;
    report.simulator = chosen.runner(options.simulator);
    output.result(&report, || report.page(&chosen, value));
    Ok(if report.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A product whose type of values is still to be chosen.
struct Product<'a, O> {
    options: &'a Options,
    config: &'a SpgemmConfig,
    semiring: Semiring,
    mask: Option<&'a MaskFile>,
    onto: Option<&'a Csr<f64>>,
    a: &'a Csr<f64>,
    b: &'a Csr<f64>,
    open: &'a O,
}

impl<O: Fn() -> Result<Session, Failure>> Product<'_, O> {
    /// Converts the values, multiplies and checks.
    fn of<T: SparseValue<Sum: MatrixMarketValue>>(
        &self,
        convert: impl Fn(&Csr<f64>) -> Result<Csr<T>, ConvertError>,
        convert_sums: impl Fn(&Csr<f64>) -> Result<Csr<T::Sum>, ConvertError>,
        check: impl FnOnce(
            Job<'_>,
            &Csr<T>,
            &Csr<T>,
            Option<&Csr<T::Sum>>,
        ) -> Result<(Csr<T::Sum>, Report), Failure>,
    ) -> Result<Report, Failure> {
        let Product { options, config, semiring, mask, .. } = *self;
        let typed = |matrix| convert(matrix).map_err(|error| options.bad_value(&error));
        // Values are looked at before a card is built: that takes longer than to find a wrong one.
        let (a, b) = (typed(self.a)?, typed(self.b)?);
        let onto = self.onto.map(&convert_sums).transpose();
        let onto = onto.map_err(|error| options.bad_value(&error))?;
        let mut session = (self.open)()?;
        let simulator = options.simulator;
        let Options { prune, deterministic, .. } = *options;
        let job =
            Job { session: &mut session, config, simulator, semiring, mask, prune, deterministic };
        let (c, report) = check(job, &a, &b, onto.as_ref())?;
        options.write(&c, &report)?;
        Ok(report)
    }
}

/// The sparse engine of the card.
pub(crate) fn engine<'c>(asked: &str, chosen: &'c Chosen) -> Result<&'c SpgemmConfig, Failure> {
    chosen.config.spgemm.as_ref().ok_or_else(|| {
        let value = format!("{:?}, a card without a SpGEMM engine", chosen.origin);
        Failure::argument(asked, "--config", value)
            .allowed("a card with `[spgemm]`, such as small or sparse4")
            .next("choose another card")
    })
}

/// The type of that name, or the one that holds a file's values, which must be one of `types`, those of the card.
pub(crate) fn value_type(
    asked: &str,
    types: &[ValueType],
    field: Field,
    name: Option<&str>,
) -> Result<ValueType, Failure> {
    let have: Vec<&str> = types.iter().map(|value| value.format().name()).collect();
    let name = name.unwrap_or(if field == Field::Real { "f32" } else { "i32" });
    let known = ValueType::ALL.iter().any(|value| value.format().name() == name);
    let found = types.iter().find(|value| value.format().name() == name);
    found.copied().ok_or_else(|| {
        let next = match nearest(name, &have) {
            Some(near) if !known => format!("did you mean {near:?}?"),
            _ => "choose one of the card's types".into(),
        };
        Failure::argument(asked, "--types", format!("{name:?}"))
            .allowed(have.join(" or "))
            .next(next)
    })
}

/// The semiring of that name, which the card must have.
pub(crate) fn semiring(
    asked: &str,
    config: &SpgemmConfig,
    name: &str,
) -> Result<Semiring, Failure> {
    let known: Vec<&str> = SEMIRINGS.iter().map(|s| s.name()).collect();
    let have: Vec<&str> = config.semirings.iter().map(|s| s.name()).collect();
    let found = config.semirings.iter().copied().find(|s| s.name() == name);
    found.ok_or_else(|| {
        let next = match nearest(name, &have) {
            _ if known.contains(&name) => {
                "take another card, or add it to `spgemm.semirings` of this one".into()
            }
            Some(near) => format!("did you mean {near:?}?"),
            None => "choose one of the card's semirings".into(),
        };
        Failure::argument(asked, "--semiring", format!("{name:?}"))
            .allowed(have.join(", "))
            .next(next)
    })
}

/// Room for both operands and for all entries C can have.
pub(crate) fn memory_bytes<T>(a: &Csr<T>, b: &Csr<T>) -> Result<u64, Failure> {
    let products = ProductStats::of(a, b).map_err(|error| Failure::new("spgemm", error))?.products;
    let most = products.min((a.rows() as u64).saturating_mul(b.cols() as u64));
    let stored = |rows: usize, nnz: u64| 4 * (rows as u64 + 1) + 8 * nnz;
    let operands = stored(a.rows(), a.nnz() as u64) + stored(b.rows(), b.nnz() as u64);
    Ok(operands + stored(a.rows(), most) + (1 << 16))
}

impl Options {
    /// Reads the files.
    fn operands(&self, output: Output) -> Result<Operands, Failure> {
        let a = self.reading.read("spgemm", &self.a, output)?;
        let b = self.b.as_deref();
        let b = b.map(|path| self.reading.read("spgemm", path, output)).transpose()?;
        let rank = |field: Field| match field {
            Field::Real => 2,
            Field::Integer => 1,
            _ => 0,
        };
        let mut field = a.field;
        if let Some(b) = b.as_ref().filter(|b| rank(b.field) > rank(field)) {
            field = b.field;
        }
        let field = if self.values == Values::File { field } else { Field::Pattern };
        Ok(Operands { a: a.matrix, b: b.map(|b| b.matrix), field })
    }

    fn bad_value(&self, error: &ConvertError) -> Failure {
        Failure::new("spgemm", format!("{}: {error}", self.a.display()))
            .next("take the values as `--types f32`, or every entry as 1 with `--values ones`")
    }

    /// The matrix with the values that were asked for.
    fn with_values(&self, matrix: Csr<f64>, value: ValueType, source: &mut Source) -> Csr<f64> {
        match (self.values, value) {
            (Values::File, _) => matrix,
            (Values::Ones, _) => matrix.pattern(1.0),
            (Values::Random, value) if value.is_float() => matrix.map(|_| source.real().into()),
            (Values::Random, _) => matrix.map(|_| source.whole().into()),
        }
    }

    /// A matrix that must have the shape of C.
    fn shaped_like_c(
        &self,
        argument: &str,
        path: &Path,
        (rows, cols): (usize, usize),
        output: Output,
    ) -> Result<Csr<f64>, Failure> {
        let matrix = self.reading.read("spgemm", path, output)?.matrix;
        if (matrix.rows(), matrix.cols()) == (rows, cols) {
            return Ok(matrix);
        }
        let shape = format!("a {} x {} matrix", matrix.rows(), matrix.cols());
        Err(Failure::argument("spgemm", argument, shape)
            .allowed(format!("a matrix of the shape of C, {rows} x {cols}"))
            .next("give another matrix"))
    }

    /// The matrix that products are added to.
    fn read_onto(
        &self,
        shape: (usize, usize),
        value: ValueType,
        source: &mut Source,
        output: Output,
    ) -> Result<Option<Csr<f64>>, Failure> {
        let Some(path) = &self.accumulate else { return Ok(None) };
        let matrix = self.shaped_like_c("--accumulate", path, shape, output)?;
        Ok(Some(self.with_values(matrix, value, source)))
    }

    /// The mask.
    fn read_mask(
        &self,
        rows: usize,
        cols: usize,
        output: Output,
    ) -> Result<Option<MaskFile>, Failure> {
        let Some(path) = &self.mask else { return Ok(None) };
        let matrix = self.shaped_like_c("--mask", path, (rows, cols), output)?;
        let matrix = matrix.map(|&value| i32::from(value != 0.0));
        Ok(Some(MaskFile {
            matrix,
            complement: self.mask_complement,
            by_value: self.mask_by_value,
        }))
    }

    /// Writes C if that was asked for and C is right.
    fn write<T: MatrixMarketValue>(&self, c: &Csr<T>, report: &Report) -> Result<(), Failure> {
        match &self.output {
            Some(path) if report.mismatches == 0 => Ok(write_matrix_market(path, c)?),
            _ => Ok(()),
        }
    }
}

/// Which entries of C are wanted.
pub(crate) struct MaskFile {
    /// 1, or 0 for a stored zero.
    matrix: Csr<i32>,
    complement: bool,
    by_value: bool,
}

impl MaskFile {
    fn driver(&self) -> Mask<'_, i32> {
        let Self { matrix, complement, by_value } = self;
        Mask { matrix, complement: *complement, by_value: *by_value }
    }

    fn reference(&self) -> reference::Mask {
        reference::Mask::new(&self.matrix, self.complement, self.by_value)
    }

    fn name(&self) -> &'static str {
        match (self.complement, self.by_value) {
            (false, false) => "structure",
            (true, false) => "not structure",
            (false, true) => "value",
            (true, true) => "not value",
        }
    }
}

/// A product to be done on a card and checked.
pub(crate) struct Job<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) config: &'a SpgemmConfig,
    pub(crate) simulator: SimulatorKind,
    pub(crate) semiring: Semiring,
    pub(crate) mask: Option<&'a MaskFile>,
    pub(crate) prune: bool,
    pub(crate) deterministic: bool,
}

impl Job<'_> {
    /// In 32-bit integers, where the result must be exact.
    pub(crate) fn integers<T: SparseValue<Sum = i32>>(
        self,
        a: &Csr<T>,
        b: &Csr<T>,
        onto: Option<&Csr<i32>>,
    ) -> Result<(Csr<i32>, Report), Failure> {
        let mask = self.mask.map(MaskFile::driver);
        let options = self.options();
        let (c, counts) = self.session.spgemm(a, b, mask.as_ref(), onto, &options)?;
        let (wide_a, wide_b) = (reference::widened(a), reference::widened(b));
        let mut expected = reference::spgemm_over(&wide_a, &wide_b, self.semiring)
            .map_err(|error| Failure::new("spgemm", error))?;
        if let Some(onto) = onto {
            expected = reference::onto(onto, &expected, self.semiring);
        }
        if let Some(mask) = self.mask {
            expected = mask.reference().apply(&expected);
        }
        if self.prune {
            expected = expected.retain(|_, _, value| *value != 0);
        }
        let comparison = compare_exact(&expected, &c);
        let report = self.report(a, b, &c, &counts, &comparison)?;
        let report = Report { nnz_accumulated: onto.map(Csr::nnz), ..report };
        Ok((c, report))
    }

    /// In fp32, where every sum must be within its error bound and every other entry exact; in order, every bit.
    pub(crate) fn floats<T: SparseValue<Sum = f32>>(
        self,
        a: &Csr<T>,
        b: &Csr<T>,
        onto: Option<&Csr<f32>>,
    ) -> Result<(Csr<f32>, Report), Failure> {
        let mask = self.mask.map(MaskFile::driver);
        let options = self.options();
        let (c, counts) = self.session.spgemm(a, b, mask.as_ref(), onto, &options)?;
        let mask = self.mask.map(MaskFile::reference);
        let comparison = if self.deterministic {
            self.in_order(a, b, mask.as_ref(), onto).map(|expected| compare_floats(&expected, &c))
        } else {
            let joins = reference::Joins { mask: mask.as_ref(), onto, prune: self.prune };
            reference::check_joined(a, b, self.semiring, &joins, &c)
        }
        .map_err(|error| Failure::new("spgemm", error))?;
        let report = self.report(a, b, &c, &counts, &comparison)?;
        let report = Report { nnz_accumulated: onto.map(Csr::nnz), ..report };
        Ok((c, report))
    }

    /// What sums in order must give.
    fn in_order<T: SparseValue<Sum = f32>>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        mask: Option<&reference::Mask>,
        onto: Option<&Csr<f32>>,
    ) -> Result<Csr<f32>, reference::ShapeError> {
        let (a, b) = (reference::widened(a), reference::widened(b));
        let sums = match onto {
            Some(onto) => reference::spgemm_from(onto, &a, &b, self.semiring)?,
            None => reference::spgemm_over(&a, &b, self.semiring)?,
        };
        let wanted = mask.map_or(sums.clone(), |mask| mask.apply(&sums));
        Ok(if self.prune { wanted.retain(|_, _, value| *value != 0.0) } else { wanted })
    }

    fn options(&self) -> SpgemmOptions {
        let determinism = if self.deterministic { Determinism::Ordered } else { Determinism::Fast };
        let (semiring, prune) = (self.semiring, self.prune);
        SpgemmOptions { semiring, prune, determinism, ..SpgemmOptions::default() }
    }

    fn report<T: SparseValue, C>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        c: &Csr<C>,
        counts: &SpgemmCounts,
        comparison: &Comparison,
    ) -> Result<Report, Failure> {
        let madds = ProductStats::of(a, b).map_err(|error| Failure::new("spgemm", error))?.products;
        let SpgemmConfig { lanes, clusters, .. } = *self.config;
        let slots = u64::from(lanes) * u64::from(clusters) * counts.cycles;
        Ok(Report {
            rows: c.rows(),
            cols: c.cols(),
            nnz_a: a.nnz(),
            nnz_b: b.nnz(),
            nnz_c: c.nnz(),
            madds,
            lanes,
            clusters,
            cycles: counts.cycles,
            utilization: if slots == 0 { 0.0 } else { madds as f64 / slots as f64 },
            dram_bytes: counts.dram_bytes,
            hazard_stalls: counts.hazard_stalls,
            spills: counts.spills,
            windows: counts.windows,
            mismatches: comparison.mismatches(),
            simulator: self.simulator.name(),
            types: T::TYPE.format().name(),
            semiring: self.semiring.name(),
            deterministic: self.deterministic,
            mask: self.mask.map(MaskFile::name),
            nnz_accumulated: None,
        })
    }
}

impl Report {
    fn page(&self, chosen: &Chosen, value: ValueType) -> String {
        let rows = [
            (
                "result",
                format!(
                    "{} x {}, {} entries, {} over {}",
                    self.rows,
                    self.cols,
                    grouped(self.nnz_c as u64),
                    value.format(),
                    self.semiring
                ),
            ),
            (
                "operands",
                format!(
                    "{} and {} entries",
                    grouped(self.nnz_a as u64),
                    grouped(self.nnz_b as u64)
                ),
            ),
            ("card", chosen.shown(self.simulator)),
            ("cycles", grouped(self.cycles)),
            (
                "utilisation",
                format!(
                    "{}: {} multiply-adds on {} lanes",
                    percent(self.utilization),
                    grouped(self.madds),
                    self.lanes * self.clusters
                ),
            ),
            (
                "windows",
                format!(
                    "{}, {} products spilled, {} stalls on repeated keys",
                    self.windows, self.spills, self.hazard_stalls
                ),
            ),
            ("bytes moved", grouped(self.dram_bytes)),
            ("mismatches", self.mismatches.to_string()),
        ];
        table(&rows.map(|(name, text)| vec![name.to_owned(), text]), &[])
    }
}
