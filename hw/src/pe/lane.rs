//! Operands as a window PE takes them: significand, exponent, flags.

use mattock_spec::Format;
use mattock_spec::format::{Float, Specials};
use rtl_gen::{Builder, Sig, cat, uint};

/// Fields of an operand between its decoder and the PEs: the value is `significand * 2^exponent` in units of the format's
/// lowest bit. One lane carries every format of a card; what a format does not use is 0.
///
/// As bits: significand (two's complement) lowest, then exponent, then NaN and infinity. An infinity has the significand
/// 1 or -1, a NaN 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lane {
    /// Bits of the signed significand.
    pub significand: u32,
    /// Bits of the exponent; 0 when all formats are integers.
    pub exponent: u32,
    /// Some format has NaN or infinities.
    pub specials: bool,
}

/// The fields as signals.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'m> {
    pub(crate) significand: Sig<'m>,
    pub(crate) exponent: Option<Sig<'m>>,
    pub(crate) nan: Option<Sig<'m>>,
    pub(crate) infinite: Option<Sig<'m>>,
}

impl Lane {
    /// The narrowest lane of one format.
    pub fn of(format: Format) -> Lane {
        match format {
            Format::Int(f) if f.is_signed() => Lane::integer(f.bits().into()),
            Format::Int(f) => Lane::integer(u32::from(f.bits()) + 1),
            Format::Bipolar(f) => Lane::integer(u32::from(f.bits()) + 1),
            Format::Float(f) => Lane {
                significand: f.mantissa_bits() + 2,
                exponent: bits_of(greatest_exponent(f)),
                specials: f.specials() != Specials::Finite,
            },
        }
    }

    /// A lane of plain integers.
    pub fn integer(bits: u32) -> Lane {
        Lane { significand: bits, exponent: 0, specials: false }
    }

    /// A lane for both.
    #[must_use]
    pub fn union(self, other: Lane) -> Lane {
        Lane {
            significand: self.significand.max(other.significand),
            exponent: self.exponent.max(other.exponent),
            specials: self.specials | other.specials,
        }
    }

    /// Wires.
    pub fn bits(self) -> u32 {
        self.significand + self.exponent + if self.specials { 2 } else { 0 }
    }

    pub(crate) fn split(self, word: Sig<'_>) -> Operand<'_> {
        let top = self.significand + self.exponent;
        Operand {
            significand: word.slice(self.significand - 1, 0).as_s(),
            exponent: (self.exponent > 0).then(|| word.slice(top - 1, self.significand).as_u()),
            nan: self.specials.then(|| word.bit(top)),
            infinite: self.specials.then(|| word.bit(top + 1)),
        }
    }

    /// The lane word of `code`, a code of `format` in its low bits; combinational.
    pub(crate) fn decode<'m>(self, m: &'m Builder, format: Format, code: Sig<'m>) -> Sig<'m> {
        let bits = format.bits();
        let code = code.slice(bits - 1, 0);
        match format {
            Format::Int(f) if f.is_signed() => self.pack(m, code.as_s(), None, None),
            Format::Int(_) => self.pack(m, code.as_u().zext(bits + 1).as_s(), None, None),
            Format::Bipolar(_) => {
                // 2*code + 1 - 2^bits: the subtraction inverts the highest bit into the sign.
                let sign = !code.bit(bits - 1);
                let parts = match bits {
                    1 => vec![sign, m.high()],
                    _ => vec![sign, code.slice(bits - 2, 0), m.high()],
                };
                self.pack(m, cat(&parts).as_s(), None, None)
            }
            Format::Float(f) => self.decode_float(m, f, code),
        }
    }

    fn decode_float<'m>(self, m: &'m Builder, f: Float, code: Sig<'m>) -> Sig<'m> {
        let (mantissa, exponent) = (f.mantissa_bits(), f.exponent_bits());
        let sign = code.bit(mantissa + exponent);
        let field = code.slice(mantissa + exponent - 1, mantissa);
        let normal = field.red_or();
        let magnitude = match mantissa {
            0 => normal,
            _ => cat(&[normal, code.slice(mantissa - 1, 0)]),
        };
        // Subnormals have the exponent of the smallest normal numbers.
        let weight = field.as_u().sub_wrap(normal.as_u().zext(exponent));
        let (nan, infinite) = match f.specials() {
            Specials::Finite => (None, None),
            Specials::OneNan => (Some(code.slice(mantissa + exponent - 1, 0).red_and()), None),
            Specials::Ieee => {
                let full = field.red_and();
                let some = code.slice(mantissa - 1, 0).red_or();
                (Some(full & some), Some(full & !some))
            }
        };
        let magnitude = match (nan, infinite) {
            (Some(nan), Some(infinite)) => {
                let one = magnitude.lit(1);
                (!nan).gate(infinite.mux(one, magnitude))
            }
            (Some(nan), None) => (!nan).gate(magnitude),
            _ => magnitude,
        };
        let magnitude = magnitude.as_u().zext(mantissa + 2).as_s();
        let negative = magnitude.lit(0).sub_wrap(magnitude);
        let weight = match (nan, infinite) {
            (Some(nan), Some(infinite)) => (!(nan | infinite)).gate(weight),
            (Some(nan), None) => (!nan).gate(weight),
            _ => weight,
        };
        let special = nan.map(|nan| (nan, infinite.unwrap_or(m.low())));
        self.pack(m, sign.mux(negative, magnitude), Some(weight), special)
    }

    fn pack<'m>(
        self,
        m: &'m Builder,
        significand: Sig<'m>,
        exponent: Option<Sig<'m>>,
        special: Option<(Sig<'m>, Sig<'m>)>,
    ) -> Sig<'m> {
        let mut parts = vec![];
        if self.specials {
            let (nan, infinite) = special.unwrap_or((m.low(), m.low()));
            parts.extend([infinite, nan]);
        }
        if self.exponent > 0 {
            let none = m.lit(uint(self.exponent), 0);
            parts.push(exponent.map_or(none, |e| e.resize(self.exponent)).as_bits());
        }
        parts.push(significand.sext(self.significand).as_bits());
        cat(&parts)
    }
}

/// Largest exponent above the subnormals' of a finite number.
fn greatest_exponent(f: Float) -> u32 {
    (f.max_code() >> f.mantissa_bits()).max(1) - 1
}

fn bits_of(value: u32) -> u32 {
    if value == 0 { 0 } else { value.ilog2() + 1 }
}
