//! The bare array against the model: every shape exact and within the cycle bound.

use crate::gemm::{Array, cycle_bound, reference};
use crate::pe::{PE_VARIANTS, PeShape};
use mattock_spec::config::ArrayKind;
use mattock_testbench::array::{ArrayTiming, multiply};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter, Module};

/// Feeds an array as the engine does and reads results by the latency promised.
struct Bench {
    array: Array,
    sim: Interpreter,
}

impl Bench {
    fn new(array: Array) -> Self {
        let design = Design::elaborate(&array).expect("elaborates");
        Bench { array, sim: Interpreter::new(&design).expect("simulates") }
    }

    /// The product and its compute cycles. Idle cycles of zeros are strewn in with probability `idle`.
    fn multiply(
        &mut self,
        operands: [&[i8]; 2],
        shape: [usize; 3],
        idle: f64,
        rng: &mut StdRng,
    ) -> (Vec<i32>, u64) {
        let timing = ArrayTiming {
            rows: self.array.rows as usize,
            cols: self.array.cols as usize,
            depth: self.array.depth as usize,
            latency: self.array.latency() as usize,
            column_skew: self.array.column_skew() as usize,
        };
        let fed = multiply(&mut self.sim, timing, operands, shape, || rng.random_bool(idle));
        (fed.d, fed.cycles)
    }

    fn check(&mut self, shape: [usize; 3], idle: f64, rng: &mut StdRng) {
        let [m, n, k] = shape;
        let narrow = 8 - self.array.shape.a_bits;
        // -128 often: the corner of two's complement.
        let mut operand = |len: usize| -> Vec<i8> {
            let random = |_| if rng.random_bool(0.1) { -128 } else { rng.random() };
            (0..len).map(random).map(|x: i8| x >> narrow).collect()
        };
        let (a, b) = (operand(m * k), operand(k * n));
        let (d, cycles) = self.multiply([&a, &b], shape, idle, rng);
        assert_eq!(d, reference(&a, &b, shape), "{shape:?} on {:?}", self.array);
        if idle == 0.0 {
            let deep = k.div_ceil(self.array.depth as usize) * self.array.pace() as usize;
            let bound = cycle_bound(
                [m, n, deep].map(|x| x as u64),
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
        let Some(cell) = &pe.cell else { continue };
        let bits = pe.pe.info().map_or(8, |info| info.operand_bits());
        for (rows, cols, runs) in
            [(8, 8, 60), (16, 16, 15), (3, 5, 60), (2, 4, 40), (1, 1, 10), (5, 1, 20)]
        {
            let cols = cell.columns * u32::div_ceil(cols, cell.columns);
            let mut rng = StdRng::seed_from_u64(u64::from(rows * 100 + cols));
            let mut bench = Bench::new(Array::systolic(rows, cols, pe, PeShape::int(bits)));
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

/// Deep sums, shallow ones, single rows, narrow operands.
#[test]
fn broadcast_arrays_are_exact_and_within_the_cycle_bound() {
    let kinds = [ArrayKind::Broadcast, ArrayKind::Cube, ArrayKind::Tree];
    let arrays = PE_VARIANTS.iter().flat_map(|pe| {
        let info = pe.pe.info().expect("listed");
        let kinds = kinds.into_iter().filter(|kind| info.arrays.contains(kind));
        kinds.flat_map(move |kind| {
            let of = move |side, bits| Array::of_side(kind, side, pe, PeShape::int(bits));
            [of(4, 8), of(8, 4), Array { cols: 3, depth: of(4, 8).depth, ..of(8, 8) }]
        })
    });
    let mut count = 0;
    for array in arrays {
        let mut rng = StdRng::seed_from_u64(count);
        let mut bench = Bench::new(array);
        for i in 0..12 {
            let mut side = || rng.random_range(1..=40);
            let shape = [side(), side(), side()];
            bench.check(shape, if i % 4 == 3 { 0.2 } else { 0.0 }, &mut rng);
        }
        for k in [1, 2, 7, 8, 9] {
            bench.check([array.rows as usize + 1, array.cols as usize, k], 0.0, &mut rng);
        }
        count += 1;
    }
    assert!(count >= 33, "{count} arrays");
}

#[test]
fn square_128_on_16x16_uses_over_97_percent() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut bench = Bench::new(Array::systolic(16, 16, &PE_VARIANTS[0], PeShape::INT8));
    let operand: Vec<i8> = (0..128 * 128).map(|_| rng.random()).collect();
    let (d, cycles) = bench.multiply([&operand; 2], [128; 3], 0.0, &mut rng);
    assert_eq!(d, reference(&operand, &operand, [128; 3]));
    assert!(cycles <= 8229, "{cycles}");
}

#[test]
fn refuses_an_empty_array() {
    let array = Array::systolic(0, 4, &PE_VARIANTS[0], PeShape::INT8);
    assert_eq!(array.check().expect_err("refused"), "gemm.rows is 0; an array has 1 to 256");
}
