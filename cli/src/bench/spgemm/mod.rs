//! `mattock bench spgemm`: sparse products on variants of a card, in the cycle model or in Verilator.
//!
//! ```text
//! $ mattock bench spgemm a.mtx b.mtx --model --sweep banks=8,16,32 --sweep cache=32,512 --csv sweep.csv --svg sweep.svg
//! ```

mod plot;
mod sweep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use clap::Args;
use mattock::sparse::{Csr, SpgemmOptions, spgemm_parts};
use mattock_spec::CardConfig;
use mattock_spec::config::SpgemmConfig;
use mattock_testbench::model::spgemm::{self as model, Memory, Product};
use mattock_testbench::reference::{compare_exact, spgemm};
use mattock_testbench::traffic::{Cache, Traffic};
use serde::Serialize;

use crate::card::Chosen;
use crate::error::Failure;
use crate::files::write_file;
use crate::matrix_file::{self, Reading};
use crate::output::{Output, grouped, table};
use crate::progress::Progress;
use crate::session::Session;
use crate::simulation::{MemoryArgs, SimulatorKind};
use crate::spgemm::{engine, memory_bytes};
use sweep::{Point, Sweep};

const ASKED: &str = "bench spgemm";
/// Ways of the cache whose traffic is the bound.
const BOUND_WAYS: usize = 16;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Matrices to be squared: Matrix Market, SNAP edge list, METIS or triplets, may be gzipped, or rmat:scale=N,edges=N,seed=N
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The card that is varied: a reference card or a TOML file
    #[arg(long, value_name = "NAME|PATH", default_value = "sparse4")]
    config: String,
    /// Run the cycle model instead of the hardware: the same cycles, many times faster, no values
    #[arg(long)]
    model: bool,
    /// Sums in order, of a card with `spgemm.determinism`
    #[arg(long, requires = "model")]
    deterministic: bool,
    /// Vary a key of `[spgemm]`, or `latency` (cycles) or `bandwidth` (bytes a cycle) of the memory; several go together
    #[arg(long, value_name = "KEY=N,N,...")]
    sweep: Vec<Sweep>,
    /// Write a line for each run
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw the utilisation over the first swept key
    #[arg(long, value_name = "FILE", requires = "sweep")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

/// What `--json` prints for each run; the keys are stable.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    matrix: String,
    config: String,
    simulator: &'static str,
    /// The swept values.
    #[serde(serialize_with = "sweep::object")]
    point: Point,
    lanes: u32,
    clusters: u32,
    madds: u64,
    nnz_c: u64,
    cycles: u64,
    utilization: f64,
    dram_bytes: u64,
    /// What a row-wise product has to move with a cache of this size, and the cycles in which memory does; known of one cluster.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    least: Option<Least>,
    windows: u64,
    spills: u64,
    hazard_stalls: u64,
    /// What the lanes did, in parts of all lane cycles; known of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    lane_cycles: Option<LaneCycles>,
}

/// The bound of `mattock_testbench::traffic`.
#[derive(Clone, Copy, Debug, Serialize)]
struct Least {
    #[serde(rename = "least_bytes")]
    bytes: u64,
    #[serde(rename = "least_memory_cycles")]
    memory_cycles: u64,
}

/// Parts of all lane cycles; the rest had nothing to do.
#[derive(Clone, Copy, Debug, Serialize)]
struct LaneCycles {
    sends: f64,
    merge_core: f64,
    window: f64,
    data: f64,
}

/// A matrix to be squared.
struct Matrix {
    name: String,
    a: Csr<i32>,
    product: Product,
}

/// A matrix on a card.
struct Run<'a> {
    matrix: &'a Matrix,
    point: &'a Point,
    card: &'a CardConfig,
    memory: Memory,
    ordered: bool,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let chosen = Chosen::load(&options.config, "--config")?;
    let built = engine(ASKED, &chosen)?;
    if options.deterministic && !built.ordered {
        let value = format!("of {:?}", chosen.origin);
        return Err(Failure::argument(ASKED, "--deterministic", value)
            .allowed(
                "cards with `determinism = [\"ordered\"]` in `[spgemm]`, such as sparse4_ordered",
            )
            .next("choose another card with `--config`"));
    }
    let points = sweep::points(&options.sweep);
    let cards = (points.iter())
        .map(|point| sweep::at(point, &chosen.config, Memory::default()))
        .collect::<Result<Vec<_>, _>>()?;
    let matrices = (options.files.iter())
        .map(|path| Matrix::read(path, &options.reading, output))
        .collect::<Result<Vec<_>, _>>()?;
    let runs: Vec<Run<'_>> = (matrices.iter())
        .flat_map(|matrix| {
            points.iter().zip(&cards).map(move |(point, (card, memory))| Run {
                matrix,
                point,
                card,
                memory: *memory,
                ordered: options.deterministic,
            })
        })
        .collect();

    let mut rows: Vec<Row> = vec![];
    let mut say = |mut row: Row| {
        row.config.clone_from(&options.config);
        if output.json {
            output.result(&row, String::new);
        }
        rows.push(row);
    };
    if options.model {
        let _progress = Progress::start(output, format!("{} runs of the cycle model", runs.len()));
        in_model(&runs, &mut say)?;
    } else {
        for run in &runs {
            say(run.hardware(output)?);
        }
    }
    if let Some(path) = &options.csv {
        write_file(ASKED, path, &csv(&rows, &options.sweep))?;
    }
    if let Some(path) = &options.svg {
        let title = format!("A * A on variants of {}", options.config);
        write_file(ASKED, path, &plot::svg(&rows, &title)?)?;
    }
    if !output.json {
        output.result(&(), || page(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs all, as many at a time as the machine has processors; rows are said in order.
fn in_model(runs: &[Run<'_>], say: &mut impl FnMut(Row)) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let work = |to: Sender<(usize, Result<Row, Failure>)>| loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(run) = runs.get(number) else { break };
        if to.send((number, run.model())).is_err() {
            break;
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let (to, from) = channel();
        for _ in 0..workers.min(runs.len()) {
            let (to, work) = (to.clone(), &work);
            scope.spawn(move || work(to));
        }
        drop(to);
        let (mut waiting, mut said) = (BTreeMap::new(), 0);
        for (number, row) in from {
            waiting.insert(number, row?);
            while let Some(row) = waiting.remove(&said) {
                say(row);
                said += 1;
            }
        }
        Ok(())
    })
}

impl Matrix {
    fn read(path: &Path, reading: &Reading, output: Output) -> Result<Self, Failure> {
        let name = matrix_file::name(path);
        let a = reading.read(ASKED, path, output)?.matrix.map(|_| 1);
        if a.rows() != a.cols() {
            let shape = format!("{} x {}", a.rows(), a.cols());
            return Err(Failure::argument(ASKED, "FILE", format!("{name:?}, a {shape} matrix"))
                .allowed("square matrices")
                .next("give another, or multiply two with `mattock spgemm`"));
        }
        let product = Product::new(&a, &a).ok_or_else(|| {
            Failure::argument(ASKED, "FILE", format!("{name:?}, with {} entries", a.nnz()))
                .allowed("up to 2^32 - 1 rows and entries")
        })?;
        Ok(Matrix { name, a, product })
    }
}

impl Run<'_> {
    fn row(&self, simulator: &'static str, cycles: u64, nnz_c: u64, dram_bytes: u64) -> Row {
        // Every card has the engine of the one that is varied.
        let engine = self.card.spgemm.clone().unwrap_or_default();
        let slots = cycles * u64::from(engine.lanes * engine.clusters);
        let madds = self.matrix.product.madds;
        Row {
            matrix: self.matrix.name.clone(),
            config: String::new(),
            simulator,
            point: self.point.clone(),
            lanes: engine.lanes,
            clusters: engine.clusters,
            madds,
            nnz_c,
            cycles,
            utilization: if slots == 0 { 0.0 } else { madds as f64 / slots as f64 },
            dram_bytes,
            least: (engine.clusters == 1).then(|| self.least(&engine, nnz_c)),
            windows: 0,
            spills: 0,
            hazard_stalls: 0,
            lane_cycles: None,
        }
    }

    fn least(&self, engine: &SpgemmConfig, nnz_c: u64) -> Least {
        let (a, line) = (&self.matrix.a, self.card.memory.bus_bytes);
        let bytes = u64::from(engine.cache_kib) << 10;
        let cache = Cache { bytes, ways: BOUND_WAYS, line: line.into() };
        let bytes = Traffic::of(a, a, nnz_c, 4, cache).bytes();
        let bandwidth = self.memory.bytes_per_cycle.unwrap_or(line);
        Least { bytes, memory_cycles: bytes.div_ceil(bandwidth.into()) }
    }

    fn model(&self) -> Result<Row, Failure> {
        let Run { matrix, card, .. } = self;
        let engine = card.spgemm.clone().unwrap_or_default();
        let parts = spgemm_parts(&matrix.a, &matrix.a, engine.clusters, engine.align);
        let (counts, shares) =
            model::run(card, &self.memory, &matrix.product, &parts, self.ordered)
                .map_err(|hang| Failure::new(ASKED, format!("{}: {hang}", matrix.name)))?;
        let lines = counts.read_beats + counts.write_beats;
        let bytes = u64::from(card.memory.bus_bytes) * lines;
        let slots = (counts.cycles * u64::from(engine.lanes * engine.clusters)).max(1) as f64;
        let part = |n: u64| n as f64 / slots;
        Ok(Row {
            windows: counts.windows,
            spills: counts.spills,
            hazard_stalls: counts.hazard_stalls,
            lane_cycles: Some(LaneCycles {
                sends: part(shares.sends),
                merge_core: part(shares.core),
                window: part(shares.window),
                data: part(shares.data),
            }),
            ..self.row("model", counts.cycles, counts.nnz, bytes)
        })
    }

    /// In Verilator, every entry of the result compared.
    fn hardware(&self, output: Output) -> Result<Row, Failure> {
        let a = &self.matrix.a;
        let origin = sweep::name(self.point);
        let chosen = Chosen { config: self.card.clone(), origin, live: None };
        let Memory { latency, bytes_per_cycle } = self.memory;
        let memory = MemoryArgs { latency, bandwidth: bytes_per_cycle, ..MemoryArgs::default() };
        let (bytes, kind) = (memory_bytes(a, a)?, SimulatorKind::Verilator);
        let mut session = Session::open(&chosen, kind, bytes, &memory, output)?;
        let (c, counts) = session.spgemm(a, a, None, None, &SpgemmOptions::default())?;
        let expected = spgemm(a, a).map_err(|error| Failure::new(ASKED, error))?;
        let wrong = compare_exact(&expected, &c).mismatches();
        if wrong > 0 {
            let what = format!("{}: {wrong} entries of the result are wrong", self.matrix.name);
            return Err(Failure::new(ASKED, what));
        }
        Ok(Row {
            windows: counts.windows,
            spills: counts.spills,
            hazard_stalls: counts.hazard_stalls,
            ..self.row(kind.name(), counts.cycles, c.nnz() as u64, counts.dram_bytes)
        })
    }
}

fn csv(rows: &[Row], sweeps: &[Sweep]) -> String {
    let keys: String = sweeps.iter().map(|sweep| format!("{},", sweep.key)).collect();
    let mut text = format!(
        "matrix,simulator,{keys}madds,nnz_c,cycles,utilization,dram_bytes,least_bytes,windows,spills,hazard_stalls\n"
    );
    for row in rows {
        let values: String = row.point.iter().map(|(_, value)| format!("{value},")).collect();
        let Row { matrix, simulator, madds, nnz_c, cycles, utilization, .. } = row;
        let Row { dram_bytes, windows, spills, hazard_stalls, least, .. } = row;
        let least = least.map_or(String::new(), |least| least.bytes.to_string());
        text += &format!(
            "{matrix},{simulator},{values}{madds},{nnz_c},{cycles},{utilization:.4},{dram_bytes},{least},{windows},{spills},{hazard_stalls}\n"
        );
    }
    text
}

fn page(rows: &[Row]) -> String {
    let head = [
        "matrix",
        "swept",
        "cycles",
        "utilisation",
        "bytes/madd",
        "bytes/least",
        "windows",
        "spills",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        lines.push(vec![
            row.matrix.clone(),
            sweep::name(&row.point),
            grouped(row.cycles),
            format!("{:.3}", row.utilization),
            format!("{:.2}", row.dram_bytes as f64 / row.madds.max(1) as f64),
            row.least.map_or(String::new(), |least| {
                format!("{:.2}", row.dram_bytes as f64 / least.bytes.max(1) as f64)
            }),
            row.windows.to_string(),
            row.spills.to_string(),
        ]);
    }
    table(&lines, &[2, 3, 4, 5, 6, 7])
}
