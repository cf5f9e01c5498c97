//! `mattock report`: one page about a card, without anything from outside.
//!
//! A product runs on the simulated card, traced; the page shows the card's blocks, the product under the roofline and over
//! time, area by module and the slowest path (of the build for the board, if there is one, else foretold), traffic, errors, a
//! waveform and how to get all of it again.
//!
//! ```text
//! $ mattock report --config small --board ulx3s_85f --out report.html
//! ```

mod facts;
mod plots;
mod waves;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use minijinja::{Environment, context};
use serde::Serialize;

use crate::arguments::whole;
use crate::board::{find, folder};
use crate::card::CardOptions;
use crate::error::Failure;
use crate::files::write_file;
use crate::gemm;
use crate::output::{Output, grouped, percent};
use plots::Roofline;
use waves::Waves;

const ASKED: &str = "report";
/// Most multiply-adds of the product shown.
const MOST_MACS: u64 = 1 << 24;
/// The parts of the page.
const SECTIONS: [(&str, &str); 9] = [
    ("diagram", "Block diagram"),
    ("roofline", "Roofline"),
    ("utilisation", "Utilisation"),
    ("area", "Area"),
    ("timing", "Timing"),
    ("traffic", "Traffic"),
    ("errors", "Errors"),
    ("waveform", "Waveform"),
    ("reproduce", "Reproduce"),
];

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    card: CardOptions,
    /// Board whose build is shown, or else estimated
    #[arg(long, value_name = "BOARD", default_value = "ulx3s_85f")]
    board: String,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Rows of A and D of the product shown
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>)]
    m: u32,
    /// Columns of B and D
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>)]
    n: u32,
    /// Columns of A, rows of B
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>)]
    k: u32,
    /// Formats of A, B and D [default: the card's first]
    #[arg(long, value_name = "A,B,D")]
    types: Option<String>,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
struct Report {
    config: String,
    board: &'static str,
    out: String,
    bytes: usize,
    /// Where area and timing come from: a build, or the estimate.
    measured_area: bool,
    cycles: u64,
    mismatches: u64,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let board = find(ASKED, "--board", &options.board)?;
    let chosen = options.card.choose(ASKED)?;
    let engine = gemm::engine(&chosen)?.clone();
    let temporary =
        tempfile::tempdir().map_err(|error| Failure::file(ASKED, Path::new("a folder"), &error))?;
    let trace = temporary.path().join("waves.fst");
    let signals = waves::SIGNALS.iter().map(|(path, _)| (*path).to_owned()).collect();
    let traced = gemm::Traced { file: trace.clone(), signals };
    let [m, n, k] = options.shape()?;
    let words = gemm::Options::of(&chosen.origin, [m, n, k], options.types.as_deref())?;
    let (_, product) = gemm::measure_traced(&words, Some(traced), output)?;
    let waves = Waves::read(&trace, product.cycles)?;

    let design = crate::design::elaborate(&chosen, output)?;
    let built = folder(&chosen.config.name, board).join("result.json");
    let (area, timing) = facts::build(&built, board, &chosen.config, &design);
    let bytes_per_cycle = f64::from(chosen.config.memory.bus_bytes);
    let macs = product.macs as f64;
    let roofline = Roofline {
        peak: product.peak_macs_per_cycle as f64,
        bytes_per_cycle,
        intensity: macs / product.dram_bytes.max(1) as f64,
        reached: macs / product.cycles.max(1) as f64,
    };
    let config = &chosen.origin;
    let types = &product.types;
    let reproduce = [
        format!(
            "mattock report --config {config} --board {} --m {m} --n {n} --k {k} --types {types}",
            board.id
        ),
        format!(
            "mattock gemm --config {config} --m {m} --n {n} --k {k} --types {types} --simulator interpreter --json"
        ),
        format!("mattock synth --config {config} --board {}", board.id),
    ];
    let elements = u64::from(m) * u64::from(n);
    let traffic = [
        ("bytes moved, whole beats".to_owned(), grouped(product.dram_bytes)),
        (
            "bytes of the matrices at least".to_owned(),
            grouped(facts::least_bytes(&words, &engine, [m, n, k])),
        ),
        (
            "bytes a cycle".to_owned(),
            format!(
                "{:.2} of {bytes_per_cycle}",
                product.dram_bytes as f64 / product.cycles.max(1) as f64
            ),
        ),
        ("multiply-adds a byte".to_owned(), format!("{:.2}", roofline.intensity)),
    ];
    let errors = [
        (
            "wrong elements, by the reference".to_owned(),
            format!("{} of {}", product.mismatches, grouped(elements)),
        ),
        (
            "error code of the command".to_owned(),
            "0 (none): the driver ends with the error else".to_owned(),
        ),
    ];
    let page = render(context! {
        sections => SECTIONS,
        version => env!("CARGO_PKG_VERSION"),
        card => facts::card(&chosen.config, &engine),
        product => context! {
            m, n, k, types,
            macs => grouped(product.macs),
            dram_bytes => grouped(product.dram_bytes),
            cycles => grouped(product.cycles),
            compute_cycles => grouped(product.compute_cycles),
            reached => format!("{:.2}", roofline.reached),
            utilization => percent(product.utilization),
            memory_utilization => percent(product.memory_utilization),
            simulator => "the interpreter",
        },
        plots => context! {
            roofline => plots::roofline(&roofline)?,
            utilisation => plots::utilisation(&waves)?,
            waveform => plots::waveform(&waves),
        },
        area => area,
        timing => timing,
        traffic => traffic,
        errors => errors,
        reproduce => reproduce,
    })?;
    write_file(ASKED, &options.out, &page)?;
    let report = Report {
        config: chosen.config.name.clone(),
        board: board.id,
        out: options.out.display().to_string(),
        bytes: page.len(),
        measured_area: built.is_file(),
        cycles: product.cycles,
        mismatches: product.mismatches,
    };
    output.result(&report, || {
        format!("wrote {}, {} bytes\n", report.out, grouped(report.bytes as u64))
    });
    Ok(if report.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    /// Rows, columns and depth of a product that an interpreter traces in seconds.
    fn shape(&self) -> Result<[u32; 3], Failure> {
        let shape = [self.m, self.n, self.k];
        let [m, n, k] = shape.map(u64::from);
        if (1..=MOST_MACS).contains(&m.saturating_mul(n).saturating_mul(k)) {
            return Ok(shape);
        }
        Err(Failure::argument(ASKED, "--m, --n, --k", format!("{m} x {n} x {k}"))
            .allowed(format!("1 to {MOST_MACS} multiply-adds"))
            .next("choose another product")
            .usage())
    }
}

fn render(facts: minijinja::Value) -> Result<String, Failure> {
    let failed = |error: minijinja::Error| Failure::new(ASKED, format!("the page: {error:#}"));
    let mut pages = Environment::new();
    pages.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    // The name's ending tells that values are escaped.
    pages.add_template("page.html", include_str!("page.html")).map_err(failed)?;
    pages.get_template("page.html").and_then(|page| page.render(facts)).map_err(failed)
}
