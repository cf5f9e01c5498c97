//! The command logic against a fake register page: every fault has its own answer, and no input
//! whatever makes it panic, start an engine twice, or start one and answer as well.

use mattock_firmware::{Accepted, Engine, Regs, Running, accept, finish};
use mattock_spec::CardConfig;
use mattock_spec::command::{
    Completion, CsrAddresses, Descriptor, GemmCommand, Opcode, SpgemmCommand,
};
use mattock_spec::regs::{
    CAPABILITY_BASE, Capabilities, ErrorCode, Reg, ValueType, capability_rom, card, gemm, spgemm,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;

/// BAR0 as words; writes are logged in order.
#[derive(Default)]
struct Fake {
    words: BTreeMap<u32, u32>,
    log: Vec<(u32, u32)>,
}

impl Regs for Fake {
    fn read(&mut self, offset: u32) -> u32 {
        self.words.get(&offset).copied().unwrap_or(0)
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.log.push((offset, value));
        self.words.insert(offset, value);
    }
}

impl Fake {
    fn set(&mut self, reg: Reg, value: u32) {
        self.words.insert(reg.address(), value);
    }

    fn starts(&self) -> usize {
        let starts = [gemm::START.address(), spgemm::START.address()];
        self.log.iter().filter(|(at, _)| starts.contains(at)).count()
    }
}

fn capabilities(name: &str) -> Capabilities {
    let mut config = CardConfig::reference("small").unwrap();
    match name {
        "both" => {}
        "dense" => config.spgemm = None,
        _ => config.gemm = None,
    }
    let rom = capability_rom(&config);
    Capabilities::parse(|at| match at {
        _ if at == card::ID.address() => card::MAGIC,
        _ if at == card::CAP_PTR.address() => CAPABILITY_BASE,
        _ if at == card::VERSION.address() => card::VERSION_MINOR,
        _ => at
            .checked_sub(CAPABILITY_BASE)
            .and_then(|i| rom.get(i as usize / 4))
            .copied()
            .unwrap_or(0),
    })
    .unwrap()
}

/// 64 x 48 x 32, all steps, on the reference card `small`: alignment 16, 40 address bits.
fn dense() -> GemmCommand {
    GemmCommand {
        tuple: 0,
        load_a: true,
        load_b: true,
        compute: true,
        store: true,
        m: 64,
        n: 48,
        k: 32,
        a: 0x10_0000_1000,
        a_stride: 32,
        b: 0x2000,
        b_stride: 48,
        d: 0x3000,
        d_stride: 192,
        ..GemmCommand::default()
    }
}

fn sparse() -> SpgemmCommand {
    let csr =
        |at: u64| CsrAddresses { row_pointers: at, columns: at + 0x1000, values: at + 0x2000 };
    SpgemmCommand {
        value: ValueType::F32,
        rows: 10,
        inner: 20,
        cols: 30,
        nnz_a: 40,
        nnz_b: 50,
        c_capacity: 60,
        seed: 0x9e37_79b1,
        a: csr(0x10000),
        b: csr(0x20000),
        c: csr(0x81_0003_0000),
    }
}

fn entry(opcode: Opcode, block: &[u8]) -> [u8; 64] {
    Descriptor {
        opcode,
        interrupt: true,
        queue: 3,
        cookie: 0x1122_3344_5566_7788,
        parameters: 0x4000,
        parameter_bytes: block.len() as u32,
        deadline: 0,
    }
    .encode()
}

fn submit(opcode: Opcode, block: &[u8], caps: &Capabilities, regs: &mut Fake) -> Accepted {
    accept(&entry(opcode, block), block, caps, regs)
}

fn started(accepted: Accepted) -> Running {
    match accepted {
        Accepted::Started(running) => running,
        Accepted::Answered(completion) => panic!("refused: {completion:?}"),
    }
}

fn refused(accepted: Accepted) -> (ErrorCode, u32) {
    match accepted {
        Accepted::Answered(Completion { code, info, cycles: 0, .. }) => (code, info),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_dense_command_loads_every_register_and_starts_last() {
    let mut regs = Fake::default();
    let running =
        started(submit(Opcode::Gemm, &dense().encode(), &capabilities("both"), &mut regs));
    assert_eq!(running.engine, Engine::Gemm);
    assert_eq!(regs.log.last(), Some(&(gemm::START.address(), 1)));
    assert_eq!(regs.starts(), 1);
    for (reg, value) in [
        (gemm::MODE, dense().mode()),
        (gemm::M, 64),
        (gemm::N, 48),
        (gemm::K, 32),
        (gemm::A_LO, 0x1000),
        (gemm::A_HI, 0x10),
        (gemm::A_STRIDE, 32),
        (gemm::B_LO, 0x2000),
        (gemm::B_HI, 0),
        (gemm::B_STRIDE, 48),
        (gemm::D_LO, 0x3000),
        (gemm::D_HI, 0),
        (gemm::D_STRIDE, 192),
    ] {
        assert_eq!(regs.words.get(&reg.address()), Some(&value), "{}", reg.name);
    }
}

/// Every register software writes is written exactly once, and no other.
#[test]
fn each_writable_register_is_written_once() {
    let caps = capabilities("both");
    for (opcode, block, map) in [
        (Opcode::Gemm, dense().encode().to_vec(), gemm::MAP),
        (Opcode::Spgemm, sparse().encode().to_vec(), spgemm::MAP),
    ] {
        let mut regs = Fake::default();
        started(submit(opcode, &block, &caps, &mut regs));
        let mut written: Vec<u32> = regs.log.iter().map(|(at, _)| *at).collect();
        written.sort_unstable();
        let writable = map.regs.iter().filter(|r| matches!(r.access.name(), "RW" | "WO"));
        assert_eq!(written, writable.map(|r| r.address()).collect::<Vec<_>>());
    }
}

#[test]
fn a_sparse_command_puts_each_address_where_it_belongs() {
    let mut regs = Fake::default();
    let running =
        started(submit(Opcode::Spgemm, &sparse().encode(), &capabilities("both"), &mut regs));
    assert_eq!(running.engine, Engine::Spgemm);
    for (reg, value) in [
        (spgemm::MODE, 1),
        (spgemm::ROWS, 10),
        (spgemm::INNER, 20),
        (spgemm::COLS, 30),
        (spgemm::NNZ_A, 40),
        (spgemm::NNZ_B, 50),
        (spgemm::C_CAPACITY, 60),
        (spgemm::SEED, 0x9e37_79b1),
        (spgemm::A_PTR_LO, 0x10000),
        (spgemm::A_COL_LO, 0x11000),
        (spgemm::A_VAL_LO, 0x12000),
        (spgemm::B_PTR_LO, 0x20000),
        (spgemm::B_COL_LO, 0x21000),
        (spgemm::B_VAL_LO, 0x22000),
        (spgemm::C_PTR_LO, 0x30000),
        (spgemm::C_PTR_HI, 0x81),
        (spgemm::C_COL_LO, 0x31000),
        (spgemm::C_COL_HI, 0x81),
        (spgemm::C_VAL_LO, 0x32000),
        (spgemm::C_VAL_HI, 0x81),
    ] {
        assert_eq!(regs.words.get(&reg.address()), Some(&value), "{}", reg.name);
    }
}

#[test]
fn each_bad_dense_field_has_its_own_answer() {
    let caps = capabilities("both");
    let edge = 1u64 << 40; // the card has 40 address bits
    let resident = GemmCommand { store: false, ..dense() };
    let cases: [(&str, GemmCommand, (ErrorCode, u32)); 13] = [
        ("tuple", GemmCommand { tuple: 3, ..dense() }, (ErrorCode::UnsupportedMode, 0x000f_0003)),
        (
            "no step",
            GemmCommand { load_a: false, load_b: false, compute: false, store: false, ..dense() },
            (ErrorCode::UnsupportedMode, 0),
        ),
        ("A unaligned", GemmCommand { a: 8, ..dense() }, (ErrorCode::BadAddress, 16)),
        (
            "A stride unaligned",
            GemmCommand { a_stride: 33, ..dense() },
            (ErrorCode::BadAddress, 16),
        ),
        ("A past the end", GemmCommand { a: edge - 16, ..dense() }, (ErrorCode::BadAddress, 16)),
        ("A wraps", GemmCommand { a: !15, a_stride: !15, ..dense() }, (ErrorCode::BadAddress, 16)),
        ("B unaligned", GemmCommand { b: 1, ..dense() }, (ErrorCode::BadAddress, 32)),
        ("D past the end", GemmCommand { d: edge, ..dense() }, (ErrorCode::BadAddress, 48)),
        ("D rows overlap", GemmCommand { d_stride: 176, ..dense() }, (ErrorCode::BadAddress, 48)),
        (
            "D resident but too large",
            GemmCommand { n: 80, b_stride: 80, ..resident },
            (ErrorCode::TooLarge, 64 * 80 * 4),
        ),
        (
            "A resident but too large",
            GemmCommand { load_a: false, k: 272, ..dense() },
            (ErrorCode::TooLarge, 64 * 272),
        ),
        (
            "B resident but too large",
            GemmCommand { load_b: false, k: 352, a_stride: 352, ..dense() },
            (ErrorCode::TooLarge, 48 * 352),
        ),
        (
            "absurd shape",
            GemmCommand {
                m: !0,
                n: !0,
                k: !0,
                load_a: false,
                load_b: false,
                store: false,
                ..dense()
            },
            (ErrorCode::TooLarge, !0),
        ),
    ];
    for (name, command, expected) in cases {
        let mut regs = Fake::default();
        assert_eq!(
            refused(submit(Opcode::Gemm, &command.encode(), &caps, &mut regs)),
            expected,
            "{name}"
        );
        assert!(regs.log.is_empty(), "{name}");
    }
}

#[test]
fn edges_that_are_allowed_start() {
    let caps = capabilities("both");
    let edge = 1u64 << 40;
    for command in [
        GemmCommand { a: edge - 64 * 32, ..dense() }, // ends with the address space
        GemmCommand { a_stride: 0, ..dense() },       // every row the same memory
        GemmCommand { m: 1, a_stride: 7, d_stride: 1, ..dense() }, // one row has no stride
        GemmCommand { k: 0, a: 3, b: 5, ..dense() },  // A and B are never read
        GemmCommand { m: 0, n: 0, a: 1, b: 1, d: 1, ..dense() },
        GemmCommand { a_col_major: true, a_stride: 64, ..dense() },
        GemmCommand { tuple: 1, a_stride: 16, b_stride: 32, ..dense() }, // i4: half the bytes
        GemmCommand { store: false, n: 64, b_stride: 64, ..dense() },    // exactly fills 16 KiB
    ] {
        started(submit(Opcode::Gemm, &command.encode(), &caps, &mut Fake::default()));
    }
    // No rows, no entries: only the row pointers are touched.
    let nowhere = CsrAddresses { row_pointers: 64, columns: 1, values: 1 };
    let empty = SpgemmCommand {
        rows: 0,
        inner: 0,
        cols: 0,
        nnz_a: 0,
        nnz_b: 0,
        c_capacity: 0,
        a: nowhere,
        b: nowhere,
        c: nowhere,
        ..sparse()
    };
    started(submit(Opcode::Spgemm, &empty.encode(), &caps, &mut Fake::default()));
}

#[test]
fn each_bad_sparse_field_has_its_own_answer() {
    let mut caps = capabilities("both");
    let engine = caps.spgemm.as_mut().unwrap();
    engine.index_bits = 20;
    engine.values = 1; // i32 only
    let good = SpgemmCommand { value: ValueType::I32, ..sparse() };
    started(submit(Opcode::Spgemm, &good.encode(), &caps, &mut Fake::default()));
    let mut cases = vec![
        (sparse(), (ErrorCode::UnsupportedMode, 1)),
        (SpgemmCommand { cols: (1 << 20) + 1, ..good }, (ErrorCode::BadShape, 12)),
        (SpgemmCommand { nnz_a: 201, ..good }, (ErrorCode::BadShape, 16)),
        (SpgemmCommand { nnz_b: 601, ..good }, (ErrorCode::BadShape, 20)),
        (SpgemmCommand { rows: !0, ..good }, (ErrorCode::BadAddress, 80)), // C's pointers pass the end
    ];
    // C begins in the last 4 GiB of what 40 bits address, so 2^32 row pointers cannot fit.
    cases[4].0.c.row_pointers = (1 << 40) - 64;
    for which in 0..9u32 {
        let mut block = good.encode();
        block[32 + 8 * which as usize] |= 4; // 16-byte alignment is asked for
        let mut regs = Fake::default();
        let answer = refused(submit(Opcode::Spgemm, &block, &caps, &mut regs));
        assert_eq!(answer, (ErrorCode::BadAddress, 32 + 8 * which));
    }
    for (command, expected) in cases {
        let mut regs = Fake::default();
        assert_eq!(refused(submit(Opcode::Spgemm, &command.encode(), &caps, &mut regs)), expected);
        assert!(regs.log.is_empty());
    }
}

#[test]
fn an_absent_or_busy_engine_and_a_wrong_length_are_refused() {
    let mut regs = Fake::default();
    let block = dense().encode();
    let answer = submit(Opcode::Gemm, &block, &capabilities("sparse"), &mut regs);
    assert_eq!(refused(answer), (ErrorCode::BadOpcode, 2));
    let answer = submit(Opcode::Spgemm, &sparse().encode(), &capabilities("dense"), &mut regs);
    assert_eq!(refused(answer), (ErrorCode::BadOpcode, 3));
    let caps = capabilities("both");
    assert_eq!(
        refused(accept(&entry(Opcode::Gemm, &block), &block[..60], &caps, &mut regs)),
        (ErrorCode::BadLength, 64)
    );
    assert_eq!(refused(accept(&[], &[], &caps, &mut regs)), (ErrorCode::BadLength, 0));
    regs.set(gemm::STATUS, gemm::STATUS::BUSY.put(1));
    assert_eq!(refused(submit(Opcode::Gemm, &block, &caps, &mut regs)), (ErrorCode::Busy, 0));
    assert!(regs.log.is_empty());
    // The other engine is free.
    started(submit(Opcode::Spgemm, &sparse().encode(), &caps, &mut regs));
}

#[test]
fn a_nop_is_answered_without_an_engine() {
    let mut regs = Fake::default();
    let Accepted::Answered(done) = submit(Opcode::Nop, &[], &capabilities("both"), &mut regs)
    else {
        panic!("a nop started an engine");
    };
    assert!(done.is_ok() && regs.log.is_empty());
    assert_eq!((done.cookie, done.queue, done.opcode), (0x1122_3344_5566_7788, 3, 1));
}

#[test]
fn a_completion_carries_the_engines_account() {
    let caps = capabilities("both");
    let mut regs = Fake::default();
    let running = started(submit(Opcode::Spgemm, &sparse().encode(), &caps, &mut regs));
    regs.set(spgemm::STATUS, spgemm::STATUS::BUSY.put(1));
    assert_eq!(finish(&running, &mut regs), None);
    regs.set(spgemm::CYCLES_LO, 5);
    regs.set(spgemm::CYCLES_HI, 1);
    regs.set(spgemm::NNZ_C, 17);
    regs.set(spgemm::STATUS, spgemm::STATUS::DONE.put(1));
    let done = finish(&running, &mut regs).unwrap();
    assert!(done.is_ok());
    assert_eq!((done.cycles, done.result), (1 << 32 | 5, 17));
    assert_eq!((done.cookie, done.queue, done.opcode), (0x1122_3344_5566_7788, 3, 3));

    let full = ErrorCode::CapacityExceeded;
    regs.set(spgemm::STATUS, spgemm::STATUS::DONE.put(1) | spgemm::STATUS::ERROR.put(full as u32));
    regs.set(spgemm::ERROR_INFO, 61);
    let done = finish(&running, &mut regs).unwrap();
    assert_eq!((done.code, done.info), (full, 61));

    // An error number from the future, and an engine that was reset under the command.
    regs.set(spgemm::STATUS, spgemm::STATUS::DONE.put(1) | spgemm::STATUS::ERROR.put(200));
    let done = finish(&running, &mut regs).unwrap();
    assert_eq!((done.code, done.info), (ErrorCode::Internal, 200 << 8 | 2));
    regs.set(spgemm::STATUS, 0);
    assert_eq!(finish(&running, &mut regs).unwrap().code, ErrorCode::Aborted);
}

/// 200,000 damaged commands: each is started exactly once or answered with a reason, never both.
#[test]
fn any_bytes_are_started_or_answered_and_never_both() {
    let mut rng = StdRng::seed_from_u64(0x4d41_4331);
    let cards = ["both", "dense", "sparse"].map(capabilities);
    let (mut starts, mut answers) = (0, BTreeMap::new());
    for _ in 0..200_000 {
        let caps = &cards[rng.random_range(0..3)];
        let (opcode, mut block) = match rng.random_range(0..3) {
            0 => (Opcode::Nop, vec![]),
            1 => (Opcode::Gemm, dense().encode().to_vec()),
            _ => (Opcode::Spgemm, sparse().encode().to_vec()),
        };
        let mut ring = entry(opcode, &block).to_vec();
        for _ in 0..rng.random_range(0..5) {
            let target = if rng.random_bool(0.3) { &mut ring } else { &mut block };
            if !target.is_empty() {
                let at = rng.random_range(0..target.len());
                target[at] = if rng.random() {
                    rng.random()
                } else {
                    target[at] ^ 1 << rng.random_range(0..8)
                };
            }
        }
        if rng.random_bool(0.05) {
            block.truncate(rng.random_range(0..=block.len()));
        }
        if rng.random_bool(0.05) {
            ring.truncate(rng.random_range(0..=ring.len()));
        }
        let mut regs = Fake::default();
        regs.set(gemm::STATUS, u32::from(rng.random_bool(0.1)));
        match accept(&ring, &block, caps, &mut regs) {
            Accepted::Started(running) => {
                starts += 1;
                assert_eq!(regs.starts(), 1);
                let (start, status) = match running.engine {
                    Engine::Gemm => (gemm::START, gemm::STATUS),
                    Engine::Spgemm => (spgemm::START, spgemm::STATUS),
                };
                assert_eq!(regs.log.last(), Some(&(start.address(), 1)));
                // Whatever the engine then says, it is busy or over.
                let word = rng.random();
                regs.set(status, word);
                assert_eq!(finish(&running, &mut regs).is_none(), word & 1 == 1);
            }
            Accepted::Answered(completion) => {
                assert_eq!(regs.log, []);
                assert!(
                    completion.code != ErrorCode::None || completion.opcode == Opcode::Nop as u8
                );
                *answers.entry(completion.code.name()).or_insert(0) += 1;
            }
        }
    }
    // The mutations reach both outcomes and most of the refusals.
    assert!(starts > 10_000, "{starts}");
    let expected = [
        "BAD_ADDRESS",
        "BAD_LENGTH",
        "BAD_OPCODE",
        "BAD_SHAPE",
        "BUSY",
        "NONE",
        "RESERVED_BITS",
        "TOO_LARGE",
        "UNSUPPORTED_MODE",
    ];
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), expected);
}
