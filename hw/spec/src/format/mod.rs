//! Number formats, exact to the bit.
//!
//! A [`Format`] is a small value naming how a number is stored. [`FORMATS`] is the table that
//! models, processing elements, the driver and reports loop over; a format family is one file.

mod bipolar;
mod exact;
mod float;
mod int;
mod tuple;
mod window;

pub use bipolar::Bipolar;
pub use float::{Float, Specials};
pub use int::Int;
pub use tuple::{MAX_TUPLES, Tuple, TupleError, TupleList};
pub use window::{EXACT_DEPTH, Window};

use core::{fmt, str::FromStr};

/// How a value that lies between two codes is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Rounding {
    /// To nearest, ties to the even code (IEEE 754 roundTiesToEven).
    #[default]
    Rne,
    /// Toward zero.
    Rz,
    /// Toward plus infinity.
    Ru,
    /// Toward minus infinity.
    Rd,
    /// To nearest, ties away from zero.
    Rna,
}

impl Rounding {
    /// All modes, for tests and menus.
    pub const ALL: [Rounding; 5] =
        [Rounding::Rne, Rounding::Rz, Rounding::Ru, Rounding::Rd, Rounding::Rna];

    /// The name on the command line, such as `rne`.
    pub const fn name(self) -> &'static str {
        ["rne", "rz", "ru", "rd", "rna"][self as usize]
    }

    /// The number in commands: the position in [`ALL`](Self::ALL).
    pub const fn wire_code(self) -> u32 {
        self as u32
    }

    /// The mode of a command's number.
    pub fn from_wire_code(code: u32) -> Option<Rounding> {
        Rounding::ALL.get(code as usize).copied()
    }
}

/// The exact value of a code: integers of up to 32 bits fit `i64`, floats of up to 32 bits `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// From an integer or bipolar format.
    Int(i64),
    /// From a floating-point format; may be infinite or NaN.
    Float(f64),
}

impl Value {
    /// The value as `f64`: exact for every value a format decodes to.
    pub fn to_f64(self) -> f64 {
        match self {
            Value::Int(i) => i as f64,
            Value::Float(f) => f,
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

/// A number format: which values exist and which code each one has.
///
/// ```
/// use mattock_spec::{Format, Rounding, Value};
/// let e4m3: Format = "e4m3".parse().unwrap();
/// assert_eq!(e4m3.decode(0x7e), Value::Float(448.0));
/// assert_eq!(e4m3.encode(Value::Float(465.0), Rounding::Rne, true), 0x7e); // saturates
/// assert_eq!(e4m3.encode(Value::Float(465.0), Rounding::Rne, false), 0x7f); // NaN
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Two's-complement or unsigned integer.
    Int(Int),
    /// Each bit weighs plus or minus its power of two.
    Bipolar(Bipolar),
    /// Sign, exponent and mantissa.
    Float(Float),
}

impl Format {
    /// Accumulator and result type of integer products.
    pub const I32: Format = Format::int(32);
    /// The common integer operand.
    pub const I8: Format = Format::int(8);
    /// The narrow integer operand.
    pub const I4: Format = Format::int(4);
    /// IEEE 754 binary32.
    pub const F32: Format = Format::Float(Float::F32);

    /// Signed integer of 1 to 32 bits.
    ///
    /// # Panics
    /// When `bits` is outside 1..=32; a build error in a constant.
    pub const fn int(bits: u8) -> Format {
        Format::Int(Int::new(bits, true))
    }

    /// Unsigned integer of 1 to 32 bits.
    ///
    /// # Panics
    /// When `bits` is outside 1..=32; a build error in a constant.
    pub const fn uint(bits: u8) -> Format {
        Format::Int(Int::new(bits, false))
    }

    /// The name used in configurations and on the command line, such as `i8` or `e4m3`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Int(f) => f.name(),
            Format::Bipolar(f) => f.name(),
            Format::Float(f) => f.name,
        }
    }

    /// Bits of a code.
    pub const fn bits(self) -> u32 {
        match self {
            Format::Int(f) => f.bits() as u32,
            Format::Bipolar(f) => f.bits() as u32,
            Format::Float(f) => f.bits(),
        }
    }

    /// Bits one element takes in memory: [`bits`](Self::bits) rounded up to a power of two, so that
    /// elements never straddle a byte. Elements are packed from the low bits of the first byte up;
    /// spare high bits are ignored on reading and written as the sign (signed integers) or zero.
    pub const fn storage_bits(self) -> u32 {
        self.bits().next_power_of_two()
    }

    /// True for integer and bipolar formats: sums of their products are exact integers.
    pub const fn is_integer(self) -> bool {
        !matches!(self, Format::Float(_))
    }

    /// True when some code is negative.
    pub const fn is_signed(self) -> bool {
        match self {
            Format::Int(f) => f.is_signed(),
            Format::Bipolar(_) | Format::Float(_) => true,
        }
    }

    /// The exact value of `code`; bits above [`bits`](Self::bits) are ignored.
    pub fn decode(self, code: u32) -> Value {
        match self {
            Format::Int(f) => Value::Int(f.decode(code)),
            Format::Bipolar(f) => Value::Int(f.decode(code)),
            Format::Float(f) => Value::Float(f.decode(code)),
        }
    }

    /// The code of `value` after one rounding.
    ///
    /// | value | `saturate` | otherwise |
    /// |---|---|---|
    /// | past the largest finite code | the largest finite code | integers: wraps modulo 2^bits; bipolar: the largest code; floats: infinity, or NaN when the format has no infinity, or the largest code when it has neither. `Rz`, and `Ru`/`Rd` away from the overflow, give the largest code (IEEE 754 7.4) |
    /// | infinite | the largest finite code | floats: infinity, NaN or the largest code as above; integers and bipolar: the largest code |
    /// | NaN | floats with a NaN: the positive quiet NaN; float formats without one: zero; integers: zero; bipolar: the smallest code above zero | the same |
    ///
    /// Zero keeps its sign in floats. Subnormals are never flushed.
    pub fn encode(self, value: Value, rounding: Rounding, saturate: bool) -> u32 {
        match self {
            Format::Int(f) => f.encode(value, rounding, saturate),
            Format::Bipolar(f) => f.encode(value, rounding),
            Format::Float(f) => f.encode(value, rounding, saturate),
        }
    }

    /// The number of this format in capability words. Never reused for another format.
    ///
    /// `0x01..=0x20` signed integers by width, `0x41..=0x60` unsigned, `0x81..=0x88` bipolar,
    /// `0xc0..` floats.
    pub fn wire_code(self) -> u8 {
        match self {
            Format::Int(f) if f.is_signed() => f.bits(),
            Format::Int(f) => 0x40 | f.bits(),
            Format::Bipolar(f) => 0x80 | f.bits(),
            Format::Float(f) => 0xc0 | f.wire,
        }
    }

    /// The format of a capability word; `None` when this software does not know it.
    pub fn from_wire_code(code: u8) -> Option<Format> {
        match (code & 0xc0, code & 0x3f) {
            (0x00, bits @ 1..=32) => Some(Format::int(bits)),
            (0x40, bits @ 1..=32) => Some(Format::uint(bits)),
            (0x80, bits @ 1..=8) => Some(Format::Bipolar(Bipolar::new(bits))),
            (0xc0, wire) => Float::ALL.into_iter().find(|f| f.wire == wire).map(Format::Float),
            _ => None,
        }
    }
}

/// Every format a card may be built with, as an operand or as a result.
pub const FORMATS: &[Format] = &{
    let mut table = [Format::I32; 16 + 16 + 8 + Float::ALL.len() + 1];
    let mut bits = 1;
    while bits <= 16 {
        table[bits - 1] = Format::int(bits as u8);
        table[16 + bits - 1] = Format::uint(bits as u8);
        bits += 1;
    }
    let mut bits = 1;
    while bits <= 8 {
        table[32 + bits - 1] = Format::Bipolar(Bipolar::new(bits as u8));
        bits += 1;
    }
    let mut i = 0;
    while i < Float::ALL.len() {
        table[40 + i] = Format::Float(Float::ALL[i]);
        i += 1;
    }
    table // the last row stays i32
};

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no number format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFormat;

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown number format; known are ")?;
        f.write_str(KNOWN_NAMES)
    }
}

impl core::error::Error for UnknownFormat {}

/// The names of [`FORMATS`], shortened for messages.
pub const KNOWN_NAMES: &str =
    "i1..i16 u1..u16 b1..b8 e2m1 e2m3 e3m2 e4m3 e5m2 (any eXmY of 2 to 8 bits) f16 bf16 f32 i32";

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        FORMATS.iter().copied().find(|f| f.name() == name).ok_or(UnknownFormat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_round_trips_through_its_name_and_wire_code() {
        for &format in FORMATS {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(Format::from_wire_code(format.wire_code()), Some(format), "{format}");
        }
        let mut codes: Vec<u8> = FORMATS.iter().map(|f| f.wire_code()).collect();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), FORMATS.len());
        for bad in ["", "i0", "i17", "i33", "u17", "b9", "f8", "I8", "i08", " i8"] {
            assert_eq!(bad.parse::<Format>(), Err(UnknownFormat), "{bad}");
        }
    }

    #[test]
    fn every_code_of_up_to_16_bits_survives_decode_and_encode() {
        for &format in FORMATS.iter().filter(|f| f.bits() <= 16) {
            for code in 0..1u32 << format.bits() {
                let value = format.decode(code);
                if value.to_f64().is_nan() {
                    continue; // all NaN codes become the one canonical NaN
                }
                for rounding in Rounding::ALL {
                    assert_eq!(format.encode(value, rounding, false), code, "{format} {code:#x}");
                    if value.to_f64().is_finite() {
                        assert_eq!(
                            format.encode(value, rounding, true),
                            code,
                            "{format} {code:#x}"
                        );
                    }
                }
            }
        }
    }
}
