//! The output-stationary array.

use crate::pe::{PeShape, PeVariant};
use rtl_gen::{Builder, Module, Sig, bit, bits, cat};

/// R x C output-stationary systolic array, skewed inside, that starts a tile while the one before drains.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `first` | in | bit | these operands are the first of a tile: start new sums, drain the old ones |
/// | `a` | in | bits(R * a_bits) | column k of the A tile, row 0 in the low bits |
/// | `b` | in | bits(C * b_bits) | row k of the B tile, column 0 in the low bits |
/// | `result` | out | bits(C * acc_bits) | one result per column, column 0 in the low bits |
///
/// One step (R + C operands) per cycle, no stall: a cycle without operands is fed zeros. With `first`
/// in cycle t, the result of row r and column c of the tile *before* is at `result` in cycle
/// t + [`latency`](Self::latency) + r + c, so C results leave per cycle and two `first` must be at
/// least R cycles apart. A `first` fed with zeros flushes the last tile; it leaves sums of zero behind,
/// which drain as zeros, so the next real `first` may follow at once.
#[derive(Clone, Copy, Debug)]
pub struct Array {
    /// PE rows.
    pub rows: u32,
    /// PE columns.
    pub cols: u32,
    /// Which PE.
    pub pe: &'static PeVariant,
    /// Widths.
    pub shape: PeShape,
}

/// Inputs of one OR in the drain tree: four fit a LUT.
const OR_INPUTS: usize = 4;

impl Array {
    /// Cycles from `first` to the old result of row 0, column 0.
    pub fn latency(&self) -> u32 {
        // operand register, product, drain register, OR tree
        2 + self.pe.product_latency + or_levels(self.rows)
    }
}

impl Module for Array {
    fn name(&self) -> String {
        let PeShape { a_bits, b_bits, acc_bits } = self.shape;
        let (rows, cols, pe) = (self.rows, self.cols, self.pe.name);
        format!("gemm_array_{rows}x{cols}_{pe}_a{a_bits}_b{b_bits}_acc{acc_bits}")
    }

    fn check(&self) -> Result<(), String> {
        for (key, n) in [("gemm.rows", self.rows), ("gemm.cols", self.cols)] {
            if !(1..=256).contains(&n) {
                return Err(format!("{key} is {n}; an array has 1 to 256"));
            }
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Output-stationary array; starts a tile while the one before drains.");
        let (rows, cols) = (self.rows as usize, self.cols as usize);
        let PeShape { a_bits, b_bits, acc_bits } = self.shape;
        let first = m.input("first", bit());
        let a = m.input("a", bits(self.rows * a_bits));
        let b = m.input("b", bits(self.cols * b_bits));
        m.port_doc("first", "these operands start a tile and drain the one before");

        let pe = (self.pe.build)(self.shape);
        let cells: Vec<Vec<_>> = (0..rows)
            .map(|r| (0..cols).map(|c| m.inst(&format!("pe_{r}_{c}"), pe.as_ref())).collect())
            .collect();
        for (r, row) in cells.iter().enumerate() {
            let lane = a.lane(r as u32, a_bits).as_s();
            let mut from_left = m.delay(&format!("a_skew_{r}"), lane, r as u32);
            for cell in row {
                cell.set("a_in", from_left);
                from_left = cell.get("a_out");
            }
        }
        for c in 0..cols {
            let lane = b.lane(c as u32, b_bits).as_s();
            let mut from_above = m.delay(&format!("b_skew_{c}"), lane, c as u32);
            for row in &cells {
                row[c].set("b_in", from_above);
                from_above = row[c].get("b_out");
            }
        }
        // Down the first column, then to the right: the flag meets its product in every PE.
        let mut from_above = m.delay("first_skew", first, self.pe.product_latency);
        for row in &cells {
            let mut from_left = from_above;
            for cell in row {
                cell.set("first_in", from_left);
                from_left = cell.get("first_out");
            }
            from_above = row[0].get("first_out");
        }

        let tree = DrainTree { inputs: self.rows, width: acc_bits };
        let results: Vec<Sig> = (0..cols)
            .rev()
            .map(|c| {
                let column: Vec<Sig> = cells.iter().rev().map(|row| row[c].get("drain")).collect();
                let drain = m.inst(&format!("drain_{c}"), &tree);
                drain.set("in", cat(&column));
                drain.get("out")
            })
            .collect();
        m.output("result", cat(&results));
    }
}

/// Levels of four-input ORs that reduce `inputs` words to one.
fn or_levels(inputs: u32) -> u32 {
    let (mut left, mut levels) = (inputs as usize, 0);
    while left > 1 {
        left = left.div_ceil(OR_INPUTS);
        levels += 1;
    }
    levels
}

/// Registered OR of a column's drain outputs: a four-input OR and a register per level.
///
/// `in` holds `inputs` words of `width` bits, `out` is their OR [`or_levels`] cycles later.
#[derive(Clone, Copy, Debug)]
struct DrainTree {
    inputs: u32,
    width: u32,
}

impl Module for DrainTree {
    fn name(&self) -> String {
        format!("drain_tree_{}x{}", self.inputs, self.width)
    }

    fn build(&self, m: &Builder) {
        m.doc("Registered OR of one column's drain outputs.");
        let mut level = m.input("in", bits(self.inputs * self.width)).lanes(self.width);
        for l in 0..or_levels(self.inputs) {
            level = (level.chunks(OR_INPUTS).enumerate())
                .map(|(i, group)| {
                    let or = group[1..].iter().fold(group[0], |sum, word| sum | *word);
                    m.reg(&format!("or_{l}_{i}"), or)
                })
                .collect();
        }
        m.output("out", level[0]);
    }
}
