//! Cycles of a plan: the array's, or the bus's, and what happens before and after.

use super::{Memory, Plan, Side, traffic};
use mattock_spec::regs::GemmCaps;

/// Cycles from START to the first read address, through bus master and loader, and from the last result to its response.
const OVERHEAD: u64 = 30;

/// Compute cycles, and cycles of the whole command.
pub(super) fn predict(plan: &Plan, caps: &GemmCaps, memory: &Memory) -> (u64, u64) {
    let (rows, cols) = (u64::from(caps.rows), u64::from(caps.cols));
    let tile_rows = rows / u64::from(plan.k_split);
    let tile = plan.tile_cycles;
    // The bound of the cycle contract, less what it leaves for pipelines of other PEs.
    let drain = tile_rows + cols + 8;
    let compute_cycles = plan.tiles * tile + drain;

    let bus = |beats: u64| {
        let bytes = beats * u64::from(memory.bus_bytes);
        bytes.div_ceil(memory.bytes_per_cycle.max(1).into())
    };
    // An operand comes as fast as the bus or as its loader takes it.
    let load = |side: &Side, elements: u64| {
        let beats = (elements * u64::from(side.bits)).div_ceil(8 * u64::from(memory.bus_bytes));
        bus(beats).max(elements.div_ceil(side.lanes.into()))
    };
    let block_k = u64::from(plan.k_block);
    // What must be there before the first tile can end: its rows, or the block whose steps come across rows.
    let first = |side: &Side| {
        let block = u64::from(side.block.min(side.rows));
        let rows = if side.along_k { block.min(side.window.into()) } else { block };
        rows * block_k
    };
    let (left, right) = (first(&plan.left), first(&plan.right));
    let both = load(&plan.left, left)
        .max(load(&plan.right, right))
        .max(bus((left * u64::from(plan.left.bits) + right * u64::from(plan.right.bits))
            .div_ceil(8 * u64::from(memory.bus_bytes))));
    // Steps across rows are followed as they come, rows are waited for.
    let follows = !plan.left.along_k && !plan.right.along_k;
    let follows = follows || (!plan.right.along_k && load(&plan.right, right) >= both);
    let arrival = if follows { both.max(tile) } else { both + tile };
    let setup = OVERHEAD
        + u64::from(plan.left.block / plan.left.window)
            .max(u64::from(plan.right.block / plan.right.window));
    let last_rows = bus(tile_rows.min(plan.left.rows.into()));
    let end = drain + last_rows + memory.latency + OVERHEAD;

    // Parameters come before the operands.
    let parameters = traffic::parameters(plan, memory);
    let by_array = bus(parameters) + arrival + (plan.tiles - 1) * tile;
    let reads = traffic::read(&plan.left, plan, memory) + traffic::read(&plan.right, plan, memory);
    let reads = reads + parameters;
    let written = plan.bytes / u64::from(memory.bus_bytes) - reads;
    // After the last block has come its other tiles are still to be computed.
    let rest = plan.right.rows - (plan.right.rows - 1) / plan.right.block * plan.right.block;
    let rest = u64::from(rest.div_ceil(plan.right.window) - 1).min(plan.tiles - 1) * tile;
    let by_bus = bus(reads + written) + if plan.right.resident { 0 } else { rest };
    let by_loader = [&plan.left, &plan.right]
        .map(|side| {
            load(side, u64::from(side.reads) * u64::from(side.rows) * u64::from(plan.problem.k))
        })
        .into_iter()
        .max()
        .unwrap_or(0);
    let body = by_array.max(by_bus).max(by_loader);
    (compute_cycles, setup + memory.latency + body + end)
}
