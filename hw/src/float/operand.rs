//! Operands of a fused multiply-add: normalised, so that a product's leading 1 is in one of its two top bits.

use super::leading_zeros;
use mattock_spec::Format;
use mattock_spec::format::{Float, Specials};
use rtl_gen::{Builder, Module, Sig, any, bits, case, cat, uint};

/// An operand between its decoder and [`Fma`](super::Fma): the value is `significand * 2^(exponent + lowest)`, the significand
/// from 1 up to 2, or 0. One operand carries every format of a card.
///
/// As bits, from the lowest: significand, exponent, sign, then NaN and infinity where some format has them. The significand of an infinity
/// is not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operand {
    /// Bits of the significand, the leading 1 included.
    pub significand: u32,
    /// Exponent of the smallest number's leading 1.
    pub lowest: i32,
    /// Exponent of the largest number's leading 1.
    pub highest: i32,
    /// Some format has NaN or infinities.
    pub specials: bool,
}

/// The fields as signals.
#[derive(Clone, Copy)]
pub(crate) struct OperandFields<'m> {
    pub(crate) significand: Sig<'m>,
    pub(crate) exponent: Sig<'m>,
    pub(crate) sign: Sig<'m>,
    pub(crate) nan: Option<Sig<'m>>,
    pub(crate) infinite: Option<Sig<'m>>,
}

impl Operand {
    /// The narrowest operand of one format.
    pub fn of(f: Float) -> Operand {
        let significand = f.mantissa_bits() + 1;
        let top = (f.max_code() >> f.mantissa_bits()).max(1) as i32;
        Operand {
            significand,
            lowest: 1 - f.bias() - f.mantissa_bits() as i32,
            highest: top - f.bias(),
            specials: f.specials() != Specials::Finite,
        }
    }

    /// An operand for both.
    #[must_use]
    pub fn union(self, other: Operand) -> Operand {
        Operand {
            significand: self.significand.max(other.significand),
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
            specials: self.specials | other.specials,
        }
    }

    /// Bits of the exponent.
    pub fn exponent_bits(self) -> u32 {
        (self.highest - self.lowest).unsigned_abs().max(1).ilog2() + 1
    }

    /// Wires.
    pub fn bits(self) -> u32 {
        self.significand + self.exponent_bits() + 1 + if self.specials { 2 } else { 0 }
    }

    pub(crate) fn split(self, word: Sig<'_>) -> OperandFields<'_> {
        let (p, top) = (self.significand, self.significand + self.exponent_bits());
        OperandFields {
            significand: word.slice(p - 1, 0).as_u(),
            exponent: word.slice(top - 1, p).as_u(),
            sign: word.bit(top),
            nan: self.specials.then(|| word.bit(top + 1)),
            infinite: self.specials.then(|| word.bit(top + 2)),
        }
    }
}

/// Codes of several formats as [`Operand`] words.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `code` | in | bits(`code_bits`) | a code, in the low bits |
/// | `format` | in | uint(5) | index into `formats`; holds still while codes are under way; only with several |
/// | `word` | out | bits | the operand, [`Decode::LATENCY`] cycles later |
///
/// Stages: fields; leading zeros; shift. One code a cycle.
#[derive(Clone, Debug)]
pub struct Decode {
    /// The formats, the first the default.
    pub formats: Vec<Float>,
    /// The operand: the union of theirs.
    pub operand: Operand,
    /// Bits of a code: of the widest format.
    pub code_bits: u32,
}

impl Decode {
    /// Cycles from `code` to `word`.
    pub const LATENCY: u32 = 3;

    /// Fields of a code of `f`: special flags, sign, exponent of the significand's top bit, significand.
    fn fields<'m>(&self, m: &'m Builder, f: Float, code: Sig<'m>) -> Sig<'m> {
        let (mantissa, exponent) = (f.mantissa_bits(), f.exponent_bits());
        let magnitude = code.slice(mantissa + exponent - 1, 0);
        let field = magnitude.slice(mantissa + exponent - 1, mantissa);
        let normal = field.red_or();
        let mut significand = vec![normal];
        if mantissa > 0 {
            significand.push(magnitude.slice(mantissa - 1, 0));
        }
        if self.operand.significand > mantissa + 1 {
            significand.push(m.lit(bits(self.operand.significand - mantissa - 1), 0));
        }
        // Subnormals have the exponent of the smallest normal numbers.
        let ty = uint(self.operand.exponent_bits());
        let weight = cat(&[field, m.low()])
            .as_u()
            .add_wrap(cat(&[!normal, m.low()]).as_u().zext(exponent + 1));
        let weight = weight.slice(exponent, 1).as_u().resize(ty.width());
        let offset = -f.bias() - self.operand.lowest;
        let weight = weight.add_wrap(m.lit(ty, offset.into()));
        let (nan, infinite) = match f.specials() {
            Specials::Finite => (m.low(), m.low()),
            Specials::OneNan => (magnitude.red_and(), m.low()),
            Specials::Ieee => {
                let full = field.red_and();
                let some = magnitude.slice(mantissa - 1, 0).red_or();
                (full & some, full & !some)
            }
        };
        let mut parts = vec![];
        if self.operand.specials {
            parts.extend([infinite, nan]);
        }
        parts.extend([code.bit(mantissa + exponent), weight.as_bits()]);
        parts.extend(significand);
        cat(&parts)
    }
}

impl Module for Decode {
    fn name(&self) -> String {
        let names: Vec<&str> = self.formats.iter().map(|f| Format::Float(*f).name()).collect();
        format!("decode_normal_{}", names.join("_"))
    }

    fn build(&self, m: &Builder) {
        m.doc("Codes of several formats as normalised operands.");
        let code = m.input("code", bits(self.code_bits));
        let words: Vec<(i128, Sig)> = (self.formats.iter().enumerate())
            .map(|(i, f)| (i as i128, self.fields(m, *f, code)))
            .collect();
        let word = match words[..] {
            [(_, only)] => only,
            _ => case(m.input("format", uint(5)), &words[1..], words[0].1),
        };
        let word = m.reg("s1_word", word);
        let fields = self.operand.split(word);
        let (zeros, _) = leading_zeros(m, fields.significand);
        let zeros = m.reg("s2_zeros", zeros);
        let word = m.reg("s2_word", word);
        let fields = self.operand.split(word);
        let exponent = fields.exponent.sub_wrap(zeros.resize(self.operand.exponent_bits()));
        let mut parts = vec![];
        parts.extend(fields.infinite);
        parts.extend(fields.nan);
        parts.extend([fields.sign, exponent.as_bits(), fields.significand.shl(zeros).as_bits()]);
        m.output("word", m.reg("s3_word", cat(&parts)));
    }
}

/// What a product is beside its value: NaN and infinite, where an operand can be.
pub(super) fn product_specials<'m>(
    m: &'m Builder,
    a: &OperandFields<'m>,
    b: &OperandFields<'m>,
) -> (Sig<'m>, Sig<'m>) {
    // A normalised significand is 0 where its top bit is.
    let zero = |x: &OperandFields<'m>| !x.significand.msb();
    let mut nans: Vec<Sig> = a.nan.into_iter().chain(b.nan).collect();
    nans.extend(a.infinite.map(|infinite| infinite & zero(b)));
    nans.extend(b.infinite.map(|infinite| infinite & zero(a)));
    let infinities: Vec<Sig> = a.infinite.into_iter().chain(b.infinite).collect();
    let of = |flags: &[Sig<'m>]| if flags.is_empty() { m.low() } else { any(flags) };
    (of(&nans), of(&infinities))
}
