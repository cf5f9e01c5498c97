//! The planner against an exhaustive search over the schedules of the engine, small cases.

use mattock::dense::Order;
use mattock::plan::{Memory, Plan, Problem};
use mattock_spec::format::TupleList;
use mattock_spec::regs::GemmCaps;
use std::collections::VecDeque;

const BOTH: [Order; 2] = [Order::Row, Order::Column];

fn caps(rows: u32, cols: u32, kib: u32) -> GemmCaps {
    let (depth, k_split, align, result_kib) = (1, 1, 8, kib);
    let tuples = TupleList::default();
    GemmCaps {
        rows,
        cols,
        depth,
        interleave: 1,
        k_split,
        a_kib: kib,
        b_kib: kib,
        result_kib,
        align,
        tuples,
    }
}

/// An operand as a search sees it: `rows` x k, blocks of `block` rows.
#[derive(Clone, Copy)]
struct Operand {
    rows: u64,
    block: u64,
    bits: u64,
    along_k: bool,
}

impl Operand {
    /// Beats of reading rows `r..` and steps `s..` of a block, line by line, from lines that begin on beats.
    fn beats(&self, r: u64, s: u64, [depth, k, bus]: [u64; 3]) -> u64 {
        let rows = self.block.min(self.rows - r);
        let steps = depth.min(k - s);
        let (lines, at, len) = if self.along_k { (rows, s, steps) } else { (steps, r, rows) };
        let first = at * self.bits / 8 / bus;
        let last = ((at + len) * self.bits).div_ceil(8).div_ceil(bus);
        lines * (last - first)
    }
}

/// A scratchpad of two blocks; the older one makes room. Chunks of k pass through unless they are two in all: the
/// engine does not keep those of one tile while others pass.
struct Halves {
    passing: bool,
    blocks: VecDeque<(u64, u64)>,
}

impl Halves {
    fn new(operand: Operand, depth: u64, k: u64) -> Halves {
        let all = operand.rows.div_ceil(operand.block) * k.div_ceil(depth);
        Halves { passing: depth < k && all > 2, blocks: VecDeque::new() }
    }

    fn misses(&mut self, block: (u64, u64)) -> bool {
        if !self.passing && self.blocks.contains(&block) {
            return false;
        }
        if self.blocks.len() == 2 {
            self.blocks.pop_front();
        }
        self.blocks.push_back(block);
        true
    }
}

/// Beats of a schedule, walked block by block; the store is the same for all of one order of D.
fn walk(left: Operand, right: Operand, depth: u64, k: u64, bus: u64, tiles: [u64; 2]) -> u64 {
    let (mut a, mut b) = (Halves::new(left, depth, k), Halves::new(right, depth, k));
    let mut beats = 0;
    for i in (0..left.rows).step_by(left.block as usize) {
        for j in (0..right.rows).step_by(right.block as usize) {
            for s in (0..k).step_by(depth as usize) {
                if a.misses((i, s)) {
                    beats += left.beats(i, s, [depth, k, bus]);
                }
                if b.misses((j, s)) {
                    beats += right.beats(j, s, [depth, k, bus]);
                }
            }
        }
    }
    let mut row = 0;
    for j in (0..right.rows).step_by(tiles[1] as usize) {
        let end = (j + tiles[1]).min(right.rows);
        row += (4 * end).div_ceil(bus) - 4 * j / bus;
    }
    beats + left.rows * row
}

/// The fewest bytes of any orders, block sizes and depths that fit two halves.
fn search(problem: &Problem, caps: &GemmCaps, memory: &Memory) -> u64 {
    let (k, bus) = (u64::from(problem.k), u64::from(memory.bus_bytes));
    let panel = |window: u32| u64::from(window.max(2).next_power_of_two());
    let windows = [u64::from(caps.rows), u64::from(caps.cols)];
    let half = [(caps.a_kib, caps.rows), (caps.b_kib, caps.cols)]
        .map(|(kib, window)| u64::from(kib) * 512 / panel(window));
    let step = panel(caps.rows).max(panel(caps.cols));
    let mut best = u64::MAX;
    for (order_a, order_b, order_d) in
        BOTH.iter().flat_map(|a| BOTH.iter().flat_map(move |b| BOTH.iter().map(move |d| (a, b, d))))
    {
        let a = (problem.m, problem.bits[0], *order_a == Order::Row);
        let b = (problem.n, problem.bits[1], *order_b == Order::Column);
        let sides = if *order_d == Order::Row { [a, b] } else { [b, a] };
        for depth in (step..=k.next_multiple_of(step)).step_by(step as usize) {
            let depth = depth.min(k);
            let pitch = depth.next_multiple_of(step);
            // Sums stay in the array, so chunks of k go with blocks of one tile.
            let most = [0, 1].map(|i| match depth < k {
                true => u64::from(half[i] >= pitch),
                false => half[i] / pitch * panel([caps.rows, caps.cols][i]) / windows[i],
            });
            for left in 1..=most[0] {
                for right in 1..=most[1] {
                    let [l, r] = [(0, left), (1, right)].map(|(i, tiles)| {
                        let (rows, bits, along_k) = sides[i];
                        let block = tiles * windows[i];
                        Operand { rows: rows.into(), block, bits: bits.into(), along_k }
                    });
                    best = best.min(walk(l, r, depth, k, bus, windows));
                }
            }
        }
    }
    best * bus
}

#[test]
fn plans_move_at_most_a_twentieth_more_than_the_best_schedule() {
    let mut worst: f64 = 1.0;
    for (caps, bus) in [(caps(2, 4, 1), 8), (caps(4, 4, 1), 16), (caps(4, 2, 2), 8)] {
        let memory = Memory::new(bus);
        for m in [1, 3, 8, 17, 40] {
            for n in [1, 5, 16, 33] {
                for k in [1, 7, 30, 64, 150] {
                    for bits in [[8, 8, 32], [8, 4, 32]] {
                        let orders = [Order::Row; 3];
                        let problem = Problem { m, n, k, bits, parameters: 0, orders };
                        let plan = Plan::choose(&problem, [true; 3], &caps, &memory);
                        let best = search(&problem, &caps, &memory);
                        let ratio = plan.bytes as f64 / best as f64;
                        worst = worst.max(ratio);
                        assert!(ratio <= 1.05, "{ratio}: {best} are enough for {plan:?}");
                    }
                }
            }
        }
    }
    println!("at most {worst:.3} of the optimum");
}

/// What is not free to be chosen stays.
#[test]
fn given_orders_are_kept() {
    let problem = |orders| {
        let (m, n, k, bits) = (64, 1024, 4096, [8, 8, 32]);
        Problem { m, n, k, bits, parameters: 0, orders }
    };
    let (caps, memory) = (GemmCaps { k_split: 8, ..caps(16, 16, 256) }, Memory::new(64));
    for orders in [[Order::Row; 3], [Order::Column; 3]] {
        let plan = Plan::choose(&problem(orders), [false; 3], &caps, &memory);
        assert_eq!(plan.problem.orders, orders);
    }
    // A fits twice over: with B outermost both are read once.
    let free = Plan::choose(&problem([Order::Row; 3]), [true; 3], &caps, &memory);
    assert_eq!((free.left.reads, free.right.reads), (1, 1));
    assert_eq!(free.bytes, 64 * 4096 + 4096 * 1024 + 4 * 64 * 1024);
}
