//! `mattock gemm`: a dense product of seeded random matrices on a card, every element checked.
//!
//! ```text
//! $ mattock gemm --config bench16 --resident --m 128 --n 128 --k 128 --types i8,i8,i32 --json
//! ```

use std::process::ExitCode;

use clap::Args;
use mattock::GemmOptions;
use mattock_spec::config::GemmConfig;
use mattock_spec::{Format, Rounding, Tuple, Value};
use mattock_testbench::reference::dense::{DenseGemm, RoundTo};
use mattock_testbench::reference::{self, Layout};
use serde::Serialize;

use crate::arguments::whole;
use crate::batch::{BatchArgs, Products};
use crate::card::{CardOptions, Chosen};
use crate::epilogue::EpilogueArgs;
use crate::error::Failure;
use crate::output::{Output, grouped, percent, table};
use crate::plan::PlanReport;
use crate::quantized::{self, QuantizedArgs, Setting};
use crate::session::{GemmCall, GemmDone, Order, Session};
use crate::simulation::{MemoryArgs, SimulatorKind};
use crate::synthetic::{Source, wrapped};

/// Most elements of a matrix: what is simulated should fit this machine's memory several times.
const MOST_ELEMENTS: u64 = 1 << 26;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    card: CardOptions,
    /// Rows of A and D
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>, allow_negative_numbers = true)]
    m: u32,
    /// Columns of B and D
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>, allow_negative_numbers = true)]
    n: u32,
    /// Columns of A, rows of B
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>, allow_negative_numbers = true)]
    k: u32,
    /// Formats of A, B and D, such as i8,i8,i32 [default: the card's first]
    #[arg(long, value_name = "A,B,D")]
    types: Option<String>,
    /// Accumulator format; must be the card's
    #[arg(long, value_name = "FORMAT")]
    acc: Option<String>,
    /// Load the operands first and keep the result on chip: measures the array alone
    #[arg(long)]
    resident: bool,
    /// Storage order of the matrices: one word for all, or three for A,B,D
    #[arg(long, value_enum, value_delimiter = ',', default_value = "row")]
    order: Vec<Order>,
    /// How exact sums of floats are rounded: to nearest even, toward zero, up, down, to nearest with ties away
    #[arg(long, value_name = "MODE", default_value = "rne", value_parser = ["rne", "rz", "ru", "rd", "rna"])]
    rounding: String,
    /// Infinite float results become the largest finite number
    #[arg(long)]
    saturate: bool,
    #[command(flatten)]
    epilogue: EpilogueArgs,
    /// Names the random operands
    #[arg(long, default_value_t = 1, value_parser = whole::<u64>, allow_negative_numbers = true)]
    seed: u64,
    /// Tell how the product is cut into blocks, and the bytes and cycles predicted beside those measured
    #[arg(long, conflicts_with = "resident")]
    plan: bool,
    #[command(flatten)]
    quantized: QuantizedArgs,
    #[command(flatten)]
    batch: BatchArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    /// What simulates the card
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

/// A trace of the interpreter: its file, and the paths of the signals in it.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    pub(crate) file: std::path::PathBuf,
    pub(crate) signals: Vec<String>,
}

/// Arguments of the command as another command makes them.
#[derive(clap::Parser)]
struct Words {
    #[command(flatten)]
    options: Options,
}

impl Options {
    /// A product of the card's types, or of those named.
    ///
    /// # Errors
    /// A word is not understood.
    pub(crate) fn of(
        config: &str,
        [m, n, k]: [u32; 3],
        types: Option<&str>,
    ) -> Result<Self, Failure> {
        let sizes = [("--m", m), ("--n", n), ("--k", k)];
        let mut line = vec!["mattock".to_owned(), "--config".into(), config.into()];
        line.extend(sizes.into_iter().flat_map(|(key, size)| [key.to_owned(), size.to_string()]));
        line.extend(types.into_iter().flat_map(|types| ["--types".to_owned(), types.to_owned()]));
        let words: Words =
            clap::Parser::try_parse_from(line).map_err(|e| Failure::new("gemm", e))?;
        Ok(words.options)
    }
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
pub(crate) struct Report {
    m: u32,
    n: u32,
    k: u32,
    pub(crate) types: String,
    pub(crate) cycles: u64,
    pub(crate) compute_cycles: u64,
    pub(crate) macs: u64,
    pub(crate) peak_macs_per_cycle: u64,
    pub(crate) utilization: f64,
    pub(crate) memory_utilization: f64,
    pub(crate) dram_bytes: u64,
    pub(crate) mismatches: u64,
    simulator: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    plan: Option<PlanReport>,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    if let Some(weights) = options.quantized.file() {
        let chosen = options.card.any("gemm")?;
        engine(&chosen)?;
        let (simulator, memory) = (options.simulator, &options.memory);
        let setting = Setting { chosen: &chosen, simulator, memory, output };
        return quantized::run(&options.quantized, weights, (options.m, options.seed), &setting);
    }
    if let Some(count) = options.batch.count()? {
        return run_batch(options, count, output);
    }
    let (chosen, report) = measure(options, output)?;
    output.result(&report, || report.page(&chosen));
    Ok(if report.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_batch(options: &Options, count: u32, output: Output) -> Result<ExitCode, Failure> {
    let chosen = options.card.any("gemm")?;
    let tuple = options.tuple(engine(&chosen)?)?;
    options.check_size()?;
    let shape = [options.m, options.n, options.k];
    if options.epilogue.both(tuple, shape.map(|x| x as usize))?.is_some() {
        return Err(Failure::argument("gemm", "--batch", format!("{count} with an epilogue"))
            .allowed("batches of plain products")
            .next("leave the epilogue out, or `--batch`"));
    }
    let elements = |rows: u32, cols: u32| u64::from(count) * u64::from(rows) * u64::from(cols);
    let [a, b, d] =
        [elements(shape[0], shape[2]), elements(shape[2], shape[1]), elements(shape[0], shape[1])];
    if a.max(b).max(d) > MOST_ELEMENTS || a.min(b).min(d) == 0 {
        return Err(Failure::argument("gemm", "--batch", format!("{count} products"))
            .allowed(format!(
                "from 1 to {MOST_ELEMENTS} elements in all matrices of a simulated batch"
            ))
            .next("choose fewer or smaller products, of 1 x 1 x 1 at least"));
    }
    let mut source = Source::new(options.seed);
    let (a, b) = (source.elements(tuple.a, a as usize), source.elements(tuple.b, b as usize));
    let (orders, how) = (options.orders()?, options.how(tuple)?);
    let products = Products { tuple, shape, a: &a, b: &b, orders, options: how };
    let bytes = u64::from(count) * options.memory_bytes();
    let bytes = bytes.min(16 * (a.len() + b.len() + 4 * d as usize) as u64 + (1 << 16));
    let session = Session::open(&chosen, options.simulator, bytes, &options.memory, output)?;
    let (memory, simulator) = (&options.memory, options.simulator);
    let report = options.batch.measure(&products, count, &session, &chosen, memory, simulator)?;
    output.result(&report, || report.page(&chosen));
    Ok(if report.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the product; the card and the report.
///
/// # Errors
/// As the command.
pub(crate) fn measure(options: &Options, output: Output) -> Result<(Chosen, Report), Failure> {
    measure_traced(options, None, output)
}

/// As [`measure`], in the interpreter, with a trace of a few signals.
///
/// # Errors
/// As [`measure`]; also when the trace cannot be written.
pub(crate) fn measure_traced(
    options: &Options,
    traced: Option<Traced>,
    output: Output,
) -> Result<(Chosen, Report), Failure> {
    let chosen = options.card.any("gemm")?;
    let engine = engine(&chosen)?;
    let tuple = options.tuple(engine)?;
    options.check_size()?;
    let (m, n, k) = (options.m as usize, options.n as usize, options.k as usize);
    let mut source = Source::new(options.seed);
    let a = source.elements(tuple.a, m * k);
    let b = source.elements(tuple.b, k * n);
    let call = GemmCall {
        tuple,
        m: options.m,
        n: options.n,
        k: options.k,
        a: &a,
        b: &b,
        orders: options.orders()?,
        options: options.how(tuple)?,
        epilogue: options.epilogue.both(tuple, [m, n, k])?,
    };
    let (bytes, memory) = (options.memory_bytes(), &options.memory);
    let mut session = match traced {
        None => Session::open(&chosen, options.simulator, bytes, memory, output)?,
        Some(traced) => Session::open_traced(&chosen, bytes, memory, traced, output)?,
    };
    let done = session.gemm(&call, memory)?;
    // A trace is whole when its simulator is gone.
    drop(session);
    let peak = u64::from(engine.rows) * u64::from(engine.cols);
    let mut report = Report::of(&call, &done, peak, options.simulator);
    report.plan = options.plan.then(|| PlanReport::of(&done.plan));
    report.simulator = chosen.runner(options.simulator);
    Ok((chosen, report))
}

/// The dense engine of the card.
pub(crate) fn engine(chosen: &Chosen) -> Result<&GemmConfig, Failure> {
    chosen.config.gemm.as_ref().ok_or_else(|| {
        Failure::argument(
            "gemm",
            "--config",
            format!("{:?}, a card without a GEMM engine", chosen.origin),
        )
        .allowed("a card with `[gemm]`, such as tiny, small or bench16")
        .next("choose another card")
    })
}

impl Options {
    /// The type tuple, which must be one of the card's, with the accumulator that was asked for.
    pub(crate) fn tuple(&self, engine: &GemmConfig) -> Result<Tuple, Failure> {
        let tuple = match &self.types {
            Some(text) => named_tuple(engine, text)?,
            // A checked configuration lists at least one.
            None => *engine
                .tuples
                .first()
                .ok_or_else(|| Failure::new("gemm", "the card lists no types"))?,
        };
        match &self.acc {
            Some(name) if name.parse::<Format>().ok() != Some(tuple.acc) => {
                Err(Failure::argument("gemm", "--acc", format!("{name:?}"))
                    .allowed(format!("{}, what the card accumulates {tuple} in", tuple.acc))
                    .next("leave `--acc` out, or set `gemm.acc_bits` of the card"))
            }
            _ => Ok(tuple),
        }
    }

    /// How the product is computed; sums of integers are not rounded.
    fn how(&self, tuple: Tuple) -> Result<GemmOptions, Failure> {
        let modes = Rounding::ALL.into_iter();
        let rounding = modes.into_iter().find(|r| r.name() == self.rounding).unwrap_or_default();
        if tuple.a.is_integer() && (rounding != Rounding::default() || self.saturate) {
            return Err(Failure::argument("gemm", "--rounding, --saturate", format!("{tuple}"))
                .allowed("types of floats: sums of integers are exact modulo 2^32")
                .next("leave the options out"));
        }
        let (resident, saturate) = (self.resident, self.saturate);
        Ok(GemmOptions { resident, rounding, saturate, ..GemmOptions::default() })
    }

    fn check_size(&self) -> Result<(), Failure> {
        for (what, rows, cols) in [
            ("--m x --k", self.m, self.k),
            ("--k x --n", self.k, self.n),
            ("--m x --n", self.m, self.n),
        ] {
            if u64::from(rows) * u64::from(cols) > MOST_ELEMENTS {
                return Err(Failure::argument("gemm", what, format!("{rows} x {cols}"))
                    .allowed(format!("at most {MOST_ELEMENTS} elements in a simulated matrix"))
                    .next("choose a smaller product"));
            }
        }
        Ok(())
    }

    /// Room for the three matrices with every line padded to the widest alignment.
    fn memory_bytes(&self) -> u64 {
        let (m, n, k) = (u64::from(self.m), u64::from(self.n), u64::from(self.k));
        let padded = |rows: u64, cols: u64, bytes: u64| {
            let by_rows = rows * (cols * bytes).next_multiple_of(64);
            by_rows.max(cols * (rows * bytes).next_multiple_of(64))
        };
        padded(m, k, 1) + padded(k, n, 1) + padded(m, n, 4) + (1 << 16)
    }

    fn orders(&self) -> Result<[Order; 3], Failure> {
        match self.order[..] {
            [all] => Ok([all; 3]),
            [a, b, d] => Ok([a, b, d]),
            _ => Err(Failure::argument("gemm", "--order", format!("{} words", self.order.len()))
                .allowed("one word for all matrices, or three for A,B,D")
                .next("write `--order row` or `--order row,column,row`")
                .usage()),
        }
    }
}

/// The card's tuple that is written `text`.
fn named_tuple(engine: &GemmConfig, text: &str) -> Result<Tuple, Failure> {
    let have = engine.tuples.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let refuse = |next: String| {
        Failure::argument("gemm", "--types", format!("{text:?}")).allowed(have.clone()).next(next)
    };
    let asked: Tuple = text.parse().map_err(|error| refuse(format!("{error}")))?;
    let found = engine.tuples.iter().find(|t| (t.a, t.b, t.d) == (asked.a, asked.b, asked.d));
    found.copied().ok_or_else(|| {
        refuse("choose one of the card's types, or a card that is built with these".into())
    })
}

impl Report {
    /// Compares the result with the reference and relates the counters.
    pub(crate) fn of(
        call: &GemmCall<'_>,
        done: &GemmDone,
        peak: u64,
        simulator: SimulatorKind,
    ) -> Self {
        let macs = u64::from(call.m) * u64::from(call.n) * u64::from(call.k);
        let part =
            |cycles: u64| if cycles == 0 { 0.0 } else { macs as f64 / (peak * cycles) as f64 };
        Self {
            m: call.m,
            n: call.n,
            k: call.k,
            types: call.tuple.to_string(),
            cycles: done.cycles,
            compute_cycles: done.compute_cycles,
            macs,
            peak_macs_per_cycle: peak,
            utilization: part(done.compute_cycles),
            memory_utilization: part(done.cycles),
            dram_bytes: done.dram_bytes,
            mismatches: mismatches(call, &done.d),
            simulator: simulator.name(),
            plan: None,
        }
    }

    fn page(&self, chosen: &Chosen) -> String {
        let rows = [
            ("product", format!("{} x {} x {}, {}", self.m, self.n, self.k, self.types)),
            ("card", chosen.shown(self.simulator)),
            ("cycles", grouped(self.cycles)),
            ("compute cycles", grouped(self.compute_cycles)),
            (
                "utilisation",
                format!(
                    "{} of {} multiply-adds a cycle; {} of all cycles",
                    percent(self.utilization),
                    self.peak_macs_per_cycle,
                    percent(self.memory_utilization)
                ),
            ),
            ("bytes moved", grouped(self.dram_bytes)),
            (
                "mismatches",
                format!("{} of {}", self.mismatches, u64::from(self.m) * u64::from(self.n)),
            ),
        ];
        let mut rows = rows.map(|(name, text)| vec![name.to_owned(), text]).to_vec();
        if let Some(plan) = &self.plan {
            rows.extend(plan.rows(self));
        }
        table(&rows, &[])
    }
}

/// Elements of D that differ from the reference; a result of another length is wrong everywhere.
fn mismatches(call: &GemmCall<'_>, d: &[i32]) -> u64 {
    let (m, n, k) = (call.m as usize, call.n as usize, call.k as usize);
    let mut model = call.epilogue.as_ref().map(|both| {
        let to = RoundTo { saturate: true, ..RoundTo::nearest(call.tuple.d) };
        move |sum: i32, i: usize| {
            let code = both.model.apply(sum, (i / n, i % n, n), &to);
            match call.tuple.d.decode(code) {
                Value::Int(value) => value as i32,
                Value::Float(_) => sum,
            }
        }
    });
    if !call.tuple.a.is_integer() && k > 0 {
        let GemmOptions { rounding, saturate, .. } = call.options;
        let model = DenseGemm { rounding, saturate, ..DenseGemm::new(call.tuple) };
        let codes = |values: &[i32]| values.iter().map(|&v| v as u32).collect::<Vec<u32>>();
        return match model.product(&codes(call.a), &codes(call.b), &[], [m, n, k]) {
            Ok(expected) if expected.len() == d.len() => {
                expected.iter().zip(d).filter(|(want, got)| **want != **got as u32).count() as u64
            }
            _ => (m * n).max(1) as u64,
        };
    }
    let mut expected = vec![0; m * n];
    let (a, b) = ((call.a, Layout::row_major(m, k)), (call.b, Layout::row_major(k, n)));
    let computed = reference::gemm(a, b, (&mut expected, Layout::row_major(m, n)));
    if computed.is_err() || d.len() != expected.len() {
        return (m * n).max(1) as u64;
    }
    if let Some(model) = &mut model {
        expected.iter_mut().enumerate().for_each(|(i, sum)| *sum = model(*sum, i));
    }
    let wrong = |(want, got): &(&i32, &i32)| wrapped(**want, call.tuple.acc) != **got;
    expected.iter().zip(d).filter(wrong).count() as u64
}

#[cfg(test)]
mod tests {
    use mattock::dense;
    use mattock::plan::{Memory, Plan, Problem};
    use mattock_spec::format::TupleList;
    use mattock_spec::regs::GemmCaps;

    use super::*;

    fn call<'a>(a: &'a [i32], b: &'a [i32]) -> GemmCall<'a> {
        GemmCall {
            tuple: "i8,i8,i32".parse().unwrap(),
            m: 2,
            n: 2,
            k: 1,
            a,
            b,
            orders: [Order::Row; 3],
            options: GemmOptions::default(),
            epilogue: None,
        }
    }

    fn plan() -> Plan {
        let (rows, cols, depth, interleave, k_split, align) = (2, 4, 1, 1, 1, 8);
        let (a_kib, b_kib, result_kib, tuples) = (4, 4, 4, TupleList::default());
        let caps = GemmCaps {
            rows,
            cols,
            depth,
            interleave,
            k_split,
            a_kib,
            b_kib,
            result_kib,
            align,
            tuples,
        };
        let orders = [dense::Order::Row; 3];
        let problem = Problem { m: 2, n: 2, k: 1, bits: [8, 8, 32], parameters: 0, orders };
        Plan::of(&problem, &caps, &Memory::new(8))
    }

    #[test]
    fn wrong_elements_are_counted() {
        let call = call(&[1, 2], &[3, -4]);
        for (d, wrong) in [
            (vec![3, -4, 6, -8], 0),
            (vec![3, -4, 6, 8], 1),
            (vec![3, 6, -4, -8], 2),
            (vec![3], 4),
            (vec![], 4),
        ] {
            assert_eq!(mismatches(&call, &d), wrong, "{d:?}");
        }
    }

    #[test]
    fn utilisation_relates_to_its_cycles() {
        let done = GemmDone {
            d: vec![3, -4, 6, -8],
            plan: plan(),
            cycles: 8,
            compute_cycles: 2,
            dram_bytes: 64,
        };
        let report = Report::of(&call(&[1, 2], &[3, -4]), &done, 4, SimulatorKind::Interpreter);
        assert_eq!((report.macs, report.utilization, report.memory_utilization), (4, 0.5, 0.125));
        let none = GemmDone { cycles: 0, compute_cycles: 0, ..done };
        let report = Report::of(&call(&[1, 2], &[3, -4]), &none, 4, SimulatorKind::Interpreter);
        assert_eq!(report.utilization, 0.0);
    }
}
