//! `mattock graph`: graph algorithms as sparse products on a card, every answer checked.
//!
//! ```text
//! $ mattock graph triangles facebook_combined.txt.gz --config sparse4
//! $ mattock graph bfs testbench/data/matrices/karate.mtx.gz --source 0
//! $ mattock graph apsp town.mtx
//! $ mattock graph truss testbench/data/matrices/ca-GrQc.mtx.gz --k 5
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mattock::Csr;
use mattock::graph::{oriented, undirected};
use mattock::io::{Field, LoadedMatrix};
use mattock::sparse::SpgemmStats;
use mattock_spec::config::SpgemmConfig;
use mattock_spec::regs::ValueType;
use mattock_testbench::reference::graph as reference;
use serde::Serialize;

use crate::arguments::whole;
use crate::card::{CardOptions, Chosen};
use crate::error::Failure;
use crate::matrix_file::Reading;
use crate::output::{Output, grouped, percent, table};
use crate::progress::Progress;
use crate::session::Session;
use crate::simulation::{MemoryArgs, SimulatorKind};
use crate::spgemm::{engine, memory_bytes, semiring, value_type};

/// Most vertices whose distances are formed: 512 MiB of them, four times over.
const MOST_PAIRED: usize = 8192;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    algorithm: Algorithm,
}

#[derive(Debug, Subcommand)]
enum Algorithm {
    /// Count the triangles of the undirected graph: a product over plus and pair
    Triangles(Common),
    /// Levels of a breadth-first search along the edges: a product over or and and for each
    Bfs {
        #[command(flatten)]
        common: Common,
        /// Vertex to begin at, from 0
        #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole::<u64>)]
        source: u64,
    },
    /// The part of the undirected graph whose edges all are in k - 2 triangles: products over plus and pair
    Truss {
        #[command(flatten)]
        common: Common,
        /// Vertices of the smallest clique that has such edges, at least 3
        #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(3..))]
        k: u32,
    },
    /// Lengths of the shortest paths between all pairs: squares over min and plus
    Apsp {
        #[command(flatten)]
        common: Common,
        /// Type of the lengths: i32 or f32 [default: f32 if the file has real values, else i32]
        #[arg(long, value_name = "TYPE")]
        types: Option<String>,
    },
}

#[derive(Args, Debug)]
struct Common {
    /// The graph: Matrix Market, SNAP edge list, METIS or triplets, may be gzipped, or rmat:scale=N,edges=N,seed=N; an entry is an edge
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    card: CardOptions,
    #[command(flatten)]
    reading: Reading,
    /// What simulates the card
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

/// What `--json` prints; the keys are stable, and only those of the algorithm are there.
#[derive(Serialize)]
struct Report {
    graph: &'static str,
    vertices: usize,
    edges: usize,
    #[serde(flatten)]
    answer: Answer,
    commands: u64,
    madds: u64,
    lanes: u32,
    clusters: u32,
    cycles: u64,
    utilization: f64,
    dram_bytes: u64,
    hazard_stalls: u64,
    spills: u64,
    windows: u64,
    mismatches: u64,
    simulator: &'static str,
}

/// What was asked for.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Triangles { triangles: u64 },
    Bfs { source: usize, reached: usize, levels: u32 },
    Truss { k: u32, edges_kept: usize },
    Apsp { pairs: usize, longest: f64 },
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    match &options.algorithm {
        Algorithm::Triangles(common) => common.run("graph triangles", output, |task| {
            task.needs("plus-pair")?;
            let edges = oriented(&task.graph)?;
            let session = task.open(memory_bytes(&edges, &edges)?)?;
            let (triangles, stats) =
                session.context().triangles(&task.graph).map_err(|e| task.refused(e))?;
            let mismatches = u64::from(triangles != reference::triangles(&task.graph));
            Ok((Answer::Triangles { triangles }, stats, mismatches))
        }),
        Algorithm::Bfs { common, source } => common.run("graph bfs", output, |task| {
            task.needs("or-and")?;
            let source = task.vertex(*source)?;
            // The graph, and two vectors that may hold every vertex.
            let (vertices, edges) = (task.graph.rows() as u64, task.graph.nnz() as u64);
            let session = task.open(8 * edges + 20 * vertices + (1 << 16))?;
            let (levels, stats) =
                session.context().bfs_levels(&task.graph, source).map_err(|e| task.refused(e))?;
            let right = reference::bfs_levels(&task.graph, source);
            let mismatches = levels.iter().zip(&right).filter(|(got, want)| got != want).count();
            let reached = levels.iter().flatten().count();
            let levels = levels.iter().flatten().max().map_or(0, |last| last + 1);
            Ok((Answer::Bfs { source, reached, levels }, stats, mismatches as u64))
        }),
        Algorithm::Truss { common, k } => common.run("graph truss", output, |task| {
            task.needs("plus-pair")?;
            let edges = undirected(&task.graph)?;
            let session = task.open(memory_bytes(&edges, &edges)?)?;
            let (truss, stats) =
                session.context().k_truss(&task.graph, *k).map_err(|e| task.refused(e))?;
            let once = truss.entries().map(|(row, col, _)| (row as u32, col));
            let once: BTreeSet<(u32, u32)> = once.filter(|(u, v)| u < v).collect();
            let right = reference::k_truss(&task.graph, *k);
            let mismatches = once.symmetric_difference(&right).count() as u64;
            Ok((Answer::Truss { k: *k, edges_kept: once.len() }, stats, mismatches))
        }),
        Algorithm::Apsp { common, types } => common.run("graph apsp", output, |task| {
            task.needs("min-plus")?;
            task.apsp(types.as_deref())
        }),
    }
}

/// A graph on its way to the card.
struct Task<'a> {
    asked: &'static str,
    common: &'a Common,
    chosen: &'a Chosen,
    config: &'a SpgemmConfig,
    graph: Csr<f64>,
    field: Field,
    output: Output,
}

type Done = (Answer, SpgemmStats, u64);

impl Common {
    fn run(
        &self,
        asked: &'static str,
        output: Output,
        algorithm: impl FnOnce(&Task<'_>) -> Result<Done, Failure>,
    ) -> Result<ExitCode, Failure> {
        let chosen = self.card.any(asked)?;
        let config = engine(asked, &chosen)?;
        let LoadedMatrix { matrix: graph, field, .. } =
            self.reading.read(asked, &self.file, output)?;
        if graph.rows() != graph.cols() {
            let (rows, cols) = (graph.rows(), graph.cols());
            return Err(Failure::argument(asked, "FILE", format!("a {rows} x {cols} matrix"))
                .allowed("a square matrix: an entry is an edge between two vertices")
                .next("give the matrix of a graph"));
        }
        let (vertices, edges) = (graph.rows(), graph.nnz());
        let task = Task { asked, common: self, chosen: &chosen, config, graph, field, output };
        let progress = Progress::start(output, format!("{asked}: {vertices} vertices"));
        let (answer, stats, mismatches) = algorithm(&task)?;
        drop(progress);
        let SpgemmConfig { lanes, clusters, .. } = *config;
        let slots = u64::from(lanes) * u64::from(clusters) * stats.cycles;
        let report = Report {
            graph: asked.trim_start_matches("graph "),
            vertices,
            edges,
            answer,
            commands: stats.commands,
            madds: stats.products,
            lanes,
            clusters,
            cycles: stats.cycles,
            utilization: if slots == 0 { 0.0 } else { stats.products as f64 / slots as f64 },
            dram_bytes: stats.bytes_read + stats.bytes_written,
            hazard_stalls: stats.hazard_stalls,
            spills: stats.spills,
            windows: stats.windows,
            mismatches,
            simulator: chosen.runner(self.simulator),
        };
        output.result(&report, || report.page(chosen.shown(report.simulator)));
        Ok(if mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Task<'_> {
    /// The card must have the algorithm's semiring.
    fn needs(&self, name: &str) -> Result<(), Failure> {
        semiring(self.asked, self.config, name).map(drop)
    }

    fn open(&self, bytes: u64) -> Result<Session, Failure> {
        let memory = MemoryArgs::default();
        Session::open(self.chosen, self.common.simulator, bytes, &memory, self.output)
    }

    /// What the driver finds wrong with a graph.
    fn refused(&self, error: mattock::Error) -> Failure {
        match error {
            mattock::Error::InvalidArg { what, .. } => {
                let file = self.common.file.display();
                Failure::new(self.asked, format!("{file}: the graph is refused: {what}"))
                    .next("give another graph")
            }
            other => other.into(),
        }
    }

    fn vertex(&self, source: u64) -> Result<usize, Failure> {
        let vertices = self.graph.rows();
        let found = usize::try_from(source).ok().filter(|&source| source < vertices);
        found.ok_or_else(|| {
            Failure::argument(self.asked, "--source", source)
                .allowed(format!("a vertex of the graph: there are {vertices}, from 0"))
                .next("choose one of them")
        })
    }

    fn apsp(&self, types: Option<&str>) -> Result<Done, Failure> {
        let vertices = self.graph.rows();
        if vertices > MOST_PAIRED {
            return Err(Failure::argument(self.asked, "FILE", format!("{vertices} vertices"))
                .allowed(format!("at most {MOST_PAIRED}: there is a length for each pair"))
                .next("take a smaller graph"));
        }
        // Lengths are sums themselves.
        let have: Vec<ValueType> =
            self.config.values.iter().copied().filter(|value| value.sum() == *value).collect();
        let value = value_type(self.asked, &have, self.field, types)?;
        let bytes = 4 * 8 * (vertices as u64 + 1).pow(2) + (1 << 16);
        let refused =
            |error| Failure::new(self.asked, error).next("take the lengths as `--types f32`");
        let (distances, stats) = match value.is_float() {
            false => {
                let lengths = self.graph.to_i32().map_err(refused)?;
                let (d, stats) = self
                    .open(bytes)?
                    .context()
                    .shortest_paths(&lengths)
                    .map_err(|e| self.refused(e))?;
                (d.map(|&d| f64::from(d)), stats)
            }
            true => {
                let lengths = self.graph.to_f32().map_err(refused)?;
                let (d, stats) = self
                    .open(bytes)?
                    .context()
                    .shortest_paths(&lengths)
                    .map_err(|e| self.refused(e))?;
                (d.map(|&d| f64::from(d)), stats)
            }
        };
        let rounding = if value.is_float() { f64::from(f32::EPSILON) } else { 0.0 };
        let mismatches = self.wrong_lengths(&distances, rounding);
        let longest = distances.values().iter().copied().fold(0.0, f64::max);
        Ok((Answer::Apsp { pairs: distances.nnz(), longest }, stats, mismatches))
    }

    /// Lengths that are further from the right ones than rounding takes them: the lengths themselves, and sums at each
    /// doubling, each by half of `rounding` of all edges of a path together.
    fn wrong_lengths(&self, distances: &Csr<f64>, rounding: f64) -> u64 {
        let vertices = self.graph.rows();
        let Some(right) = reference::shortest_paths(&self.graph) else {
            return distances.nnz() as u64; // the card should have seen the cycle
        };
        let longest =
            self.graph.values().iter().fold(0.0f64, |most, length| most.max(length.abs()));
        let negative = self.graph.values().iter().any(|&length| length < 0.0);
        let sums = f64::from(vertices.next_power_of_two().trailing_zeros() + 1);
        let mut got = vec![f64::INFINITY; right.len()];
        for (from, to, &length) in distances.entries() {
            got[from * vertices + to as usize] = length;
        }
        let wrong = |(got, want): &(&f64, &f64)| {
            let size = if negative { longest * vertices as f64 } else { want.abs() };
            let apart = (*got - *want).abs();
            *got != *want && (apart.is_nan() || apart > sums * rounding * size)
        };
        got.iter().zip(&right).filter(wrong).count() as u64
    }
}

impl Report {
    fn page(&self, card: String) -> String {
        let (name, answer) = match self.answer {
            Answer::Triangles { triangles } => ("triangles", grouped(triangles)),
            Answer::Bfs { source, reached, levels } => {
                let reached = grouped(reached as u64);
                ("levels", format!("{levels} from vertex {source}, {reached} vertices reached"))
            }
            Answer::Truss { k, edges_kept } => (
                "truss",
                format!("{} edges in {} triangles each", grouped(edges_kept as u64), k - 2),
            ),
            Answer::Apsp { pairs, longest } => {
                ("pairs", format!("{} with a path, the longest {longest}", grouped(pairs as u64)))
            }
        };
        let (vertices, edges) = (grouped(self.vertices as u64), grouped(self.edges as u64));
        let lanes = self.lanes * self.clusters;
        let rows = [
            ("graph", format!("{vertices} vertices, {edges} entries")),
            (name, answer),
            ("card", card),
            ("cycles", format!("{} in {} commands", grouped(self.cycles), self.commands)),
            (
                "utilisation",
                format!(
                    "{}: {} products on {lanes} lanes",
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
