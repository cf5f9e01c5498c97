//! Integer PE that adds one nonzero digit of the row operand a cycle.

use super::{PeShape, accumulate};
use rtl_gen::{Builder, Module, Sig, bit, bits};

/// A radix-4 digit -2..2 with its weight, as bits: twice, negative, weight, and nonzero highest.
#[derive(Clone, Copy, Debug)]
pub struct DigitWord;

impl DigitWord {
    /// Bits of the weight's number, log4.
    pub fn weight_bits(a_bits: u32) -> u32 {
        a_bits.div_ceil(2).next_power_of_two().ilog2().max(1)
    }

    /// Bits of the word.
    pub fn bits(a_bits: u32) -> u32 {
        3 + Self::weight_bits(a_bits)
    }
}

/// Accumulator cell: `acc <= keep ? acc + digit*b : digit*b`, the digit weighted.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `digit` | in | bits | a [`DigitWord`] of the row, shared by all its PEs |
/// | `b` | in | bits(2 * `b_bits` + 1) | column operand, and above it its negative, a bit wider |
/// | `keep` | in | bit | with the term, [`LATENCY`](Self::LATENCY) cycles later: 0 starts a sum and drains the one before |
/// | `drain` | out | bits(`acc_bits`) | the finished sum for one cycle, otherwise 0 |
///
/// The negative comes with the operand because a negation in every PE would be a carry chain more. An operand takes as many cycles as it has nonzero digits, at least one; the array's queue and scan (`gemm/array/skip.rs`)
/// see to it. Source: OPT3 and OPT4 of "Exploring the Performance Improvement of Tensor Processing Engines through
/// Transformation in the Bit-weight Dimension of MACs" (HPCA 2025), with a carry chain where the paper saves carries.
#[derive(Clone, Copy, Debug)]
pub struct DigitSkip {
    /// Operand and accumulator widths.
    pub shape: PeShape,
}

impl DigitSkip {
    /// Cycles from digit and operand to the term.
    pub const LATENCY: u32 = 1;
}

impl Module for DigitSkip {
    fn name(&self) -> String {
        format!("digit_skip_{}", self.shape.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Accumulator of weighted digits; `keep` 0 starts a sum and drains the one before.");
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        let digit = m.input("digit", bits(DigitWord::bits(a_bits)));
        let both = m.input("b", bits(2 * b_bits + 1));
        let b = both.slice(b_bits - 1, 0).as_s();
        let negated = both.slice(2 * b_bits, b_bits).as_s();
        let keep = m.input("keep", bit());
        let (twice, negative, some) =
            (digit.bit(0), digit.bit(1), digit.bit(DigitWord::bits(a_bits) - 1));
        let width = a_bits + b_bits + 1;
        let once = some.gate(negative.mux(negated, b.sext(b_bits + 1)));
        let multiple = twice.mux(once.shl_k(1), once.sext(b_bits + 2));
        let places: Vec<Sig> = (0..a_bits.div_ceil(2))
            .map(|d| multiple.shl_k(2 * d).sext(width.max(b_bits + 2 + 2 * d)).resize(width))
            .collect();
        let weight = digit.slice(1 + DigitWord::weight_bits(a_bits), 2).as_u();
        let placed = (1..places.len())
            .fold(places[0], |other, d| weight.is(d as i128).mux(places[d], other));
        m.output("drain", accumulate(m, m.reg("term", placed), keep, acc_bits));
    }
}
