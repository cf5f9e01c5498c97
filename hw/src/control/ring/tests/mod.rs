//! The rings against a memory that checks the bus, a driver and a command logic that are models.

mod bench;

use bench::*;
use mattock_spec::ErrorCode;
use mattock_spec::command::{Completion, Opcode};
use mattock_testbench::sim::Response;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::VecDeque;

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
