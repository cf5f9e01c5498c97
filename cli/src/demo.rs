//! `mattock demo`: both engines on real data, every result checked.
//!
//! The dense engine does all matrix products of an int8 network that reads 1,797 handwritten
//! digits; the sparse engine squares three real matrices. `cargo xtask demo` sets up and runs this.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use mattock::io::{ReadOptions, read_matrix};
use mattock::{Csr, GemmOptions, Semiring};
use mattock_spec::{Format, Tuple};
use mattock_testbench::digits::{Digits, Network, Product};
use mattock_testbench::{MATRICES, matrix_path};
use serde::Serialize;

use crate::card::Chosen;
use crate::epilogue::Both;
use crate::error::Failure;
use crate::output::{Output, grouped, percent, table};
use crate::session::{GemmCall, Order, Session};
use crate::simulation::{MemoryArgs, SimulatorKind};
use crate::synthetic::Source;
use crate::{gemm, spgemm};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Card for the network in integers: a reference card or a TOML file with a GEMM engine
    #[arg(long, value_name = "NAME|PATH", default_value = "bench16")]
    dense: String,
    /// Card for the network in fp8
    #[arg(long, value_name = "NAME|PATH", default_value = "mixed")]
    fp8: String,
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
    forms: Vec<Form>,
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

/// The network in one tuple of types.
#[derive(Serialize)]
struct Form {
    name: String,
    types: String,
    card: String,
    /// Who does what lies between two products: `card` or `host`.
    between: &'static str,
    correct: usize,
    accuracy: f64,
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
    let (digits, forms) = classify(options, output, &mut products)?;
    square(options, output, &mut products)?;
    let report = Report {
        digits,
        forms,
        mismatches: products.iter().map(|line| line.mismatches).sum(),
        products,
        seconds: start.elapsed().as_secs_f64(),
        simulator: options.simulator.name(),
    };
    output.result(&report, || report.page());
    // Half a point is what quantisation may cost; the card itself must cost nothing.
    let float = report.digits.accuracy_float;
    let close = report.forms.iter().all(|form| (form.accuracy - float).abs() <= 0.005);
    let right = report.mismatches == 0 && close;
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The network reads all digits in each of its forms, with its matrix products on a dense card.
fn classify(
    options: &Options,
    output: Output,
    lines: &mut Vec<Line>,
) -> Result<(Accuracy, Vec<Form>), Failure> {
    let digits = Digits::load().map_err(|error| Failure::new("demo", error))?;
    let images = digits.labels.len();
    let part = |count: usize| count as f64 / images as f64;
    let mut forms: Vec<Form> = Vec::new();
    for (argument, card, floats) in
        [("--dense", &options.dense, false), ("--fp8", &options.fp8, true)]
    {
        let networks = digits.model.networks.iter();
        let networks = networks.filter(|network| network.types.a.is_integer() != floats);
        let networks: Vec<&Network> = networks.collect();
        let chosen = Chosen::load(card, argument)?;
        let mut dense = Dense::open(&chosen, argument, &networks, images as u64, options, output)?;
        for network in networks {
            let product = |product: Product<'_>| dense.multiply(product, card, lines);
            let answers = network.classify(&digits.images, product)?;
            let correct = digits.correct(&answers);
            forms.push(Form {
                name: network.name.clone(),
                between: if dense.does_layers(network) { "card" } else { "host" },
                types: network.types.to_string(),
                card: card.clone(),
                correct,
                accuracy: part(correct),
            });
        }
    }
    let correct_float = digits.model.correct_float;
    let correct = forms.first().map_or(0, |int8| int8.correct);
    let (accuracy, accuracy_float) = (part(correct), part(correct_float));
    Ok((Accuracy { images, correct, correct_float, accuracy, accuracy_float }, forms))
}

/// A dense card that is asked for products.
struct Dense {
    session: Session,
    peak: u64,
    simulator: SimulatorKind,
    /// What the card multiplies, and whether it has an epilogue.
    tuples: Vec<Tuple>,
    epilogue: bool,
}

impl Dense {
    /// Whether the card computes whole layers of the network.
    fn does_layers(&self, network: &Network) -> bool {
        let Tuple { a, b, .. } = network.types;
        self.epilogue && self.tuples.iter().any(|t| (t.a, t.b, t.d) == (a, b, a))
    }

    /// Opens a card that multiplies the types of all these networks.
    fn open(
        chosen: &Chosen,
        argument: &'static str,
        networks: &[&Network],
        images: u64,
        options: &Options,
        output: Output,
    ) -> Result<Self, Failure> {
        let engine = gemm::engine(chosen)?;
        if let Some(lacking) = networks.iter().find(|n| !engine.tuples.contains(&n.types)) {
            let (types, card) = (lacking.types, &chosen.origin);
            let failure = Failure::argument("demo", argument, format!("{card:?}, without {types}"))
                .allowed(format!("a card that multiplies {types}"))
                .next("choose another card, such as bench16, or mixed for fp8");
            return Err(failure);
        }
        // The widest layer takes 64 bytes in and 128 out for each image.
        let (simulator, memory) = (options.simulator, MemoryArgs::default());
        let session = Session::open(chosen, simulator, 512 * images, &memory, output)?;
        let peak = u64::from(engine.rows) * u64::from(engine.cols);
        let (tuples, epilogue) = (engine.tuples.clone(), !engine.epilogue.is_empty());
        Ok(Self { session, peak, simulator, tuples, epilogue })
    }

    fn multiply(
        &mut self,
        product: Product<'_>,
        card: &str,
        lines: &mut Vec<Line>,
    ) -> Result<Vec<i32>, Failure> {
        let Product { tuple, m, n, k, a, b, .. } = product;
        // A card without an epilogue gives sums, and the rest is done here.
        let whole = self.epilogue && self.tuples.contains(&tuple);
        let sums = Tuple { d: if tuple.a.is_integer() { Format::I32 } else { tuple.d }, ..tuple };
        let tuple = if whole { tuple } else { sums };
        let call = GemmCall {
            tuple,
            m: m as u32,
            n: n as u32,
            k: k as u32,
            a,
            b,
            orders: [Order::Row; 3],
            options: GemmOptions::default(),
            epilogue: product.epilogue.clone().filter(|_| whole).map(Both::of),
        };
        let done = self.session.gemm(&call, &MemoryArgs::default())?;
        let report = gemm::Report::of(&call, &done, self.peak, self.simulator);
        lines.push(Line {
            card: card.to_owned(),
            input: format!("digits, {m} x {n} x {k}"),
            types: tuple.to_string(),
            operations: report.macs,
            cycles: report.cycles,
            utilization: report.memory_utilization,
            dram_bytes: report.dram_bytes,
            mismatches: report.mismatches,
        });
        Ok(if whole { done.d } else { product.apply(done.d) })
    }
}

/// C = A * A for the committed matrices, in integers (all entries 1) and in fp32 (random values).
fn square(options: &Options, output: Output, lines: &mut Vec<Line>) -> Result<(), Failure> {
    let chosen = Chosen::load(&options.sparse, "--sparse")?;
    let config = spgemm::engine("spgemm", &chosen)?;
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
                mask: None,
                prune: false,
                deterministic: false,
            };
            let report = match types {
                "i32" => {
                    let a: Csr<i32> = a.pattern(1);
                    job.integers(&a, &a, None)?.1
                }
                _ => {
                    // The files give positions only; ones would add up without any rounding.
                    let mut source = Source::new(1);
                    let a: Csr<f32> = a.map(|_| source.real());
                    job.floats(&a, &a, None)?.1
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
        let Accuracy { images, correct_float, accuracy_float, .. } = &self.digits;
        let mut digits = vec![
            [
                "digits read in",
                "card",
                "layers by",
                "right",
                &format!("of {}", grouped(*images as u64)),
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        digits.extend(self.forms.iter().map(Form::cells));
        let float = [
            "float, where it was trained".to_owned(),
            String::new(),
            String::new(),
            grouped(*correct_float as u64),
            hundredths(*accuracy_float),
        ];
        digits.push(float.to_vec());
        format!(
            "{}\n{}\n{} mismatches; {:.0} s with {}\n",
            table(&rows, &[3, 4, 5, 6, 7]),
            table(&digits, &[3, 4]),
            self.mismatches,
            self.seconds,
            self.simulator,
        )
    }
}

fn hundredths(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

impl Form {
    fn cells(&self) -> Vec<String> {
        let Self { name, types, card, between, correct, accuracy } = self;
        let right = grouped(*correct as u64);
        vec![
            format!("{name}: {types}"),
            card.clone(),
            (*between).into(),
            right,
            hundredths(*accuracy),
        ]
    }
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
