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
        for r in 0..rows {
            let lane = a.lane(r as u32, a_bits).as_s();
            let mut from_left = m.delay(&format!("a_skew_{r}"), lane, r as u32);
            for cell in &cells[r] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::{cycle_bound, reference};
    use crate::pe::PE_VARIANTS;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use rtl_gen::sim::Simulator;
    use rtl_gen::{Design, Interpreter};

    /// Feeds an array as the engine does and reads results by the latency promised above.
    struct Bench {
        array: Array,
        sim: Interpreter,
    }

    impl Bench {
        fn new(rows: u32, cols: u32, pe: &'static PeVariant) -> Self {
            let array = Array { rows, cols, pe, shape: PeShape::INT8 };
            let design = Design::elaborate(&array).expect("elaborates");
            Bench { array, sim: Interpreter::new(&design).expect("simulates") }
        }

        fn pack(values: &[i8]) -> Vec<u32> {
            let word = |w: &[i8]| w.iter().rev().fold(0, |v, x| v << 8 | u32::from(*x as u8));
            values.chunks(4).map(word).collect()
        }

        /// The product and its compute cycles. Idle cycles of zeros are strewn in with probability `idle`.
        fn multiply(
            &mut self,
            a: &[i8],
            b: &[i8],
            shape: [usize; 3],
            idle: f64,
            rng: &mut StdRng,
        ) -> (Vec<i32>, u64) {
            let [m, n, k] = shape;
            let (rows, cols) = (self.array.rows as usize, self.array.cols as usize);
            let tiles: Vec<(usize, usize)> = (0..n.div_ceil(cols))
                .flat_map(|j| (0..m.div_ceil(rows)).map(move |i| (i * rows, j * cols)))
                .collect();
            let latency = u64::from(self.array.latency());
            let mut d = vec![0i32; m * n];
            // For each drain: the cycle of its `first` and the tile that leaves.
            let mut drains: Vec<(u64, (usize, usize))> = vec![];
            let (mut tile, mut step, mut since_first, mut cycle) = (0, 0, rows, 0u64);
            let mut last_result = 0;
            let mut result = vec![0u32; cols];
            let [port_first, port_a, port_b, port_result] =
                ["first", "a", "b", "result"].map(|name| self.sim.port(name));
            loop {
                let mut first = false;
                let (mut a_step, mut b_step) = (vec![0i8; rows], vec![0i8; cols]);
                let begin = step == 0 && since_first >= rows;
                if tile < tiles.len() && (begin || step > 0) && !rng.random_bool(idle) {
                    let (i0, j0) = tiles[tile];
                    first = step == 0;
                    for r in 0..rows.min(m - i0) {
                        a_step[r] = a[(i0 + r) * k + step];
                    }
                    for c in 0..cols.min(n - j0) {
                        b_step[c] = b[step * n + j0 + c];
                    }
                    step += 1;
                    if first && tile > 0 {
                        drains.push((cycle, tiles[tile - 1]));
                    }
                    if step == k {
                        (tile, step) = (tile + 1, 0);
                    }
                } else if tile == tiles.len() && begin && drains.len() < tiles.len() {
                    first = true;
                    drains.push((cycle, tiles[tile - 1]));
                }
                since_first = if first { 1 } else { since_first + 1 };

                self.sim.set(port_first, first.into());
                self.sim.set_words(port_a, &Self::pack(&a_step));
                self.sim.set_words(port_b, &Self::pack(&b_step));
                self.sim.get_words(port_result, &mut result);
                for &(at, (i0, j0)) in drains.iter().rev().take(16) {
                    for (c, value) in result.iter().enumerate() {
                        let r = cycle as i64 - (at + latency) as i64 - c as i64;
                        if (0..rows as i64).contains(&r) {
                            last_result = cycle;
                            let (i, j) = (i0 + r as usize, j0 + c);
                            if i < m && j < n {
                                d[i * n + j] = *value as i32;
                            }
                        }
                    }
                }
                self.sim.tick();
                cycle += 1;
                let end = (rows + cols) as u64 + latency;
                if drains.len() == tiles.len() && cycle > drains[tiles.len() - 1].0 + end {
                    return (d, last_result + 1);
                }
            }
        }

        fn check(&mut self, shape: [usize; 3], idle: f64, rng: &mut StdRng) {
            let [m, n, k] = shape;
            // -128 often: the corner of two's complement.
            let mut operand = |len: usize| -> Vec<i8> {
                (0..len).map(|_| if rng.random_bool(0.1) { -128 } else { rng.random() }).collect()
            };
            let (a, b) = (operand(m * k), operand(k * n));
            let (d, cycles) = self.multiply(&a, &b, shape, idle, rng);
            assert_eq!(d, reference(&a, &b, shape), "{shape:?} on {:?}", self.array);
            if idle == 0.0 {
                let bound = cycle_bound(
                    shape.map(|x| x as u64),
                    self.array.rows.into(),
                    self.array.cols.into(),
                );
                assert!(cycles <= bound, "{shape:?} on {:?}: {cycles} > {bound}", self.array);
            }
        }
    }

    #[test]
    fn products_are_exact_and_within_the_cycle_bound() {
        let corners = [1, 2, 3, 7, 8, 9, 16, 17];
        for pe in PE_VARIANTS {
            for (rows, cols, runs) in
                [(8, 8, 60), (16, 16, 25), (3, 5, 60), (2, 4, 40), (1, 1, 10), (5, 1, 20)]
            {
                let mut rng = StdRng::seed_from_u64(u64::from(rows * 100 + cols));
                let mut bench = Bench::new(rows, cols, pe);
                for i in 0..runs {
                    let mut side = || rng.random_range(1..=70);
                    let shape = [side(), side(), side()];
                    bench.check(shape, if i % 4 == 3 { 0.2 } else { 0.0 }, &mut rng);
                }
                for k in corners {
                    bench.check([rows as usize, cols as usize, k], 0.0, &mut rng);
                    bench.check([rows as usize * 2 + 1, cols as usize + 1, k], 0.0, &mut rng);
                }
            }
        }
    }

    #[test]
    fn square_128_on_16x16_uses_over_97_percent() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut bench = Bench::new(16, 16, &PE_VARIANTS[0]);
        let operand: Vec<i8> = (0..128 * 128).map(|_| rng.random()).collect();
        let (d, cycles) = bench.multiply(&operand, &operand, [128; 3], 0.0, &mut rng);
        assert_eq!(d, reference(&operand, &operand, [128; 3]));
        assert!(cycles <= 8228, "{cycles}");
    }

    #[test]
    fn refuses_an_empty_array() {
        let array = Array { rows: 0, cols: 4, pe: &PE_VARIANTS[0], shape: PeShape::INT8 };
        assert_eq!(array.check().expect_err("refused"), "gemm.rows is 0; an array has 1 to 256");
    }
}
