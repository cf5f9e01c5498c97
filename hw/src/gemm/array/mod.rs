//! Ways to join PEs to an array; all take `depth` steps of k a cycle and drain a tile while the next begins.

mod broadcast;
mod drain;
mod skip;
mod systolic;

pub(super) use drain::{DrainTree, results};

use super::geometry::bits_for;
use crate::pe::{PeShape, PeVariant};
use mattock_spec::config::{ArrayKind, Pe};
use rtl_gen::{Builder, Module, bit, bits, uint};

/// Output-stationary array that starts a tile of R x C results while the one before drains.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `first` | in | bit | these operands are the first of a tile: start new sums, drain the old ones |
/// | `a` | in | bits(D * R * lane) | column k of the A tile, row 0 in the low bits; then column k + 1, up to D = `depth` |
/// | `b` | in | bits(S * C * lane) | row k of the B tile, column 0 in the low bits; then row k + 1, up to S = `k_split` or D |
/// | `split` | in | uint | only with S > 1: log2 of the groups g that the rows are cut into |
/// | `result` | out | bits(C * acc_bits) | one result per column, column 0 in the low bits |
///
/// A lane is a byte (or a [`Lane`](crate::pe::Lane) word). One step (R + C operands) per cycle, no stall: a cycle without operands is fed
/// zeros. With `first` in cycle t, the result of row r and column c of the tile *before* is at `result` in cycle
/// t + [`latency`](Self::latency) + r + c * [`column_skew`](Self::column_skew), so C results leave per cycle and two `first` must be at
/// least R cycles apart. A `first` fed with zeros flushes the last tile; it leaves sums of zero behind,
/// which drain as zeros, so the next real `first` may follow at once.
///
/// # Pace
/// With a PE that skips zero digits a step takes one to [`pace`](Self::pace) cycles. Such an array ([`is_paced`](Self::is_paced)) has three inputs and
/// outputs more: steps are marked by `operands`, may come while `ready` and for [`READY_MARGIN`](Self::READY_MARGIN) cycles after it falls, and wait
/// in a queue; a `first` with `drains` is answered by `drained`, to which `latency` then refers.
///
/// # Groups
/// For a product of few rows the R rows work as g groups of R / g, each on steps of k of its own: rows u * R / g and
/// up take column `k + reverse(u)` of A (where the scratchpad puts it) and that row of B, which enters where the
/// group begins. All groups run in step, and the sums of a column's groups are added as they drain, exact for integers
/// in any order. A tile of R / g rows then takes K / g cycles, and `first` R / g cycles apart suffice.
#[derive(Clone, Copy, Debug)]
pub struct Array {
    /// How the PEs are joined.
    pub kind: ArrayKind,
    /// PE rows.
    pub rows: u32,
    /// PE columns.
    pub cols: u32,
    /// Steps of k a cycle, summed in the PE; a power of two.
    pub depth: u32,
    /// Which PE.
    pub pe: &'static PeVariant,
    /// Widths.
    pub shape: PeShape,
    /// Most groups the rows can be cut into; a power of two that divides `rows`.
    pub k_split: u32,
}

impl Array {
    /// A systolic array whose rows are one group.
    pub fn systolic(rows: u32, cols: u32, pe: &'static PeVariant, shape: PeShape) -> Array {
        Array { kind: ArrayKind::Systolic, rows, cols, depth: 1, pe, shape, k_split: 1 }
    }

    /// An array with the multipliers of a `side` x `side` one, as cards have it.
    pub fn of_side(kind: ArrayKind, side: u32, pe: &'static PeVariant, shape: PeShape) -> Array {
        let depth = kind.depth(side);
        Array { kind, rows: side / depth, cols: side, depth, pe, shape, k_split: 1 }
    }

    /// Cycles by which the results of a column follow those of its left neighbour.
    pub fn column_skew(&self) -> u32 {
        u32::from(self.kind == ArrayKind::Systolic)
    }

    /// Cycles from `first` to the old result of row 0, column 0.
    pub fn latency(&self) -> u32 {
        match self.kind {
            ArrayKind::Systolic => systolic::latency(self),
            _ if self.is_paced() => skip::latency(self),
            _ => broadcast::latency(self),
        }
    }

    /// Steps that may still come after `ready` has fallen.
    pub const READY_MARGIN: u32 = skip::UNDER_WAY;

    /// Whether steps take a number of cycles that depends on the data.
    pub fn is_paced(&self) -> bool {
        self.pe.pe == Pe::DigitSkip
    }

    /// Most cycles of a step.
    pub fn pace(&self) -> u32 {
        if self.is_paced() { skip::pace(self) } else { 1 }
    }

    /// Most cycles a step waits in the array before it begins.
    pub fn slack(&self) -> u32 {
        if self.is_paced() { skip::slack(self) } else { 0 }
    }

    /// Bits of an operand at the ports `a` and `b`.
    fn lanes(&self) -> [u32; 2] {
        [self.shape.a_bits, self.shape.b_bits].map(|bits| self.shape.port_bits(bits))
    }
}

impl Module for Array {
    fn name(&self) -> String {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        let (rows, cols, pe) = (self.rows, self.cols, self.pe.name().replace('-', "_"));
        let split = if self.k_split > 1 { format!("_s{}", self.k_split) } else { String::new() };
        let kind = match self.kind {
            ArrayKind::Systolic => "array",
            kind => kind.name(),
        };
        let depth = if self.depth > 1 { format!("x{}", self.depth) } else { String::new() };
        format!("gemm_{kind}_{rows}x{cols}{depth}_{pe}_a{a_bits}_b{b_bits}_acc{acc_bits}{split}")
    }

    fn check(&self) -> Result<(), String> {
        for (key, n) in [("gemm.rows", self.rows), ("gemm.cols", self.cols)] {
            if !(1..=256).contains(&n) {
                return Err(format!("{key} is {n}; an array has 1 to 256"));
            }
        }
        let split = self.k_split;
        if !split.is_power_of_two() || !self.rows.is_multiple_of(split) {
            return Err(format!(
                "gemm.k_split is {split}; a power of two that divides the rows is needed"
            ));
        }
        let depth = self.depth;
        let fits = match self.kind {
            ArrayKind::Systolic | ArrayKind::Broadcast => depth == 1,
            ArrayKind::Cube => depth > 1,
            ArrayKind::Tree => depth > 1 && self.rows == 1,
        };
        if !fits || !depth.is_power_of_two() || depth > 64 {
            let (kind, rows) = (self.kind.name(), self.rows);
            return Err(format!("gemm.depth is {depth} with {rows} rows; no array \"{kind}\""));
        }
        match self.kind {
            ArrayKind::Systolic => systolic::check(self),
            ArrayKind::Broadcast if self.is_paced() && self.k_split == 1 => Ok(()),
            _ => broadcast::check(self),
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Output-stationary array; starts a tile while the one before drains.");
        let [a_lane, b_lane] = self.lanes();
        let first = m.input("first", bit());
        let a = m.input("a", bits(self.depth * self.rows * a_lane));
        let b = m.input("b", bits(self.k_split.max(self.depth) * self.cols * b_lane));
        let split = (self.k_split > 1).then(|| {
            let split = m.input("split", uint(bits_for(self.k_split.ilog2())));
            m.port_doc(
                "split",
                "log2 of the groups of rows; stable while anything is in the array",
            );
            split
        });
        m.port_doc("first", "these operands start a tile and drain the one before");
        let steps = systolic::Steps { first, a, b, split };
        let result = match self.kind {
            _ if self.is_paced() => {
                let (drains, operands) = (m.input("drains", bit()), m.input("operands", bit()));
                skip::build(self, m, skip::Paced { first, drains, operands, a, b })
            }
            ArrayKind::Systolic => systolic::build(self, m, steps),
            _ => broadcast::build(self, m, steps),
        };
        m.output("result", result);
    }
}
