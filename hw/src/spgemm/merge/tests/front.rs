//! The front of a lane alone.

use crate::spgemm::merge::{Algebra, LaneFront, Spread, Table};
use mattock_spec::config::HashKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter};
use std::collections::VecDeque;

fn simulate(module: &dyn rtl_gen::Module) -> Interpreter {
    let mut sim =
        Interpreter::new(&Design::elaborate(module).expect("elaborates")).expect("simulates");
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    sim
}

#[test]
fn the_hash_is_that_of_the_table() {
    use HashKind::{HighBits, LowBits, Multiplicative};
    [Multiplicative, LowBits, HighBits].into_iter().for_each(places_are_those_of_the_table);
}

fn places_are_those_of_the_table(hash: HashKind) {
    let table = Table {
        banks: 16,
        ways: 4,
        entries_per_half: 4096,
        index_bits: 30,
        row_bits: 7,
        hash,
        masks: false,
    };
    let mut sim = simulate(&LaneFront { table, algebra: Algebra::PLUS_TIMES, joins: false });
    let mut rng = StdRng::seed_from_u64(8);
    for (seed, lead) in [(0, 0), (0x9e37_79b1, 2), (0xffff_ffff, 19)] {
        sim.set("seed", seed as u64);
        if hash == HashKind::HighBits {
            sim.set("lead", lead.into());
        }
        sim.set("is_float", 0);
        let mut pending = VecDeque::new();
        for _ in 0..2000 {
            let (row, col) = (rng.random_range(0..128u32), rng.random_range(0..1u32 << 30));
            let (a, b): (u32, u32) = (rng.random(), rng.random());
            let (valid, ready) = (rng.random_bool(0.7), rng.random_bool(0.7));
            let fields = [("row", row), ("col", col), ("a", a), ("b", b), ("half", a & 1)];
            fields.iter().for_each(|&(port, value)| sim.set(port, value as u64));
            sim.set("in_valid", valid as u64);
            sim.set("out_ready", ready as u64);
            if sim.get("out_valid") == 1 && ready {
                let (row, col, a, b): (u32, u32, u32, u32) =
                    pending.pop_front().expect("a product that went in");
                let (bank, bucket) = table.place(Spread { seed, lead }, row, col);
                let mut words = [0; 3];
                sim.get_words("out_product", &mut words);
                let word = words.iter().rev().fold(0u128, |w, &x| w << 32 | x as u128);
                let fields =
                    [(a & 1, 1), (bucket, 6), (row, 7), (col, 30), (a.wrapping_mul(b), 32)];
                let expected = fields.iter().fold(0u128, |w, &(x, n)| w << n | x as u128);
                assert_eq!((sim.get("out_bank"), word), (1 << bank, expected));
            }
            if valid && sim.get("in_ready") == 1 {
                pending.push_back((row, col, a, b));
            }
            sim.tick();
        }
        sim.set("in_valid", 0);
        sim.set("out_ready", 1);
        (0..10).for_each(|_| sim.tick());
        assert_eq!(sim.get("active"), 0);
    }
}
