//! Cells against naive models, with partners that stall at random.

mod carry;
mod crossbar;

use super::{AsyncFifo, BlockFifo, Fifo, Skid, counter, priority, round_robin};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Builder, Design, Interpreter, Module, Sig, bits, cat};
use std::collections::VecDeque;

fn simulate(module: &dyn Module) -> Interpreter {
    let design = Design::elaborate(module).unwrap_or_else(|e| panic!("{e}"));
    Interpreter::new(&design).unwrap()
}

fn simulate_from_reset(module: &dyn Module) -> Interpreter {
    let mut sim = simulate(module);
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    sim
}

/// What a queue may hold, and how it answers.
struct Queue {
    /// Beats it holds.
    capacity: usize,
    /// Cycles from an input to the output of an empty queue.
    latency: u64,
}

/// Random traffic in phases of filling, draining and streaming: order, nothing lost, nothing made up,
/// `count`, full exactly when full, first beat out after the latency told, one beat a cycle.
fn check_queue(module: &dyn Module, queue: &Queue) {
    for seed in 0..4 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut sim = simulate(module);
        let counts = sim.try_port("count").is_some();
        sim.set("in_valid", 0);
        sim.set("out_ready", 0);
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        // Beat and cycle of its arrival.
        let mut model: VecDeque<(u64, u64)> = VecDeque::new();
        let (mut offering, mut beat, mut empty_since) = (false, 0, 0);
        let (mut fullest, mut stalls, mut moved_each_cycle) = (0, 0, 0);
        for cycle in 0..4000u64 {
            let phase = cycle / 100 % 4;
            let odds = [(9, 2), (2, 9), (10, 10), (5, 5)][phase as usize];
            if !offering {
                offering = rng.random_range(0..10) < odds.0;
                beat = rng.random_range(0..1 << 16);
            }
            let ready = rng.random_range(0..10) < odds.1;
            sim.set("in_valid", offering.into());
            sim.set("in_data", beat);
            sim.set("out_ready", ready.into());
            if counts {
                assert_eq!(sim.get("count"), model.len() as u64);
            }
            let valid = sim.get("out_valid") == 1;
            match model.front() {
                None => assert!(!valid, "a beat from nowhere"),
                Some((front, arrived)) => {
                    let due = cycle >= (arrived + queue.latency).max(empty_since + 1);
                    assert!(valid || !due, "a beat is late");
                    assert!(!valid || sim.get("out_data") == *front);
                }
            }
            let accepts = sim.get("in_ready") == 1;
            assert!(accepts || model.len() + 1 >= queue.capacity, "full at {}", model.len());
            assert!(!accepts || model.len() < queue.capacity, "accepts when full");
            stalls += u64::from(offering && !accepts);
            moved_each_cycle += u64::from(phase == 2 && valid && accepts);
            if valid && ready {
                model.pop_front();
                empty_since = cycle;
            }
            if offering && accepts {
                model.push_back((beat, cycle));
                offering = false;
            }
            fullest = fullest.max(model.len());
            sim.tick();
        }
        assert_eq!((fullest, sim.failure()), (queue.capacity, None));
        assert!(
            stalls > 0 && moved_each_cycle > 900,
            "{stalls} stalls, {moved_each_cycle} beats of 1000"
        );
    }
}

#[test]
fn queues_keep_order_and_count() {
    for depth in [2, 4, 16] {
        let (latency, capacity) = (1, depth as usize);
        check_queue(&Fifo { width: 16, depth }, &Queue { capacity, latency });
        let (latency, capacity) = (2, depth as usize + 1);
        check_queue(&BlockFifo { width: 16, depth }, &Queue { capacity, latency });
    }
    check_queue(&Skid { width: 16 }, &Queue { capacity: 2, latency: 1 });
}

#[test]
fn depths_that_make_no_queue_are_refused() {
    let error = |m: &dyn Module| Design::elaborate(m).unwrap_err().0[0].kind.to_string();
    assert_eq!(error(&Fifo { width: 8, depth: 3 }), "fifo depth 3 is not a power of two from 2");
    assert_eq!(
        error(&BlockFifo { width: 8, depth: 0 }),
        "fifo depth 0 is not a power of two from 2"
    );
    let depth = error(&AsyncFifo { width: 8, depth: 2 });
    assert_eq!(depth, "async fifo depth 2 is not a power of two from 4");
}

/// Clocks of any ratio and phase, edges apart and together: every beat arrives once and in order, and the queue
/// is used to its full depth.
#[test]
fn a_queue_between_unrelated_clocks() {
    for (seed, write_odds) in [(1, 50), (2, 10), (3, 90), (4, 33)] {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut sim = simulate(&AsyncFifo { width: 16, depth: 8 });
        sim.set("in_valid", 0);
        sim.set("out_ready", 0);
        for reset in ["write_rst", "read_rst"] {
            sim.set(reset, 1);
        }
        (0..3).for_each(|_| sim.tick());
        sim.set("write_rst", 0);
        sim.tick_clock("read_clk");
        sim.set("read_rst", 0);
        let mut model: VecDeque<u64> = VecDeque::new();
        let (mut offering, mut beat, mut passed, mut fullest, mut empties) = (false, 0, 0, 0, 0);
        for edge in 0..40_000u32 {
            let filling = edge / 1000 % 2 == 0;
            let (write, read) = match rng.random_range(0..100) {
                0..8 => (true, true),
                n => (n - 8 < write_odds * 92 / 100, n - 8 >= write_odds * 92 / 100),
            };
            if !offering && rng.random_ratio(if filling { 90 } else { 4 }, 100) {
                offering = true;
                beat = rng.random_range(0..1 << 16);
                sim.set("in_data", beat);
                sim.set("in_valid", 1);
            }
            sim.set("out_ready", u64::from(rng.random_ratio(if filling { 2 } else { 9 }, 10)));
            let taken = read && sim.get("out_valid") == 1 && sim.get("out_ready") == 1;
            let given = write && offering && sim.get("in_ready") == 1;
            if taken {
                assert_eq!(Some(sim.get("out_data")), model.pop_front());
                passed += 1;
                empties += u32::from(model.is_empty());
            }
            if given {
                model.push_back(beat);
                fullest = fullest.max(model.len());
            }
            match (write, read) {
                (true, true) => sim.tick(),
                (true, false) => sim.tick_clock("write_clk"),
                _ => sim.tick_clock("read_clk"),
            }
            if given {
                offering = false;
                sim.set("in_valid", 0);
            }
        }
        assert_eq!((fullest, sim.failure()), (9, None), "seed {seed}");
        assert!(
            passed > 1500 && empties > 20,
            "seed {seed}: {passed} beats, empty {empties} times"
        );
    }
}

/// Both arbiters of `n` requests side by side.
#[derive(Debug)]
struct Arbiters(u32);

impl Module for Arbiters {
    fn name(&self) -> String {
        format!("arbiters_{}", self.0)
    }

    fn build(&self, m: &Builder) {
        fn word<'m>(grant: Vec<Sig<'m>>) -> Sig<'m> {
            cat(&grant.into_iter().rev().collect::<Vec<_>>())
        }
        let requests = m.input("requests", bits(self.0)).lanes(1);
        m.output("first", word(priority(&requests)));
        let advance = m.input("advance", bits(1));
        if self.0 == 1 {
            m.unused("advance");
        }
        m.output("fair", word(round_robin(m, "turn", &requests, advance)));
    }
}

#[test]
fn arbiters_choose_one_and_take_turns() {
    for n in [1, 2, 3, 5, 8] {
        let mut sim = simulate(&Arbiters(n));
        let mut rng = StdRng::seed_from_u64(n.into());
        sim.set("requests", 0);
        sim.set("advance", 0);
        if sim.try_port("rst").is_some() {
            sim.set("rst", 1);
            sim.tick();
            sim.set("rst", 0);
        }
        let mut last = n - 1;
        for _ in 0..2000 {
            let (requests, advance) = (rng.random_range(0..1u64 << n), rng.random::<bool>());
            sim.set("requests", requests);
            sim.set("advance", advance.into());
            assert_eq!(sim.get("first"), requests & requests.wrapping_neg());
            // The next one after the last served, going round.
            let next = (1..=n).map(|i| (last + i) % n).find(|i| requests >> i & 1 == 1);
            assert_eq!(sim.get("fair"), next.map_or(0, |i| 1 << i), "{requests:b} after {last}");
            if let Some(next) = next.filter(|_| advance) {
                last = next;
            }
            sim.tick();
        }
    }
}

/// A counter of that many bits.
#[derive(Debug)]
struct Count(u32);

impl Module for Count {
    fn name(&self) -> String {
        format!("count_{}", self.0)
    }

    fn build(&self, m: &Builder) {
        let (clear, up) = (m.input("clear", bits(1)), m.input("up", bits(1)));
        m.output("count", counter(m, "events", self.0, clear, up));
    }
}

#[test]
fn events_are_counted_across_segments() {
    for width in [1, 5, 16, 17, 20, 33] {
        let mut sim = simulate_from_reset(&Count(width));
        let mut rng = StdRng::seed_from_u64(width.into());
        let (mut events, mut exact) = (0u64, 0);
        for cycle in 0..300_000u32 {
            let clear = cycle == 150_000;
            let up = rng.random_ratio(19, 20);
            sim.set("clear", clear.into());
            sim.set("up", up.into());
            let told = sim.get("count");
            // The carries under way are all that may be missing.
            let missing = (events & ((1 << width) - 1)).wrapping_sub(told);
            assert!(missing == 0 || missing & 0xffff == 0, "cycle {cycle}: {told} of {events}");
            exact += u32::from(missing == 0);
            sim.tick();
            events = if clear { 0 } else { events + u64::from(up) };
        }
        sim.set("up", 0);
        (0..3).for_each(|_| sim.tick());
        assert_eq!(sim.get("count"), events & ((1 << width) - 1), "{width} bits");
        // Both clear and carry were exercised: wider counters lag at their wraps only.
        assert!(
            (width > 16) != (exact == 300_000) && exact > 299_900,
            "{width} bits: {exact} exact"
        );
    }
}
