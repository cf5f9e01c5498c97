//! The bench: a memory that checks the bus, a driver and a command logic that are models.

use super::super::Ring;
use mattock_spec::ErrorCode;
use mattock_spec::command::{COMPLETION_BYTES, Completion, Counters, Descriptor, Opcode};
use mattock_testbench::sim::{AxiMemory, MemoryOptions, Stalls};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Design, Interpreter};

pub(super) const BASE: u64 = 0x1_0000;
pub(super) const BYTES: usize = 1 << 16;
/// Where the rings and the parameter blocks lie.
pub(super) const RING: u64 = BASE;
pub(super) const DONE: u64 = BASE + 0x4000;
pub(super) const BLOCKS: u64 = BASE + 0x8000;

/// An entry the command logic has taken, and what it is going to say about it.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) tag: u64,
    pub(super) answer: Completion,
    pub(super) stream: usize,
    pub(super) wait: u32,
}

pub(super) struct Bench {
    pub(super) sim: Interpreter,
    pub(super) memory: AxiMemory,
    pub(super) rng: StdRng,
    pub(super) size: u32,
    pub(super) cycle: u64,
    /// Entries written since the rings were opened.
    pub(super) doorbell: u16,
    /// Records read since then.
    pub(super) read: u32,
    pub(super) taken: Vec<Taken>,
    /// Streams that offer an end, which must hold still until it is taken.
    pub(super) offered: [bool; 2],
    pub(super) causes: u32,
}

impl Bench {
    pub(super) fn new(bus_bytes: u32, latency: u64, stalls: Option<u64>) -> Bench {
        let ring = Ring { bus_bytes, addr_bits: 20, finishers: 2 };
        let design = Design::elaborate(&ring).unwrap_or_else(|e| panic!("{e}"));
        let mut sim = Interpreter::new(&design).unwrap();
        let stalled = stalls.map(|seed| Stalls { seed, chance: 70 });
        let options = MemoryOptions {
            base: BASE,
            bytes: BYTES,
            latency,
            bytes_per_cycle: None,
            stalls: stalled,
        };
        let memory = AxiMemory::new(&sim, &["m_axi_"], &options);
        for port in [
            "halted",
            "halted_info",
            "enable",
            "reset",
            "read",
            "take",
            "f0_valid",
            "f1_valid",
            "doorbell",
            "word",
        ] {
            sim.set(port, 0);
        }
        for (port, value) in [("ring", RING), ("done", DONE), ("size", 16)] {
            sim.set(port, value);
        }
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        let rng = StdRng::seed_from_u64(stalls.unwrap_or(0));
        let (cycle, doorbell, read, causes) = (0, 0, 0, 0);
        let (taken, offered) = (vec![], [false; 2]);
        Bench { sim, memory, rng, size: 16, cycle, doorbell, read, taken, offered, causes }
    }

    pub(super) fn step(&mut self) {
        self.memory.drive(&mut self.sim);
        self.memory.sample(&mut self.sim).unwrap();
        self.causes += self.sim.get("cause") as u32;
        let gone = [0, 1].map(|s| self.offered[s] && self.sim.get(&*format!("f{s}_ready")) == 1);
        self.sim.tick();
        for (stream, _) in gone.into_iter().enumerate().filter(|(_, gone)| *gone) {
            self.sim.set(&*format!("f{stream}_valid"), 0);
            self.offered[stream] = false;
        }
        assert_eq!(self.sim.failure(), None);
        self.cycle += 1;
    }

    pub(super) fn run(&mut self, cycles: u32) {
        (0..cycles).for_each(|_| self.step());
    }

    pub(super) fn open(&mut self) {
        self.sim.set("size", self.size.into());
        self.sim.set("doorbell", 0);
        self.memory.bytes_mut(DONE, COMPLETION_BYTES * self.size as usize).unwrap().fill(0);
        (self.doorbell, self.read, self.causes) = (0, 0, 0);
        self.withdraw();
        self.sim.set("enable", 1);
        self.run(3);
    }

    pub(super) fn close(&mut self) {
        self.sim.set("enable", 0);
        self.run(2);
        for _ in 0..3000 {
            if self.sim.get("status_running") == 0 {
                return;
            }
            self.step();
        }
        panic!("the rings do not close");
    }

    pub(super) fn status(&mut self) -> (u64, u64, u64) {
        (self.sim.get("status_running"), self.sim.get("status_fault"), self.sim.get("fault_info"))
    }

    /// Writes an entry; the doorbell is the caller's.
    pub(super) fn submit(&mut self, entry: &[u8; 64]) {
        let slot = u32::from(self.doorbell) & (self.size - 1);
        let at = RING + 64 * u64::from(slot);
        self.memory.bytes_mut(at, 64).unwrap().copy_from_slice(entry);
        self.doorbell = self.doorbell.wrapping_add(1);
    }

    pub(super) fn ring_doorbell(&mut self) {
        self.sim.set("doorbell", self.doorbell.into());
    }

    /// The next record, if it is there.
    pub(super) fn record(&mut self) -> Option<Completion> {
        let (slot, pass) = (self.read & (self.size - 1), self.read / self.size);
        let at = DONE + (COMPLETION_BYTES as u64) * u64::from(slot);
        let bytes = self.memory.bytes(at, COMPLETION_BYTES).unwrap();
        let record = Completion::decode(bytes).unwrap();
        let fresh = record.phase == (pass % 2 == 0);
        self.read += u32::from(fresh);
        fresh.then_some(record)
    }

    pub(super) fn word(&mut self, word: u64) -> u32 {
        self.sim.set("word", word);
        self.sim.set("read", 1);
        self.step();
        self.sim.set("read", 0);
        self.sim.get("word_data") as u32
    }

    /// The bytes of the entry or block at the head.
    pub(super) fn bytes(&mut self, from: u64, bytes: usize) -> Vec<u8> {
        let words = bytes.div_ceil(4) as u64;
        let words: Vec<u8> =
            (from..from + words).flat_map(|w| self.word(w).to_le_bytes()).collect();
        words[..bytes].to_vec()
    }

    pub(super) fn take(&mut self) {
        self.sim.set("take", 1);
        self.step();
        self.sim.set("take", 0);
    }

    /// Judges the entry at the head, if there is one: compares what was fetched with memory.
    pub(super) fn judge(&mut self) -> bool {
        if self.sim.get("ready") == 0 {
            return false;
        }
        let entry = self.bytes(0, 64);
        let code = self.sim.get("code") as u8;
        let tail = entry[32..].iter().any(|b| *b != 0);
        assert_eq!(self.sim.get("tail") == 1, tail);
        let answer = match Descriptor::decode(&entry) {
            Ok(d) if code == 0 => {
                assert_eq!(self.sim.get("deadline"), d.deadline);
                let block = self.bytes(128, d.parameter_bytes as usize);
                let there = self.memory.bytes(d.parameters, block.len());
                assert_eq!(block, if block.is_empty() { &[] } else { there.unwrap() });
                (ErrorCode::None, 0)
            }
            Ok(_) => (ErrorCode::from_u8(code).unwrap(), 7),
            Err(rejected) => (rejected.code, rejected.info),
        };
        let answer = Completion {
            cookie: Descriptor::cookie_of(&entry),
            cycles: self.rng.random(),
            code: answer.0,
            info: answer.1,
            result: self.rng.random(),
            opcode: entry[0],
            queue: u16::from_le_bytes([entry[2], entry[3]]),
            counters: match self.rng.random() {
                true => random_counters(&mut self.rng),
                false => Counters::default(),
            },
            phase: false,
        };
        let (tag, stream) = (self.sim.get("head"), self.rng.random_range(0..2));
        let wait = self.rng.random_range(0..60);
        self.take();
        self.taken.push(Taken { tag, answer, stream, wait });
        true
    }

    /// A cycle of the engines: commands whose time has come offer their ends.
    pub(super) fn finish(&mut self) {
        self.taken.iter_mut().for_each(|taken| taken.wait = taken.wait.saturating_sub(1));
        for stream in 0..2 {
            let due = self.taken.iter().position(|t| t.stream == stream && t.wait == 0);
            let (false, Some(due)) = (self.offered[stream], due) else { continue };
            let Taken { tag, answer: a, .. } = self.taken.remove(due);
            for (port, value) in [
                ("tag", tag),
                ("code", a.code as u64),
                ("info", a.info.into()),
                ("result", a.result.into()),
                ("cycles", a.cycles),
                ("counted", u64::from(a.counters != Counters::default())),
                ("valid", 1),
            ] {
                self.sim.set(&*format!("f{stream}_{port}"), value);
            }
            let counters = &a.encode()[Counters::OFFSET..][..Counters::BITS as usize / 8];
            let words = counters.chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap()));
            let port = self.sim.port(&format!("f{stream}_counters"));
            self.sim.set_words(port, &words.collect::<Vec<_>>());
            self.offered[stream] = true;
        }
        self.step();
    }

    /// Takes back what the engines offer, as a reset does.
    pub(super) fn withdraw(&mut self) {
        self.taken.clear();
        self.offered = [false; 2];
        self.sim.set("f0_valid", 0);
        self.sim.set("f1_valid", 0);
    }

    /// One command that asks for an interrupt, from entry to record.
    pub(super) fn command(&mut self, parameters: u64, parameter_bytes: u32) -> Completion {
        let entry = entry(Opcode::Gemm, 0xc00c1e, parameters, parameter_bytes);
        self.submit(&entry.encode());
        self.ring_doorbell();
        for _ in 0..3000 {
            self.judge();
            self.finish();
            if let Some(record) = self.record() {
                return record;
            }
        }
        panic!("no record");
    }
}

pub(super) fn random_counters(rng: &mut StdRng) -> Counters {
    Counters {
        bytes_read: rng.random(),
        bytes_written: rng.random(),
        products: rng.random(),
        compute_cycles: rng.random(),
        windows: rng.random(),
        spills: rng.random(),
        restarts: rng.random(),
        hazard_stalls: rng.random(),
        cache_hits: rng.random(),
        cache_misses: rng.random(),
    }
}

pub(super) fn entry(
    opcode: Opcode,
    cookie: u64,
    parameters: u64,
    parameter_bytes: u32,
) -> Descriptor {
    let deadline = cookie.rotate_left(17);
    Descriptor { opcode, interrupt: true, queue: 5, cookie, parameters, parameter_bytes, deadline }
}
