//! Printed manual and header, and the capability list: written, read back, and damaged.

use mattock_spec::CardConfig;
use mattock_spec::config::REFERENCE_NAMES;
use mattock_spec::regs::{
    BAR0_BYTES, CAPABILITY_BASE, CAPABILITY_WORDS, Capabilities, CapabilityError, MAPS, ValueType,
    c_header, capability_rom, card, manual_markdown,
};
use mattock_spec::semiring::SEMIRINGS;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_manual_is_stable() {
    insta::assert_snapshot!(manual_markdown());
}

#[test]
fn the_c_header_is_stable() {
    insta::assert_snapshot!(c_header());
}

#[test]
fn names_are_unique_and_addresses_lie_in_their_block() {
    let mut addresses = BTreeSet::new();
    for map in MAPS {
        let names: BTreeSet<&str> = map.regs.iter().map(|r| r.name).collect();
        assert_eq!(names.len(), map.regs.len());
        for reg in map.regs {
            assert!(addresses.insert(reg.address()));
            assert!(reg.address() < BAR0_BYTES);
            let fields: BTreeSet<&str> = reg.fields.iter().map(|f| f.name).collect();
            assert_eq!(fields.len(), reg.fields.len(), "{}", reg.name);
            assert!(!reg.fields.is_empty() && reg.doc.ends_with('.'), "{}", reg.name);
        }
    }
    let window = CAPABILITY_BASE..CAPABILITY_BASE + 4 * CAPABILITY_WORDS;
    assert!(addresses.iter().all(|a| !window.contains(a)));
}

/// The words a card answers with: identity registers and capability window.
fn answers(config: &CardConfig) -> BTreeMap<u32, u32> {
    let digest = config.digest();
    let identity = [
        (card::ID, card::MAGIC),
        (card::VERSION, card::VERSION::MAJOR.put(card::VERSION_MAJOR) | card::VERSION_MINOR),
        (card::DIGEST_LO, digest as u32),
        (card::DIGEST_HI, (digest >> 32) as u32),
        (card::CAP_PTR, CAPABILITY_BASE),
    ];
    let rom = capability_rom(config).into_iter().zip((CAPABILITY_BASE..).step_by(4));
    let identity = identity.into_iter().map(|(reg, value)| (reg.address(), value));
    identity.chain(rom.map(|(word, at)| (at, word))).collect()
}

fn parse(words: &BTreeMap<u32, u32>) -> Result<Capabilities, CapabilityError> {
    Capabilities::parse(|at| {
        assert!(
            at < CAPABILITY_BASE + 4 * CAPABILITY_WORDS && at.is_multiple_of(4),
            "read {at:#x}"
        );
        words.get(&at).copied().unwrap_or(0)
    })
}

#[test]
fn a_card_describes_itself_as_it_was_configured() {
    for name in REFERENCE_NAMES {
        let config = CardConfig::reference(name).unwrap();
        let caps = parse(&answers(&config)).unwrap();
        assert_eq!(caps.digest, config.digest());
        assert_eq!(caps.clock_khz, config.clock_mhz * 1000);
        assert_eq!(
            (caps.bus_bytes, caps.address_bits),
            (config.memory.bus_bytes, config.memory.address_bits)
        );
        assert_eq!(
            (caps.gemm.is_some(), caps.spgemm.is_some()),
            (config.gemm.is_some(), config.spgemm.is_some())
        );
        if let (Some(c), Some(g)) = (caps.gemm, &config.gemm) {
            assert_eq!((c.rows, c.cols, c.align), (g.tile_rows(), g.cols, g.align));
            assert_eq!((c.depth, c.interleave), (g.depth(), g.interleave()));
            assert_eq!(c.macs_per_cycle(), u64::from(g.rows * g.cols));
            assert_eq!(c.element_bits(), g.element_bits());
            assert_eq!((c.a_kib, c.b_kib, c.result_kib), (g.a_kib, g.b_kib, g.result_kib));
            assert_eq!(c.tuples.iter().collect::<Vec<_>>(), g.tuples);
        }
        if let (Some(c), Some(s)) = (caps.spgemm, &config.spgemm) {
            assert_eq!(
                (c.clusters, c.lanes, c.banks, c.ways),
                (s.clusters, s.lanes, s.banks, s.ways)
            );
            assert_eq!((c.entries_per_half, c.cache_kib), (s.entries_per_half, s.cache_kib));
            assert_eq!((c.index_bits, c.row_slots, c.seed), (s.index_bits, s.row_slots, s.seed));
            assert_eq!((c.align, c.adder_latency), (s.align, s.adder_latency));
            for &value in ValueType::ALL {
                assert_eq!(c.has(value), s.values.contains(&value));
            }
            for &semiring in SEMIRINGS {
                assert_eq!(c.has_semiring(semiring), s.semirings.contains(&semiring));
            }
        }
    }
}

#[test]
fn on_chip_space_counts_whole_tiles_in_the_widest_format() {
    let caps = parse(&answers(&CardConfig::reference("bench16").unwrap())).unwrap().gemm.unwrap();
    // 512 x 512 x 512 is what this card keeps on chip.
    assert_eq!(caps.a_bytes(512, 512), 256 * 1024);
    assert_eq!(caps.b_bytes(512, 512), 256 * 1024);
    assert_eq!(caps.result_bytes(512, 512), 1024 * 1024);
    assert_eq!(caps.a_bytes(1, 3), 16 * 3);
    assert_eq!(caps.result_bytes(17, 1), 32 * 16 * 4);
    assert_eq!(caps.result_bytes(0, 5), 0);
    assert_eq!(caps.a_bytes(u32::MAX, u32::MAX), (1u64 << 32) * (u64::from(u32::MAX)));
}

#[test]
fn cards_that_cannot_be_understood_are_refused_with_the_reason() {
    let good = answers(&CardConfig::reference("small").unwrap());
    let with = |at: u32, word: u32| {
        let mut words = good.clone();
        words.insert(at, word);
        parse(&words).unwrap_err().to_string()
    };
    let base = CAPABILITY_BASE;
    let header = good[&base];
    let gemm = base + 4 * 4; // after CLOCK and MEMORY, two words each
    // An unknown entry in the window's last word, and one word longer than that.
    let last = |length: u32| {
        let at = base + 4 * (CAPABILITY_WORDS - 1);
        let mut words = good.clone();
        words.insert(base, 0x7e | 1 << 8 | at << 16);
        words.insert(at, 0x7f | length << 8);
        parse(&words).unwrap_err().to_string()
    };
    let messages = [
        Capabilities::parse(|_| u32::MAX).unwrap_err().to_string(),
        with(card::ID.address(), 0x1234_5678),
        with(card::VERSION.address(), 0x0007_0000),
        with(card::CAP_PTR.address(), 0),
        with(card::CAP_PTR.address(), 0x1000),
        with(card::CAP_PTR.address(), base + 2),
        with(card::CAP_PTR.address(), base + 4 * 4),
        with(base, header & !0xff00),
        with(gemm, good[&gemm] | 0xff00),
        with(base, 0x7f | 1 << 8 | base << 16),
        with(base, header & 0xffff | base << 16),
        with(base + 12, 0x2803),
        with(gemm + 4, 0x0008_0000),
        with(gemm + 16, 0xff_ff_ff_ff),
        last(1),
        last(2),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_answer_of_a_card_panics_or_hangs(
        which in 0..REFERENCE_NAMES.len(),
        damage in proptest::collection::vec((0u32..40, any::<u32>(), 0u32..32), 1..6),
    ) {
        let mut words = answers(&CardConfig::reference(REFERENCE_NAMES[which]).unwrap());
        for (word, value, bit) in damage {
            let at = if word < 5 { [0, 4, 8, 12, 16][word as usize] } else { CAPABILITY_BASE + 4 * (word - 5) };
            let old = words.get(&at).copied().unwrap_or(0);
            words.insert(at, if value % 2 == 0 { value } else { old ^ 1 << bit });
        }
        if let Ok(caps) = parse(&words) {
            prop_assert!(caps.gemm.is_some() || caps.spgemm.is_some());
            prop_assert!(caps.bus_bytes.is_power_of_two());
        }
    }
}
