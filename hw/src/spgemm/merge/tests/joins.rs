//! Elements of a mask and an addend among the products, in any order.

use super::bench::{Bench, CORE, Operands};
use crate::spgemm::front::Source;
use crate::spgemm::merge::{Algebra, MergeCore};
use mattock_spec::Semiring;
use mattock_spec::semiring::SEMIRINGS;
use mattock_testbench::reference::Element;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// What came for a key.
#[derive(Default)]
struct Key {
    values: Vec<i32>,
    masked: bool,
}

/// A window of elements over few keys, so that one follows another closely in its bucket.
fn window(core: MergeCore, semiring: Semiring, mode: (bool, bool), seed: u64, sources: &[Source]) {
    let (mask, complement) = mode;
    let mut bench = Bench::over(core, semiring, false, seed as u32);
    if core.masks {
        bench.sim.set("mask", u64::from(mask));
        bench.sim.set("complement", u64::from(complement));
    }
    (bench.lane_pause, bench.drain_pause) = (1, 1);
    let mut rng = StdRng::seed_from_u64(seed);
    for half in [0, 1, 0] {
        let mut keys: BTreeMap<(u32, u32), Key> = BTreeMap::new();
        for _ in 0..600 {
            let source = sources[rng.random_range(0..sources.len())];
            let (row, col) = (rng.random_range(0..3), rng.random_range(0..40));
            let (a, b) = (rng.random_range(-6i32..6), rng.random_range(-6i32..6));
            // Addends of these are truth values, or all alike.
            let b = match (source, semiring) {
                (Source::Addend, Semiring::OrAnd) => i32::from(b > 0),
                (Source::Addend, Semiring::AnyPair) => 1,
                _ => b,
            };
            let key = keys.entry((row, col)).or_default();
            match source {
                Source::B => key.values.push(a.multiply(b, semiring.multiply())),
                Source::Mask => key.masked = true,
                Source::Addend => key.values.push(b),
            }
            bench.push(Operands { source, half, row, col, a: a as u32, b: b as u32 });
        }
        bench.settle(half);
        bench.drain(half, false);
        let entries = bench.take_entries();
        assert_eq!(entries.len(), keys.len(), "every entry of the table leaves");
        for (entry, (place, key)) in entries.iter().zip(&keys) {
            let wanted = !mask || (!key.values.is_empty() && key.masked != complement);
            assert_eq!((entry.row, entry.col), *place);
            assert_eq!(entry.wanted, wanted, "{place:?} of {semiring}");
            if wanted {
                let sum = key.values.iter().copied().reduce(|x, y| x.add(y, semiring.add()));
                assert_eq!(Some(entry.value as i32), sum, "{place:?} over {semiring}");
            }
        }
        bench.check_counts();
    }
}

#[test]
fn marks_say_what_came() {
    let core = MergeCore {
        lanes: 2,
        banks: 4,
        entries_per_half: 256,
        sorter_width: 2,
        algebra: Algebra::of(SEMIRINGS),
        joins: true,
        masks: true,
        ..CORE
    };
    let all = [Source::B, Source::Mask, Source::Addend];
    for (i, &semiring) in SEMIRINGS.iter().enumerate() {
        let mode = [(true, false), (true, true)][i % 2];
        window(core, semiring, mode, 60 + i as u64, &all);
    }
    window(core, Semiring::PlusTimes, (false, false), 80, &[Source::B, Source::Addend]);
    let one = MergeCore { algebra: Algebra::PLUS_TIMES, ..core };
    window(one, Semiring::PlusTimes, (true, false), 81, &all);
    let no_masks = MergeCore { masks: false, ..core };
    window(no_masks, Semiring::MaxPlus, (false, false), 82, &[Source::B, Source::Addend]);
}
