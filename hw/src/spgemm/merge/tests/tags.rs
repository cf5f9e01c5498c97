//! Find-or-insert alone: products of a key leave in the order they came, whatever happens to their bucket meanwhile.

use crate::spgemm::merge::{Table, Tags};
use mattock_spec::config::HashKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter};
use std::collections::BTreeMap;

const TABLE: Table = Table {
    banks: 2,
    ways: 2,
    entries_per_half: 32,
    index_bits: 16,
    row_bits: 4,
    hash: HashKind::Multiplicative,
    masks: false,
};

/// Half, bucket and key of a product.
type Place = (u64, u64, u64);

struct Bench {
    sim: Interpreter,
    /// Keys of the products that came; a product's value is its number.
    came: Vec<Place>,
    /// Entry and last product of each key that left.
    left: BTreeMap<Place, (u64, u64)>,
    count: usize,
    dropped: usize,
    /// Products that left after a later one of their key.
    overtaken: u32,
}

impl Bench {
    fn new(ordered: bool) -> Self {
        let design =
            Design::elaborate(&Tags { table: TABLE, ordered: true }).expect("it elaborates");
        let mut sim = Interpreter::new(&design).expect("it simulates");
        for port in ["in_valid", "walk", "walk_half", "fetch", "fetch_bucket", "clear", "hold"] {
            sim.set(port, 0);
        }
        sim.set("ordered", u64::from(ordered));
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        Bench { sim, came: vec![], left: BTreeMap::new(), count: 0, dropped: 0, overtaken: 0 }
    }

    /// One cycle; whether the product was taken.
    fn cycle(&mut self, product: Option<Place>, hold: bool) -> bool {
        let sim = &mut self.sim;
        sim.set("hold", u64::from(hold));
        sim.set("in_valid", u64::from(product.is_some()));
        if let Some((half, bucket, key)) = product {
            let (keys, buckets) = (TABLE.index_bits + TABLE.row_bits, TABLE.buckets().ilog2());
            let place = (half << buckets | bucket) << keys | key;
            sim.set("in_product", place << 32 | self.came.len() as u64);
        }
        if sim.get("valid") == 1 && !hold {
            let (entry, value) = (sim.get("entry"), sim.get("value"));
            let place = self.came[value as usize];
            assert_eq!(sim.get("half"), place.0);
            let (at, last) = *self.left.entry(place).or_insert((entry, value));
            assert_eq!(entry, at, "a key has one entry");
            self.overtaken += u32::from(value < last);
            self.left.insert(place, (entry, value.max(last)));
            self.count += 1;
        }
        self.dropped += sim.get("dropped") as usize;
        let taken = product.is_some() && sim.get("in_ready") == 1;
        assert!(sim.get("waits") == 0 || !(hold || taken), "who waits is not taken");
        sim.tick();
        if let Some(failure) = sim.failure() {
            panic!("{failure}");
        }
        self.came.extend(product.filter(|_| taken));
        taken
    }

    fn clear(&mut self) {
        for bucket in 0..TABLE.buckets() {
            self.sim.set("clear", 3);
            self.sim.set("clear_bucket", u64::from(bucket));
            self.sim.tick();
        }
        self.sim.set("clear", 0);
        self.left.clear();
    }
}

/// Tables that fill over and over, beginning at two buckets, by `keys` keys that come several times in a row; how many products
/// were overtaken, and dropped.
fn run(ordered: bool, keys: u64) -> (u32, usize) {
    let mut bench = Bench::new(ordered);
    let mut rng = StdRng::seed_from_u64(3);
    for _ in 0..600 {
        bench.clear();
        let mut keys: Vec<Place> = (0..keys)
            .map(|i| (i & 1, rng.random_range(0..2), rng.random_range(0..1 << 20)))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let (holds, pauses) =
            ([0, 0, 3][rng.random_range(0..3)], [0, 0, 4][rng.random_range(0..3)]);
        let mut key = keys[0];
        for _ in 0..60 {
            if rng.random() {
                key = keys[rng.random_range(0..keys.len())];
            }
            while rng.random_range(0..8) < pauses {
                bench.cycle(None, false);
            }
            while !bench.cycle(Some(key), rng.random_range(0..8) < holds) {}
        }
        while bench.sim.get("active") == 1 {
            bench.cycle(None, rng.random_range(0..8) < holds);
        }
        bench.cycle(None, false);
    }
    assert_eq!(bench.count + bench.dropped, bench.came.len(), "every product leaves once");
    (bench.overtaken, bench.dropped)
}

#[test]
fn products_of_a_key_leave_in_order() {
    assert_eq!(run(true, 20), (0, 0));
    let (overtaken, _) = run(false, 20);
    assert!(overtaken > 10, "without being asked for order they do not: {overtaken}");
    // Sixteen entries a half.
    let (overtaken, dropped) = run(true, 60);
    assert!(overtaken == 0 && dropped > 50, "{overtaken} {dropped}");
}
