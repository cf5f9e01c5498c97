//! The command logic against a fake register page: what is written where, every fault's own answer,
//! and the account of a finished command.

use crate::fake::{Fake, capabilities, dense, entry, sparse, submit};
use mattock_firmware::{Accepted, Engine, Limits, Running, accept, finish};
use mattock_spec::Semiring;
use mattock_spec::command::{
    BatchPlace, Completion, CsrAddresses, GemmBatch, GemmCommand, JoinedProduct, Opcode,
    SpgemmCommand,
};
use mattock_spec::regs::join::STEPS;
use mattock_spec::regs::{ErrorCode, ValueType, batch, epilogue, gemm, join, spgemm};

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
    let cases: [(&str, GemmCommand, (ErrorCode, u32)); 14] = [
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
        (
            "A one byte past the end",
            GemmCommand { a: edge - 16, m: 1, k: 17, ..dense() },
            (ErrorCode::BadAddress, 16),
        ),
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

/// Operands and results that outlive the command must fit on chip, for every choice of steps.
#[test]
fn what_stays_on_chip_must_fit_whatever_the_steps() {
    let caps = capabilities("both");
    // Shapes of which exactly one of A, B and D passes its 16 KiB.
    for (which, [m, n, k]) in [[256, 8, 128], [8, 256, 128], [128, 128, 8]].into_iter().enumerate()
    {
        for steps in 1..16 {
            let [load_a, load_b, compute, store] = [1, 2, 4, 8].map(|bit| steps & bit != 0);
            let command = GemmCommand {
                load_a,
                load_b,
                compute,
                store,
                m,
                n,
                k,
                a_stride: 128,
                b_stride: 256,
                d_stride: 1024,
                ..dense()
            };
            let outlives = [load_a != compute, load_b != compute, store != compute][which];
            let accepted = submit(Opcode::Gemm, &command.encode(), &caps, &mut Fake::default());
            match accepted {
                Accepted::Started(_) => assert!(!outlives, "{which} {steps:04b}"),
                answered => {
                    assert!(outlives, "{which} {steps:04b}");
                    assert_eq!(refused(answered).0, ErrorCode::TooLarge);
                }
            }
        }
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
    engine.semirings = 1; // plus-times only
    let good = SpgemmCommand { value: ValueType::I32, ..sparse() };
    started(submit(Opcode::Spgemm, &good.encode(), &caps, &mut Fake::default()));
    let mut cases = vec![
        (sparse(), (ErrorCode::UnsupportedMode, 1)),
        (SpgemmCommand { semiring: Semiring::MinPlus, ..good }, (ErrorCode::UnsupportedMode, 0x10)),
        (SpgemmCommand { cols: (1 << 20) + 1, ..good }, (ErrorCode::BadShape, 12)),
        (SpgemmCommand { nnz_a: 201, ..good }, (ErrorCode::BadShape, 16)),
        (SpgemmCommand { nnz_b: 601, ..good }, (ErrorCode::BadShape, 20)),
        (SpgemmCommand { rows: !0, ..good }, (ErrorCode::BadAddress, 80)), // C's pointers pass the end
        (SpgemmCommand { parts: 1, ..good }, (ErrorCode::BadShape, 112)),  // one cluster
    ];
    // C begins in the last 4 GiB of what 40 bits address, so 2^32 row pointers cannot fit.
    cases[5].0.c.row_pointers = (1 << 40) - 64;
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

/// Sums in order, by cards that know of it; the other bits beside it are nobody's.
#[test]
fn order_is_for_cards_built_for_it() {
    let mut caps = capabilities("both");
    let ordered = SpgemmCommand { ordered: true, ..sparse() };
    let mode = ordered.mode();
    assert_eq!(mode, 0x101);
    let mut regs = Fake::default();
    let answer = refused(submit(Opcode::Spgemm, &ordered.encode(), &caps, &mut regs));
    assert_eq!((answer, regs.starts()), ((ErrorCode::UnsupportedMode, mode), 0));
    caps.spgemm.as_mut().unwrap().ordered = true;
    started(submit(Opcode::Spgemm, &ordered.encode(), &caps, &mut regs));
    assert_eq!(regs.words[&spgemm::MODE.address()], mode);
    started(submit(Opcode::Spgemm, &sparse().encode(), &caps, &mut Fake::default()));
    for bit in 9..32 {
        let mut block = ordered.encode();
        block[bit / 8] |= 1 << (bit % 8);
        let answer = refused(submit(Opcode::Spgemm, &block, &caps, &mut Fake::default()));
        assert_eq!(answer, (ErrorCode::ReservedBits, bit as u32 / 8));
    }
}

/// Values of each type may end with the last byte there is, and not one behind it; C's take four bytes each whatever the type.
#[test]
fn values_of_every_type_end_where_the_address_space_does() {
    let mut caps = capabilities("both");
    caps.spgemm.as_mut().unwrap().values = (1 << ValueType::ALL.len()) - 1;
    let end = 1u64 << 40;
    for &value in ValueType::ALL {
        // Whole lines of 64 values, so that the array may end with the address space.
        let good = SpgemmCommand { value, rows: 640, inner: 640, cols: 640, ..sparse() };
        let good = SpgemmCommand { nnz_a: 640, nnz_b: 1280, c_capacity: 320, ..good };
        let command = |which: usize, bytes: u64| {
            let mut command = good;
            let arrays = [&mut command.a, &mut command.b, &mut command.c];
            arrays.into_iter().nth(which).unwrap().values = end - bytes;
            submit(Opcode::Spgemm, &command.encode(), &caps, &mut Fake::default())
        };
        let bytes = u64::from(value.bytes());
        for (which, bytes) in [640 * bytes, 1280 * bytes, 320 * 4].into_iter().enumerate() {
            started(command(which, bytes));
            let at = SpgemmCommand::OFFSET_ADDRESSES + 24 * which as u32 + 16;
            let answer = refused(command(which, bytes - 16));
            assert_eq!(answer, (ErrorCode::BadAddress, at), "{value:?}");
        }
    }
}

/// Numbers of types that no card has, and of those that this one lacks.
#[test]
fn values_of_other_types_are_refused() {
    let mut caps = capabilities("both");
    caps.spgemm.as_mut().unwrap().values = 1 << ValueType::F16 as u32;
    for number in 0..16 {
        let mut block = sparse().encode();
        block[0] = number;
        let answer = submit(Opcode::Spgemm, &block, &caps, &mut Fake::default());
        if number == ValueType::F16 as u8 {
            started(answer);
        } else {
            assert_eq!(refused(answer), (ErrorCode::UnsupportedMode, number.into()));
        }
    }
}

#[test]
fn what_joins_a_sparse_product_is_judged() {
    let mut caps = capabilities("both");
    let engine = caps.spgemm.as_mut().unwrap();
    engine.joins = 0b011; // a mask, and accumulation
    let csr =
        |at: u64| CsrAddresses { row_pointers: at, columns: at + 0x1000, values: at + 0x2000 };
    let joined = |steps| JoinedProduct {
        product: sparse(),
        steps,
        nnz_mask: 300,
        nnz_addend: 70,
        mask: csr(0x50000),
        addend: csr(0x60000),
    };
    let submit_joined =
        |c: JoinedProduct, regs: &mut Fake| submit(Opcode::Spgemm, &c.encode(), &caps, regs);
    let (mask, addend, prune) = (STEPS::MASK.mask(), STEPS::ACCUMULATE.mask(), STEPS::PRUNE.mask());
    let (complement, by_value) = (STEPS::COMPLEMENT.mask(), STEPS::BY_VALUE.mask());
    let mut regs = Fake::default();
    started(submit_joined(joined(mask | complement | by_value | addend), &mut regs));
    for (register, value) in [
        (join::STEPS, 0xf),
        (join::NNZ_MASK, 300),
        (join::NNZ_ADDEND, 70),
        (join::MASK_PTR_LO, 0x50000),
        (join::MASK_VAL_LO, 0x52000),
        (join::ADDEND_COL_LO, 0x61000),
        (join::ADDEND_VAL_HI, 0),
        (spgemm::NNZ_A, 40),
    ] {
        assert!(regs.log.contains(&(register.address(), value)), "{}", register.name);
    }
    // What belongs to a step that is not done means nothing.
    let nowhere = csr(1);
    started(submit_joined(
        JoinedProduct { addend: nowhere, nnz_addend: !0, ..joined(mask) },
        &mut Fake::default(),
    ));
    started(submit_joined(
        JoinedProduct { mask: nowhere, nnz_mask: !0, ..joined(addend) },
        &mut Fake::default(),
    ));
    // A plain product takes back what the last one said.
    let mut regs = Fake::default();
    started(submit(Opcode::Spgemm, &sparse().encode(), &caps, &mut regs));
    assert!(regs.log.contains(&(join::STEPS.address(), 0)));
    let bad = |at: CsrAddresses| JoinedProduct { mask: at, ..joined(mask) };
    for (command, expected) in [
        (joined(0), (ErrorCode::UnsupportedMode, 0)),
        (joined(prune), (ErrorCode::UnsupportedMode, prune)),
        (joined(mask | prune), (ErrorCode::UnsupportedMode, mask | prune)),
        (joined(complement | addend), (ErrorCode::UnsupportedMode, complement | addend)),
        (joined(by_value), (ErrorCode::UnsupportedMode, by_value)),
        (joined(mask | 1 << 5), (ErrorCode::ReservedBits, 128)),
        (joined(mask | 1 << 9), (ErrorCode::ReservedBits, 129)),
        (JoinedProduct { nnz_mask: 301, ..joined(mask) }, (ErrorCode::BadShape, 132)),
        (JoinedProduct { nnz_addend: 301, ..joined(addend) }, (ErrorCode::BadShape, 136)),
        (bad(CsrAddresses { row_pointers: 4, ..csr(0) }), (ErrorCode::BadAddress, 144)),
        (bad(CsrAddresses { columns: 1 << 40, ..csr(0) }), (ErrorCode::BadAddress, 152)),
        (bad(CsrAddresses { values: (1 << 40) - 64, ..csr(0) }), (ErrorCode::BadAddress, 160)),
        (JoinedProduct { addend: csr(2), ..joined(mask | addend) }, (ErrorCode::BadAddress, 168)),
    ] {
        let mut regs = Fake::default();
        assert_eq!(refused(submit_joined(command, &mut regs)), expected);
        assert!(regs.log.is_empty());
    }
    // A card without knows none of it.
    let plain =
        submit(Opcode::Spgemm, &joined(mask).encode(), &capabilities("both"), &mut Fake::default());
    assert_eq!(refused(plain), (ErrorCode::UnsupportedMode, mask));
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
        refused(accept(&entry(Opcode::Gemm, &block), &block[..60], &Limits::of(&caps), &mut regs)),
        (ErrorCode::BadLength, 64)
    );
    assert_eq!(refused(accept(&[], &[], &Limits::of(&caps), &mut regs)), (ErrorCode::BadLength, 0));
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

/// Steps the card has, parameters it can reach; and a command without an epilogue ends the one before.
#[test]
fn an_epilogue_is_judged_and_its_registers_are_loaded() {
    let caps = capabilities("epilogue");
    let edge = 1u64 << 40;
    let columns = epilogue::STEPS::ENABLE.put(1) | epilogue::STEPS::COLUMNS.put(1);
    let good = GemmCommand { epilogue: 0x10_0000_5000, epilogue_steps: columns, ..dense() };
    let leaky = columns | epilogue::STEPS::LEAKY.put(1);
    // 64 bytes and 16 for each of 48 columns.
    let last = edge - 64 - 16 * 48;
    for (what, command, answer) in [
        (
            "a step it lacks",
            GemmCommand { epilogue_steps: leaky, ..good },
            (ErrorCode::UnsupportedMode, leaky),
        ),
        ("unaligned", GemmCommand { epilogue: 0x5020, ..good }, (ErrorCode::BadAddress, 28)),
        ("past the end", GemmCommand { epilogue: last + 64, ..good }, (ErrorCode::BadAddress, 28)),
        ("wraps", GemmCommand { epilogue: !63, ..good }, (ErrorCode::BadAddress, 28)),
        (
            "too many columns",
            GemmCommand { n: 4097, b_stride: 4112, d_stride: 4 * 4112, ..good },
            (ErrorCode::TooLarge, 4097),
        ),
        ("not enabled", GemmCommand { epilogue_steps: 8, ..good }, (ErrorCode::ReservedBits, 60)),
        ("address alone", GemmCommand { epilogue_steps: 0, ..good }, (ErrorCode::ReservedBits, 29)),
    ] {
        let mut regs = Fake::default();
        let refused = refused(submit(Opcode::Gemm, &command.encode(), &caps, &mut regs));
        assert_eq!((refused, regs.starts()), (answer, 0), "{what}");
    }
    let none = capabilities("both");
    let mut regs = Fake::default();
    let unsupported = refused(submit(Opcode::Gemm, &good.encode(), &none, &mut regs));
    assert_eq!(unsupported, (ErrorCode::UnsupportedMode, columns));

    started(submit(Opcode::Gemm, &good.encode(), &caps, &mut regs));
    for (reg, value) in
        [(epilogue::STEPS, columns), (epilogue::BLOCK_LO, 0x5000), (epilogue::BLOCK_HI, 0x10)]
    {
        assert_eq!(regs.words.get(&reg.address()), Some(&value), "{}", reg.name);
    }
    started(submit(Opcode::Gemm, &dense().encode(), &caps, &mut regs));
    assert_eq!(regs.words.get(&epilogue::STEPS.address()), Some(&0));
    let edge = GemmCommand { epilogue: last, ..good };
    started(submit(Opcode::Gemm, &edge.encode(), &caps, &mut regs));
}

#[test]
fn batches_are_judged() {
    let caps = capabilities("batch");
    let product = GemmCommand {
        load_a: true,
        load_b: true,
        compute: true,
        store: true,
        m: 3,
        n: 5,
        k: 4,
        a: 0x1_0001,
        a_stride: 4,
        b: 0x2_0003,
        b_stride: 5,
        d: 0x3_0004,
        d_stride: 20,
        ..GemmCommand::default()
    };
    let strided = |next| GemmBatch { product, products: 100, place: BatchPlace::Strided(next) };
    let batch = strided([12, 20, 60]);
    let listed = GemmBatch {
        product: GemmCommand { a: 0, b: 0, d: 0, ..product },
        products: 7,
        place: BatchPlace::Listed(0x4_0040),
    };
    let run = |c: GemmBatch, regs: &mut Fake| submit(Opcode::Gemm, &c.encode(), &caps, regs);
    let mut regs = Fake::default();
    started(run(batch, &mut regs));
    for (register, value) in [
        (batch::MANY, 1),
        (batch::PRODUCTS, 100),
        (batch::A_NEXT, 12),
        (batch::B_NEXT, 20),
        (batch::D_NEXT, 60),
        (gemm::M, 3),
        (gemm::D_STRIDE, 20),
        (gemm::D_LO, 0x3_0004),
        (gemm::START, 1),
    ] {
        assert!(regs.log.contains(&(register.address(), value)), "{}", register.name);
    }
    let mut regs = Fake::default();
    started(run(listed, &mut regs));
    for (register, value) in [(batch::MANY, 3), (batch::PRODUCTS, 7), (batch::LIST_LO, 0x4_0040)] {
        assert!(regs.log.contains(&(register.address(), value)), "{}", register.name);
    }
    // A product of its own takes back what the last command said.
    let mut regs = Fake::default();
    let aligned = GemmCommand {
        a: 0x1_0000,
        b: 0x2_0000,
        d: 0x3_0000,
        a_stride: 64,
        b_stride: 64,
        d_stride: 64,
        ..product
    };
    started(submit(Opcode::Gemm, &aligned.encode(), &caps, &mut regs));
    assert!(regs.log.contains(&(batch::MANY.address(), 0)));

    // Results line by line beside each other; operands that all share; nothing at all.
    let beside = GemmCommand { d_stride: 2000, ..product };
    started(run(GemmBatch { product: beside, ..strided([0, 0, 20]) }, &mut Fake::default()));
    started(run(GemmBatch { products: 0, ..strided([0, 0, 0]) }, &mut Fake::default()));
    started(run(GemmBatch { products: 1, ..strided([0, 0, 0]) }, &mut Fake::default()));

    let with = |change: fn(&mut GemmCommand)| {
        let mut changed = batch;
        change(&mut changed.product);
        changed
    };
    let last = 1u64 << 40;
    for (command, expected) in [
        (with(|p| p.tuple = 99), (ErrorCode::UnsupportedMode, batch.product.mode() | 99)),
        (with(|p| p.store = false), (ErrorCode::UnsupportedMode, product.mode() & !(1 << 19))),
        // Results: not aligned, lines or matrices that overlap.
        (with(|p| p.d = 0x3_0002), (ErrorCode::BadAddress, 48)),
        (with(|p| p.d_stride = 16), (ErrorCode::BadAddress, 48)),
        (with(|p| p.d_stride = 22), (ErrorCode::BadAddress, 48)),
        (strided([12, 20, 59]), (ErrorCode::BadAddress, 48)),
        (strided([12, 20, 56]), (ErrorCode::BadAddress, 80)),
        (strided([12, 20, 0]), (ErrorCode::BadAddress, 80)),
        (GemmBatch { product: beside, ..strided([0, 0, 24]) }, (ErrorCode::BadAddress, 80)),
        // Past the end of the address space.
        (strided([u32::MAX, 0, 60]), (ErrorCode::None, 0)),
        (with(|p| p.a = (1 << 40) - 12 * 100), (ErrorCode::None, 0)),
        (with(|p| p.a = (1 << 40) - 12 * 100 + 1), (ErrorCode::BadAddress, 16)),
        (with(|p| p.b = u64::MAX), (ErrorCode::BadAddress, 32)),
        (
            GemmBatch { products: u32::MAX, ..strided([u32::MAX, 0, 60]) },
            (ErrorCode::BadAddress, 16),
        ),
        (GemmBatch { place: BatchPlace::Listed(0x4_0020), ..listed }, (ErrorCode::BadAddress, 88)),
        (
            GemmBatch { place: BatchPlace::Listed(last - 192), ..listed },
            (ErrorCode::BadAddress, 88),
        ),
        (GemmBatch { place: BatchPlace::Listed(last - 256), ..listed }, (ErrorCode::None, 0)),
        (
            GemmBatch { products: u32::MAX, place: BatchPlace::Listed(last - 64), ..listed },
            (ErrorCode::BadAddress, 88),
        ),
    ] {
        let mut regs = Fake::default();
        let answer = run(command, &mut regs);
        match expected.0 {
            ErrorCode::None => drop(started(answer)),
            _ => assert_eq!(refused(answer), expected, "{command:?}"),
        };
    }
    let without = capabilities("dense");
    let answer = submit(Opcode::Gemm, &batch.encode(), &without, &mut Fake::default());
    assert_eq!(refused(answer), (ErrorCode::UnsupportedMode, 1));
}
