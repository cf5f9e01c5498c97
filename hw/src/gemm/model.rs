//! Plain models of the dense engine: what it computes and how long it may take.

/// D = A * B modulo 2^32; `a` is M x K and `b` K x N, both row by row, so is the result.
///
/// # Panics
/// When the slices have not those lengths.
pub fn reference(a: &[i8], b: &[i8], [m, n, k]: [usize; 3]) -> Vec<i32> {
    assert_eq!((a.len(), b.len()), (m * k, k * n), "operand lengths");
    let mut d = vec![0i32; m * n];
    for i in 0..m {
        for l in 0..k {
            let x = i32::from(a[i * k + l]);
            for j in 0..n {
                d[i * n + j] = d[i * n + j].wrapping_add(x * i32::from(b[l * n + j]));
            }
        }
    }
    d
}

/// Most cycles from the first operand entering an R x C array to the last result leaving it, with
/// operands on chip and a result buffer that accepts C results per cycle.
pub fn cycle_bound([m, n, k]: [u64; 3], rows: u64, cols: u64) -> u64 {
    m.div_ceil(rows) * n.div_ceil(cols) * k.max(rows) + rows + cols + 16
}

/// Exactly those cycles where sums are chained: a step takes `turn` cycles, and the flag of the last tile comes with the turn after
/// its last step.
pub(super) fn chained_cycles(
    [m, n, k]: [u64; 3],
    rows: u64,
    cols: u64,
    turn: u64,
    latency: u64,
) -> u64 {
    let tiles = m.div_ceil(rows) * n.div_ceil(cols);
    if tiles == 0 {
        return 0;
    }
    tiles * (k.max(1) * turn).max(rows) + latency + rows + cols - 1
}

/// Exactly those cycles, for an array whose [`Array::latency`](super::Array::latency) is `latency`.
///
/// Tiles follow one another after `max(K, R)` cycles. The last one drains by a flag of its own, at the earliest a
/// cycle after its last step and R cycles after its first; the last row and column leave `latency + R - 1 + C - 1`
/// cycles after that flag.
pub fn compute_cycles([m, n, k]: [u64; 3], rows: u64, cols: u64, latency: u64) -> u64 {
    let tiles = m.div_ceil(rows) * n.div_ceil(cols);
    if tiles == 0 {
        return 0;
    }
    // K = 0 is one step of zeros.
    let k = k.max(1);
    (tiles - 1) * k.max(rows) + (k + 1).max(rows) + latency + rows + cols - 1
}
