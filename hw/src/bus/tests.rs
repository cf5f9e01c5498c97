//! The masters against a memory that checks the bus, with random commands and stalls.

use super::{AxiReadMaster, AxiWriteMaster};
use mattock_testbench::sim::{AxiMemory, MemoryOptions, Response, Stalls};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Design, Interpreter, Module};
use std::collections::VecDeque;

const BASE: u64 = 0x1_0000;
const BYTES: usize = 1 << 16;

fn options(stalls: Option<u64>) -> MemoryOptions {
    let stalls = stalls.map(|seed| Stalls { seed, chance: 90 });
    MemoryOptions { base: BASE, bytes: BYTES, latency: 20, bytes_per_cycle: None, stalls }
}

fn start(module: &dyn Module, channel: char, options: &MemoryOptions) -> (Interpreter, AxiMemory) {
    let design = Design::elaborate(module).unwrap_or_else(|e| panic!("{e}"));
    let mut sim = Interpreter::new(&design).unwrap();
    sim.set("rst", 1);
    sim.set("flush", 0);
    sim.set("fault_clear", 0);
    sim.set("cmd_valid", 0);
    sim.set(if channel == 'r' { "data_ready" } else { "data_valid" }, 0);
    sim.tick();
    sim.set("rst", 0);
    let mut memory = AxiMemory::new(&sim, &["m_axi_"], options);
    let mut rng = StdRng::seed_from_u64(1);
    rng.fill(memory.bytes_mut(BASE, BYTES).unwrap());
    (sim, memory)
}

/// Random runs of beats inside the memory; some long, some of one beat.
fn commands(rng: &mut StdRng, bytes: u64, n: usize) -> VecDeque<(u64, u64)> {
    let beats_there = BYTES as u64 / bytes;
    let command = |_| {
        let longest = if rng.random() { 1 } else { beats_there / 8 };
        let beats = rng.random_range(1..=longest);
        (BASE + rng.random_range(0..=beats_there - beats) * bytes, beats)
    };
    (0..n).map(command).collect()
}

fn offer(sim: &mut Interpreter, command: Option<&(u64, u64)>) {
    sim.set("cmd_valid", u64::from(command.is_some()));
    if let Some((address, beats)) = command {
        sim.set("cmd_addr", *address);
        sim.set("cmd_beats", *beats);
    }
}

fn reader(data_bits: u32, max_burst: u32, outstanding: u32) -> AxiReadMaster {
    AxiReadMaster { data_bits, addr_bits: 20, max_burst, outstanding }
}

fn writer(data_bits: u32, max_burst: u32, outstanding: u32) -> AxiWriteMaster {
    AxiWriteMaster { data_bits, addr_bits: 20, max_burst, outstanding }
}

/// Reads all commands and compares every beat; gives the cycles it took.
fn read_all(master: AxiReadMaster, mut todo: VecDeque<(u64, u64)>, stalls: Option<u64>) -> u64 {
    let (mut sim, mut memory) = start(&master, 'r', &options(stalls));
    let bytes = master.data_bits as usize / 8;
    let mut rng = StdRng::seed_from_u64(stalls.unwrap_or(0));
    let mut expected: VecDeque<(u64, bool)> = VecDeque::new();
    let mut words = vec![0; bytes / 4];
    let total: u64 = todo.iter().map(|c| c.1).sum();
    let mut offering = false;
    let mut cycle = 0;
    while !(todo.is_empty() && expected.is_empty() && sim.get("idle") == 1) {
        assert!(cycle < 40 * total + 1000, "no progress: {} commands left", todo.len());
        offering |= stalls.is_none() || rng.random_ratio(2, 3);
        offer(&mut sim, todo.front().filter(|_| offering));
        sim.set("data_ready", u64::from(stalls.is_none() || rng.random_ratio(2, 3)));
        memory.drive(&mut sim);
        memory.sample(&mut sim).unwrap();
        if offering && !todo.is_empty() && sim.get("cmd_ready") == 1 {
            let (address, beats) = todo.pop_front().unwrap();
            expected.extend((0..beats).map(|b| (address + b * bytes as u64, b + 1 == beats)));
            offering = false;
        }
        if sim.get("data_valid") == 1 && sim.get("data_ready") == 1 {
            let (address, last) = expected.pop_front().expect("data that nobody asked for");
            sim.get_words("data", &mut words);
            let got: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            assert_eq!(got, memory.bytes(address, bytes).unwrap(), "address {address:#x}");
            assert_eq!((sim.get("data_last") == 1, sim.get("data_error")), (last, 0));
        }
        sim.tick();
        cycle += 1;
    }
    assert_eq!(sim.failure(), None);
    assert_eq!(memory.counts(0).read_beats, total);
    cycle
}

/// Writes all commands and compares the memory; gives the cycles it took.
fn write_all(master: AxiWriteMaster, mut todo: VecDeque<(u64, u64)>, stalls: Option<u64>) -> u64 {
    let (mut sim, mut memory) = start(&master, 'w', &options(stalls));
    let bytes = master.data_bits as usize / 8;
    let mut rng = StdRng::seed_from_u64(stalls.unwrap_or(0));
    let mut image = memory.bytes(BASE, BYTES).unwrap().to_vec();
    let total: u64 = todo.iter().map(|c| c.1).sum();
    let mut addresses: VecDeque<u64> =
        todo.iter().flat_map(|&(a, n)| (0..n).map(move |b| a + b * bytes as u64)).collect();
    let (mut words, mut strobes) = (vec![0u32; bytes / 4], 0u64);
    let (mut offering, mut sending, mut cycle) = (false, false, 0);
    while !(todo.is_empty() && addresses.is_empty() && sim.get("idle") == 1) {
        assert!(cycle < 40 * total + 1000, "no progress: {} commands left", todo.len());
        offering |= stalls.is_none() || rng.random_ratio(2, 3);
        offer(&mut sim, todo.front().filter(|_| offering));
        if !sending && !addresses.is_empty() && (stalls.is_none() || rng.random_ratio(2, 3)) {
            sending = true;
            words.iter_mut().for_each(|w| *w = rng.random());
            strobes = if rng.random() { u64::MAX } else { rng.random() };
            sim.set_words("data", &words);
            sim.set("data_strb", strobes);
        }
        sim.set("data_valid", u64::from(sending));
        memory.drive(&mut sim);
        memory.sample(&mut sim).unwrap();
        if offering && !todo.is_empty() && sim.get("cmd_ready") == 1 {
            todo.pop_front();
            offering = false;
        }
        if sending && sim.get("data_ready") == 1 {
            sending = false;
            let at = (addresses.pop_front().unwrap() - BASE) as usize;
            let beat = words.iter().flat_map(|w| w.to_le_bytes()).enumerate();
            beat.filter(|(i, _)| strobes >> i & 1 == 1).for_each(|(i, byte)| image[at + i] = byte);
        }
        sim.tick();
        cycle += 1;
    }
    assert_eq!(sim.failure(), None);
    assert_eq!(memory.counts(0).write_beats, total);
    assert!(memory.bytes(BASE, BYTES).unwrap() == image, "the memory differs");
    cycle
}

#[test]
fn random_commands_read_and_write_right() {
    for (seed, (bits, burst, outstanding)) in
        [(64, 256, 16), (32, 2, 2), (128, 16, 64), (512, 64, 8), (512, 4, 4)]
            .into_iter()
            .enumerate()
    {
        let seed = seed as u64 + 10;
        let mut rng = StdRng::seed_from_u64(seed);
        for stalls in [None, Some(seed)] {
            let todo = commands(&mut rng, u64::from(bits) / 8, 40);
            read_all(reader(bits, burst, outstanding), todo.clone(), stalls);
            write_all(writer(bits, burst, outstanding), todo, stalls);
        }
    }
}

/// One beat a cycle: long commands, and commands of one beat. The memory answers after 20 cycles.
#[test]
fn one_beat_a_cycle() {
    let bytes = 8;
    let long: VecDeque<_> = [(BASE + 8, 1000), (BASE + 0x3000, 777), (BASE + 0x1ff8, 2)].into();
    let single: VecDeque<_> = (0..1500).map(|i| (BASE + i * 5 % 8192 * bytes, 1)).collect();
    for todo in [long, single] {
        let beats: u64 = todo.iter().map(|c| c.1).sum();
        let read = read_all(reader(64, 16, 32), todo.clone(), None);
        let written = write_all(writer(64, 16, 32), todo, None);
        assert!(read <= beats + 20 + 6, "{read} cycles to read {beats} beats");
        assert!(written <= beats + 20 + 6, "{written} cycles to write {beats} beats");
    }
}

#[test]
fn the_longest_command() {
    let (mut sim, mut memory) = start(
        &reader(64, 64, 16),
        'r',
        &MemoryOptions { base: 0, bytes: 1 << 20, latency: 20, ..MemoryOptions::default() },
    );
    sim.set("data_ready", 1);
    offer(&mut sim, Some(&(8, 65_536)));
    let mut beats = 0;
    for cycle in 0..65_600 {
        memory.drive(&mut sim);
        memory.sample(&mut sim).unwrap();
        if sim.get("data_valid") == 1 {
            beats += 1;
            assert_eq!(sim.get("data_last") == 1, beats == 65_536);
        }
        sim.tick();
        if cycle == 0 {
            offer(&mut sim, None);
        }
    }
    assert_eq!((beats, sim.get("idle")), (65_536, 1));
    assert_eq!(sim.failure(), None);
}

#[test]
fn first_bus_error_is_kept_until_cleared() {
    let mut todo: VecDeque<_> =
        [(BASE, 4), (BASE + 0x800, 16), (BASE + 0x2000, 40), (0x8000, 1)].into();
    let (mut sim, mut memory) = start(&reader(64, 16, 16), 'r', &options(None));
    memory.inject(BASE + 0x2088..BASE + 0x2089, Response::SlaveError);
    sim.set("data_ready", 1);
    let mut errors = vec![];
    for beat in run(&mut sim, &mut memory, &mut todo, 200) {
        errors.push(beat);
    }
    assert_eq!(errors.iter().filter(|e| **e).count(), 2);
    // The error is in the second burst of the third command.
    assert_eq!((sim.get("fault"), sim.get("fault_addr")), (2, BASE + 0x2080));
    sim.set("fault_clear", 1);
    sim.tick();
    sim.set("fault_clear", 0);
    assert_eq!(sim.get("fault"), 0);
    run(&mut sim, &mut memory, &mut [(0x7ff8, 1)].into(), 60);
    assert_eq!((sim.get("fault"), sim.get("fault_addr")), (3, 0x7ff8));

    let (mut sim, mut memory) = start(&writer(64, 16, 16), 'w', &options(None));
    memory.inject(BASE + 0x2088..BASE + 0x2089, Response::SlaveError);
    sim.set("data_valid", 1);
    sim.set("data_strb", 0xff);
    let mut todo: VecDeque<_> = [(BASE, 4), (BASE + 0x2000, 40), (BASE + 0x800, 16)].into();
    run(&mut sim, &mut memory, &mut todo, 200);
    assert_eq!((sim.get("fault"), sim.get("fault_addr"), sim.get("idle")), (2, BASE + 0x2080, 1));
}

/// Sends the commands and runs; gives `data_error` of each data beat (of a reader).
fn run(
    sim: &mut Interpreter,
    memory: &mut AxiMemory,
    todo: &mut VecDeque<(u64, u64)>,
    cycles: u32,
) -> Vec<bool> {
    let reads = sim.try_port("data_error").is_some();
    let mut seen = vec![];
    for _ in 0..cycles {
        offer(sim, todo.front());
        memory.drive(sim);
        memory.sample(sim).unwrap();
        if !todo.is_empty() && sim.get("cmd_ready") == 1 {
            todo.pop_front();
        }
        if reads && sim.get("data_valid") == 1 {
            seen.push(sim.get("data_error") == 1);
        }
        sim.tick();
    }
    assert!(todo.is_empty());
    assert_eq!(sim.failure(), None);
    seen
}

/// A flush in the middle of a command ends on the bus by the rules, writes nothing more, and leaves
/// a master that works.
#[test]
fn flush_ends_every_burst() {
    for after in 1..60 {
        let (mut sim, mut memory) = start(&writer(64, 16, 8), 'w', &options(Some(after)));
        sim.set("data_strb", 0xff);
        sim.set("data", 0x5555_5555_5555_5555);
        sim.set("data_valid", 1);
        let (mut sent, mut todo) = (0u64, VecDeque::from([(BASE, 40), (BASE + 0x1000, 5)]));
        for cycle in 0..400 {
            if cycle == after {
                sim.set("flush", 1);
                sim.set("data_valid", 0);
                todo.clear();
            }
            offer(&mut sim, todo.front());
            memory.drive(&mut sim);
            memory.sample(&mut sim).unwrap();
            if !todo.is_empty() && sim.get("cmd_ready") == 1 {
                todo.pop_front();
            }
            sent += u64::from(cycle < after && sim.get("data_ready") == 1);
            sim.tick();
        }
        assert_eq!((sim.get("idle"), sim.failure()), (1, None), "flush after {after}");
        let changed =
            memory.bytes(BASE, BYTES).unwrap().chunks(8).filter(|c| *c == [0x55; 8]).count();
        assert_eq!(changed as u64, sent, "flush after {after}");

        let (mut sim, mut memory) = start(&reader(64, 16, 8), 'r', &options(Some(after)));
        sim.set("data_ready", after % 2);
        let mut todo = VecDeque::from([(BASE, 40), (BASE + 0x1000, 5)]);
        for cycle in 0..400 {
            if cycle == after {
                sim.set("flush", 1);
                todo.clear();
            }
            offer(&mut sim, todo.front());
            memory.drive(&mut sim);
            memory.sample(&mut sim).unwrap();
            if !todo.is_empty() && sim.get("cmd_ready") == 1 {
                todo.pop_front();
            }
            sim.tick();
        }
        assert_eq!((sim.get("idle"), sim.failure()), (1, None), "flush after {after}");
        sim.set("flush", 0);
        sim.set("data_ready", 1);
        let beats = run(&mut sim, &mut memory, &mut [(BASE + 0x40, 9)].into(), 200);
        assert_eq!(beats, [false; 9]);
    }
}

#[test]
fn wrong_parameters_are_refused() {
    let error = |module: &dyn Module| Design::elaborate(module).unwrap_err().0[0].kind.to_string();
    let texts = [
        error(&reader(48, 16, 16)),
        error(&reader(512, 128, 16)),
        error(&writer(64, 24, 16)),
        error(&writer(64, 16, 0)),
        error(&AxiReadMaster { addr_bits: 65, ..reader(64, 16, 16) }),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}
