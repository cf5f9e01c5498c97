//! Many products in one command: where they lie, and what one of them costs.

use super::{Memory, Plan, Problem};
use mattock_spec::command::BatchEntry;
use mattock_spec::regs::GemmCaps;

/// How one matrix of each product of a batch lies in card memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spacing {
    /// Bytes from line to line.
    pub line: u64,
    /// Bytes from one product's matrix to the next one's.
    pub matrix: u64,
}

/// Many products of one shape as one command of a card built for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchPlan {
    /// One of them.
    pub product: Plan,
    /// How many there are.
    pub products: u64,
    /// Cycles of a product in the middle of the others: of the array, a loader, the store unit or the bus.
    pub product_cycles: f64,
    /// Bytes on the bus, both ways, whole beats.
    pub bytes: u64,
    /// From the start of the command to the last write response.
    pub cycles: u64,
}

/// Lines that the engine reads at once, and one more.
const READ_AT_ONCE: u64 = 256;

/// What a matrix of each product costs, on average.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Cycles of the loader or the store unit.
    pub(crate) cycles: f64,
    pub(crate) beats: f64,
}

impl BatchPlan {
    /// The plan of products whose matrices A, B and D lie so; with a list each has an entry to be read. `None` when an operand of one is
    /// more than a block, which no card takes as a batch.
    pub fn of(
        problem: &Problem,
        products: u64,
        spacing: [Spacing; 3],
        listed: bool,
        caps: &GemmCaps,
        memory: &Memory,
    ) -> Option<BatchPlan> {
        let product = Plan::of(problem, caps, memory);
        if product.left.rows > product.left.block || product.right.rows > product.right.block {
            return None;
        }
        if product.k_block < problem.k.max(1) {
            return None;
        }
        let costs = [0, 1, 2].map(|i| cost(i, &product, spacing[i], memory));
        let list =
            if listed { f64::from(BatchEntry::BYTES) / f64::from(memory.bus_bytes) } else { 0. };
        let beats = costs.iter().map(|cost| cost.beats).sum::<f64>() + list;
        let bus = beats * f64::from(memory.bus_bytes) / f64::from(memory.bytes_per_cycle.max(1));
        let array = (product.tiles * product.tile_cycles) as f64;
        let product_cycles = costs.iter().fold(array.max(bus), |most, cost| most.max(cost.cycles));
        let bytes = (beats * products as f64).ceil() as u64 * u64::from(memory.bus_bytes);
        // One product alone, without the bus's part, and the rest at the pace of the slowest.
        let rest = products.saturating_sub(1) as f64 * product_cycles;
        let first = product.cycles + if listed { memory.latency } else { 0 };
        Some(BatchPlan {
            product,
            products,
            product_cycles,
            bytes,
            cycles: first + rest.ceil() as u64,
        })
    }
}

/// What matrix number `i` (A, B, D) of each product costs.
pub(crate) fn cost(i: usize, product: &Plan, spacing: Spacing, memory: &Memory) -> Cost {
    let Problem { m, n, k, bits, orders, .. } = product.problem;
    let bus = u64::from(memory.bus_bytes);
    let (rows, columns) = [(m, k), (k, n), (m, n)][i];
    let (lines, length) = match orders[i] {
        crate::dense::Order::Row => (rows, columns),
        crate::dense::Order::Column => (columns, rows),
    };
    let (lines, length, bits) = (u64::from(lines), u64::from(length), u64::from(bits[i]));
    let bytes = (length * bits).div_ceil(8);
    if lines == 0 || bytes == 0 {
        return Cost { cycles: 0., beats: 0. };
    }
    // D's place tells which side an operand is on.
    let swapped = orders[2] == crate::dense::Order::Column;
    let side = if (i == 0) == swapped { &product.right } else { &product.left };
    let piece = (u64::from(side.lanes) * bits / 8).clamp(1, bus);
    let at_once = spacing.line >= bytes && spacing.line <= bus && lines < READ_AT_ONCE;
    let mut counted = (0, 0);
    // Addresses repeat modulo a beat after so many products at most.
    for product in 0..bus {
        let base = product * (spacing.matrix % bus);
        let mut last = None;
        for line in 0..lines {
            let at = base + line * spacing.line;
            let touched = (at + bytes - 1) / bus - at / bus + 1;
            // Neighbouring lines share the beat between them.
            let shared = last == Some(at / bus) && (i == 2 || at_once);
            counted.1 += touched - u64::from(shared);
            last = Some((at + bytes - 1) / bus);
            counted.0 += match i {
                2 => touched,
                _ => (at + bytes - 1) / piece - at / piece + 1,
            };
        }
    }
    let of_each = |count: u64| count as f64 / bus as f64;
    Cost { cycles: of_each(counted.0), beats: of_each(counted.1) }
}
