//! Dot product unit whose row operands are recoded once per row.

use super::booth;
use super::dot::{DotShape, Term, levels, sum_up};
use rtl_gen::{Builder, Module, Sig, bits, cat};

/// Radix-4 digits -2..2 of the row operands, for all units of a row: three bits a digit (negative, two, one), and for each
/// weight how many of its digits are negative.
///
/// Ports: table of [`crate::pe::dot`]; `word` is one register behind `a`. Sources: EN-T (encoder outside the PE) and OPT2 of
/// the bit-weight paper (HPCA 2025).
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    /// Widths.
    pub shape: DotShape,
}

/// Selects 0, b, 2b or their negatives by shared digits and adds **all digits of one weight** in a narrow tree before the weights
/// are joined.
///
/// Ports: table of [`crate::pe::dot`], `a` an [`Encoder`]'s word. A negative multiple is the complement; the ones it lacks are the
/// encoder's counts, a term per weight. Latency: selection, log2(`depth` + 1) levels of the trees, log2 of the digits.
#[derive(Clone, Copy, Debug)]
pub struct SharedEncoder {
    /// Widths.
    pub shape: DotShape,
}

/// Bits of a digit.
const DIGIT: u32 = 3;

impl DotShape {
    fn digits(self) -> u32 {
        self.a_bits.div_ceil(2)
    }

    /// Bits of a count of negative digits.
    fn count_bits(self) -> u32 {
        self.depth.ilog2() + 1
    }
}

/// The number of ones, registered once.
fn count<'m>(flags: &[Sig<'m>], width: u32) -> Sig<'m> {
    let wide: Vec<Sig> = flags.iter().map(|f| f.as_u().zext(width)).collect();
    wide[1..].iter().fold(wide[0], |sum, flag| sum.add_wrap(*flag))
}

impl Module for Encoder {
    fn name(&self) -> String {
        format!("booth_encoder_{}", self.shape.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Radix-4 digits of the row operands, and counts of the negative ones.");
        let DotShape { a_bits, depth, .. } = self.shape;
        let digits = self.shape.digits();
        let a = m.input("a", bits(depth * a_bits));
        let mut codes = vec![];
        let mut negatives = vec![vec![]; digits as usize];
        for k in 0..depth {
            for (d, digit) in booth::digits(m, a.lane(k, a_bits).as_s()).into_iter().enumerate() {
                codes.push(cat(&[digit.negative(), digit.two, digit.one]));
                negatives[d].push(digit.negative());
            }
        }
        codes.reverse();
        let width = self.shape.count_bits();
        let mut parts: Vec<Sig> =
            negatives.iter().rev().map(|flags| count(flags, width).as_bits()).collect();
        parts.extend(codes);
        m.output("word", m.reg("word_q", cat(&parts)));
    }
}

impl SharedEncoder {
    /// Cycles from the encoder's word to the sum.
    pub fn latency(&self) -> u32 {
        1 + levels(self.shape.depth + 1) + levels(self.shape.digits())
    }

    /// Bits of the encoder's word.
    pub fn word_bits(&self) -> u32 {
        let DotShape { depth, .. } = self.shape;
        self.shape.digits() * (depth * DIGIT + self.shape.count_bits())
    }
}

impl Module for SharedEncoder {
    fn name(&self) -> String {
        format!("shared_encoder_{}", self.shape.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Dot product of shared radix-4 digits: digits of one weight are added first.");
        let DotShape { b_bits, depth, .. } = self.shape;
        let digits = self.shape.digits();
        let word = m.input("a", bits(self.word_bits()));
        let b = m.input("b", bits(depth * b_bits));
        let counts = self.shape.count_bits();
        let weights = (0..digits)
            .map(|d| {
                let mut terms: Vec<Term> = (0..depth)
                    .map(|k| {
                        let digit = word.lane(k * digits + d, DIGIT);
                        let once = b.lane(k, b_bits).as_s().sext(b_bits + 1).as_bits();
                        let twice = cat(&[b.lane(k, b_bits), m.low()]);
                        let chosen = digit.bit(0).gate(once) | digit.bit(1).gate(twice);
                        let value = chosen ^ digit.bit(2).rep(b_bits + 1);
                        Term::new(m.reg(&format!("chosen_{d}_{k}"), value.as_s()), 0)
                    })
                    .collect();
                let at = depth * digits * DIGIT + d * counts;
                let count = word.slice(at + counts - 1, at).as_u().zext(counts + 1).as_s();
                terms.push(Term::new(m.reg(&format!("count_{d}"), count), 0));
                Term { weight: 2 * d, ..sum_up(m, &format!("weight_{d}"), terms) }
            })
            .collect();
        let sum = sum_up(m, "sum", weights);
        m.output("sum", sum.value.resize(self.shape.sum_bits()));
    }
}
