//! The bare array against the model: every shape exact and within the cycle bound.

use crate::gemm::{Array, cycle_bound, reference};
use crate::pe::{PE_VARIANTS, PeShape, PeVariant};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter, Module};

/// Feeds an array as the engine does and reads results by the latency promised above.
struct Bench {
    array: Array,
    sim: Interpreter,
}

impl Bench {
    fn new(rows: u32, cols: u32, pe: &'static PeVariant) -> Self {
        let array = Array { rows, cols, pe, shape: PeShape::INT8, k_split: 1 };
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
    let array = Array { rows: 0, cols: 4, pe: &PE_VARIANTS[0], shape: PeShape::INT8, k_split: 1 };
    assert_eq!(array.check().expect_err("refused"), "gemm.rows is 0; an array has 1 to 256");
}
