//! Cycle model of the sparse engine: what `mattock_hw::spgemm` does in every cycle, without the values.
//!
//! One file for each block of the hardware, under its name. Fields are the block's registers; methods that take `&self` are
//! outputs before the clock edge; `tick` takes the inputs and is the edge. Nothing is estimated: hash, buckets, cache sets, column
//! ranges and what is learned of rows are computed as the hardware computes them, so cycles, windows, replays and bytes
//! are those of the RTL (`testbench/tests/spgemm_model.rs`). Products and sums have no values, and memory none of its bytes.
//! Values take 4 bytes, as i32 and f32 do. Corrupt arrays, bus errors and resets within a command are not modelled.

mod back;
mod cells;
mod cluster;
mod clusters;
mod control;
mod front;
mod merge;
mod port;
mod run;

pub use port::Memory;
pub use run::{Product, Shares, run};

use cluster::{Cluster, ClusterIn};
use clusters::Clusters;
use mattock_spec::command::SpgemmPart;
use mattock_spec::config::CardConfig;
use std::ops::Add;

/// Structure of an operand in CSR.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// Row pointers, one more than rows.
    pub ptr: &'a [u32],
    /// Columns.
    pub col: &'a [u32],
}

/// A product, or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// Left operand.
    pub a: Operand<'a>,
    /// Right operand.
    pub b: Operand<'a>,
    /// Columns of B.
    pub cols: u32,
    /// Rows of A from this one on...
    pub first_row: u32,
    /// ...to before this one.
    pub end_row: u32,
    /// Columns of B from this one on...
    pub first_col: u32,
    /// ...to before this one.
    pub end_col: u32,
    /// Entries of C there is room for.
    pub capacity: u32,
    /// Products of an entry are added by rising k.
    pub ordered: bool,
    /// Hash seed.
    pub seed: u32,
    /// Line addresses of B's row pointers, columns and values. The cache's banks and sets follow from them.
    pub b_ptr: u64,
    /// Columns.
    pub b_col: u64,
    /// Values.
    pub b_val: u64,
}

/// Counters of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// From the start to the last write response, as the card counts them.
    pub cycles: u64,
    /// Multiply-adds, those repeated by a replay once.
    pub products: u64,
    /// Entries of C.
    pub nnz: u64,
    /// Windows drained.
    pub windows: u64,
    /// Products that found no room.
    pub spills: u64,
    /// Windows replayed.
    pub restarts: u64,
    /// Cycles, summed over the banks, in which a product waited for another one of its entry.
    pub hazard_stalls: u64,
    /// Look-ups answered without a memory request of their own.
    pub cache_hits: u64,
    /// Look-ups with one.
    pub cache_misses: u64,
    /// Lines read from memory.
    pub read_beats: u64,
    /// Lines written.
    pub write_beats: u64,
}

/// What happens in a cycle, as the outputs `watch_*` and `*_beat` of the cluster say it: a bit for each lane, or one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Lanes that send a product.
    pub sends: u32,
    /// Lanes that wait for the merge core.
    pub core: u32,
    /// Lanes that wait for their window's half.
    pub window: u32,
    /// Lanes that wait for data.
    pub data: u32,
    /// The planner offers a task.
    pub task: bool,
    /// A window drains.
    pub drain: bool,
    /// A window is replayed, or the command begins.
    pub stop: bool,
    /// A line is read.
    pub read_beat: bool,
    /// A line is written.
    pub write_beat: bool,
}

/// The engine hangs: no command of this size takes so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model did not end within {cycles} cycles")]
pub struct Hang {
    /// Cycles that were waited for.
    pub cycles: u64,
}

impl Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            cycles: self.cycles + other.cycles,
            products: self.products + other.products,
            nnz: self.nnz + other.nnz,
            windows: self.windows + other.windows,
            spills: self.spills + other.spills,
            restarts: self.restarts + other.restarts,
            hazard_stalls: self.hazard_stalls + other.hazard_stalls,
            cache_hits: self.cache_hits + other.cache_hits,
            cache_misses: self.cache_misses + other.cache_misses,
            read_beats: self.read_beats + other.read_beats,
            write_beats: self.write_beats + other.write_beats,
        }
    }
}

#[derive(Debug)]
enum Engine {
    One(Box<Cluster>),
    Several(Box<Clusters>),
}

/// A card's sparse engine.
#[derive(Debug)]
pub struct Model {
    engine: Engine,
    cycles: u64,
}

impl Model {
    /// The engine of a card after reset; `None` when the card has none.
    pub fn new(card: &CardConfig, memory: &Memory) -> Option<Self> {
        let config = card.spgemm.as_ref()?;
        let engine = match config.clusters {
            1 => Engine::One(Box::new(Cluster::new(card, config, memory))),
            _ => Engine::Several(Box::new(Clusters::new(card, config, memory))),
        };
        Some(Model { engine, cycles: 0 })
    }

    /// A cycle; `start` begins the command. Several clusters work on its `parts`, or one of them on all of it.
    pub fn tick(&mut self, command: &Command<'_>, parts: &[SpgemmPart], start: bool) {
        match &mut self.engine {
            Engine::One(cluster) => {
                cluster.tick(command, ClusterIn { start, clear: start, ..Default::default() });
            }
            Engine::Several(clusters) => clusters.tick(command, parts, start),
        }
        self.cycles = if start { 1 } else { self.cycles + 1 };
    }

    fn clusters(&self) -> &[Cluster] {
        match &self.engine {
            Engine::One(cluster) => std::slice::from_ref(cluster),
            Engine::Several(clusters) => clusters.clusters(),
        }
    }

    /// The command has ended with the last cycle.
    pub fn done(&self) -> bool {
        match &self.engine {
            Engine::One(cluster) => cluster.done(),
            Engine::Several(clusters) => clusters.done(),
        }
    }

    /// A command may begin.
    pub fn idle(&self) -> bool {
        match &self.engine {
            Engine::One(cluster) => cluster.idle(),
            Engine::Several(clusters) => clusters.idle(),
        }
    }

    /// Cache and table are cleared after reset: a command that begins does not wait for them.
    pub fn settled(&self) -> bool {
        self.clusters().iter().all(Cluster::settled)
    }

    /// What happened in the last cycle in each cluster.
    pub fn watch(&self) -> impl Iterator<Item = Watch> + '_ {
        self.clusters().iter().map(Cluster::watch)
    }

    /// Counters of the command under way or the last one.
    pub fn counts(&self) -> Counts {
        let counts = match &self.engine {
            Engine::One(cluster) => cluster.counts(),
            Engine::Several(clusters) => clusters.counts(),
        };
        Counts { cycles: self.cycles, ..counts }
    }
}
