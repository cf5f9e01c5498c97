//! The accumulator alone: the bound on its slots under patterns made to break it.

use crate::spgemm::merge::{Accumulate, Algebra, Table};
use mattock_spec::config::HashKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter};

const TABLE: Table = Table {
    banks: 2,
    ways: 4,
    entries_per_half: 512,
    index_bits: 16,
    row_bits: 4,
    hash: HashKind::Multiplicative,
    masks: false,
};
const ENTRIES: usize = TABLE.entries_per_half as usize / 2;

struct Bench {
    sim: Interpreter,
    slots: u32,
    expected: Vec<Option<u32>>,
    /// Most slots in use at once.
    most: u32,
    arrivals: u64,
    absorbed: u64,
    float: bool,
    /// Cycles in which an arrival was not taken.
    held: u64,
}

impl Bench {
    fn new(adder_latency: u32) -> Self {
        Self::with(adder_latency, None)
    }

    /// With a level of `ordered`, on floats.
    fn with(adder_latency: u32, ordered: Option<bool>) -> Self {
        let algebra = Algebra::PLUS_TIMES;
        let knows = ordered.is_some();
        let module = Accumulate { table: TABLE, adder_latency, algebra, ordered: knows };
        let design = Design::elaborate(&module).expect("the accumulator elaborates");
        let mut sim = Interpreter::new(&design).expect("the accumulator simulates");
        for port in ["is_float", "valid", "half", "walk", "walk_half", "read", "read_entry"] {
            sim.set(port, 0);
        }
        if let Some(ordered) = ordered {
            sim.set("is_float", 1);
            sim.set("ordered", ordered as u64);
        }
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        for _ in 0..40 {
            sim.tick();
        }
        let expected = vec![None; ENTRIES];
        let slots = module.slots();
        let float = ordered.is_some();
        Bench { sim, slots, expected, most: 0, arrivals: 0, absorbed: 0, float, held: 0 }
    }

    fn step(&mut self, arrival: Option<(usize, u32)>) {
        self.sim.set("valid", arrival.is_some() as u64);
        if let Some((entry, value)) = arrival {
            self.sim.set("fresh", self.expected[entry].is_none() as u64);
            self.sim.set("entry", entry as u64);
            self.sim.set("value", value as u64);
            let sum = match self.expected[entry] {
                None => value,
                Some(sum) if self.float => (f32::from_bits(sum) + f32::from_bits(value)).to_bits(),
                Some(sum) => sum.wrapping_add(value),
            };
            self.expected[entry] = Some(sum);
            self.arrivals += 1;
        }
        while self.float && self.sim.get("hold") == 1 {
            self.held += 1;
            self.absorbed += self.sim.get("absorbed");
            self.sim.tick();
        }
        self.most = self.most.max(self.mask("busy").count_ones());
        assert_eq!(self.sim.get("stalled"), 0);
        self.absorbed += self.sim.get("absorbed");
        self.sim.tick();
        if let Some(failure) = self.sim.failure() {
            panic!("{failure}");
        }
    }

    fn mask(&mut self, name: &str) -> u64 {
        self.sim.peek(name).expect("a register of that name").to_u64()
    }

    /// The entry of slot `i`.
    fn place(&mut self, i: u32) -> usize {
        self.mask(&format!("place_{i}")) as usize % ENTRIES
    }

    /// Lets everything settle and reads the table; the most slots in use.
    fn finish(mut self) -> u32 {
        let wrong = self.settle();
        assert_eq!(wrong, Vec::<usize>::new());
        self.most
    }

    /// Lets everything settle and reads the table; entries that hold another sum than expected.
    fn settle(&mut self) -> Vec<usize> {
        for _ in 0..200 {
            self.step(None);
        }
        assert_eq!(self.sim.get("active"), 0);
        assert_eq!(self.arrivals, self.absorbed);
        self.sim.set("walk", 1);
        self.sim.set("read", 1);
        let differs = |entry: &usize| {
            self.sim.set("read_entry", *entry as u64);
            self.sim.tick();
            self.expected[*entry].is_some_and(|sum| self.sim.get("read_value") as u32 != sum)
        };
        (0..ENTRIES).filter(differs).collect()
    }
}

#[test]
fn regular_patterns_add_up_at_every_latency() {
    for latency in 3..=8 {
        let mut bench = Bench::new(latency);
        let mut value = 0u32;
        let mut next = || {
            value = value.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            value
        };
        // Entries in turn: one alone, two, ... more than there are slots.
        for period in 1..=bench.slots as usize + 4 {
            for i in 0..6 * period + 40 {
                bench.step(Some((i % period, next())));
            }
        }
        // Bursts with gaps of every length up to twice the loop.
        for gap in 0..=2 * latency as usize + 2 {
            for i in 0..60 {
                bench.step(Some((i / 3 % 20, next())));
                for _ in 0..if i % 4 == 0 { gap } else { 0 } {
                    bench.step(None);
                }
            }
        }
        bench.finish();
    }
}

#[test]
fn random_patterns_add_up_at_every_latency() {
    for latency in 3..=8 {
        let mut bench = Bench::new(latency);
        let mut rng = StdRng::seed_from_u64(latency as u64);
        let (mut hot, mut pause) = (4, 0);
        for i in 0..4000 {
            if i % 50 == 0 {
                hot = [1, 2, 3, 5, 8, 12, 16, 24, 60, ENTRIES][rng.random_range(0..10)];
                pause = [0, 0, 0, 1, 5][rng.random_range(0..5)];
            }
            let arrival =
                (rng.random_range(0..8) >= pause).then(|| (rng.random_range(0..hot), rng.random()));
            bench.step(arrival);
        }
        bench.finish();
    }
}

/// Every sum is that of its values one after the other; without being asked for order it is not.
#[test]
fn values_are_added_in_order() {
    for latency in 3..=8 {
        let seen = [true, false].map(|ordered| {
            let mut bench = Bench::with(latency, Some(ordered));
            let mut rng = StdRng::seed_from_u64(latency as u64);
            let (mut hot, mut pause) = (4, 0);
            for i in 0..4000 {
                if i % 50 == 0 {
                    hot = [1, 2, 3, 5, 8, 12, 16, 24, 60, ENTRIES][rng.random_range(0..10)];
                    pause = [0, 0, 0, 1, 5][rng.random_range(0..5)];
                }
                let value = 2f32.powi(rng.random_range(-12..12)) * rng.random_range(-2.0f32..2.0);
                let arrives = rng.random_range(0..8) >= pause;
                bench.step(arrives.then(|| (rng.random_range(0..hot), value.to_bits())));
            }
            (bench.settle().len(), bench.held)
        });
        let [(wrong, held), (otherwise, never)] = seen;
        assert_eq!((wrong, never), (0, 0), "adder latency {latency}");
        assert!(held > 1000 && otherwise > 2, "adder latency {latency}: {seen:?}");
    }
}

/// An adversary that sees the slots: first a value waits at every entry in flight, then, while each
/// returning sum issues again, every arrival is an entry without a slot.
#[test]
fn the_bound_holds_against_an_adversary() {
    for latency in 3..=8u32 {
        let mut bench = Bench::new(latency);
        let mut rng = StdRng::seed_from_u64(1);
        let mut cold = 0;
        for round in 0..300usize {
            let spread = 1 + round % (latency as usize + 2);
            for i in 0..spread {
                bench.step(Some(((cold + i) % ENTRIES, 1)));
            }
            for _ in 0..round / 8 % 4 {
                bench.step(None);
            }
            // Deposit at every slot where nothing waits.
            for _ in 0..spread {
                let lonely = bench.mask("busy") & !bench.mask("waiting");
                let entry = (0..bench.slots).find(|i| lonely >> i & 1 == 1);
                let entry = entry.map_or(cold % ENTRIES, |i| bench.place(i));
                bench.step(Some((entry, rng.random())));
            }
            cold += spread;
            // Strangers, each a new slot.
            for i in 0..2 * latency as usize + 4 {
                bench.step(Some(((cold + i) % ENTRIES, rng.random())));
            }
            cold += 2 * latency as usize + 4;
        }
        let slots = bench.slots;
        let most = bench.finish();
        println!("adder latency {latency}: at most {most} of {slots} slots in use");
        assert!(most <= 2 * (latency + 1), "bound of 2L");
        assert!(most > latency, "the adversary reached beyond the adder");
    }
}
