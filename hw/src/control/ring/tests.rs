//! The rings against a memory that checks the bus, a driver and a command logic that are models.

use super::Ring;
use mattock_spec::ErrorCode;
use mattock_spec::command::{COMPLETION_BYTES, Completion, Counters, Descriptor, Opcode};
use mattock_testbench::sim::{AxiMemory, MemoryOptions, Response, Stalls};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Design, Interpreter};
use std::collections::VecDeque;

const BASE: u64 = 0x1_0000;
const BYTES: usize = 1 << 16;
/// Where the rings and the parameter blocks lie.
const RING: u64 = BASE;
const DONE: u64 = BASE + 0x4000;
const BLOCKS: u64 = BASE + 0x8000;

/// An entry the command logic has taken, and what it is going to say about it.
#[derive(Clone, Debug)]
struct Taken {
    tag: u64,
    answer: Completion,
    stream: usize,
    wait: u32,
}

struct Bench {
    sim: Interpreter,
    memory: AxiMemory,
    rng: StdRng,
    size: u32,
    cycle: u64,
    /// Entries written since the rings were opened.
    doorbell: u16,
    /// Records read since then.
    read: u32,
    taken: Vec<Taken>,
    /// Streams that offer an end, which must hold still until it is taken.
    offered: [bool; 2],
    causes: u32,
}

impl Bench {
    fn new(bus_bytes: u32, latency: u64, stalls: Option<u64>) -> Bench {
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

    fn step(&mut self) {
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

    fn run(&mut self, cycles: u32) {
        (0..cycles).for_each(|_| self.step());
    }

    fn open(&mut self) {
        self.sim.set("size", self.size.into());
        self.sim.set("doorbell", 0);
        self.memory.bytes_mut(DONE, COMPLETION_BYTES * self.size as usize).unwrap().fill(0);
        (self.doorbell, self.read, self.causes) = (0, 0, 0);
        self.withdraw();
        self.sim.set("enable", 1);
        self.run(3);
    }

    fn close(&mut self) {
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

    fn status(&mut self) -> (u64, u64, u64) {
        (self.sim.get("status_running"), self.sim.get("status_fault"), self.sim.get("fault_info"))
    }

    /// Writes an entry; the doorbell is the caller's.
    fn submit(&mut self, entry: &[u8; 64]) {
        let slot = u32::from(self.doorbell) & (self.size - 1);
        let at = RING + 64 * u64::from(slot);
        self.memory.bytes_mut(at, 64).unwrap().copy_from_slice(entry);
        self.doorbell = self.doorbell.wrapping_add(1);
    }

    fn ring_doorbell(&mut self) {
        self.sim.set("doorbell", self.doorbell.into());
    }

    /// The next record, if it is there.
    fn record(&mut self) -> Option<Completion> {
        let (slot, pass) = (self.read & (self.size - 1), self.read / self.size);
        let at = DONE + (COMPLETION_BYTES as u64) * u64::from(slot);
        let bytes = self.memory.bytes(at, COMPLETION_BYTES).unwrap();
        let record = Completion::decode(bytes).unwrap();
        let fresh = record.phase == (pass % 2 == 0);
        self.read += u32::from(fresh);
        fresh.then_some(record)
    }

    fn word(&mut self, word: u64) -> u32 {
        self.sim.set("word", word);
        self.sim.set("read", 1);
        self.step();
        self.sim.set("read", 0);
        self.sim.get("word_data") as u32
    }

    /// The bytes of the entry or block at the head.
    fn bytes(&mut self, from: u64, bytes: usize) -> Vec<u8> {
        let words = bytes.div_ceil(4) as u64;
        let words: Vec<u8> =
            (from..from + words).flat_map(|w| self.word(w).to_le_bytes()).collect();
        words[..bytes].to_vec()
    }

    fn take(&mut self) {
        self.sim.set("take", 1);
        self.step();
        self.sim.set("take", 0);
    }

    /// Judges the entry at the head, if there is one: compares what was fetched with memory.
    fn judge(&mut self) -> bool {
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
    fn finish(&mut self) {
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
    fn withdraw(&mut self) {
        self.taken.clear();
        self.offered = [false; 2];
        self.sim.set("f0_valid", 0);
        self.sim.set("f1_valid", 0);
    }

    /// One command that asks for an interrupt, from entry to record.
    fn command(&mut self, parameters: u64, parameter_bytes: u32) -> Completion {
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

fn random_counters(rng: &mut StdRng) -> Counters {
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

fn entry(opcode: Opcode, cookie: u64, parameters: u64, parameter_bytes: u32) -> Descriptor {
    let deadline = cookie.rotate_left(17);
    Descriptor { opcode, interrupt: true, queue: 5, cookie, parameters, parameter_bytes, deadline }
}

/// Several passes over the rings, entries right and wrong, bursts of doorbells, ends out of order: every command
/// gets one record, with what its end said, and every word that was fetched is that of memory.
fn random_commands(bus_bytes: u32, stalls: Option<u64>, count: usize) {
    let mut bench = Bench::new(bus_bytes, 20, stalls);
    let mut rng = StdRng::seed_from_u64(u64::from(bus_bytes) + stalls.unwrap_or(0));
    rng.fill(bench.memory.bytes_mut(BLOCKS, 0x8000).unwrap());
    bench.open();
    let (mut submitted, mut expected) = (0, VecDeque::new());
    let (mut records, mut asked) = (0, 0);
    while records < count {
        assert!(bench.cycle < 2000 * count as u64, "{records} of {count} records");
        let free = bench.size as usize - (submitted - records);
        for _ in 0..rng.random_range(0..=free).min(count - submitted) {
            let length = if rng.random() { 0 } else { rng.random_range(1..=512) };
            let at = BLOCKS + 64 * rng.random_range(0..0x1f8);
            let opcode = Opcode::ALL[rng.random_range(0..3)];
            let mut bytes = entry(opcode, rng.random(), at, length).encode();
            if rng.random_ratio(1, 4) {
                let (place, bit) = (rng.random_range(0..64), rng.random_range(0..8));
                bytes[place] ^= 1 << bit;
            }
            bench.submit(&bytes);
            asked += u32::from(bytes[1] & 1);
            submitted += 1;
        }
        bench.ring_doorbell();
        for _ in 0..rng.random_range(0..40) {
            if bench.judge() {
                expected.push_back(bench.taken.last().unwrap().answer);
            }
            bench.finish();
            while let Some(record) = bench.record() {
                let index = expected.iter().position(|e| e.cookie == record.cookie).unwrap();
                let want = expected.remove(index).unwrap();
                assert_eq!(Completion { phase: record.phase, ..want }, record);
                records += 1;
            }
        }
    }
    bench.run(100);
    assert_eq!(bench.record(), None);
    assert_eq!((bench.sim.get("written"), bench.sim.get("fetched")), (count as u64, count as u64));
    assert!(bench.causes <= asked && bench.causes > 0);
    bench.close();
    assert_eq!(bench.status(), (0, 0, 0));
}

#[test]
fn every_command_gets_one_record() {
    for (bus_bytes, stalls) in [(8, None), (16, Some(1)), (32, Some(2)), (64, Some(3))] {
        random_commands(bus_bytes, stalls, 120);
    }
}

/// At a memory latency of 100: from the doorbell to the record, and the cycles a record in a stream of them.
#[test]
fn latency_and_throughput() {
    let mut bench = Bench::new(16, 100, None);
    bench.open();
    let nops = |bench: &mut Bench, count: u32| {
        let start = bench.cycle;
        for _ in 0..count {
            bench.submit(&entry(Opcode::Nop, 9, 0, 0).encode());
        }
        bench.ring_doorbell();
        let mut records = 0;
        while records < count {
            let ready = bench.sim.get("ready") == 1;
            let tag = bench.sim.get("head");
            bench.sim.set("take", u64::from(ready));
            bench.step();
            bench.sim.set("take", 0);
            bench.sim.set("f0_tag", tag);
            for port in ["code", "info", "result", "cycles", "counted"] {
                bench.sim.set(&*format!("f0_{port}"), 0);
            }
            bench.sim.set("f0_valid", u64::from(ready));
            while bench.sim.get("f0_ready") == 0 && ready {
                bench.step();
            }
            if ready {
                bench.step();
            }
            bench.sim.set("f0_valid", 0);
            records += u32::from(bench.record().is_some());
            assert!(bench.cycle - start < 5000);
        }
        bench.cycle - start
    };
    let one = nops(&mut bench, 1);
    let many = nops(&mut bench, 16);
    println!(
        "an entry answered at once: {one} cycles from doorbell to record, {} a record of 16",
        many / 16
    );
    assert!(one <= 140, "{one}");
    assert!(many <= 16 * 40 + 140, "{many}");
}

/// Ring registers that make no sense are refused with a code of their own, and right ones work afterwards.
#[test]
fn registers_at_fault() {
    let mut bench = Bench::new(8, 10, None);
    let end = 1u64 << 20;
    for (port, value, code, info) in [
        ("ring", RING + 32, ErrorCode::RingBase, 0),
        ("ring", RING + (1 << 40), ErrorCode::RingBase, 0),
        ("ring", end - 15 * 64, ErrorCode::RingBase, 0),
        ("done", DONE + 8, ErrorCode::RingBase, 1),
        ("done", DONE + 64, ErrorCode::RingBase, 1),
        ("done", end - 15 * 128, ErrorCode::RingBase, 1),
        ("size", 0, ErrorCode::RingSize, 0),
        ("size", 1, ErrorCode::RingSize, 1),
        ("size", 24, ErrorCode::RingSize, 24),
        ("size", 0xffff, ErrorCode::RingSize, 0xffff),
    ] {
        let good = bench.sim.get(port);
        bench.sim.set("enable", 0);
        bench.run(4);
        bench.sim.set(port, value);
        bench.causes = 0;
        bench.sim.set("enable", 1);
        bench.run(20);
        assert_eq!(bench.status(), (0, code as u64, info), "{port} = {value:#x}");
        assert_eq!(bench.causes, 1);
        bench.sim.set(port, good);
        bench.sim.set("enable", 0);
        bench.run(4);
    }
    bench.open();
    assert_eq!(bench.command(BLOCKS, 64).code, ErrorCode::None);
    bench.ring_doorbell();
    bench.sim.set("doorbell", u64::from(bench.doorbell) + 17);
    bench.run(20);
    let told = u64::from(bench.doorbell) + 17;
    assert_eq!(bench.status().1, ErrorCode::DoorbellRange as u64);
    assert_eq!(bench.status().2, told);
    bench.close();
    bench.open();
    assert_eq!(bench.command(BLOCKS, 64).code, ErrorCode::None);
}

/// Errors of the bus: of an entry and of a record they close the rings, of a block they are the command's.
#[test]
fn bus_errors() {
    for (response, decode) in [(Response::SlaveError, 0), (Response::DecodeError, 1)] {
        let mut bench = Bench::new(16, 10, Some(5));
        bench.open();
        bench.memory.inject(BLOCKS..BLOCKS + 1, response);
        let record = bench.command(BLOCKS, 100);
        assert_eq!(record.code as u8, ErrorCode::ReadSlaveError as u8 + decode);
        assert_eq!(bench.command(BLOCKS + 64, 100).code, ErrorCode::None);
        // A block where no memory can be.
        assert_eq!(bench.command(1 << 20, 64).code, ErrorCode::ReadDecodeError);
        assert_eq!(bench.command((1 << 20) - 64, 65).code, ErrorCode::ReadDecodeError);
        assert_eq!(bench.command(BLOCKS + 64, 100).code, ErrorCode::None);

        let at = RING + 64 * u64::from(bench.doorbell) + 16;
        bench.memory.inject(at..at + 1, response);
        for _ in 0..6 {
            bench.submit(&entry(Opcode::Nop, 1, 0, 0).encode());
        }
        bench.ring_doorbell();
        for _ in 0..400 {
            bench.judge();
            bench.finish();
        }
        let code = u64::from(ErrorCode::ReadSlaveError as u8 + decode);
        assert_eq!(bench.status(), (0, code, at & !63));
        assert_eq!(bench.sim.get("ready"), 0);
        bench.memory.clear_faults();
        bench.close();
        bench.open();
        assert_eq!(bench.command(BLOCKS, 64).code, ErrorCode::None);

        bench.memory.inject(DONE + 128..DONE + 256, response);
        bench.submit(&entry(Opcode::Nop, 1, 0, 0).encode());
        bench.ring_doorbell();
        for _ in 0..400 {
            bench.judge();
            bench.finish();
        }
        let code = u64::from(ErrorCode::WriteSlaveError as u8 + decode);
        assert_eq!(bench.status(), (0, code, DONE + 128));
        bench.memory.clear_faults();
        bench.close();
        bench.open();
        assert_eq!(bench.command(BLOCKS, 64).code, ErrorCode::None);
    }
}

/// A reset in any cycle of a burst of commands leaves nothing behind.
#[test]
fn a_reset_drops_everything() {
    let mut bench = Bench::new(8, 15, Some(9));
    for after in 0..80 {
        bench.open();
        for i in 0..6 {
            bench.submit(&entry(Opcode::Gemm, i, BLOCKS, 200).encode());
        }
        bench.ring_doorbell();
        for _ in 0..5 * after {
            if bench.cycle.is_multiple_of(7) {
                bench.judge();
            }
            bench.finish();
        }
        bench.sim.set("reset", 1);
        bench.withdraw();
        bench.sim.set("enable", 0);
        let mut cycles = 0;
        bench.run(5);
        while bench.sim.get("idle") == 0 {
            bench.step();
            cycles += 1;
            assert!(cycles < 200, "the reset does not end");
        }
        bench.sim.set("reset", 0);
        bench.run(2);
        assert_eq!(bench.status(), (0, 0, 0));
        bench.open();
        assert_eq!(bench.command(BLOCKS, 64).code, ErrorCode::None);
        bench.close();
    }
}
