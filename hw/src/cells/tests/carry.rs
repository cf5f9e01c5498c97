//! Adders with free gates, every operand.

use super::simulate;
use crate::cells::{GatedAdd, RowMultiplier, RowPair};

fn signed(value: u64, width: u32) -> i64 {
    (value as i64) << (64 - width) >> (64 - width)
}

#[test]
fn a_gated_sum_is_exact() {
    let mut sim = simulate(&GatedAdd { width: 5 });
    for code in 0..1u64 << 11 {
        let (a, b, keep) = (code & 31, code >> 5 & 31, code >> 10);
        sim.set("a", a);
        sim.set("b", b);
        sim.set("keep", keep);
        assert_eq!(sim.get("sum"), (a + keep * b) & 31, "{a} {b} {keep}");
    }
}

#[test]
fn a_row_pair_is_a_product_with_two_bits() {
    for top in [false, true] {
        let mut sim = simulate(&RowPair { width: 6, signed: top });
        for code in 0..1u64 << 8 {
            let (a, digit) = (signed(code & 63, 6), (code >> 6) as i64);
            let digit = if top { (digit & 1) - (digit & 2) } else { digit };
            sim.set("a", code & 63);
            sim.set("digit", code >> 6);
            assert_eq!(signed(sim.get("product"), 8), a * digit, "{a} x {digit}");
        }
    }
}

#[test]
fn products_of_all_operands() {
    for (a_bits, b_bits) in [(8, 8), (4, 4), (8, 4), (5, 3), (3, 7), (2, 2), (6, 5)] {
        let multiplier = RowMultiplier { a_bits, b_bits };
        let mut sim = simulate(&multiplier);
        let mut expected = std::collections::VecDeque::from(vec![0; multiplier.latency() as usize]);
        for code in 0..1u64 << (a_bits + b_bits) {
            let (a, b) = (code & ((1 << a_bits) - 1), code >> a_bits);
            sim.set("a", a);
            sim.set("b", b);
            let told = signed(sim.get("product"), a_bits + b_bits);
            let due = expected.pop_front().unwrap_or(0);
            assert!(code < multiplier.latency().into() || told == due, "{told}, not {due}");
            expected.push_back(signed(a, a_bits) * signed(b, b_bits));
            sim.tick();
        }
    }
}
