//! The card around an engine that is small enough to trust: it copies beats.

use super::{Card, EngineSlot};
use crate::bus::{AxiReadMaster, AxiWriteMaster};
use crate::serial::SerialPins;
use mattock::transport::{Limit, Transport, Waited};
use mattock_spec::regs::{self, BAR0_BYTES, Capabilities, card, gemm};
use mattock_spec::{CardConfig, ErrorCode};
use mattock_testbench::sim::{MemoryOptions, Response, SimCard, Stalls};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Interpreter, Module, bit, bits, cat, uint};
use std::rc::Rc;
use std::time::Duration;

/// Copies M beats from A to D.
#[derive(Debug)]
struct Copier;

const BUS: u32 = 8;

impl Module for Copier {
    fn name(&self) -> String {
        "copier".into()
    }

    fn build(&self, m: &Builder) {
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        let (data_bits, addr_bits) = (8 * BUS, 32);
        let (max_burst, outstanding) = (16, 8);
        let read = AxiReadMaster { data_bits, addr_bits, max_burst, outstanding };
        let write = AxiWriteMaster { data_bits, addr_bits, max_burst, outstanding };
        let (reader, writer) = (m.inst("reader", &read), m.inst("writer", &write));
        let beats = m.input("m", uint(17));
        for (master, base) in [(reader, "a"), (writer, "d")] {
            let due = m.state(&format!("{base}_due"), bit(), 0);
            due.drive((start | (due.q() & !master.get("cmd_ready"))) & !flush);
            master.set("cmd_valid", due.q()).set("cmd_addr", m.input(base, uint(addr_bits)));
            master.set("cmd_beats", beats).set("flush", flush).set("fault_clear", start);
        }
        writer.set("data_valid", reader.get("data_valid")).set("data", reader.get("data"));
        writer.set("data_strb", m.lit(bits(BUS), 0xff));
        reader.set("data_ready", writer.get("data_ready"));

        let busy = m.state("busy", bit(), 0);
        let since = m.delay("since", busy.q(), 2);
        let idle = (reader.get("idle") & writer.get("idle")).named("masters_idle");
        let done = (busy.q() & since & idle).named("copied");
        busy.drive((start | (busy.q() & !done)) & !flush);
        m.output("done", done);
        m.output("idle", idle & !busy.q());
        let (rf, wf) = (reader.get("fault"), writer.get("fault"));
        // READ_SLVERR = 16, READ_DECERR = 17, WRITE_SLVERR = 18, WRITE_DECERR = 19; faults are 2 and 3.
        let read_code = cat(&[m.lit(bits(6), 0b000100), m.low(), rf.bit(0)]);
        let write_code = cat(&[m.lit(bits(6), 0b000100), m.high(), wf.bit(0)]);
        let none = m.lit(bits(8), 0);
        m.output("error", rf.bit(1).mux(read_code, wf.bit(1).mux(write_code, none)));
        m.output("error_info", rf.bit(1).mux(reader.get("fault_addr"), writer.get("fault_addr")));
        m.output("read_beat", reader.get("beat"));
        m.output("write_beat", writer.get("beat"));
        for counter in ["compute_cycles", "macs"] {
            m.output(counter, m.lit(bits(64), 0));
        }
        for master in [reader, writer] {
            expose(m, master, "m_axi_", "m_axi_");
        }
    }
}

fn copier() -> EngineSlot {
    let module = Rc::new(Copier);
    EngineSlot {
        map: gemm::MAP,
        more: vec![],
        module,
        bus_bytes: BUS,
        masters: 1,
        direct: false,
        words: false,
    }
}

fn tiny() -> CardConfig {
    CardConfig::reference("tiny").unwrap().on_axi()
}

fn sim_card(stalls: Option<Stalls>) -> SimCard {
    let design =
        Card::with_engines(&tiny(), vec![copier()]).design().unwrap_or_else(|e| panic!("{e}"));
    let sim = Interpreter::new(&design).unwrap();
    let options = MemoryOptions { stalls, bytes: 1 << 17, ..MemoryOptions::default() };
    SimCard::new(Box::new(sim), "sim:copier", &options)
}

const LONG: Limit = Limit { cycles: 100_000, time: Duration::ZERO };

fn copy(card: &mut SimCard, from: u64, to: u64, beats: u32) {
    card.write32(regs::card::IRQ_STATUS.address(), 3).unwrap();
    card.write32(regs::card::IRQ_ENABLE.address(), 1).unwrap();
    card.write32(gemm::A_LO.address(), from as u32).unwrap();
    card.write32(gemm::D_LO.address(), to as u32).unwrap();
    card.write32(gemm::M.address(), beats).unwrap();
    card.write32(gemm::START.address(), 1).unwrap();
}

fn status(card: &mut SimCard) -> (u32, u32, u32, u32) {
    let word = card.read32(gemm::STATUS.address()).unwrap();
    let info = card.read32(gemm::ERROR_INFO.address()).unwrap();
    (
        gemm::STATUS::BUSY.get(word),
        gemm::STATUS::DONE.get(word),
        gemm::STATUS::ERROR.get(word),
        info,
    )
}

#[test]
fn registers_answer_over_the_bus() {
    let mut sim = sim_card(None);
    let caps = Capabilities::parse(|at| sim.read32(at).unwrap()).unwrap();
    assert_eq!(caps.digest, tiny().digest());
    for at in (0..BAR0_BYTES).step_by(4) {
        sim.read32(at).unwrap();
    }
    sim.write32(card::SCRATCH.address(), 0x1234_5678).unwrap();
    sim.write_register(card::SCRATCH.address(), 0xaabb_ccdd, 0b0101).unwrap();
    assert_eq!(sim.read32(card::SCRATCH.address()).unwrap(), 0x12bb_56dd);
    sim.write32(0x3ffc, 1).unwrap();
    assert_eq!(sim.read32(0x3ffc).unwrap(), 0);
    assert_eq!(sim.read32(regs::spgemm::STATUS.address()).unwrap(), 0);
    let before = sim.read32(card::CYCLES_LO.address()).unwrap();
    sim.run(100).unwrap();
    let after = sim.read32(card::CYCLES_LO.address()).unwrap();
    assert!((101..=110).contains(&(after - before)), "{before} to {after}");
}

#[test]
fn a_command_moves_data_and_raises_the_interrupt() {
    for stalls in [None, Some(Stalls { seed: 3, chance: 100 })] {
        let mut sim = sim_card(stalls);
        let (from, to) = (sim.alloc(4096).unwrap(), sim.alloc(4096).unwrap());
        let data: Vec<u8> = (0..4096u32).map(|i| ((i * 37) >> 3) as u8).collect();
        sim.write(from, &data).unwrap();
        copy(&mut sim, from, to, 512);
        assert_eq!(sim.read32(card::STATUS.address()).unwrap(), 1);
        // Ignored while the command runs.
        sim.write32(gemm::M.address(), 1).unwrap();
        sim.write32(gemm::START.address(), 1).unwrap();
        assert_eq!(sim.wait(LONG).unwrap(), Waited::Interrupt);
        assert_eq!(status(&mut sim), (0, 1, 0, 0));
        let mut back = vec![0; 4096];
        sim.read(to, &mut back).unwrap();
        assert_eq!(back, data);
        for (low, bytes) in [(gemm::BYTES_READ_LO, 4096), (gemm::BYTES_WRITTEN_LO, 4096)] {
            assert_eq!(sim.read32(low.address()).unwrap(), bytes);
        }
        let counts = sim.counts()[0];
        assert_eq!((counts.read_beats, counts.write_beats), (512, 512));
        if stalls.is_none() {
            // Reads and writes share one beat a cycle; 100 cycles to the first beat, 100 to the last response.
            let cycles = sim.read32(gemm::CYCLES_LO.address()).unwrap();
            assert!((1024 + 200..1024 + 230).contains(&cycles), "{cycles}");
        }
        sim.write32(card::IRQ_STATUS.address(), 1).unwrap();
        sim.run(2).unwrap();
        assert!(!sim.interrupt());
    }
}

#[test]
fn bus_errors_reach_the_registers() {
    let mut sim = sim_card(None);
    let (from, to) = (sim.alloc(4096).unwrap(), sim.alloc(4096).unwrap());
    sim.inject(from + 1024..from + 1025, Response::SlaveError);
    copy(&mut sim, from, to, 512);
    assert_eq!(sim.wait(LONG).unwrap(), Waited::Interrupt);
    assert_eq!(status(&mut sim), (0, 1, ErrorCode::ReadSlaveError as u32, from as u32 + 1024));
    sim.clear_faults();
    copy(&mut sim, from, 0x100, 1);
    assert_eq!(sim.wait(LONG).unwrap(), Waited::Interrupt);
    assert_eq!(status(&mut sim), (0, 1, ErrorCode::WriteDecodeError as u32, 0x100));
    copy(&mut sim, from, to, 512);
    assert_eq!(sim.wait(LONG).unwrap(), Waited::Interrupt);
    assert_eq!(status(&mut sim), (0, 1, 0, 0));
}

/// At any moment of a command: the reset completes, the command ends as aborted, the next one works.
#[test]
fn a_soft_reset_ends_a_command() {
    for after in [0, 1, 2, 5, 30, 99, 104, 130, 300, 700, 1150] {
        let mut sim = sim_card(Some(Stalls { seed: after, chance: 20 }));
        let (from, to) = (sim.alloc(4096).unwrap(), sim.alloc(4096).unwrap());
        copy(&mut sim, from, to, 512);
        sim.run(after).unwrap();
        sim.write32(card::SOFT_RESET.address(), 1).unwrap();
        let mut polls = 0;
        while sim.read32(card::STATUS.address()).unwrap() != 0 {
            polls += 1;
            assert!(polls < 200, "the reset does not end");
        }
        assert_eq!(status(&mut sim), (0, 1, ErrorCode::Aborted as u32, 0));
        let data = [0x5a; 80];
        sim.write(from, &data).unwrap();
        copy(&mut sim, from, to, 10);
        assert_eq!(sim.wait(LONG).unwrap(), Waited::Interrupt);
        let mut back = [0; 80];
        sim.read(to, &mut back).unwrap();
        assert_eq!((status(&mut sim), back), ((0, 1, 0, 0), data));
    }
}

/// The same engine on a serial card: registers and memory are reached by frames, the memory is on the card.
#[test]
fn a_serial_card_has_its_own_memory() {
    let mut config = CardConfig::reference("tiny").unwrap();
    config.memory.address_bits = 32;
    let card = Card::with_engines(&config, vec![copier()]).with_serial_pins(SerialPins::Bytes);
    let design = card.design().unwrap_or_else(|e| panic!("{e}"));
    let sim = Interpreter::new(&design).unwrap();
    let mut sim = SimCard::new(Box::new(sim), "sim:copier", &MemoryOptions::default());
    let caps = Capabilities::parse(|at| sim.read32(at).unwrap()).unwrap();
    assert_eq!(caps.digest, config.digest());
    assert_eq!(sim.available(), (64 << 10) - 64);
    let (from, to) = (sim.alloc(4096).unwrap(), sim.alloc(4096).unwrap());
    let data: Vec<u8> = (0..4096u32).map(|i| ((i * 37) >> 3) as u8).collect();
    sim.write(from, &data).unwrap();
    copy(&mut sim, from, to, 512);
    assert_eq!(sim.wait(LONG).unwrap(), Waited::Interrupt);
    assert_eq!(status(&mut sim), (0, 1, 0, 0));
    let mut back = vec![0; 4096];
    sim.read(to, &mut back).unwrap();
    assert_eq!(back, data);
    // Reads and writes share the RAM: a beat a cycle in all.
    let cycles = sim.read32(gemm::CYCLES_LO.address()).unwrap();
    assert!((1024..1060).contains(&cycles), "{cycles}");
    // Beyond the memory there is nothing.
    copy(&mut sim, (64 << 10) - 8, to, 2);
    sim.run(200).unwrap();
    assert_eq!(status(&mut sim), (0, 1, ErrorCode::ReadDecodeError as u32, 64 << 10));
    sim.write(64 << 10, &[1]).unwrap_err();
    // A byte a clock on the line, and about as much again to store the last frame.
    let before = sim.cycle();
    sim.write(from, &[1; 1024]).unwrap();
    assert!(sim.cycle() - before < 1600, "{}", sim.cycle() - before);
}

#[test]
fn a_card_is_made_from_its_configuration() {
    for (name, masters) in [
        ("tiny", 0),
        ("mixed", 1),
        ("floats", 1),
        ("bench16", 1),
        ("sparse4", 1),
        ("small", 2),
        ("small_riscv", 3),
    ] {
        let design =
            crate::card(&CardConfig::reference(name).unwrap()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(design.top().name, format!("{name}_card"));
        let ports: Vec<_> = design.top().ports.iter().map(|p| p.name.as_str()).collect();
        let made = (0..3).filter(|i| ports.contains(&&*format!("m{i}_axi_araddr"))).count();
        assert_eq!(made, masters, "{name}");
    }
    let mut config = tiny();
    config.gemm.as_mut().unwrap().tuples = vec!["i16,i8,i32".parse().unwrap()];
    let error = crate::card(&config).unwrap_err().to_string();
    let built = "integers with an i32 result";
    assert!(error.contains("\"i16,i8,i32\"") && error.contains(built), "{error}");
}

/// What the two smallest boards have room for is a matter of a few tables: bits of registers and of logic, exactly.
#[test]
fn the_smallest_card_stays_as_small() {
    let nano = Card::from_config(&CardConfig::reference("nano").unwrap()).unwrap();
    let census = nano.design().unwrap().census();
    let logic = census.operations.iter().sum::<f64>().round() as u64;
    assert_eq!((census.flip_flops, logic), (2523, 8167));
}
