//! Memory behind the engine's bus streams.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::Interpreter;
use rtl_gen::sim::PortId;
use std::collections::{HashMap, VecDeque};

struct Burst {
    due: u64,
    addr: u64,
    beats: u64,
}

/// Answers reads and writes in order after `latency` cycles, with random stalls.
pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    pub(super) latency: u64,
    /// Probability that a stream pauses in a cycle.
    pub(super) stall: f64,
    /// Addresses from here on answer with this response.
    pub(super) fault: Option<(u64, u64)>,
    pub(super) beats_read: u64,
    pub(super) beats_written: u64,
    beat: usize,
    now: u64,
    reads: VecDeque<Burst>,
    /// A beat on offer stays until it is taken.
    offered: bool,
    writes: VecDeque<Burst>,
    /// Beats whose command has not come yet: data, strobes, last.
    loose: VecDeque<(Vec<u8>, u64, bool)>,
    answers: VecDeque<(u64, u64)>,
    rng: StdRng,
}

impl Memory {
    pub(super) fn new(size: usize, beat: usize) -> Self {
        Memory {
            bytes: vec![0; size],
            latency: 100,
            stall: 0.0,
            fault: None,
            beats_read: 0,
            beats_written: 0,
            beat,
            now: 0,
            reads: VecDeque::new(),
            offered: false,
            writes: VecDeque::new(),
            loose: VecDeque::new(),
            answers: VecDeque::new(),
            rng: StdRng::seed_from_u64(7),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.reads.is_empty()
            && self.writes.is_empty()
            && self.loose.is_empty()
            && self.answers.is_empty()
    }

    fn response(&self, addr: u64) -> u64 {
        self.fault.map_or(0, |(from, resp)| if addr >= from { resp } else { 0 })
    }

    /// Drives the inputs of this cycle, lets the clock rise and takes the handshakes.
    pub(super) fn cycle(&mut self, sim: &mut Interpreter, ports: &HashMap<String, PortId>) {
        if sim.get(ports["busy"]) == 0 && sim.get(ports["start"]) == 1 {
            (self.beats_read, self.beats_written) = (0, 0);
        }
        let mut go = || !self.rng.random_bool(self.stall);
        let (take_read, take_write, take_data) = (go(), go(), go());
        let offer = self.offered || go();
        sim.set(ports["rd_cmd_ready"], take_read.into());
        sim.set(ports["wr_cmd_ready"], take_write.into());
        sim.set(ports["wr_ready"], take_data.into());
        self.offered = offer && self.reads.front().is_some_and(|r| r.due <= self.now);
        sim.set(ports["rd_valid"], self.offered.into());
        if self.offered {
            let burst = self.reads.front().expect("offered");
            let at = burst.addr as usize;
            let words: Vec<u32> = (0..self.beat / 4)
                .map(|i| {
                    let get = |j: usize| self.bytes.get(at + 4 * i + j).copied().unwrap_or(0);
                    u32::from_le_bytes([get(0), get(1), get(2), get(3)])
                })
                .collect();
            let (last, resp) = (burst.beats == 1, self.response(burst.addr));
            sim.set_words(ports["rd_data"], &words);
            sim.set(ports["rd_last"], last.into());
            sim.set(ports["rd_resp"], resp);
        }
        let answer = self.answers.front().filter(|a| a.0 <= self.now).map(|a| a.1);
        sim.set(ports["wr_done"], answer.is_some().into());
        sim.set(ports["wr_done_resp"], answer.unwrap_or(0));

        let due = self.now + self.latency;
        if take_read && sim.get(ports["rd_cmd_valid"]) == 1 {
            let (addr, beats) = (sim.get(ports["rd_cmd_addr"]), sim.get(ports["rd_cmd_beats"]));
            self.accept(addr, beats);
            self.reads.push_back(Burst { due, addr, beats });
        }
        if self.offered && sim.get(ports["rd_ready"]) == 1 {
            self.offered = false;
            self.beats_read += 1;
            let burst = self.reads.front_mut().expect("offered");
            burst.addr += self.beat as u64;
            burst.beats -= 1;
            if burst.beats == 0 {
                self.reads.pop_front();
            }
        }
        if take_write && sim.get(ports["wr_cmd_valid"]) == 1 {
            let (addr, beats) = (sim.get(ports["wr_cmd_addr"]), sim.get(ports["wr_cmd_beats"]));
            self.accept(addr, beats);
            self.writes.push_back(Burst { due, addr, beats });
        }
        if take_data && sim.get(ports["wr_valid"]) == 1 {
            let mut words = vec![0; self.beat / 4];
            sim.get_words(ports["wr_data"], &mut words);
            let data = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            let (strobes, last) = (sim.get(ports["wr_strobes"]), sim.get(ports["wr_last"]) == 1);
            self.loose.push_back((data, strobes, last));
            self.beats_written += 1;
        }
        if answer.is_some() {
            self.answers.pop_front();
        }
        sim.tick();
        self.now += 1;
        self.write_beats();
    }

    fn accept(&self, addr: u64, beats: u64) {
        assert_eq!(addr % self.beat as u64, 0, "address {addr:#x} is not that of a beat");
        assert!(beats > 0, "a burst without beats at {addr:#x}");
        if self.fault.is_none() {
            let end = addr + beats * self.beat as u64;
            assert!(end <= self.bytes.len() as u64, "burst ends at {end:#x}");
        }
    }

    fn write_beats(&mut self) {
        while let (Some(burst), Some(_)) = (self.writes.front_mut(), self.loose.front()) {
            let (data, strobes, last) = self.loose.pop_front().expect("there");
            assert_eq!(last, burst.beats == 1, "last beat of a burst");
            let (at, good) = (burst.addr as usize, self.fault.is_none_or(|f| burst.addr < f.0));
            for (i, byte) in data.iter().enumerate().filter(|(i, _)| strobes >> i & 1 == 1) {
                if good {
                    self.bytes[at + i] = *byte;
                }
            }
            burst.addr += self.beat as u64;
            burst.beats -= 1;
            if burst.beats == 0 {
                let addr = burst.addr - 1;
                self.writes.pop_front();
                self.answers.push_back((self.now + self.latency, self.response(addr)));
            }
        }
    }
}
