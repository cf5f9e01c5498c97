//! What surrounds the processor, piece by piece; the whole is tested with its program in `testbench/tests/card_rings.rs`.

use super::{BusShare, Launch, LocalRegisters, March};
use mattock_spec::regs::controller::{MEMORY_BYTES, WATCHDOG_CYCLES};
use mattock_spec::regs::local::{ALIVE, ANSWER, ANSWER_INFO, STATUS};
use mattock_spec::regs::{Reg, gemm};
use rtl_gen::{Design, Interpreter, Module};

fn start(module: &dyn Module) -> Interpreter {
    let design = Design::elaborate(module).unwrap_or_else(|e| panic!("{e}"));
    let mut sim = Interpreter::new(&design).unwrap();
    for port in design.top().ports.iter().filter(|p| p.direction == rtl_gen::ir::Direction::Input) {
        if !matches!(port.name.as_str(), "clk" | "rst") {
            sim.set(&*port.name, 0);
        }
    }
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    sim
}

/// Runs the march over a memory; `fault` may change what is read at a word. Gives the cycles.
fn march(sim: &mut Interpreter, mut fault: impl FnMut(usize, u32) -> u32) -> (u64, Vec<u32>) {
    let mut memory = vec![0xdead_beef_u32; MEMORY_BYTES as usize / 4];
    let mut cycles = 0;
    while sim.get("done") == 0 {
        let read = (sim.get("read") == 1).then(|| sim.get("read_addr") as usize);
        if sim.get("write") == 1 {
            memory[sim.get("write_addr") as usize] = sim.get("write_data") as u32;
        }
        let word = read.map(|at| fault(at, memory[at]));
        sim.tick();
        if let Some(word) = word {
            sim.set("read_data", word.into());
        }
        cycles += 1;
        assert!(cycles <= 20_000);
    }
    (cycles, memory)
}

#[test]
fn the_memory_test_passes_a_good_memory_and_finds_a_bad_word() {
    let mut sim = start(&March);
    let (cycles, memory) = march(&mut sim, |_, word| word);
    assert_eq!((sim.get("passed"), cycles, sim.get("cycles")), (1, 8192, 32));
    assert!(memory.iter().all(|word| *word == 0));
    for (at, bit) in [(0, 0), (517, 31), (1023, 16)] {
        let mut sim = start(&March);
        march(&mut sim, |i, word| if i == at { word & !(1 << bit) } else { word });
        assert_eq!((sim.get("passed"), sim.get("address")), (0, 4 * at as u64));
    }
    // An address line that is open: two words are one.
    let mut sim = start(&March);
    let mut last = [0; 1024];
    march(&mut sim, |i, word| std::mem::replace(&mut last[i & !64], word));
    assert_eq!(sim.get("passed"), 0);
    let mut sim = start(&March);
    sim.set("skip", 1);
    sim.tick();
    assert_eq!((sim.get("done"), sim.get("passed")), (1, 0));
}

fn pulse(sim: &mut Interpreter, port: &str) {
    sim.set(port, 1);
    sim.tick();
    sim.set(port, 0);
}

#[test]
fn a_command_is_armed_behind_the_one_that_runs() {
    let mut sim = start(&Launch);
    sim.set("run", 1);
    pulse(&mut sim, "start");
    assert_eq!(sim.get("armed"), 0, "there is no entry");
    sim.set("ready", 1);
    sim.set("head", 3);
    sim.set("start", 1);
    assert_eq!(sim.get("take"), 1);
    pulse(&mut sim, "start");
    assert_eq!((sim.get("armed"), sim.get("load")), (1, 1));
    sim.tick();
    assert_eq!((sim.get("armed"), sim.get("go"), sim.get("waits")), (0, 1, 1));
    sim.tick();
    sim.set("busy", 1);
    sim.set("head", 4);
    pulse(&mut sim, "start");
    pulse(&mut sim, "start");
    assert_eq!((sim.get("armed"), sim.get("load")), (1, 0));
    // The outcome of the first is told before the second starts.
    pulse(&mut sim, "ended");
    sim.set("busy", 0);
    for _ in 0..5 {
        assert_eq!((sim.get("f_valid"), sim.get("f_tag"), sim.get("load")), (1, 3, 0));
        sim.tick();
    }
    pulse(&mut sim, "f_ready");
    assert_eq!((sim.get("f_valid"), sim.get("load")), (0, 1));
    sim.tick();
    assert_eq!(sim.get("f_tag"), 4);
    sim.set("reset", 1);
    sim.tick();
    assert_eq!((sim.get("armed"), sim.get("waits"), sim.get("f_valid")), (0, 0, 0));
}

#[test]
fn a_deadline_flushes_the_engine() {
    for deadline in [1u64, 2, 40, 0] {
        let mut sim = start(&Launch);
        sim.set("run", 1);
        sim.set("ready", 1);
        sim.set("deadline", deadline);
        pulse(&mut sim, "start");
        sim.tick();
        sim.tick();
        sim.set("busy", 1);
        let cycles = (0..500).find(|_| {
            sim.tick();
            sim.get("expired") == 1
        });
        match deadline {
            0 => assert_eq!(cycles, None),
            _ => assert!((deadline..deadline + 7).contains(&cycles.unwrap()), "{cycles:?}"),
        }
        pulse(&mut sim, "ended");
        sim.set("busy", 0);
        assert_eq!(sim.get("expired"), 0);
    }
}

fn write(sim: &mut Interpreter, reg: Reg, value: u32) {
    sim.set("write_addr", (reg.offset / 4).into());
    sim.set("data", value.into());
    pulse(sim, "write");
}

fn read(sim: &mut Interpreter, reg: Reg) -> u32 {
    sim.set("read_addr", (reg.offset / 4).into());
    pulse(sim, "read");
    sim.get("answer") as u32
}

#[test]
fn an_answer_hides_the_next_entry_until_it_is_taken() {
    let mut sim = start(&LocalRegisters);
    sim.set("run", 1);
    write(&mut sim, ANSWER, 5);
    assert_eq!((sim.get("f_valid"), sim.get("entries")), (0, 0), "there is no entry");
    sim.set("ready", 1);
    sim.set("head", 6);
    sim.set("code", 16);
    assert_eq!(read(&mut sim, STATUS), STATUS::READY.put(1) | STATUS::FETCH.put(16));
    write(&mut sim, ANSWER_INFO, 0x1234);
    write(&mut sim, ANSWER, 16);
    let told = ["f_valid", "f_tag", "f_code", "f_info"].map(|port| sim.get(port));
    assert_eq!(told, [1, 6, 16, 0x1234]);
    assert_eq!(STATUS::READY.get(read(&mut sim, STATUS)), 0);
    pulse(&mut sim, "f_ready");
    assert_eq!(STATUS::READY.get(read(&mut sim, STATUS)), 1);
    assert_eq!((sim.get("entries"), sim.get("refused")), (1, 1));
}

#[test]
fn a_silent_program_is_dead() {
    let mut sim = start(&LocalRegisters);
    sim.set("run", 1);
    for _ in 0..3 {
        (0..WATCHDOG_CYCLES - 10).for_each(|_| sim.tick());
        write(&mut sim, ALIVE, 1);
        assert_eq!((sim.get("alive"), sim.get("watchdog")), (1, 0));
    }
    (0..WATCHDOG_CYCLES + 2).for_each(|_| sim.tick());
    assert_eq!(sim.get("watchdog"), 1);
    sim.set("run", 0);
    sim.tick();
    assert_eq!((sim.get("alive"), sim.get("watchdog")), (0, 0));
}

/// The host goes first, its reads hold, and while the processor runs it cannot disturb an engine's registers.
#[test]
fn the_register_bus_is_shared() {
    let mut sim = start(&BusShare);
    sim.set("run", 1);
    sim.set("bar_write", 1);
    sim.set("bar_addr", gemm::M.address().into());
    assert_eq!((sim.get("write"), sim.get("write_addr"), sim.get("bar_take")), (1, 0x1010, 1));
    sim.set("h_write", 1);
    sim.set("h_write_addr", 0x28);
    assert_eq!((sim.get("write"), sim.get("write_addr"), sim.get("bar_take")), (1, 0x28, 0));
    sim.set("h_write_addr", gemm::N.address().into());
    assert_eq!((sim.get("write"), sim.get("bar_take")), (0, 0));
    sim.set("run", 0);
    assert_eq!(sim.get("write"), 1);
    sim.set("h_write_addr", 0x3008);
    assert_eq!((sim.get("write"), sim.get("w_write"), sim.get("w_write_addr")), (0, 1, 2));
    sim.set("run", 1);
    assert_eq!(sim.get("w_write"), 0);

    sim.set("h_read_addr", 0x14);
    pulse(&mut sim, "h_read");
    sim.set("read_data", 0xaaaa);
    assert_eq!(sim.get("h_read_data"), 0xaaaa);
    sim.set("bar_write", 0);
    pulse(&mut sim, "bar_read");
    sim.set("read_data", 0x5555);
    assert_eq!(sim.get("h_read_data"), 0xaaaa);
    sim.tick();
    assert_eq!(sim.get("h_read_data"), 0xaaaa);
}
