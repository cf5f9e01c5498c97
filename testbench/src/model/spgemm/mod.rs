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
mod control;
mod front;
mod merge;
mod port;

pub use port::Memory;

use cluster::Cluster;
use mattock_spec::config::CardConfig;

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
    /// From the start to the last write response.
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

/// A card's sparse engine, with one cluster.
#[derive(Debug)]
pub struct Model {
    cluster: Cluster,
}

impl Model {
    /// The engine of a card after reset; `None` when the card has none.
    pub fn new(card: &CardConfig, memory: &Memory) -> Option<Self> {
        let config = card.spgemm.as_ref()?;
        Some(Model { cluster: Cluster::new(card, config, memory) })
    }

    /// A cycle; `start` begins the command.
    pub fn tick(&mut self, command: &Command<'_>, start: bool) {
        self.cluster.tick(command, start);
    }

    /// The command has ended with the last cycle.
    pub fn done(&self) -> bool {
        self.cluster.done()
    }

    /// A command may begin.
    pub fn idle(&self) -> bool {
        self.cluster.idle()
    }

    /// What happened in the last cycle.
    pub fn watch(&self) -> Watch {
        self.cluster.watch()
    }

    /// Counters of the command under way or the last one.
    pub fn counts(&self) -> Counts {
        self.cluster.counts()
    }

    /// Runs a command from its start to its end.
    ///
    /// # Errors
    /// When it takes more than `limit` cycles.
    pub fn run(&mut self, command: &Command<'_>, limit: u64) -> Result<Counts, Hang> {
        self.tick(command, true);
        while !self.done() {
            if self.counts().cycles == limit {
                return Err(Hang { cycles: limit });
            }
            self.tick(command, false);
        }
        Ok(self.counts())
    }
}
