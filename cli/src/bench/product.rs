//! A product on a bare array in Verilator, every element compared with the reference.

use mattock_hw::gemm::{Array, reference};
use mattock_testbench::array::{ArrayTiming, multiply};
use rtl_gen::Design;

use crate::error::Failure;
use crate::output::Output;
use crate::simulation::{SimulatorKind, simulator};

/// What simulates.
pub(super) const SIMULATOR: SimulatorKind = SimulatorKind::Verilator;

/// What a product came to.
pub(super) struct Outcome {
    /// First operand in to last result out.
    pub(super) cycles: u64,
    pub(super) mismatches: u64,
}

/// Multiplies A (m x k) by B (k x n) on the array.
///
/// # Errors
/// Verilator is missing or fails.
pub(super) fn product(
    (array, design): (&Array, &Design),
    [a, b]: [&[i8]; 2],
    shape: [u32; 3],
    output: Output,
) -> Result<Outcome, Failure> {
    let shape = shape.map(|x| x as usize);
    let mut sim = simulator(design, SIMULATOR, None, output)?;
    let timing = ArrayTiming {
        rows: array.rows as usize,
        cols: array.cols as usize,
        depth: array.depth as usize,
        latency: array.latency() as usize,
        column_skew: array.column_skew() as usize,
    };
    let fed = multiply(sim.as_mut(), timing, [a, b], shape, || false);
    let expected = reference(a, b, shape);
    let mismatches = expected.iter().zip(&fed.d).filter(|(want, got)| want != got).count();
    Ok(Outcome { cycles: fed.cycles, mismatches: mismatches as u64 })
}
