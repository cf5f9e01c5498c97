//! Drives a merge core: lane queues in, drain streams out, counters checked every cycle.

use crate::spgemm::front::Source;
use crate::spgemm::merge::{Algebra, MergeCore, Spread};
use mattock_spec::Semiring;
use mattock_spec::config::HashKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::sim::PortId;
use rtl_gen::{Design, Interpreter};
use std::collections::VecDeque;

/// A small core with the proportions of the reference one.
pub(super) const CORE: MergeCore = MergeCore {
    lanes: 4,
    banks: 16,
    ways: 4,
    entries_per_half: 1024,
    hash: HashKind::Multiplicative,
    index_bits: 32,
    row_bits: 8,
    look_ahead: 8,
    adder_latency: 6,
    sorter_width: 4,
    algebra: Algebra::PLUS_TIMES,
    joins: false,
    masks: false,
    ordered: false,
};

/// The operands of one product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    pub(super) source: Source,
    pub(super) half: u32,
    pub(super) row: u32,
    pub(super) col: u32,
    pub(super) a: u32,
    pub(super) b: u32,
}

/// An entry of a drained table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) row: u32,
    pub(super) col: u32,
    pub(super) value: u32,
    pub(super) wanted: bool,
}

struct LanePorts {
    valid: PortId,
    ready: PortId,
    fields: [PortId; 5],
    source: Option<PortId>,
}

struct DrainPorts {
    valid: PortId,
    ready: PortId,
    fields: [PortId; 3],
    wanted: Option<PortId>,
}

pub(super) struct Bench {
    pub(super) sim: Interpreter,
    pub(super) core: MergeCore,
    pub(super) seed: u32,
    lanes: Vec<LanePorts>,
    drains: Vec<DrainPorts>,
    /// Operands not yet taken, by lane.
    pub(super) queues: Vec<VecDeque<Operands>>,
    /// Entries drained since the last [`Bench::take_entries`].
    entries: Vec<Entry>,
    /// Chance in 16 that a lane offers nothing, that a drain stream takes nothing.
    pub(super) lane_pause: u32,
    pub(super) drain_pause: u32,
    pub(super) accepted: u64,
    pub(super) merged: u64,
    pub(super) dropped: u64,
    pub(super) stalled: u64,
    pub(super) overflow: [u64; 2],
    pub(super) cycles: u64,
    rng: StdRng,
    outputs: [PortId; 8],
}

impl Bench {
    pub(super) fn new(core: MergeCore, float: bool, seed: u32) -> Self {
        Self::over(core, Semiring::PlusTimes, float, seed)
    }

    pub(super) fn over(core: MergeCore, semiring: Semiring, float: bool, seed: u32) -> Self {
        let design = Design::elaborate(&core).expect("the core elaborates");
        let mut sim = Interpreter::new(&design).expect("the core simulates");
        sim.set("rst", 1);
        sim.set("is_float", float as u64);
        if let Some(port) = sim.try_port("semiring") {
            sim.set(port, semiring as u64);
        }
        sim.set("seed", seed as u64);
        for port in ["drain_start", "drain_half", "drain_discard"] {
            sim.set(port, 0);
        }
        let lanes: Vec<_> = (0..core.lanes)
            .map(|l| {
                let port = |name: &str| sim.port(&format!("l{l}_{name}"));
                let fields = ["half", "row", "col", "a", "b"].map(port);
                let source = sim.try_port(&format!("l{l}_source"));
                LanePorts { valid: port("valid"), ready: port("ready"), fields, source }
            })
            .collect();
        let drains = (0..core.sorter_width)
            .map(|g| {
                let port = |name: &str| sim.port(&format!("d{g}_{name}"));
                DrainPorts {
                    valid: port("valid"),
                    ready: port("ready"),
                    fields: ["row", "col", "value"].map(port),
                    wanted: sim.try_port(&format!("d{g}_wanted")),
                }
            })
            .collect();
        for lane in &lanes {
            sim.set(lane.valid, 0);
        }
        sim.tick();
        sim.tick();
        sim.set("rst", 0);
        let outputs = [
            "merged",
            "dropped",
            "stalled",
            "overflow_0",
            "overflow_1",
            "busy_0",
            "busy_1",
            "drain_busy",
        ]
        .map(|name| sim.port(name));
        let mut bench = Bench {
            sim,
            core,
            seed,
            lanes,
            drains,
            queues: vec![VecDeque::new(); core.lanes as usize],
            entries: vec![],
            lane_pause: 0,
            drain_pause: 0,
            accepted: 0,
            merged: 0,
            dropped: 0,
            stalled: 0,
            overflow: [0; 2],
            cycles: 0,
            rng: StdRng::seed_from_u64(seed as u64),
            outputs,
        };
        while bench.drain_busy() {
            bench.step();
        }
        bench.cycles = 0;
        bench
    }

    /// Queues a product at the lane with the fewest.
    pub(super) fn push(&mut self, operands: Operands) {
        let lane = self.queues.iter_mut().min_by_key(|q| q.len()).expect("a core has lanes");
        lane.push_back(operands);
    }

    pub(super) fn busy(&mut self, half: u32) -> bool {
        self.sim.get(self.outputs[5 + half as usize]) != 0
    }

    pub(super) fn drain_busy(&mut self) -> bool {
        self.sim.get(self.outputs[7]) != 0
    }

    pub(super) fn queued(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    pub(super) fn step(&mut self) {
        for (lane, queue) in self.lanes.iter().zip(&self.queues) {
            let offered = queue.front().filter(|_| self.rng.random_range(0..16) >= self.lane_pause);
            self.sim.set(lane.valid, offered.is_some() as u64);
            if let Some(o) = offered {
                for (port, value) in lane.fields.iter().zip([o.half, o.row, o.col, o.a, o.b]) {
                    self.sim.set(*port, value as u64);
                }
                if let Some(port) = lane.source {
                    self.sim.set(port, o.source as u64);
                }
            }
        }
        for drain in &self.drains {
            let takes = self.rng.random_range(0..16) >= self.drain_pause;
            self.sim.set(drain.ready, takes as u64);
        }
        for (lane, queue) in self.lanes.iter().zip(&mut self.queues) {
            if self.sim.get(lane.valid) & self.sim.get(lane.ready) == 1 {
                queue.pop_front();
                self.accepted += 1;
            }
        }
        for (g, drain) in self.drains.iter().enumerate() {
            if self.sim.get(drain.valid) & self.sim.get(drain.ready) == 1 {
                let [row, col, value] = drain.fields.map(|p| self.sim.get(p) as u32);
                let (bank, _) =
                    self.core.table().place(Spread { seed: self.seed, lead: 0 }, row, col);
                assert_eq!(bank % self.core.sorter_width, g as u32, "stream of bank {bank}");
                let wanted = drain.wanted.is_none_or(|port| self.sim.get(port) == 1);
                self.entries.push(Entry { row, col, value, wanted });
            }
        }
        let seen = self.outputs.map(|p| self.sim.get(p));
        self.merged += seen[0];
        self.dropped += seen[1];
        self.stalled += seen[2];
        self.overflow[0] += seen[3];
        self.overflow[1] += seen[4];
        self.sim.tick();
        self.cycles += 1;
        if let Some(failure) = self.sim.failure() {
            panic!("{failure}");
        }
    }

    /// Steps until `done`; panics when nothing ends within `limit` cycles.
    pub(super) fn run_until(
        &mut self,
        limit: u64,
        mut done: impl FnMut(&mut Bench) -> bool,
    ) -> u64 {
        let start = self.cycles;
        while !done(self) {
            self.step();
            assert!(self.cycles - start < limit, "not done within {limit} cycles");
        }
        self.cycles - start
    }

    /// Until all queued products are taken and those of `half` are settled; cycles it took.
    pub(super) fn settle(&mut self, half: u32) -> u64 {
        let limit = 1000 + 200 * self.queued() as u64;
        self.run_until(limit, |b| b.queued() == 0 && !b.busy(half))
    }

    pub(super) fn start_drain(&mut self, half: u32, discard: bool) {
        assert!(!self.drain_busy() && !self.busy(half), "a drain starts on a still half");
        self.sim.set("drain_half", half as u64);
        self.sim.set("drain_discard", discard as u64);
        self.sim.set("drain_start", 1);
        self.step();
        self.sim.set("drain_start", 0);
        assert!(self.drain_busy(), "drain_busy rises in the cycle after drain_start");
    }

    /// Drains `half` to the end; cycles it took.
    pub(super) fn drain(&mut self, half: u32, discard: bool) -> u64 {
        let start = self.cycles;
        self.start_drain(half, discard);
        self.run_until(200_000, |b| !b.drain_busy());
        self.cycles - start
    }

    /// Entries drained so far, by key.
    pub(super) fn take_entries(&mut self) -> Vec<Entry> {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_by_key(|e| (e.row, e.col));
        entries
    }

    /// No product missing, none held back.
    pub(super) fn check_counts(&mut self) {
        // The counters lag the last `busy`.
        for _ in 0..4 {
            self.step();
        }
        assert_eq!(self.accepted, self.merged + self.dropped, "accepted = merged + dropped");
        assert_eq!(self.stalled, 0, "arrivals held back");
    }
}
