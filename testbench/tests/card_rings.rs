//! A card with a processor of its own: commands through rings, and what that costs in clocks.

use mattock::transport::{Limit, Transport};
use mattock::{Context, ContextOptions, Device, GemmOptions, View, ViewMut};
use mattock_spec::command::{
    COMPLETION_BYTES, Command, Completion, CsrAddresses, Descriptor, GemmCommand, Opcode,
    SpgemmCommand,
};
use mattock_spec::config::{Control, MemoryConfig};
use mattock_spec::regs::{ErrorCode, ValueType, controller, queue};
use mattock_spec::{CardConfig, Semiring};
use mattock_testbench::sim::{
    Direction, FaultyCard, Response, SimOptions, SimulatorKind, open_device,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// The smallest array with a processor.
fn tiny() -> CardConfig {
    let tiny = CardConfig::reference("tiny").unwrap().on_axi();
    let memory = MemoryConfig { address_bits: 40, ..tiny.memory };
    CardConfig { control: Control::Riscv, name: "tiny_riscv".into(), memory, ..tiny }
}

fn open(config: &CardConfig) -> Device {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let options = SimOptions::new(SimulatorKind::Verilator, cache);
    open_device(config, &options).unwrap_or_else(|e| panic!("{e}"))
}

/// Rings of a test, at the card of an open device, watched cycle by cycle.
struct Rings<'t> {
    card: &'t mut (dyn Transport + Send),
    ring: u64,
    done: u64,
    blocks: u64,
    written: u32,
    read: u32,
    cycle: u64,
}

const ENTRIES: u32 = 16;

impl<'t> Rings<'t> {
    fn open(card: &'t mut (dyn Transport + Send)) -> Self {
        let [ring, done, blocks] =
            [64, 128, 128].map(|b| card.alloc(b * u64::from(ENTRIES) + 64).unwrap());
        let done = done.next_multiple_of(128);
        let mut rings = Rings { card, ring, done, blocks, written: 0, read: 0, cycle: 0 };
        rings.write(queue::ENABLE.address(), 0);
        rings.step(4);
        rings.card.write(done, &[0; COMPLETION_BYTES * ENTRIES as usize]).unwrap();
        for (reg, value) in [
            (queue::RING_LO, ring as u32),
            (queue::RING_HI, 0),
            (queue::DONE_LO, done as u32),
            (queue::DONE_HI, 0),
            (queue::SIZE, ENTRIES),
            (queue::DOORBELL, 0),
            (queue::IRQ_ENABLE, 0),
            (queue::IRQ_STATUS, 1),
            (queue::ENABLE, 1),
        ] {
            rings.write(reg.address(), value);
        }
        rings.step(200);
        rings
    }

    fn write(&mut self, at: u32, value: u32) {
        self.card.write32(at, value).unwrap();
    }

    fn read(&mut self, at: u32) -> u32 {
        self.card.read32(at).unwrap()
    }

    fn step(&mut self, cycles: u64) {
        for _ in 0..cycles {
            self.card.wait(Limit { cycles: 1, time: Duration::ZERO }).unwrap();
        }
        self.cycle += cycles;
    }

    /// Writes entries and tells the card of all of them at once.
    fn submit(&mut self, commands: &[Command]) {
        self.submit_within(commands, 0);
    }

    /// The same with a deadline for each.
    fn submit_within(&mut self, commands: &[Command], deadline: u64) {
        for command in commands {
            let slot = u64::from(self.written % ENTRIES);
            let block = match command {
                Command::Gemm(c) => c.encode().to_vec(),
                Command::Spgemm(c) => c.encode().to_vec(),
                Command::Joined(c) => c.encode().to_vec(),
                Command::Nop => vec![],
                Command::Batch(c) => c.encode().to_vec(),
            };
            let parameters = self.blocks + 128 * slot;
            self.card.write(parameters, &block).unwrap();
            let entry = Descriptor {
                opcode: command.opcode(),
                interrupt: false,
                queue: 3,
                cookie: self.written.into(),
                parameters,
                parameter_bytes: block.len() as u32,
                deadline,
            };
            self.card.write(self.ring + 64 * slot, &entry.encode()).unwrap();
            self.written += 1;
        }
        self.write(queue::DOORBELL.address(), self.written);
        // The write's own answer: 4 cycles at most after the card has it.
        self.cycle += 4;
    }

    /// Waits for the next record.
    fn record(&mut self) -> Completion {
        let at = self.done + (COMPLETION_BYTES as u64) * u64::from(self.read % ENTRIES);
        let phase = (self.read / ENTRIES).is_multiple_of(2);
        for _ in 0..100_000 {
            let mut bytes = [0; COMPLETION_BYTES];
            self.card.read(at, &mut bytes).unwrap();
            let record = Completion::decode(&bytes).unwrap();
            if record.phase == phase {
                self.read += 1;
                return record;
            }
            self.step(1);
        }
        let status = self.read(controller::STATUS.address());
        let entries = self.read(controller::ENTRIES.address());
        let queue = self.read(queue::STATUS.address());
        panic!(
            "no record: CONTROLLER.STATUS {status:#x}, {entries} entries, QUEUE.STATUS {queue:#x}"
        );
    }
}

#[test]
fn figures() {
    let device = open(&tiny());
    let mut guard = device.transport();
    let result = guard.read32(controller::SELFTEST_RESULT.address()).unwrap();
    assert_eq!(controller::SELFTEST_RESULT::PASSED.get(result), 1);
    let power_up = 256 * (1 + controller::SELFTEST_RESULT::CYCLES.get(result));
    println!("self-test at power-up: at most {power_up} cycles");
    assert!(power_up <= 20_000);

    let mut rings = Rings::open(&mut *guard);
    let mut worst = 0;
    for _ in 0..20 {
        let start = rings.cycle;
        rings.submit(&[Command::Nop]);
        let record = rings.record();
        assert_eq!((record.code, record.opcode), (ErrorCode::None, Opcode::Nop as u8));
        worst = worst.max(rings.cycle - start);
        rings.step(37);
    }
    println!("empty command: at most {worst} cycles from doorbell to record");
    assert!(worst <= 450, "{worst}");

    let start = rings.cycle;
    rings.submit(&[Command::Nop; ENTRIES as usize]);
    for cookie in 20..20 + u64::from(ENTRIES) {
        assert_eq!(rings.record().cookie, cookie);
    }
    let each = (rings.cycle - start - worst) / u64::from(ENTRIES - 1);
    println!("empty commands in a stream: {each} cycles each");
    assert!(each <= 120, "{each}");
}

/// Dense commands behind one another, each of 512 clocks or more: how long the engine waits between two.
#[test]
fn an_engine_waits_little() {
    let device = open(&tiny());
    let mut guard = device.transport();
    let [a, b, d] = [256, 256, 1024].map(|bytes| guard.alloc(bytes).unwrap());
    let mut rings = Rings::open(&mut *guard);
    let command = GemmCommand {
        load_a: true,
        load_b: true,
        compute: true,
        store: true,
        m: 8,
        n: 16,
        k: 16,
        a,
        a_stride: 16,
        b,
        b_stride: 16,
        d,
        d_stride: 64,
        ..GemmCommand::default()
    };
    let count = 12;
    rings.submit(&vec![Command::Gemm(command); count]);
    let first = rings.record();
    assert_eq!((first.code, first.queue), (ErrorCode::None, 3), "{first:?}");
    let start = rings.cycle;
    let mut ran = 0;
    for cookie in 1..count as u64 {
        let record = rings.record();
        assert_eq!((record.code, record.cookie), (ErrorCode::None, cookie));
        assert!(record.cycles >= 512, "{record:?}");
        ran += record.cycles;
    }
    let idle = (rings.cycle - start - ran) / (count as u64 - 1);
    println!("commands of {} cycles: the engine waits {idle} cycles between two", first.cycles);
    assert!(idle <= 150, "{idle}");
}

/// What is wrong with a command, as its record tells.
#[test]
fn commands_are_judged_on_the_card() {
    let device = open(&tiny());
    let mut guard = device.transport();
    let before = guard.read32(controller::REFUSED.address()).unwrap();
    let mut rings = Rings::open(&mut *guard);
    let good =
        GemmCommand { load_a: true, m: 2, n: 2, k: 2, a: 0x1_0000, ..GemmCommand::default() };
    let at = |at| (ErrorCode::BadAddress, at);
    let cases = [
        (GemmCommand { tuple: 9, ..good }, (ErrorCode::UnsupportedMode, 0x1_0009)),
        (GemmCommand { load_a: false, ..good }, (ErrorCode::UnsupportedMode, 0)),
        (GemmCommand { a: 0x1_0001, ..good }, at(GemmCommand::OFFSET_A)),
        (GemmCommand { a: 1 << 40, ..good }, at(GemmCommand::OFFSET_A)),
        (GemmCommand { a_stride: 3, ..good }, at(GemmCommand::OFFSET_A)),
        (GemmCommand { m: 1 << 20, a_stride: 8, ..good }, (ErrorCode::TooLarge, 2 << 20)),
    ];
    for (command, expected) in cases {
        rings.submit(&[Command::Gemm(command)]);
        let record = rings.record();
        assert_eq!((record.code, record.info), expected, "{command:?}");
    }
    let no_engine = SpgemmCommand {
        value: ValueType::I32,
        semiring: Semiring::PlusTimes,
        ordered: false,
        rows: 1,
        inner: 1,
        cols: 1,
        nnz_a: 0,
        nnz_b: 0,
        c_capacity: 0,
        seed: 0,
        a: CsrAddresses::default(),
        b: CsrAddresses::default(),
        c: CsrAddresses::default(),
        part_table: 0,
        parts: 0,
    };
    rings.submit(&[Command::Spgemm(no_engine)]);
    assert_eq!(rings.record().code, ErrorCode::BadOpcode);
    rings.submit(&[Command::Gemm(good), Command::Nop]);
    let codes = [rings.record(), rings.record()].map(|r| (r.cookie, r.code));
    assert!(codes.contains(&(7, ErrorCode::None)) && codes.contains(&(8, ErrorCode::None)));
    assert_eq!(guard.read32(controller::REFUSED.address()).unwrap() - before, 7);
}

/// Whole calls of the driver: results, errors, resets.
#[test]
fn calls_go_through_the_rings() {
    let device = open(&tiny());
    let card = device.context(ContextOptions::default()).unwrap();
    let mut rng = StdRng::seed_from_u64(3);
    for (m, n, k) in [(1, 1, 1), (5, 9, 7), (33, 20, 40), (64, 64, 64), (3, 2, 0)] {
        check(&card, &mut rng, [m, n, k]);
    }
    let judged = device.transport().read32(controller::ENTRIES.address()).unwrap();
    assert!(judged >= 4, "{judged}");
    device.reset().unwrap();
    check(&card, &mut rng, [9, 9, 9]);
    // A processor that stops closes the rings; the call says so, and the next one works.
    device.transport().write32(controller::CONTROL.address(), 0).unwrap();
    device.transport().write32(controller::CONTROL.address(), 1).unwrap();
    check(&card, &mut rng, [9, 9, 9]);
}

fn check(card: &Context, rng: &mut StdRng, [m, n, k]: [usize; 3]) {
    let mut random = |len| (0..len).map(|_| rng.random()).collect::<Vec<i8>>();
    let (a, b) = (random(m * k), random(k * n));
    let mut c = vec![0i32; m * n];
    let (left, right) = (View::<i8>::rows(&a, m, k).unwrap(), View::<i8>::rows(&b, k, n).unwrap());
    let to = ViewMut::<i32>::rows(&mut c, m, n).unwrap();
    let event = card.gemm(&GemmOptions::default(), 1, left, right, 0, to).unwrap();
    let stats = event.wait().unwrap();
    for (at, got) in c.iter().enumerate() {
        let product = |i| i32::from(a[at / n * k + i]) * i32::from(b[i * n + at % n]);
        assert_eq!(*got, (0..k).map(product).sum::<i32>(), "{m}x{n}x{k} at {at}");
    }
    assert_eq!(stats.macs, (m * n * k) as u64);
}

/// Rings that are closed while commands are under way: each command fetched by then still gets its record, and the
/// rings become quiet; also after a fault had closed them and a soft reset had brought them back.
#[test]
fn rings_close_under_commands() {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let options = SimOptions::new(SimulatorKind::Verilator, cache);
    let card = FaultyCard::open(&tiny(), &options).unwrap_or_else(|e| panic!("{e}"));
    let mut guard = card.device.transport();
    let good =
        GemmCommand { load_a: true, m: 2, n: 2, k: 2, a: 0x1_0000, ..GemmCommand::default() };
    for after in [0, 1, 10, 50, 100, 150, 200, 300, 500] {
        for reset in [false, true] {
            let mut rings = Rings::open(&mut *guard);
            if reset {
                card.bus.arm(Direction::Read, 0, Response::SlaveError);
                rings.submit(&[Command::Nop, Command::Gemm(good), Command::Gemm(good)]);
                rings.step(2000);
                let status = rings.read(queue::STATUS.address());
                assert_eq!(queue::STATUS::FAULT.get(status), ErrorCode::ReadSlaveError as u32);
                assert_eq!(card.bus.end().len(), 1);
                rings.write(mattock_spec::regs::card::SOFT_RESET.address(), 1);
                while rings.read(mattock_spec::regs::card::STATUS.address()) != 0 {}
                while controller::STATUS::ALIVE.get(rings.read(controller::STATUS.address())) == 0 {
                }
                rings = Rings::open(&mut *guard);
            }
            rings.submit(&[Command::Nop, Command::Gemm(good), Command::Gemm(good)]);
            rings.step(after);
            rings.write(queue::ENABLE.address(), 0);
            rings.step(5000);
            let status = rings.read(queue::STATUS.address());
            assert_eq!(queue::STATUS::RUNNING.get(status), 0, "closed after {after}, {reset}");
            let (fetched, written) = (queue::FETCHED.address(), queue::WRITTEN.address());
            assert_eq!(rings.read(fetched), rings.read(written), "closed after {after}, {reset}");
        }
    }
}

/// A command that does not end in the time its entry gives it: the card itself ends it, whether the host still looks or
/// not, and goes on with the next one. Operands that a bus keeps for itself are waited for.
#[test]
fn an_engine_that_is_stuck_is_stopped() {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let options = SimOptions::new(SimulatorKind::Verilator, cache);
    let card = FaultyCard::open(&tiny(), &options).unwrap_or_else(|e| panic!("{e}"));
    let mut guard = card.device.transport();
    let command = GemmCommand {
        load_a: true,
        load_b: true,
        compute: true,
        store: true,
        m: 8,
        n: 16,
        k: 64,
        a: 0x1_0000,
        a_stride: 64,
        b: 0x1_1000,
        b_stride: 64,
        d: 0x1_2000,
        d_stride: 64,
        ..GemmCommand::default()
    };
    let mut rings = Rings::open(&mut *guard);
    rings.submit(&[Command::Gemm(command)]);
    let whole = rings.record().cycles;
    for deadline in [1, 50, 150, 300, whole / 2] {
        rings.submit_within(&[Command::Gemm(command)], deadline);
        let record = rings.record();
        assert_eq!(record.code, ErrorCode::Aborted, "after {deadline} of {whole}");
        // Bursts that were asked for still come, and go nowhere.
        assert!((deadline..deadline + 500).contains(&record.cycles), "{record:?}");
        rings.submit(&[Command::Gemm(command)]);
        let record = rings.record();
        assert_eq!((record.code, record.cycles), (ErrorCode::None, whole));
    }
    rings.submit_within(&[Command::Gemm(command)], 300);
    // It has begun by then: there are bursts on the bus that it must wait for.
    while mattock_spec::regs::card::STATUS::GEMM_BUSY
        .get(rings.read(mattock_spec::regs::card::STATUS.address()))
        == 0
    {
        rings.step(1);
    }
    card.bus.hang(5000);
    let start = rings.cycle;
    let record = rings.record();
    assert_eq!(record.code, ErrorCode::Aborted);
    assert!((4900..5600).contains(&(rings.cycle - start)), "{}", rings.cycle - start);
    rings.submit(&[Command::Gemm(command)]);
    assert_eq!(rings.record().code, ErrorCode::None);
}
