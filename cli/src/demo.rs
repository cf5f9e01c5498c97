//! `mattock demo`: both engines on real data, every result checked.
//!
//! The dense engine does all matrix products of an int8 network that reads 1,797 handwritten
//! digits; the sparse engine squares three real matrices. `cargo xtask demo` sets up and runs this.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use mattock::io::{ReadOptions, read_matrix};
use mattock::{Csr, GemmOptions, Semiring};
use mattock_testbench::digits::{Digits, Product};
use mattock_testbench::{MATRICES, matrix_path};
use serde::Serialize;

use crate::card::Chosen;
use crate::error::Failure;
use crate::output::{Output, grouped, percent, table};
use crate::session::{GemmCall, Order, Session};
use crate::simulation::{MemoryArgs, SimulatorKind};
use crate::synthetic::Source;
use crate::{gemm, spgemm};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Card for the network: a reference card or a TOML file with a GEMM engine
    #[arg(long, value_name = "NAME|PATH", default_value = "bench16")]
    dense: String,
    /// Card for the matrices: a reference card or a TOML file with a SpGEMM engine
    #[arg(long, value_name = "NAME|PATH", default_value = "sparse4")]
    sparse: String,
    /// What simulates the cards
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

#[derive(Serialize)]
struct Report {
    digits: Accuracy,
    products: Vec<Line>,
    mismatches: u64,
    seconds: f64,
    simulator: &'static str,
}

/// How many digits were read right.
#[derive(Serialize)]
struct Accuracy {
    images: usize,
    correct: usize,
    correct_float: usize,
    accuracy: f64,
    accuracy_float: f64,
}

/// One product on a card.
#[derive(Serialize)]
struct Line {
    card: String,
    input: String,
    types: String,
    operations: u64,
    cycles: u64,
    utilization: f64,
    dram_bytes: u64,
    mismatches: u64,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    let mut products = Vec::new();
    let digits = classify(options, output, &mut products)?;
    square(options, output, &mut products)?;
    let report = Report {
        digits,
        mismatches: products.iter().map(|line| line.mismatches).sum(),
        products,
        seconds: start.elapsed().as_secs_f64(),
        simulator: options.simulator.name(),
    };
    output.result(&report, || report.page());
    // Half a point is what quantisation may cost; the card itself must cost nothing.
    let close = (report.digits.accuracy - report.digits.accuracy_float).abs() <= 0.005;
    let right = report.mismatches == 0 && close;
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The network reads all digits, with its matrix products on the dense card.
fn classify(options: &Options, output: Output, lines: &mut Vec<Line>) -> Result<Accuracy, Failure> {
    let chosen = Chosen::load(&options.dense, "--dense")?;
    let engine = gemm::engine(&chosen)?;
    let peak = u64::from(engine.rows) * u64::from(engine.cols);
    let tuple = engine.tuples.iter().copied().find(|tuple| tuple.to_string() == "i8,i8,i32");
    let tuple = tuple.ok_or_else(|| {
        Failure::argument("demo", "--dense", format!("{:?}, without i8,i8,i32", options.dense))
            .allowed("a card that multiplies i8,i8,i32")
            .next("choose another card, such as bench16")
    })?;
    let digits = Digits::load().map_err(|error| Failure::new("demo", error))?;
    // The widest layer takes 64 bytes in and 128 out for each image.
    let bytes = 512 * digits.labels.len() as u64;
    let mut session =
        Session::open(&chosen, options.simulator, bytes, &MemoryArgs::default(), output)?;
    let answers = digits.network.classify(&digits.images, |Product { m, n, k, a, b }| {
        let [a, b] = [a, b].map(|values| values.iter().map(|&x| x.into()).collect::<Vec<i32>>());
        let call = GemmCall {
            tuple,
            m: m as u32,
            n: n as u32,
            k: k as u32,
            a: &a,
            b: &b,
            orders: [Order::Row; 3],
            options: GemmOptions::default(),
        };
        let done = session.gemm(&call, &MemoryArgs::default())?;
        let report = gemm::Report::of(&call, &done, peak, options.simulator);
        lines.push(Line {
            card: options.dense.clone(),
            input: format!("digits, {m} x {n} x {k}"),
            types: tuple.to_string(),
            operations: report.macs,
            cycles: report.cycles,
            utilization: report.memory_utilization,
            dram_bytes: report.dram_bytes,
            mismatches: report.mismatches,
        });
        Ok::<_, Failure>(done.d)
    })?;
    let (images, correct) = (digits.labels.len(), digits.correct(&answers));
    let correct_float = digits.network.correct_float;
    let part = |count: usize| count as f64 / images as f64;
    Ok(Accuracy {
        images,
        correct,
        correct_float,
        accuracy: part(correct),
        accuracy_float: part(correct_float),
    })
}

/// C = A * A for the committed matrices, in integers (all entries 1) and in fp32 (random values).
fn square(options: &Options, output: Output, lines: &mut Vec<Line>) -> Result<(), Failure> {
    let chosen = Chosen::load(&options.sparse, "--sparse")?;
    let config = spgemm::engine(&chosen)?;
    let read = |name| read_matrix(matrix_path(name), &ReadOptions::default());
    let matrices = MATRICES.map(|name| read(name).map(|loaded| (name, loaded.matrix)));
    let matrices = matrices.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut bytes = 0;
    for (_, a) in &matrices {
        bytes = spgemm::memory_bytes(a, a)?.max(bytes);
    }
    let mut session =
        Session::open(&chosen, options.simulator, bytes, &MemoryArgs::default(), output)?;
    for (name, a) in matrices {
        for types in ["i32", "f32"] {
            let job = spgemm::Job {
                session: &mut session,
                config,
                simulator: options.simulator,
                semiring: Semiring::PlusTimes,
            };
            let report = match types {
                "i32" => {
                    let a: Csr<i32> = a.pattern(1);
                    job.integers(&a, &a)?.1
                }
                _ => {
                    // The files give positions only; ones would add up without any rounding.
                    let mut source = Source::new(1);
                    let a: Csr<f32> = a.map(|_| source.real());
                    job.floats(&a, &a)?.1
                }
            };
            lines.push(Line {
                card: options.sparse.clone(),
                input: format!("{name}, {} entries", grouped(report.nnz_c as u64)),
                types: types.to_owned(),
                operations: report.madds,
                cycles: report.cycles,
                utilization: report.utilization,
                dram_bytes: report.dram_bytes,
                mismatches: report.mismatches,
            });
        }
    }
    Ok(())
}

impl Report {
    fn page(&self) -> String {
        let heads = [
            "card",
            "input",
            "types",
            "multiply-adds",
            "cycles",
            "utilisation",
            "bytes moved",
            "mismatches",
        ];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.products.iter().map(Line::cells));
        let Accuracy { images, correct, correct_float, accuracy, accuracy_float } = &self.digits;
        format!(
            "{}\ndigits read right: {correct} of {images} ({}) on the card, {correct_float} ({}) in float\n\
             {} mismatches; {:.0} s with {}\n",
            table(&rows, &[3, 4, 5, 6, 7]),
            hundredths(*accuracy),
            hundredths(*accuracy_float),
            self.mismatches,
            self.seconds,
            self.simulator,
        )
    }
}

fn hundredths(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

impl Line {
    fn cells(&self) -> Vec<String> {
        vec![
            self.card.clone(),
            self.input.clone(),
            self.types.clone(),
            grouped(self.operations),
            grouped(self.cycles),
            percent(self.utilization),
            grouped(self.dram_bytes),
            self.mismatches.to_string(),
        ]
    }
}
