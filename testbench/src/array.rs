//! A bare array of PEs, fed as the dense engine feeds it.
//!
//! [`multiply`] drives the ports that all arrays share, on any [`Simulator`]: steps of k in, results read where the
//! array promises them.

use rtl_gen::sim::Simulator;
use std::collections::VecDeque;

/// What the feeder must know of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayTiming {
    /// Rows of a tile of results.
    pub rows: usize,
    /// Columns of it.
    pub cols: usize,
    /// Steps of k taken in a cycle.
    pub depth: usize,
    /// Cycles from `first` to the old result of row 0, column 0.
    pub latency: usize,
    /// Cycles by which a column's results follow those of its left neighbour.
    pub column_skew: usize,
}

/// A product and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fed {
    /// D, row by row.
    pub d: Vec<i32>,
    /// First operand in to last result out.
    pub cycles: u64,
}

/// Bytes as 32-bit words, the first in the low bits.
fn words(bytes: &[i8]) -> Vec<u32> {
    let word = |w: &[i8]| w.iter().rev().fold(0, |v, x| v << 8 | u32::from(*x as u8));
    bytes.chunks(4).map(word).collect()
}

/// Multiplies A (M x K) by B (K x N), both row by row, tile after tile without a pause but where `idle` asks for a
/// cycle of zeros.
///
/// # Panics
/// When the design has not the ports of an array, or an operand not the length of its shape.
pub fn multiply(
    sim: &mut dyn Simulator,
    timing: ArrayTiming,
    [a, b]: [&[i8]; 2],
    [m, n, k]: [usize; 3],
    mut idle: impl FnMut() -> bool,
) -> Fed {
    assert_eq!((a.len(), b.len()), (m * k, k * n), "operand lengths");
    let ArrayTiming { rows, cols, depth, latency, column_skew } = timing;
    let [first_port, a_port, b_port, result_port] =
        ["first", "a", "b", "result"].map(|name| sim.port(name));
    // Arrays whose pace depends on the data say when they take steps, and when a tile begins to leave.
    let paced = sim
        .try_port("ready")
        .map(|ready| [ready, sim.port("operands"), sim.port("drains"), sim.port("drained")]);
    if let Some(reset) = sim.try_port("rst") {
        sim.set(reset, 1);
        sim.tick();
        sim.set(reset, 0);
    }
    let tiles: Vec<(usize, usize)> = (0..n.div_ceil(cols))
        .flat_map(|j| (0..m.div_ceil(rows)).map(move |i| (i * rows, j * cols)))
        .collect();
    let mut d = vec![0; m * n];
    // The cycle in which each tile begins to leave, and the tile.
    let mut drains: Vec<(usize, (usize, usize))> = vec![];
    let (mut tile, mut at, mut since_first, mut cycle, mut last_result) = (0, 0, rows, 0, 0);
    let mut result = vec![0; cols];
    // Tiles told to leave, and of these the ones an array with a pace of its own has yet to answer.
    let (mut told, mut waiting) = (0, VecDeque::new());
    loop {
        let (mut first, mut leaves, mut operands) = (false, None, false);
        let ready = paced.is_none_or(|[ready, ..]| sim.get(ready) == 1);
        let (mut a_step, mut b_step) = (vec![0; rows * depth], vec![0; cols * depth]);
        let may_begin = at == 0 && since_first >= rows;
        if tile < tiles.len() && (may_begin || at > 0) && ready && !idle() {
            let (i0, j0) = tiles[tile];
            (first, operands) = (at == 0, true);
            for step in 0..depth.min(k - at) {
                for r in 0..rows.min(m - i0) {
                    a_step[step * rows + r] = a[(i0 + r) * k + at + step];
                }
                for c in 0..cols.min(n - j0) {
                    b_step[step * cols + c] = b[(at + step) * n + j0 + c];
                }
            }
            if first && tile > 0 {
                leaves = Some(tiles[tile - 1]);
            }
            at += depth;
            if at >= k {
                (tile, at) = (tile + 1, 0);
            }
        } else if tile == tiles.len() && may_begin && ready && told < tiles.len() {
            (first, leaves) = (true, Some(tiles[tile - 1]));
        }
        told += usize::from(leaves.is_some());
        since_first = if first { 1 } else { since_first + 1 };

        sim.set(first_port, first.into());
        sim.set_words(a_port, &words(&a_step));
        sim.set_words(b_port, &words(&b_step));
        if let Some([_, operands_port, drains_port, drained_port]) = paced {
            sim.set(operands_port, operands.into());
            sim.set(drains_port, leaves.is_some().into());
            waiting.extend(leaves);
            sim.eval();
            if sim.get(drained_port) == 1 {
                let tile = waiting.pop_front().expect("no more tiles leave than were told to");
                drains.push((cycle + latency, tile));
            }
        } else {
            drains.extend(leaves.map(|tile| (cycle + latency, tile)));
            sim.eval();
        }
        sim.get_words(result_port, &mut result);
        let whole = rows + cols * column_skew;
        for &(from, (i0, j0)) in drains.iter().rev().take_while(|(from, _)| cycle < from + whole) {
            for (c, value) in result.iter().enumerate() {
                let Some(r) = cycle.checked_sub(from + c * column_skew) else { break };
                if r < rows {
                    last_result = cycle;
                    let (i, j) = (i0 + r, j0 + c);
                    if i < m && j < n {
                        d[i * n + j] = *value as i32;
                    }
                }
            }
        }
        sim.tick();
        cycle += 1;
        let over = |&(from, _): &(usize, _)| cycle > from + whole;
        if drains.len() == tiles.len() && drains.last().is_none_or(over) {
            return Fed { d, cycles: last_result as u64 + 1 };
        }
    }
}
