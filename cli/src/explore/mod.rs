//! `mattock explore`: which card a board should carry for a workload.
//!
//! Searches arrays, PEs, buffers and bus widths with the estimate of area and clock ([`fpga_boards::fit`]) and the cycles
//! the driver's planner foretells, and prints the Pareto front of area and time. No tool runs unless `--build` asks for
//! it: then the fastest card multiplies the workload in simulation, every element checked, and is built for the board.
//!
//! ```text
//! $ mattock explore --board ulx3s_85f --workload layers.toml --csv front.csv --svg front.svg
//! ```

mod plot;
mod space;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use serde::Serialize;

use crate::board::{BoardOption, folder};
use crate::error::Failure;
use crate::files::write_file;
use crate::output::{Output, grouped, percent, table};
use crate::progress::Progress;
use crate::{gemm, synth};
use space::{Candidate, Space, front};
use workload::{Gemm, Workload};

const ASKED: &str = "explore";

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    board: BoardOption,
    /// TOML file with a table `[[gemm]]` of m, n, k (and types, count) for each product
    #[arg(long, value_name = "FILE")]
    workload: PathBuf,
    /// Write every configuration that fits, with what is foretold of it
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw area and time
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Simulate the workload on the fastest card that fills the part to at most 85 %, check every element, and make its bitstream
    #[arg(long)]
    build: bool,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
struct Report {
    board: &'static str,
    workload: String,
    products: usize,
    /// Configurations whose area was estimated, and those that fit.
    tried: usize,
    fitting: usize,
    front: Vec<Line>,
    /// The fastest of those that leave room to place them, or the smallest.
    winner: String,
    /// With `--build`: its file, and each product simulated.
    config: Option<String>,
    verified: Vec<Verified>,
}

/// A configuration and what is foretold of it.
#[derive(Clone, Serialize)]
struct Line {
    name: String,
    array: &'static str,
    pe: &'static str,
    rows: u32,
    cols: u32,
    buffers_kib: u32,
    bus_bytes: u32,
    lut: u64,
    ff: u64,
    dsp: u64,
    bram: u64,
    /// The largest part of any resource, from 0 to 1.
    share: f64,
    clock_mhz: u32,
    cycles: u64,
    microseconds: f64,
}

#[derive(Clone, Serialize)]
struct Verified {
    #[serde(flatten)]
    product: Gemm,
    cycles: u64,
    mismatches: u64,
}

impl Line {
    fn of(candidate: &Candidate) -> Self {
        let card = &candidate.card;
        // Every candidate has a dense engine.
        let gemm = card.gemm.clone().unwrap_or_default();
        Self {
            name: card.name.clone(),
            array: gemm.array.name(),
            pe: gemm.pe.info().map_or("auto", |info| info.name),
            rows: gemm.rows,
            cols: gemm.cols,
            buffers_kib: gemm.a_kib,
            bus_bytes: card.memory.bus_bytes,
            lut: candidate.area.lut,
            ff: candidate.area.ff,
            dsp: candidate.area.dsp,
            bram: candidate.area.bram,
            share: candidate.share,
            clock_mhz: candidate.clock_mhz,
            cycles: candidate.cycles,
            microseconds: candidate.microseconds,
        }
    }

    fn csv(&self) -> String {
        let Self { name, array, pe, rows, cols, buffers_kib, bus_bytes, .. } = self;
        let Self { lut, ff, dsp, bram, share, clock_mhz, cycles, microseconds, .. } = self;
        format!(
            "{name},{array},{pe},{rows},{cols},{buffers_kib},{bus_bytes},{lut},{ff},{dsp},{bram},{share:.4},{clock_mhz},{cycles},{microseconds:.3}\n"
        )
    }
}

/// Largest part of a resource, by the estimate, with which placement is expected to succeed: estimates are off by up to a tenth, and a
/// part that is nine tenths full takes long to place or is not placed at all.
const ROOMY: f64 = 0.85;

const CSV_HEAD: &str = "name,array,pe,rows,cols,buffers_kib,bus_bytes,lut,ff,dsp,bram,share,clock_mhz,cycles,microseconds,front\n";

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let board = options.board.find(ASKED)?;
    let workload = Workload::read(&options.workload)?;
    let Some(resources) = &board.resources else {
        let value = format!("{:?}, whose part's resources are not known", board.id);
        return Err(Failure::argument(ASKED, "--board", value).next("choose another board"));
    };
    let mut space = Space { board, resources, workload: &workload, tried: 0 };
    let all = {
        let _progress = Progress::start(output, format!("searching cards for {}", board.id));
        space.search()
    };
    let best = front(&all);
    let roomy = best.iter().rfind(|candidate| candidate.share <= ROOMY);
    let Some(winner) = roomy.or(best.first()) else {
        let why = format!(
            "no card for this workload fits {}: {} were estimated, with {} KiB of matrices",
            board.id,
            space.tried,
            workload.bytes().div_ceil(1024)
        );
        return Err(Failure::new(ASKED, why).next("choose a larger board, or smaller products"));
    };
    if let Some(path) = &options.csv {
        let on_front = |candidate: &Candidate| best.iter().any(|b| std::ptr::eq(*b, candidate));
        let lines = all.iter().map(|candidate| {
            let line = Line::of(candidate).csv();
            format!("{},{}\n", line.trim_end(), u8::from(on_front(candidate)))
        });
        write_file(ASKED, path, &(CSV_HEAD.to_owned() + &lines.collect::<String>()))?;
    }
    if let Some(path) = &options.svg {
        let title = format!("{} on {}", options.workload.display(), board.id);
        write_file(ASKED, path, &plot::svg(&all, &title)?)?;
    }
    let mut report = Report {
        board: board.id,
        workload: options.workload.display().to_string(),
        products: workload.gemms.len(),
        tried: space.tried,
        fitting: all.len(),
        front: best.iter().map(|candidate| Line::of(candidate)).collect(),
        winner: winner.card.name.clone(),
        config: None,
        verified: vec![],
    };
    if options.build {
        let folder = folder(&winner.card.name, board);
        std::fs::create_dir_all(&folder).map_err(|error| Failure::file(ASKED, &folder, &error))?;
        let path = folder.join("card.toml");
        write_file(ASKED, &path, &winner.card.to_toml())?;
        let config = path.display().to_string();
        for (product, _) in &workload.gemms {
            report.verified.push(verify(product, &config, output)?);
        }
        report.config = Some(config);
    }
    output.result(&report, || page(&report));
    let exact = report.verified.iter().all(|product| product.mismatches == 0);
    match &report.config {
        Some(config) if exact => build(config, board, output)?,
        _ => {}
    }
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Another command's arguments, by themselves.
#[derive(Parser)]
struct Words<T: Args> {
    #[command(flatten)]
    options: T,
}

fn words<T: Args>(line: &[String]) -> Result<T, Failure> {
    let line = std::iter::once("mattock").chain(line.iter().map(String::as_str));
    let parsed = Words::<T>::try_parse_from(line);
    parsed.map(|words| words.options).map_err(|error| Failure::new(ASKED, error))
}

/// One product in simulation, every element checked.
fn verify(product: &Gemm, config: &str, output: Output) -> Result<Verified, Failure> {
    let Gemm { m, n, k, types, .. } = product;
    let options = gemm::Options::of(config, [*m, *n, *k], Some(types))?;
    let (_, report) = gemm::measure(&options, output)?;
    let product = product.clone();
    Ok(Verified { product, cycles: report.cycles, mismatches: report.mismatches })
}

fn build(config: &str, board: &fpga_boards::Board, output: Output) -> Result<(), Failure> {
    if !board.fpga.toolchain.is_open() {
        return Ok(());
    }
    let line = ["--config", config, "--board", board.id].map(String::from);
    synth::run(&words(&line)?, output)
}

fn page(report: &Report) -> String {
    let head =
        ["card", "array", "pe", "LUT", "FF", "DSP", "RAM", "of the part", "MHz", "cycles", "us"];
    let mut lines = vec![head.map(String::from).to_vec()];
    lines.extend(report.front.iter().map(|line| {
        vec![
            line.name.clone(),
            line.array.into(),
            line.pe.into(),
            grouped(line.lut),
            grouped(line.ff),
            grouped(line.dsp),
            grouped(line.bram),
            percent(line.share),
            line.clock_mhz.to_string(),
            grouped(line.cycles),
            format!("{:.1}", line.microseconds),
        ]
    }));
    let mut text = format!(
        "{} products on {}: {} cards estimated, {} fit, {} on the front; all figures are foretold\n",
        report.products,
        report.board,
        report.tried,
        report.fitting,
        report.front.len()
    );
    text += &table(&lines, &[3, 4, 5, 6, 7, 8, 9, 10]);
    for Verified { product: Gemm { m, n, k, types, .. }, cycles, mismatches } in &report.verified {
        text += &format!(
            "{m} x {n} x {k}, {types}, simulated: {} cycles, {mismatches} mismatches\n",
            grouped(*cycles)
        );
    }
    text
}
