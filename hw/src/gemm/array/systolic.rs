//! The output-stationary array.

use crate::gemm::geometry::bits_for;
use crate::gemm::scratchpad::reversed;
use crate::pe::{PeShape, PeVariant};
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, uint};

/// R x C output-stationary systolic array, skewed inside, that starts a tile while the one before drains.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `first` | in | bit | these operands are the first of a tile: start new sums, drain the old ones |
/// | `a` | in | bits(R * a_bits) | column k of the A tile, row 0 in the low bits |
/// | `b` | in | bits(S * C * b_bits) | row k of the B tile, column 0 in the low bits; then row k + 1, up to S = `k_split` |
/// | `split` | in | uint | only with S > 1: log2 of the groups g that the rows are cut into |
/// | `result` | out | bits(C * acc_bits) | one result per column, column 0 in the low bits |
///
/// One step (R + C operands) per cycle, no stall: a cycle without operands is fed zeros. With `first`
/// in cycle t, the result of row r and column c of the tile *before* is at `result` in cycle
/// t + [`latency`](Self::latency) + r + c, so C results leave per cycle and two `first` must be at
/// least R cycles apart. A `first` fed with zeros flushes the last tile; it leaves sums of zero behind,
/// which drain as zeros, so the next real `first` may follow at once.
///
/// # Groups
/// For a product of few rows the R rows work as g groups of R / g, each on steps of k of its own: rows u * R / g and
/// up take column `k + reverse(u)` of A (where the scratchpad puts it) and that row of B, which enters where the
/// group begins. All groups run in step, and the sums of a column's groups are added as they drain, exact for integers
/// in any order. A tile of R / g rows then takes K / g cycles, and `first` R / g cycles apart suffice.
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
    /// Most groups the rows can be cut into; a power of two that divides `rows`.
    pub k_split: u32,
}

/// Inputs of one OR in the drain tree: four fit a LUT.
const OR_INPUTS: usize = 4;

impl Array {
    /// Cycles from `first` to the old result of row 0, column 0.
    pub fn latency(&self) -> u32 {
        // operand register, product, drain register, OR tree, adders of groups
        2 + self.pe.product_latency + or_levels(self.rows / self.k_split) + self.k_split.ilog2()
    }
}

impl Array {
    /// The operands of row `r`, as late as the row lies in its group.
    fn skewed<'m>(&self, m: &'m Builder, r: u32, lane: Sig<'m>, split: Option<Sig<'m>>) -> Sig<'m> {
        let mut late = vec![lane];
        (1..=r).for_each(|i| late.push(m.reg(&format!("a_skew_{r}_{i}"), late[i as usize - 1])));
        let whole = late[r as usize];
        let Some(split) = split else { return whole };
        (1..=self.k_split.ilog2()).fold(whole, |other, cut| {
            let place = r % (self.rows >> cut);
            if place == r { other } else { split.is(cut.into()).mux(late[place as usize], other) }
        })
    }

    /// Whether a group begins at row `r` (where one can).
    fn begins_at<'m>(&self, r: u32, split: Sig<'m>) -> Sig<'m> {
        let cuts = (1..=self.k_split.ilog2()).filter(|cut| r.is_multiple_of(self.rows >> cut));
        any(&cuts.map(|cut| split.is(cut.into())).collect::<Vec<_>>())
    }
}

impl Module for Array {
    fn name(&self) -> String {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        let (rows, cols, pe) = (self.rows, self.cols, self.pe.name());
        let split = if self.k_split > 1 { format!("_s{}", self.k_split) } else { String::new() };
        format!("gemm_array_{rows}x{cols}_{pe}_a{a_bits}_b{b_bits}_acc{acc_bits}{split}")
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
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Output-stationary array; starts a tile while the one before drains.");
        let (rows, cols) = (self.rows as usize, self.cols as usize);
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        let first = m.input("first", bit());
        let a = m.input("a", bits(self.rows * a_bits));
        let b = m.input("b", bits(self.k_split * self.cols * b_bits));
        let split = (self.k_split > 1).then(|| {
            let split = m.input("split", uint(bits_for(self.k_split.ilog2())));
            m.port_doc(
                "split",
                "log2 of the groups of rows; stable while anything is in the array",
            );
            split
        });
        m.port_doc("first", "these operands start a tile and drain the one before");

        let pe = (self.pe.build)(self.shape);
        let cells: Vec<Vec<_>> = (0..rows)
            .map(|r| (0..cols).map(|c| m.inst(&format!("pe_{r}_{c}"), pe.as_ref())).collect())
            .collect();
        for (r, row) in cells.iter().enumerate() {
            let lane = a.lane(r as u32, a_bits).as_s();
            let mut from_left = self.skewed(m, r as u32, lane, split);
            for cell in row {
                cell.set("a_in", from_left);
                from_left = cell.get("a_out");
            }
        }
        // Rows at which a group may begin take operands from outside when one does.
        let group = rows / self.k_split as usize;
        let begins: Vec<Option<Sig>> = (0..rows)
            .map(|r| {
                let enters = r > 0 && r % group == 0;
                split.filter(|_| enters).map(|split| self.begins_at(r as u32, split))
            })
            .collect();
        for c in 0..cols {
            let entering = |r: usize| {
                let step = reversed((r / group) as u32, self.k_split);
                let lane = b.lane(step * self.cols + c as u32, b_bits).as_s();
                m.delay(&format!("b_skew_{r}_{c}"), lane, c as u32)
            };
            let mut from_above = entering(0);
            for (r, row) in cells.iter().enumerate() {
                if let Some(begins) = begins[r] {
                    from_above = begins.mux(entering(r), from_above);
                }
                row[c].set("b_in", from_above);
                from_above = row[c].get("b_out");
            }
        }
        // Down the first column, then to the right: the flag meets its product in every PE.
        let entering = m.delay("first_skew", first, self.pe.product_latency);
        let mut from_above = entering;
        for (row, begins) in cells.iter().zip(&begins) {
            if let Some(begins) = begins {
                from_above = begins.mux(entering, from_above);
            }
            let mut from_left = from_above;
            for cell in row {
                cell.set("first_in", from_left);
                from_left = cell.get("first_out");
            }
            from_above = row[0].get("first_out");
        }

        let tree =
            DrainTree { groups: self.k_split, inputs: self.rows / self.k_split, width: acc_bits };
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

/// Registered OR of the drain outputs of each group of a column, four inputs and a register per level, then the
/// registered sums of the groups.
///
/// A sum is an OR where only one row drains, so that the tree need not know whether the groups are joined.
/// `in` holds `groups * inputs` words of `width` bits, `out` is [`or_levels`] and log2 `groups` cycles later.
#[derive(Clone, Copy, Debug)]
struct DrainTree {
    groups: u32,
    inputs: u32,
    width: u32,
}

impl Module for DrainTree {
    fn name(&self) -> String {
        let groups = if self.groups > 1 { format!("{}x", self.groups) } else { String::new() };
        format!("drain_tree_{groups}{}x{}", self.inputs, self.width)
    }

    fn build(&self, m: &Builder) {
        m.doc("Registered OR of one column's drain outputs, sums of groups.");
        let words = m.input("in", bits(self.groups * self.inputs * self.width)).lanes(self.width);
        let mut sums: Vec<Sig> = (words.chunks(self.inputs as usize).enumerate())
            .map(|(group, words)| {
                let name = if self.groups > 1 { format!("group_{group}_") } else { String::new() };
                let mut level = words.to_vec();
                for l in 0..or_levels(self.inputs) {
                    level = (level.chunks(OR_INPUTS).enumerate())
                        .map(|(i, some)| {
                            let or = some[1..].iter().fold(some[0], |sum, word| sum | *word);
                            m.reg(&format!("{name}or_{l}_{i}"), or)
                        })
                        .collect();
                }
                level[0]
            })
            .collect();
        while sums.len() > 1 {
            let left = sums.len();
            sums = (sums.chunks(2).enumerate())
                .map(|(i, pair)| {
                    let sum = pair[0].as_u().add_wrap(pair[1].as_u()).as_bits();
                    m.reg(&format!("sum_{left}_{i}"), sum)
                })
                .collect();
        }
        m.output("out", sums[0]);
    }
}
