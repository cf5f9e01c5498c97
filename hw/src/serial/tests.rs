//! The serial port, cell by cell, against software models and a disturbed line.

use super::{
    FrameReceiver, FrameSender, FrameStore, SerialBridge, SerialPins, SerialPort, UartReceiver,
    UartSender,
};
use mattock_spec::serial::{self, MAX_PAYLOAD, Op, Status, crc32};
use mattock_testbench::sim::{LineDriver, LineMonitor};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Design, Interpreter, Module};
use std::collections::{HashMap, VecDeque};

fn start(module: &dyn Module, inputs: &[(&str, u64)]) -> Interpreter {
    let design = Design::elaborate(module).unwrap_or_else(|e| panic!("{e}"));
    let mut sim = Interpreter::new(&design).unwrap();
    inputs.iter().for_each(|(port, value)| sim.set(*port, *value));
    if sim.try_port("rst").is_some() {
        sim.set("rst", 1);
        (0..4).for_each(|_| sim.tick());
        sim.set("rst", 0);
    }
    sim
}

/// Bytes and errors a receiver makes of a driven line.
fn receive(sim: &mut Interpreter, line: &mut LineDriver) -> Vec<Option<u8>> {
    let (mut got, mut rest) = (vec![], 200);
    while rest > 0 {
        rest = if line.is_idle() { rest - 1 } else { 200 };
        sim.set("rx", line.clock().into());
        if sim.get("valid") == 1 {
            got.push(Some(sim.get("data") as u8));
        }
        if sim.get("error") == 1 {
            got.push(None);
        }
        sim.tick();
    }
    got
}

#[test]
fn every_byte_arrives_at_rates_three_percent_off() {
    for clocks in [8u32, 9, 16, 50] {
        for factor in [0.97, 1.0, 1.03] {
            let receiver = UartReceiver { clocks_per_bit: clocks };
            let mut sim = start(&receiver, &[("rx", 1)]);
            let mut line = LineDriver::new(f64::from(clocks) * factor);
            (0..=255).for_each(|byte| line.send(byte));
            let expected: Vec<_> = (0..=255).map(Some).collect();
            assert_eq!(receive(&mut sim, &mut line), expected, "{clocks} clocks, {factor}");
        }
    }
}

#[test]
fn glitches_start_nothing_and_do_no_harm() {
    let mut sim = start(&UartReceiver { clocks_per_bit: 16 }, &[("rx", 1)]);
    let mut line = LineDriver::new(16.0);
    for low in [1.0, 3.0, 7.0] {
        line.hold(false, low);
        line.hold(true, 40.0);
        line.send(0x5a);
    }
    // One clock of the wrong level in the middle of each bit of a byte.
    for level in [false, true, false, true, false, false, true, true, false, true] {
        line.hold(level, 7.0);
        line.hold(!level, 1.0);
        line.hold(level, 8.0);
    }
    assert_eq!(receive(&mut sim, &mut line), [Some(0x5a), Some(0x5a), Some(0x5a), Some(0x65)]);
}

#[test]
fn breaks_and_bytes_without_stop_bit_are_errors_and_the_next_byte_is_right() {
    let mut sim = start(&UartReceiver { clocks_per_bit: 8 }, &[("rx", 1)]);
    let mut line = LineDriver::new(8.0);
    line.send(1);
    line.send_bits(0x0aa << 1);
    line.hold(true, 8.0);
    line.send(2);
    line.hold(false, 1000.0);
    line.hold(true, 8.0);
    line.send(3);
    let expected = [Some(1), None, Some(2), None, Some(3)];
    assert_eq!(receive(&mut sim, &mut line), expected);
}

#[test]
fn bytes_are_sent_without_gaps() {
    for clocks in [8u32, 13] {
        let mut sim =
            start(&UartSender { clocks_per_bit: clocks }, &[("in_valid", 0), ("in_data", 0)]);
        let mut monitor = LineMonitor::new(clocks.into());
        let (mut next, mut read, mut first, mut cycle) = (0u64, vec![], 0, 0u64);
        while read.len() < 256 {
            sim.set("in_valid", u64::from(next < 256));
            sim.set("in_data", next % 256);
            if next < 256 && sim.get("in_ready") == 1 {
                next += 1;
                first = if first == 0 { cycle + 1 } else { first };
            }
            read.extend(monitor.clock(sim.get("tx") == 1));
            sim.tick();
            cycle += 1;
        }
        assert_eq!(read, (0..=255).map(Some).collect::<Vec<_>>());
        // The last byte is known in the middle of its stop bit.
        let clocks = u64::from(clocks);
        assert!((cycle - first).abs_diff(256 * 10 * clocks - clocks / 2) <= 1, "{}", cycle - first);
        assert_eq!(sim.failure(), None);
    }
}

#[test]
fn too_few_clocks_a_bit_are_refused() {
    let error =
        Design::elaborate(&UartSender { clocks_per_bit: 7 }).unwrap_err().0[0].kind.to_string();
    assert_eq!(error, "7 clocks per bit are not in 8..=16777216");
}

/// Random puts, commits and rollbacks against a model; nothing leaves before it is committed.
#[test]
fn the_store_forgets_what_is_rolled_back() {
    let idle = [("put", 0), ("put_data", 0), ("commit", 0), ("rollback", 0), ("out_ready", 0)];
    let mut sim = start(&FrameStore { depth: 16 }, &idle);
    let mut rng = StdRng::seed_from_u64(3);
    let (mut kept, mut open): (VecDeque<u8>, Vec<u8>) = Default::default();
    let mut fullest = 0;
    for _ in 0..20_000 {
        let full = sim.get("full") == 1;
        assert!(!full || kept.len() + open.len() >= 15, "full at {}", kept.len() + open.len());
        let action = rng.random_range(0..10);
        let (put, commit, rollback) = (action < 7, action == 7 || action == 8, action == 9);
        let byte: u8 = rng.random();
        sim.set("put", u64::from(put && !full));
        sim.set("put_data", byte.into());
        sim.set("commit", commit.into());
        sim.set("rollback", rollback.into());
        let ready: bool = rng.random();
        sim.set("out_ready", ready.into());
        if sim.get("out_valid") == 1 {
            assert_eq!(sim.get("out_data"), u64::from(kept[0]), "in order, committed");
            if ready {
                kept.pop_front();
            }
        }
        if put && !full {
            open.push(byte);
        }
        if commit {
            kept.extend(open.drain(..));
        }
        if rollback {
            open.clear();
        }
        fullest = fullest.max(kept.len() + open.len());
        sim.tick();
    }
    assert_eq!((fullest, sim.failure()), (16, None));
}

/// A request as it goes over the line.
fn request(seq: u8, op: Op, address: u32, length: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![seq, op as u8];
    body.extend(length.to_le_bytes());
    body.extend(address.to_le_bytes());
    body.extend(payload);
    body.extend(crc32(&body).to_le_bytes());
    body.insert(0, serial::REQUEST_START);
    body
}

/// Frames between noise; frames cut short, changed, doubled in a byte. What is committed are exactly whole
/// frames that were sent, and every frame after at most one longest frame of undisturbed line arrives.
#[test]
fn only_whole_frames_are_committed() {
    let idle = [("valid", 0), ("data", 0), ("error", 0), ("full", 0)];
    let mut sim = start(&FrameReceiver { silence_bits: 6 }, &idle);
    let mut rng = StdRng::seed_from_u64(9);
    let (mut sent, mut damaged) = (0, 0);
    for round in 0..600u32 {
        let length = [0, 1, 4, 16, MAX_PAYLOAD as u16][rng.random_range(0..5)];
        let op = [Op::ReadMemory, Op::WriteMemory, Op::WriteRegisters][rng.random_range(0..3)];
        let payload: Vec<u8> = match op.has_payload() {
            // Many start bytes among the data.
            true => (0..length)
                .map(|_| if rng.random_range(0..4) == 0 { 0xa5 } else { rng.random() })
                .collect(),
            false => vec![],
        };
        let good = request(round as u8, op, rng.random(), length, &payload);
        let mut frame = good.clone();
        let damage = round % 3 == 1;
        if damage {
            let at = rng.random_range(0..frame.len());
            match rng.random_range(0..4) {
                0 => frame[at] ^= 1 << rng.random_range(0..8),
                1 => {
                    frame.remove(at);
                }
                2 => frame.insert(at, frame[at] ^ rng.random_range(1..=255)),
                _ => frame.truncate(at),
            }
            damaged += 1;
        }
        let (mut put, mut commits) = (vec![], vec![]);
        let mut feed = |sim: &mut Interpreter, byte: Option<u8>| {
            sim.set("valid", byte.is_some().into());
            sim.set("data", byte.unwrap_or(0).into());
            if sim.get("put") == 1 {
                put.push(sim.get("put_data") as u8);
            }
            if sim.get("rollback") == 1 {
                put.clear();
            }
            if sim.get("commit") == 1 {
                commits.push(std::mem::take(&mut put));
            }
            sim.tick();
        };
        for byte in &frame {
            feed(&mut sim, Some(*byte));
            feed(&mut sim, None);
        }
        // Silence: what was begun is given up.
        (0..70).for_each(|_| feed(&mut sim, None));
        let whole = good[1..good.len() - 4].to_vec();
        if damage {
            assert!(commits.iter().all(|c| *c == whole), "{commits:?}");
        } else {
            assert_eq!(commits, [whole]);
            sent += 1;
        }
    }
    assert!(sent == 400 && damaged == 200);
    assert_eq!(sim.failure(), None);
}

#[test]
fn replies_are_wrapped() {
    let idle = [("in_valid", 0), ("in_data", 0), ("in_last", 0), ("out_ready", 0)];
    let mut sim = start(&FrameSender, &idle);
    let mut rng = StdRng::seed_from_u64(4);
    for length in [1usize, 5, 300] {
        let body: Vec<u8> = (0..length).map(|_| rng.random()).collect();
        let mut expected = vec![serial::REPLY_START];
        expected.extend(&body);
        expected.extend(crc32(&body).to_le_bytes());
        let (mut at, mut got) = (0, vec![]);
        while got.len() < expected.len() {
            let valid = at < length && rng.random();
            sim.set("in_valid", valid.into());
            sim.set("in_data", body[at.min(length - 1)].into());
            sim.set("in_last", u64::from(at == length - 1));
            let ready: bool = rng.random();
            sim.set("out_ready", ready.into());
            if ready && sim.get("out_valid") == 1 {
                got.push(sim.get("out_data") as u8);
            }
            at += usize::from(valid && sim.get("in_ready") == 1);
            sim.tick();
        }
        assert_eq!(got, expected);
    }
}

/// The serial port by bytes, with registers and a memory behind it.
struct Port {
    sim: Interpreter,
    registers: HashMap<u64, u64>,
    memory: HashMap<u64, [u8; 8]>,
    /// Clocks until a beat that was asked for is there, and the beat.
    coming: Option<(u32, u64)>,
    written: usize,
    rng: StdRng,
}

const MEMORY: u32 = 4096;

impl Port {
    fn new() -> Self {
        let bridge = SerialBridge { bus_bytes: 8, memory_bytes: MEMORY };
        let port = SerialPort { pins: SerialPins::Bytes, clocks_per_bit: 8, bridge };
        let inputs =
            ["rx_valid", "rx_data", "tx_ready", "read_data", "mem_ready", "mem_done", "irq"];
        let sim = start(&port, &inputs.map(|port| (port, 0)));
        let rng = StdRng::seed_from_u64(1);
        let (registers, memory) = (HashMap::new(), HashMap::new());
        Port { sim, registers, memory, coming: None, written: 0, rng }
    }

    fn clock(&mut self, byte: Option<u8>) -> Option<u8> {
        let sim = &mut self.sim;
        sim.set("rx_valid", byte.is_some().into());
        sim.set("rx_data", byte.unwrap_or(0).into());
        let ready: bool = self.rng.random();
        sim.set("tx_ready", ready.into());
        let granted = self.rng.random_range(0..4) > 0;
        sim.set("mem_ready", granted.into());
        let out = (ready && sim.get("tx_valid") == 1).then(|| sim.get("tx_data") as u8);
        if sim.get("mem_valid") == 1 && granted {
            let beat = self.memory.entry(sim.get("mem_addr")).or_default();
            if sim.get("mem_write") == 1 {
                let (data, strobes) = (sim.get("mem_data"), sim.get("mem_strb"));
                let lanes = (0..8).filter(|i| strobes >> i & 1 == 1);
                lanes.for_each(|i| beat[i] = (data >> (8 * i)) as u8);
                self.written += 1;
            } else {
                // Block RAM answers in the next cycle, other memory later.
                self.coming = Some((self.rng.random_range(0..4), u64::from_le_bytes(*beat)));
            }
        }
        if sim.get("write") == 1 {
            assert_eq!(sim.get("write_strb"), 15);
            self.registers.insert(sim.get("write_addr"), sim.get("write_data"));
            self.written += 1;
        }
        let register = (sim.get("read") == 1).then(|| sim.get("read_addr"));
        sim.tick();
        if let Some(at) = register {
            sim.set("read_data", *self.registers.get(&at).unwrap_or(&0));
        }
        let there = self.coming.take_if(|(wait, _)| *wait == 0);
        sim.set("mem_done", there.is_some().into());
        // What is not said to be there is not to be taken.
        sim.set("mem_rdata", there.map_or(0x5a5a_5a5a_5a5a_5a5a, |(_, word)| word));
        if let Some((wait, _)) = &mut self.coming {
            *wait -= 1;
        }
        out
    }

    /// Sends bytes and collects what comes until the port is quiet.
    fn talk(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![];
        bytes.iter().for_each(|byte| out.extend(self.clock(Some(*byte))));
        let mut quiet = 0;
        while quiet < 600 {
            match self.clock(None) {
                Some(byte) => {
                    out.push(byte);
                    quiet = 0;
                }
                None => quiet += 1,
            }
        }
        assert_eq!(self.sim.failure(), None);
        out
    }

    /// Sends one request; `next`, status, payload of the reply.
    fn ask(
        &mut self,
        seq: u8,
        op: Op,
        address: u32,
        length: u16,
        data: &[u8],
    ) -> (u8, u8, Vec<u8>) {
        let reply = self.talk(&request(seq, op, address, length, data));
        let body = &reply[1..reply.len() - 4];
        assert_eq!(reply[0], serial::REPLY_START);
        assert_eq!(reply[reply.len() - 4..], crc32(body).to_le_bytes());
        assert_eq!(body[0], seq);
        assert_eq!(usize::from(u16::from_le_bytes([body[3], body[4]])), body.len() - 5);
        (body[1], body[2], body[5..].to_vec())
    }
}

#[test]
fn requests_are_done_once_and_in_order() {
    let mut port = Port::new();
    let status = |s: Status| s as u8;
    assert_eq!(port.ask(7, Op::ReadRegisters, 0, 4, &[]), (0, status(Status::NoSession), vec![]));
    let (next, code, hello) = port.ask(40, Op::Hello, 0xdead_beef, 0, &[]);
    assert_eq!((next, code), (41, 0));
    assert_eq!(hello[..4], 0xdead_beef_u32.to_le_bytes());
    let words: Vec<u16> =
        hello[4..12].chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
    assert_eq!(words, [1, 256, 2047, 0]);
    assert_eq!(hello[12..], MEMORY.to_le_bytes());

    let word = [1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(port.ask(41, Op::WriteRegisters, 0x10, 8, &word), (42, 0, vec![]));
    assert_eq!(port.registers, HashMap::from([(0x10, 0x0403_0201), (0x14, 0x0807_0605)]));
    // Again: answered, not done.
    let before = port.written;
    assert_eq!(port.ask(41, Op::WriteRegisters, 0x10, 8, &[9; 8]), (42, 0, vec![]));
    assert_eq!(port.written, before);
    // One is missing: not done.
    assert_eq!(port.ask(43, Op::WriteMemory, 0, 8, &word), (42, status(Status::Sequence), vec![]));
    assert_eq!(port.written, before);
    port.sim.set("irq", 1);
    assert_eq!(port.ask(42, Op::ReadRegisters, 0x14, 4, &[]), (43, 0x80, word[4..].to_vec()));
    port.sim.set("irq", 0);
    // What was read may be read again.
    assert_eq!(port.ask(42, Op::ReadRegisters, 0x10, 4, &[]), (43, 0, word[..4].to_vec()));

    let refused: [(Op, u32, u16, Status); 8] = [
        (Op::ReadRegisters, 2, 4, Status::Refused),
        (Op::ReadRegisters, 0, 3, Status::Refused),
        (Op::ReadRegisters, 0x4000, 4, Status::Range),
        (Op::ReadRegisters, 0x3ffc, 8, Status::Range),
        (Op::ReadMemory, MEMORY - 3, 4, Status::Range),
        (Op::ReadMemory, u32::MAX, 4, Status::Range),
        (Op::WriteMemory, MEMORY, 1, Status::Range),
        (Op::WriteRegisters, 0x4000, 4, Status::Range),
    ];
    for (i, (op, address, length, code)) in (43u8..).zip(refused) {
        let data = vec![1; if op.has_payload() { length.into() } else { 0 }];
        for _ in 0..2 {
            assert_eq!(port.ask(i, op, address, length, &data), (i + 1, status(code), vec![]));
        }
    }
    assert_eq!(port.written, before);
    assert_eq!(port.ask(51, Op::WriteMemory, 7, 0, &[]), (52, 0, vec![]));
    assert_eq!(port.ask(52, Op::ReadMemory, MEMORY - 4, 4, &[]), (53, 0, vec![0; 4]));
}

/// Random memory traffic at any address and length, several requests at once.
#[test]
fn memory_is_reached_byte_by_byte() {
    let mut port = Port::new();
    let mut rng = StdRng::seed_from_u64(8);
    let mut model = vec![0u8; MEMORY as usize];
    port.ask(255, Op::Hello, 1, 0, &[]);
    let mut seq = 0u8;
    for _ in 0..40 {
        let (mut bytes, mut expected) = (vec![], vec![]);
        for _ in 0..rng.random_range(1..6) {
            let length = [1, 3, 8, 60, 256][rng.random_range(0..5)];
            let at = rng.random_range(0..=MEMORY as usize - length);
            let next = seq.wrapping_add(1);
            let mut reply = vec![seq, next, 0];
            if rng.random() {
                let data: Vec<u8> = (0..length).map(|_| rng.random()).collect();
                model[at..at + length].copy_from_slice(&data);
                bytes.extend(request(seq, Op::WriteMemory, at as u32, length as u16, &data));
                reply.extend([0, 0]);
            } else {
                bytes.extend(request(seq, Op::ReadMemory, at as u32, length as u16, &[]));
                reply.extend((length as u16).to_le_bytes());
                reply.extend(&model[at..at + length]);
            }
            expected.push(serial::REPLY_START);
            expected.extend(&reply);
            expected.extend(crc32(&reply).to_le_bytes());
            seq = next;
        }
        assert_eq!(port.talk(&bytes), expected);
    }
}
