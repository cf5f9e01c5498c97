//! How a dense product runs on a card: what is read how often, what stays on chip, what it will cost.
//!
//! The engine keeps to one schedule, told in docs/gemm.md: *blocks* of whole rows of its left operand outermost,
//! blocks of its right operand inside, every result finished in the array. Which operand is the left one follows
//! the order of D (a column-major D is computed as its transpose), and how many bytes a block's edge wastes follows the
//! orders of A and B. [`Plan::choose`] tries all of these on the model of the schedule ([`Plan::of`]) and takes the one that moves
//! the fewest bytes; the idea, minimising traffic under the capacity of the scratchpads, is COSMA's (Kwasniewski et al.,
//! SC 2019), here for one level of memory and the engine's own loops.

mod batch;
mod cycles;
mod traffic;

pub(crate) use batch::cost;
pub use batch::{BatchPlan, Spacing};

use crate::dense::Order;
use mattock_spec::regs::GemmCaps;

/// The memory a plan reckons with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Width of the bus.
    pub bus_bytes: u32,
    /// Cycles from a read address to its first beat.
    pub latency: u64,
    /// Bytes it moves a cycle, reads and writes together.
    pub bytes_per_cycle: u32,
}

impl Memory {
    /// A memory that keeps up with a bus of that width, 100 cycles away.
    pub fn new(bus_bytes: u32) -> Memory {
        Memory { bus_bytes, latency: 100, bytes_per_cycle: bus_bytes }
    }
}

/// A dense product as the card sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Rows of A and D.
    pub m: u32,
    /// Columns of B and D.
    pub n: u32,
    /// Columns of A, rows of B.
    pub k: u32,
    /// Bits of an element of A, B and D.
    pub bits: [u32; 3],
    /// Bytes of an epilogue's parameters.
    pub parameters: u64,
    /// Orders of A, B and D in card memory.
    pub orders: [Order; 3],
}

/// One operand of the engine, left or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Rows (columns of B) of the operand.
    pub rows: u32,
    /// Rows of a tile.
    pub window: u32,
    /// Rows of a block; a whole number of tiles.
    pub block: u32,
    /// k lies together in memory.
    pub along_k: bool,
    /// Bits of an element.
    pub bits: u32,
    /// Elements the loader takes a cycle.
    pub lanes: u32,
    /// All of it stays on chip.
    pub resident: bool,
    /// How often all of it is read.
    pub reads: u32,
}

/// A schedule and its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is computed, with the orders that were chosen.
    pub problem: Problem,
    /// The operand of the outer loop: A, or B when D is column-major.
    pub left: Side,
    /// The operand of the inner loop.
    pub right: Side,
    /// Steps of k of a block; less than K when K runs in chunks.
    pub k_block: u32,
    /// Groups of rows of the array with steps of k of their own.
    pub k_split: u32,
    /// Cycles of a step, in which each PE works on as many rows.
    pub step_cycles: u32,
    /// Tiles of the product.
    pub tiles: u64,
    /// Cycles a tile occupies the array.
    pub tile_cycles: u64,
    /// Bytes on the bus, both ways, whole beats.
    pub bytes: u64,
    /// First operand in to last result out, when memory does not hold the array up.
    pub compute_cycles: u64,
    /// From the start of the command to the last write response.
    pub cycles: u64,
}

impl Plan {
    /// The plan with the orders as they are.
    pub fn of(problem: &Problem, caps: &GemmCaps, memory: &Memory) -> Plan {
        let by_rows = problem.orders[2] == Order::Row;
        let [order_a, order_b, _] = problem.orders;
        let [bits_a, bits_b, _] = problem.bits;
        let a = (problem.m, bits_a, order_a == Order::Row);
        let b = (problem.n, bits_b, order_b == Order::Column);
        let (left, right) = if by_rows { (a, b) } else { (b, a) };

        // The engine's own rule for block sizes.
        let panel = |window: u32| window.max(2).next_power_of_two();
        let deep = caps.k_split.max(caps.depth);
        let pads = [(caps.rows, caps.a_kib, caps.depth), (caps.cols, caps.b_kib, deep)];
        // Steps of k that a panel of rows may have in half a scratchpad.
        let element = u64::from(caps.element_bits() / 8);
        let half =
            pads.map(|(window, kib, _)| u64::from(kib) * 512 / element / u64::from(panel(window)));
        let lanes = pads.map(|(window, _, deep)| panel(window) * deep);
        let k = problem.k.max(1);
        let most = half[0].min(half[1]) as u32;
        let chunked = k > most;
        // As few chunks as fit, and equal but for whole beats: one is loaded while the other is used.
        let unit = lanes[0].max(lanes[1]).max(2 * memory.bus_bytes).min(most);
        let chunk = k.div_ceil(unit).div_ceil(k.div_ceil(most)) * unit;
        let k_block = if chunked { chunk } else { k };
        let pitch = u64::from(k_block).next_multiple_of(lanes[0].max(lanes[1]).into());
        let side = |i: usize, (rows, bits, along_k): (u32, u32, bool)| {
            let window = pads[i].0;
            let tiles = half[i] / pitch * u64::from(panel(window)) / u64::from(window);
            let all = rows.div_ceil(window);
            let tiles = if chunked { 1 } else { (tiles as u32).clamp(1, all.max(1)) };
            let block = tiles * window;
            // Two halves: two blocks of all of K, or one tile of K in two chunks.
            let resident = match chunked {
                true => rows <= block && u64::from(k) <= 2 * u64::from(k_block),
                false => u64::from(rows) <= 2 * u64::from(block),
            };
            Side { rows, window, block, along_k, bits, lanes: lanes[i], resident, reads: 1 }
        };
        let (mut left, mut right) = (side(0, left), side(1, right));
        if !right.resident {
            let beat = memory.bus_bytes * 8 / right.bits / right.window;
            right.block = right.block.min(right.window * beat.max(1));
            right.reads = left.rows.div_ceil(left.block);
        }
        if chunked && !left.resident {
            left.reads = right.rows.div_ceil(right.block);
        }

        let k_split = (0..=caps.k_split.ilog2()).rev().map(|cut| 1 << cut);
        let k_split = k_split.into_iter().find(|g| left.rows <= caps.rows / g).unwrap_or(1);
        let tiles = u64::from(left.rows.div_ceil(left.window))
            * u64::from(right.rows.div_ceil(right.window));
        let steps = u64::from(k.div_ceil(k_split * caps.depth)) * u64::from(caps.interleave);
        let tile_cycles = steps.max(u64::from(caps.rows / k_split));
        let mut plan = Plan {
            problem: *problem,
            left,
            right,
            k_block,
            k_split,
            step_cycles: caps.interleave,
            tiles,
            tile_cycles,
            bytes: 0,
            compute_cycles: 0,
            cycles: 0,
        };
        if tiles > 0 {
            plan.bytes = traffic::beats(&plan, memory) * u64::from(memory.bus_bytes);
            (plan.compute_cycles, plan.cycles) = cycles::predict(&plan, caps, memory);
        }
        plan
    }

    /// The plan that moves the fewest bytes, and of those the one of the fewest cycles, over the orders that are free to be
    /// chosen. The order given is kept when another gains nothing.
    pub fn choose(problem: &Problem, free: [bool; 3], caps: &GemmCaps, memory: &Memory) -> Plan {
        let given = Plan::of(problem, caps, memory);
        let options = |i: usize| match (free[i], problem.orders[i]) {
            (false, order) => vec![order],
            (true, order) => vec![order, order.other()],
        };
        let mut best = given;
        for a in options(0) {
            for b in options(1) {
                for d in options(2) {
                    let plan = Plan::of(&Problem { orders: [a, b, d], ..*problem }, caps, memory);
                    if (plan.bytes, plan.cycles) < (best.bytes, best.cycles) {
                        best = plan;
                    }
                }
            }
        }
        // Turning a matrix over costs the host more than a few beats.
        if worth_it(given.bytes, best.bytes) || worth_it(given.cycles, best.cycles) {
            best
        } else {
            given
        }
    }
}

/// A gain of more than 2 %.
fn worth_it(before: u64, after: u64) -> bool {
    before.saturating_sub(after) > before / 50
}
