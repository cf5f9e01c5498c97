//! Bus beats of a plan, counted as the engine's loaders and its store unit ask for them.

use super::{Memory, Plan, Side};

/// Data beats both ways.
pub(super) fn beats(plan: &Plan, memory: &Memory) -> u64 {
    let (m, n) = (u64::from(plan.left.rows), u64::from(plan.right.rows));
    let operands = read(&plan.left, plan, memory) + read(&plan.right, plan, memory);
    // A row of a tile is a burst; lines of D begin on whole beats.
    let results = m * pieces(n, u64::from(plan.right.window), plan.problem.bits[2], memory);
    operands + parameters(plan, memory) + results
}

/// Beats of an epilogue's parameters.
pub(super) fn parameters(plan: &Plan, memory: &Memory) -> u64 {
    plan.problem.parameters.div_ceil(memory.bus_bytes.into())
}

/// Beats of reading one operand as often as the plan does.
pub(super) fn read(side: &Side, plan: &Plan, memory: &Memory) -> u64 {
    u64::from(side.reads) * once(side, plan, memory)
}

/// Beats of reading one operand once.
pub(super) fn once(side: &Side, plan: &Plan, memory: &Memory) -> u64 {
    let (rows, k) = (u64::from(side.rows), u64::from(plan.problem.k));
    // Lines are rows cut into chunks of k, or steps of k cut into blocks of rows.
    match side.along_k {
        true => rows * pieces(k, plan.k_block.into(), side.bits, memory),
        false => k * pieces(rows, side.block.into(), side.bits, memory),
    }
}

/// Beats of a line of `length` elements that is read in pieces, the first aligned.
fn pieces(length: u64, piece: u64, bits: u32, memory: &Memory) -> u64 {
    let beat = u64::from(memory.bus_bytes) * 8 / u64::from(bits);
    let run = |at: u64| {
        let end = (at + piece).min(length);
        end.div_ceil(beat) - at / beat
    };
    (0..length.div_ceil(piece)).map(|i| run(i * piece)).sum()
}
