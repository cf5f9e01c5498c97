//! Dot product unit that looks sums up instead of multiplying.

use super::dot::{DotShape, Term, levels, sum_up};
use rtl_gen::{Builder, Module, Sig, bits, cat};

/// Tables of the row operands, for all units of a row: sum and difference of each pair, and the negative of the sum of all.
///
/// Ports: table of [`crate::pe::dot`]; `word` is one register behind `a`. With weights of +1 and -1 a pair has four sums, two of which are the
/// negatives of the others, so half a table is kept (symmetrisation).
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// Widths.
    pub shape: DotShape,
}

/// Looks up, for each bit plane of the column operands, the sum of each pair of row operands.
///
/// Ports: table of [`crate::pe::dot`], `a` a [`Tables`]' word. A column operand w is read as 2w + 1 = the sum of 2^i * s_i with s_i = +1 or -1 (the
/// bits, the highest inverted), so all planes are alike; the dot product is half of what comes out less the sum of the row
/// operands, which is in the word. Where s of the first of a pair is -1 the entry is complemented; the ones this lacks are, over all planes,
/// the first's own inverted bits: one term per pair. On a LUT of four inputs an entry's bit costs one (sum, difference, two
/// signs). Latency: lookup, log2 of pairs, planes and terms.
///
/// Source: LUT Tensor Core (ISCA 2025), tables of signed sums with half kept, weights serial or, as here, side by side; groups
/// of two for LUTs of four inputs where the paper has four.
#[derive(Clone, Copy, Debug)]
pub struct Lut {
    /// Widths.
    pub shape: DotShape,
}

impl DotShape {
    fn pairs(self) -> u32 {
        self.depth / 2
    }

    fn entry_bits(self) -> u32 {
        self.a_bits + 1
    }

    /// Bits of the sum of all row operands.
    fn total_bits(self) -> u32 {
        self.a_bits + levels(self.depth) + 1
    }
}

fn check(shape: DotShape) -> Result<(), String> {
    if !shape.depth.is_multiple_of(2) {
        return Err(format!("depth is {}; tables are of pairs", shape.depth));
    }
    Ok(())
}

impl Module for Tables {
    fn name(&self) -> String {
        format!("pair_tables_{}", self.shape.suffix())
    }

    fn check(&self) -> Result<(), String> {
        check(self.shape)
    }

    fn build(&self, m: &Builder) {
        m.doc("Sum and difference of each pair of row operands, and the negative sum of all.");
        let DotShape { a_bits, depth, .. } = self.shape;
        let a = m.input("a", bits(depth * a_bits));
        let operand = |k: u32| a.lane(k, a_bits).as_s();
        let width = self.shape.total_bits();
        let all =
            (1..depth).fold(operand(0).sext(width), |sum, k| sum.add_wrap(operand(k).sext(width)));
        let mut parts = vec![all.lit(0).sub_wrap(all).as_bits()];
        for pair in (0..self.shape.pairs()).rev() {
            let (x, y) = (operand(2 * pair), operand(2 * pair + 1));
            parts.extend([(x - y).as_bits(), (x + y).as_bits()]);
        }
        m.output("word", m.reg("word_q", cat(&parts)));
    }
}

impl Lut {
    /// Bits of the tables' word.
    pub fn word_bits(&self) -> u32 {
        self.shape.pairs() * 2 * self.shape.entry_bits() + self.shape.total_bits()
    }

    /// Cycles from the tables to the sum.
    pub fn latency(&self) -> u32 {
        let DotShape { b_bits, .. } = self.shape;
        let pairs = self.shape.pairs();
        // Planes wait for their pairs, and the corrections with them.
        1 + levels(pairs) + levels(b_bits + 2)
    }
}

impl Module for Lut {
    fn name(&self) -> String {
        format!("lut_dot_{}", self.shape.suffix())
    }

    fn check(&self) -> Result<(), String> {
        check(self.shape)
    }

    fn build(&self, m: &Builder) {
        m.doc("Dot product by tables of pairs: one lookup per pair and bit plane.");
        let DotShape { b_bits, depth, .. } = self.shape;
        let (pairs, entry) = (self.shape.pairs(), self.shape.entry_bits());
        let total_bits = self.shape.total_bits();
        let word = m.input("a", bits(self.word_bits()));
        let b = m.input("b", bits(depth * b_bits));
        // Signs: the operand's bits, the highest inverted.
        let sign = |k: u32, i: u32| {
            let bit = b.lane(k, b_bits).bit(i);
            if i + 1 == b_bits { !bit } else { bit }
        };
        let mut terms: Vec<Term> = (0..b_bits)
            .map(|i| {
                let entries = (0..pairs).map(|p| {
                    let (first, second) = (sign(2 * p, i), sign(2 * p + 1, i));
                    let (sum, difference) = (word.lane(2 * p, entry), word.lane(2 * p + 1, entry));
                    let value = (first ^ second).mux(difference, sum) ^ (!first).rep(entry);
                    Term::new(m.reg(&format!("entry_{i}_{p}"), value.as_s()), 0)
                });
                Term { weight: i, ..sum_up(m, &format!("plane_{i}"), entries.collect()) }
            })
            .collect();
        let inverted = (0..pairs).map(|p| {
            let bits: Vec<Sig> = (0..b_bits).rev().map(|i| !sign(2 * p, i)).collect();
            let value = cat(&bits).as_u().zext(b_bits + 1).as_s();
            Term::new(m.reg(&format!("inverted_{p}"), value), 0)
        });
        terms.push(sum_up(m, "inverted_sum", inverted.collect()));
        let top = pairs * 2 * entry;
        let total = word.slice(top + total_bits - 1, top).as_s();
        terms.push(Term::new(m.delay("total", total, 1 + levels(pairs)), 0));
        let twice = sum_up(m, "sum", terms).value;
        m.output("sum", twice.shr_k(1).resize(self.shape.sum_bits()));
    }
}
