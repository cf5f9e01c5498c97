//! How the plan of a dense product is told.

use mattock::dense::Order;
use mattock::plan::{Plan, Side};
use serde::Serialize;

use crate::gemm::Report;
use crate::output::grouped;

/// The keys `--plan` adds to `--json`.
#[derive(Serialize)]
pub(crate) struct PlanReport {
    predicted_cycles: u64,
    predicted_compute_cycles: u64,
    predicted_dram_bytes: u64,
    plan: Schedule,
}

/// The schedule, outer loop first.
#[derive(Serialize)]
struct Schedule {
    /// How A, B and D lie in card memory.
    orders: [&'static str; 3],
    /// Blocks of this operand are the outer loop ...
    outer: Operand,
    /// ... and of this one the inner.
    inner: Operand,
    /// Steps of k of a block.
    k_block: u32,
    /// Groups of rows of the array with steps of k of their own.
    k_split: u32,
    /// Cycles of a step of k.
    step_cycles: u32,
    tiles: u64,
    /// Cycles of a tile in the array.
    tile_cycles: u64,
}

#[derive(Serialize)]
struct Operand {
    name: &'static str,
    /// Rows of A, columns of B.
    lines: u32,
    /// Of a tile and of a block.
    tile: u32,
    block: u32,
    /// All of it stays on chip.
    resident: bool,
    /// How often all of it is read.
    reads: u32,
}

impl PlanReport {
    pub(crate) fn of(plan: &Plan) -> Self {
        let orders = plan.problem.orders;
        let names = if orders[2] == Order::Row { ["A", "B"] } else { ["B", "A"] };
        Self {
            predicted_cycles: plan.cycles,
            predicted_compute_cycles: plan.compute_cycles,
            predicted_dram_bytes: plan.bytes,
            plan: Schedule {
                orders: orders.map(|order| if order == Order::Row { "row" } else { "column" }),
                outer: Operand::of(names[0], &plan.left),
                inner: Operand::of(names[1], &plan.right),
                k_block: plan.k_block,
                k_split: plan.k_split,
                step_cycles: plan.step_cycles,
                tiles: plan.tiles,
                tile_cycles: plan.tile_cycles,
            },
        }
    }

    /// Lines of the page: the schedule, and what was predicted beside what was measured.
    pub(crate) fn rows(&self, measured: &Report) -> Vec<Vec<String>> {
        let plan = &self.plan;
        let against = |predicted: u64, measured: u64| {
            let off = (predicted as f64 / measured.max(1) as f64 - 1.0) * 100.0;
            format!(
                "{} predicted, {} measured ({off:+.1} %)",
                grouped(predicted),
                grouped(measured)
            )
        };
        let lines = [
            ("orders in memory", plan.orders.join(", ")),
            ("outer loop", plan.outer.line()),
            ("inner loop", plan.inner.line()),
            (
                "k",
                match plan.step_cycles {
                    1 => format!("{} steps a block, {} a cycle", plan.k_block, plan.k_split),
                    turn => format!("{} steps a block, one in {turn} cycles", plan.k_block),
                },
            ),
            ("tiles", format!("{} of {} cycles", grouped(plan.tiles), grouped(plan.tile_cycles))),
            ("plan, bytes", against(self.predicted_dram_bytes, measured.dram_bytes)),
            ("plan, cycles", against(self.predicted_cycles, measured.cycles)),
        ];
        lines.map(|(name, text)| vec![name.to_owned(), text]).to_vec()
    }
}

impl Operand {
    fn of(name: &'static str, side: &Side) -> Self {
        let Side { rows, window, block, resident, reads, .. } = *side;
        Self { name, lines: rows, tile: window, block, resident, reads }
    }

    fn line(&self) -> String {
        let times = match self.reads {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        let stays = if self.resident { ", stays on chip" } else { "" };
        let what = if self.name == "A" { "rows" } else { "columns" };
        format!("{}: {} {what} a block, read {times}{stays}", self.name, self.block)
    }
}
