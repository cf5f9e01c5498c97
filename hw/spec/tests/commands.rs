//! Ring entries, parameter blocks and completion records: round trips and refusals.

use mattock_spec::Rounding;
use mattock_spec::command::{
    BatchEntry, BatchPlace, COMPLETION_BYTES, Command, Completion, Counters, CsrAddresses,
    DESCRIPTOR_BYTES, Descriptor, GemmBatch, GemmCommand, JoinedProduct, Opcode, SpgemmCommand,
};
use mattock_spec::regs::{ErrorCode, ValueType};
use mattock_spec::semiring::SEMIRINGS;
use proptest::prelude::*;

prop_compose! {
    fn descriptor()(
        op in 0..3usize, interrupt in any::<bool>(), queue in any::<u16>(), cookie in any::<u64>(),
        block in any::<u64>(), parameter_bytes in 0u32..=512, deadline in any::<u64>(),
    ) -> Descriptor {
        let opcode = Opcode::ALL[op];
        Descriptor { opcode, interrupt, queue, cookie, parameters: block & !63, parameter_bytes, deadline }
    }
}

prop_compose! {
    fn gemm()(
        tuple in any::<u8>(), flags in any::<[bool; 8]>(), shape in any::<[u32; 3]>(),
        at in any::<[u64; 3]>(), stride in any::<[u32; 3]>(), mode in 0..5usize,
        epilogue in any::<(bool, u64, u8)>(),
    ) -> GemmCommand {
        let [a_col_major, b_col_major, d_col_major, load_a, load_b, compute, store, saturate] = flags;
        GemmCommand {
            rounding: Rounding::ALL[mode], saturate, tuple, a_col_major, b_col_major, d_col_major, load_a, load_b, compute, store,
            m: shape[0], n: shape[1], k: shape[2],
            a: at[0], b: at[1], d: at[2],
            a_stride: stride[0], b_stride: stride[1], d_stride: stride[2],
            epilogue: if epilogue.0 { epilogue.1 } else { 0 },
            epilogue_steps: if epilogue.0 { u32::from(epilogue.2) | 1 } else { 0 },
        }
    }
}

prop_compose! {
    fn spgemm()(
        value in 0..ValueType::ALL.len(), words in any::<[u32; 7]>(), at in any::<[[u64; 3]; 3]>(),
        semiring in 0..SEMIRINGS.len(), part_table in any::<u64>(), parts in any::<u32>(), ordered in any::<bool>(),
    ) -> SpgemmCommand {
        let [rows, inner, cols, nnz_a, nnz_b, c_capacity, seed] = words;
        let csr = |[row_pointers, columns, values]: [u64; 3]| CsrAddresses { row_pointers, columns, values };
        SpgemmCommand {
            value: ValueType::ALL[value],
            semiring: SEMIRINGS[semiring], ordered,
            rows, inner, cols, nnz_a, nnz_b, c_capacity, seed,
            a: csr(at[0]), b: csr(at[1]), c: csr(at[2]), part_table, parts,
        }
    }
}

prop_compose! {
    fn joined()(
        product in spgemm(), steps in 1u32..32, nnz in any::<[u32; 2]>(), at in any::<[[u64; 3]; 2]>(),
    ) -> JoinedProduct {
        let csr = |[row_pointers, columns, values]: [u64; 3]| CsrAddresses { row_pointers, columns, values };
        JoinedProduct {
            product, steps, nnz_mask: nnz[0], nnz_addend: nnz[1], mask: csr(at[0]), addend: csr(at[1]),
        }
    }
}

prop_compose! {
    fn batch()(
        product in gemm(), products in any::<u32>(), listed in any::<bool>(), next in any::<[u32; 3]>(),
        list in any::<u64>(),
    ) -> GemmBatch {
        match listed {
            false => GemmBatch { product, products, place: BatchPlace::Strided(next) },
            true => {
                let product = GemmCommand { a: 0, b: 0, d: 0, ..product };
                GemmBatch { product, products, place: BatchPlace::Listed(list) }
            }
        }
    }
}

proptest! {
    #[test]
    fn batch_blocks_round_trip(c in batch()) {
        prop_assert_eq!(Command::decode(Opcode::Gemm, &c.encode()), Ok(Command::Batch(c)));
    }

    #[test]
    fn joined_blocks_round_trip(c in joined()) {
        prop_assert_eq!(Command::decode(Opcode::Spgemm, &c.encode()), Ok(Command::Joined(c)));
    }

    #[test]
    fn descriptors_round_trip(entry in descriptor()) {
        prop_assert_eq!(Descriptor::decode(&entry.encode()), Ok(entry));
        prop_assert_eq!(Descriptor::cookie_of(&entry.encode()), entry.cookie);
    }

    #[test]
    fn gemm_blocks_round_trip(c in gemm()) {
        prop_assert_eq!(Command::decode(Opcode::Gemm, &c.encode()), Ok(Command::Gemm(c)));
    }

    #[test]
    fn spgemm_blocks_round_trip(c in spgemm()) {
        prop_assert_eq!(Command::decode(Opcode::Spgemm, &c.encode()), Ok(Command::Spgemm(c)));
    }

    #[test]
    fn completions_round_trip(
        cookie in any::<u64>(), cycles in any::<u64>(), code in 0..ErrorCode::ALL.len(),
        info in any::<u32>(), result in any::<u32>(), opcode in any::<u8>(), queue in any::<u16>(),
        phase in any::<bool>(), wide in any::<[u64; 4]>(), words in any::<[u32; 6]>(),
    ) {
        let code = ErrorCode::ALL[code];
        let counters = Counters {
            bytes_read: wide[0],
            bytes_written: wide[1],
            products: wide[2],
            compute_cycles: wide[3],
            windows: words[0],
            spills: words[1],
            restarts: words[2],
            hazard_stalls: words[3],
            cache_hits: words[4],
            cache_misses: words[5],
        };
        let record = Completion { cookie, cycles, code, info, result, opcode, queue, counters, phase };
        prop_assert_eq!(Completion::decode(&record.encode()), Ok(record));
        // The phase is in the last byte, so that a record written in order is complete when it turns.
        let turned = Completion { phase: !phase, ..record };
        prop_assert_eq!(&turned.encode()[..127], &record.encode()[..127]);
    }

    /// A block either is refused or means exactly its bytes: no bit is ignored.
    #[test]
    fn bytes_are_refused_or_mean_what_they_say(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        sparse in proptest::collection::vec((0..192usize, any::<u8>()), 0..6), op in 1u8..4,
        length in prop_oneof![Just(32usize), Just(64), Just(96), Just(128), Just(192), 0..200usize],
    ) {
        let mut zeroes = vec![0; length];
        for (at, byte) in sparse {
            if let Some(b) = zeroes.get_mut(at) { *b = byte; }
        }
        if let Some(first) = zeroes.first_mut() { *first = op; }
        for bytes in [bytes, zeroes] {
            if let Ok(entry) = Descriptor::decode(&bytes) {
                prop_assert_eq!(&entry.encode()[..], &bytes[..]);
            }
            if let Ok(c) = GemmCommand::decode(&bytes) {
                prop_assert_eq!(&c.encode()[..], &bytes[..]);
            }
            if let Ok(c) = GemmBatch::decode(&bytes) {
                prop_assert_eq!(&c.encode()[..], &bytes[..]);
            }
            if let Ok(c) = SpgemmCommand::decode(&bytes) {
                prop_assert_eq!(&c.encode()[..], &bytes[..]);
            }
            if let Ok(c) = JoinedProduct::decode(&bytes) {
                prop_assert_eq!(&c.encode()[..], &bytes[..]);
            }
            if let Ok(record) = Completion::decode(&bytes) {
                prop_assert_eq!(&record.encode()[..], &bytes[..]);
            }
        }
    }
}

fn entry() -> Descriptor {
    Descriptor {
        opcode: Opcode::Gemm,
        interrupt: false,
        queue: 0,
        cookie: 7,
        parameters: 0x1000,
        parameter_bytes: 64,
        deadline: 0,
    }
}

#[test]
fn every_reserved_byte_and_bad_field_has_its_own_refusal() {
    let refused = |at: usize, byte: u8| {
        let mut bytes = entry().encode();
        bytes[at] = byte;
        let e = Descriptor::decode(&bytes).unwrap_err();
        (e.code, e.info)
    };
    assert_eq!(refused(0, 0), (ErrorCode::BadOpcode, 0));
    assert_eq!(refused(0, 99), (ErrorCode::BadOpcode, 99));
    assert_eq!(refused(1, 2), (ErrorCode::ReservedBits, 1));
    assert_eq!(refused(16, 32), (ErrorCode::BadAddress, 16));
    assert_eq!(refused(5, 3), (ErrorCode::BadLength, 3 * 256 + 64));
    for at in 32..DESCRIPTOR_BYTES {
        assert_eq!(refused(at, 1), (ErrorCode::ReservedBits, at as u32));
    }
    for length in [0, 63, 65, 1000] {
        let e = Descriptor::decode(&vec![0; length]).unwrap_err();
        assert_eq!((e.code, e.info), (ErrorCode::BadLength, length as u32));
    }
    assert_eq!(
        Completion::decode(&[0; COMPLETION_BYTES - 1]).unwrap_err().code,
        ErrorCode::BadLength
    );
    assert_eq!(Command::decode(Opcode::Nop, &[0]).unwrap_err().code, ErrorCode::BadLength);
    assert_eq!(Command::decode(Opcode::Nop, &[]), Ok(Command::Nop));
    let mut block = GemmCommand::default().encode();
    block[1] = 5 << 3; // a sixth rounding mode
    let e = Command::decode(Opcode::Gemm, &block).unwrap_err();
    assert_eq!((e.code, e.info), (ErrorCode::UnsupportedMode, 5 << 11));
    assert_eq!(
        Command::decode(Opcode::Gemm, &[0; 63]).unwrap_err().to_string(),
        "The parameter block's length is not the opcode's. (the length given: 63)"
    );
}

#[test]
fn batches_have_no_bits_without_a_meaning() {
    let strided = GemmBatch { products: 3, ..GemmBatch::default() };
    let listed = GemmBatch { place: BatchPlace::Listed(0x40), ..strided };
    let refused = |batch: &GemmBatch, at: usize, byte: u8| {
        let mut block = batch.encode();
        block[at] |= byte;
        let e = GemmBatch::decode(&block).unwrap_err();
        (e.code, e.info)
    };
    for batch in [&strided, &listed] {
        assert_eq!(refused(batch, 64, 4), (ErrorCode::ReservedBits, 64));
        assert_eq!(refused(batch, 86, 1), (ErrorCode::ReservedBits, 86));
        assert_eq!(refused(batch, 13 + 32, 1), (ErrorCode::ReservedBits, 45));
    }
    // A list has no distances and no first product; without one there is no list.
    assert_eq!(refused(&strided, 88, 1), (ErrorCode::ReservedBits, 88));
    for at in [16, 37, 48, 72, 83] {
        assert_eq!(refused(&listed, at, 1), (ErrorCode::ReservedBits, at as u32));
    }
    let mut none = strided.encode();
    none[64] = 0;
    assert_eq!(GemmBatch::decode(&none).unwrap_err().info, 64);
    let entry = BatchEntry { a: 1, b: 0x0203, d: 4 << 56 }.encode();
    assert_eq!((entry[0], entry[8], entry[9], entry[23]), (1, 3, 2, 4));
}
