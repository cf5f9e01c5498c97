//! Which formats meet in one product: the (A, B, accumulate, D) tuple.

use super::{Format, UnknownFormat};
use core::{fmt, str::FromStr};

/// Most tuples one card may be built with.
pub const MAX_TUPLES: usize = 16;

/// Operand, accumulator and result formats of a matrix product, written `A,B,D`.
///
/// Integer products accumulate in 32 bits and float products in `f32` unless
/// [`with_accumulator`](Self::with_accumulator) says otherwise.
///
/// ```
/// let tuple: mattock_spec::Tuple = "i8,i4,i32".parse().unwrap();
/// assert_eq!(tuple.acc.name(), "i32");
/// assert_eq!(tuple.to_string(), "i8,i4,i32");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Left operand.
    pub a: Format,
    /// Right operand.
    pub b: Format,
    /// Running sum.
    pub acc: Format,
    /// Result in memory.
    pub d: Format,
}

impl Tuple {
    /// Checks that the formats can meet: both operands integer or both float, each of at most 32
    /// bits (integers: at most 16), and a result of the operands' kind.
    pub fn new(a: Format, b: Format, d: Format) -> Result<Tuple, TupleError> {
        if a.is_integer() != b.is_integer() {
            return Err(TupleError::MixedKinds { a, b });
        }
        for operand in [a, b] {
            if operand.is_integer() && operand.bits() > 16 {
                return Err(TupleError::WideOperand { operand });
            }
        }
        if d.is_integer() && !a.is_integer() || !d.is_integer() && a.is_integer() {
            return Err(TupleError::ResultKind { a, b, d });
        }
        let acc = if a.is_integer() { Format::I32 } else { Format::F32 };
        Ok(Tuple { a, b, acc, d })
    }

    /// The same tuple with a signed integer accumulator of `bits` (1 to 32); unchanged for floats.
    pub fn with_accumulator(self, bits: u8) -> Tuple {
        if self.a.is_integer() { Tuple { acc: Format::int(bits), ..self } } else { self }
    }

    /// Floats whose products are summed in binary32, one rounding a step: one operand at least has more than 8 bits. Sums of others are
    /// exact.
    pub fn is_chained(&self) -> bool {
        !self.a.is_integer() && [self.a, self.b].iter().any(|f| f.bits() > 8)
    }

    /// Whether the dense engine of this version computes it: operands of 4 or 8 bits in memory, of 16 or 32 where sums are
    /// [chained](Self::is_chained); results of 32 bits, of integers also of whole bytes; and for exact sums of floats a window of at most
    /// 128 bits.
    pub fn is_built(&self) -> bool {
        let most = if self.is_chained() { 32 } else { 8 };
        let fits = |f: Format| (4..=most).contains(&f.storage_bits());
        let bytes = matches!(self.d, Format::Int(_)) && matches!(self.d.storage_bits(), 8 | 16);
        let result = if self.a.is_integer() {
            self.d == Format::I32 || bytes
        } else {
            self.d == Format::F32
        };
        let sums = self.a.is_integer() || self.is_chained() || self.window().is_some();
        fits(self.a) && fits(self.b) && result && sums
    }

    /// Integer results that have fewer bits than the sums: only an epilogue makes them.
    pub fn is_narrowed(&self) -> bool {
        self.a.is_integer() && self.d != Format::I32
    }

    /// Most products of one sum that the engine promises to add exactly; `None`: any number, modulo `2^acc` or one rounding a
    /// step.
    pub fn depth_limit(&self) -> Option<u64> {
        let exact = !self.a.is_integer() && !self.is_chained();
        if exact { self.window().map(|w| w.k_max) } else { None }
    }

    /// The largest K for which no sum of K integer products can leave the accumulator; longer sums
    /// wrap modulo `2^acc`. `None` for floats, which round instead.
    pub fn exact_depth(self) -> Option<u64> {
        let span = |f: Format| match f {
            Format::Int(i) => Some((i.min(), i.max())),
            Format::Bipolar(b) => Some((-b.max(), b.max())),
            Format::Float(_) => None,
        };
        let ((a_min, a_max), (b_min, b_max)) = (span(self.a)?, span(self.b)?);
        let (acc_min, acc_max) = span(self.acc)?;
        let products = [a_min * b_min, a_min * b_max, a_max * b_min, a_max * b_max];
        let depth = |limit: i64, product: i64| {
            if product == 0 { u64::MAX } else { (limit / product) as u64 }
        };
        let highest = products.into_iter().max()?.max(0);
        let lowest = products.into_iter().min()?.min(0);
        Some(depth(acc_max, highest).min(depth(acc_min, lowest)))
    }
}

/// Why formats do not make a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TupleError {
    /// Not three names separated by commas.
    NotThreeNames,
    /// A name is no format.
    Unknown(UnknownFormat),
    /// One operand is an integer and the other a float.
    MixedKinds {
        /// Left operand.
        a: Format,
        /// Right operand.
        b: Format,
    },
    /// Integer operands have at most 16 bits.
    WideOperand {
        /// The operand at fault.
        operand: Format,
    },
    /// The result is an integer and the operands are floats, or the reverse.
    ResultKind {
        /// Left operand.
        a: Format,
        /// Right operand.
        b: Format,
        /// Result.
        d: Format,
    },
}

impl fmt::Display for TupleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TupleError::NotThreeNames => {
                f.write_str("a type tuple is three formats `A,B,D`, such as `i8,i8,i32`")
            }
            TupleError::Unknown(e) => e.fmt(f),
            TupleError::MixedKinds { a, b } => {
                write!(f, "operands {a} and {b} mix integer and float")
            }
            TupleError::WideOperand { operand } => {
                write!(f, "operand {operand} is wider than the 16 bits an integer operand may have")
            }
            TupleError::ResultKind { a, b, d } => {
                write!(
                    f,
                    "{a} times {b} cannot give {d}: integers give integers, floats give floats"
                )
            }
        }
    }
}

impl core::error::Error for TupleError {}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.a, self.b, self.d)
    }
}

impl FromStr for Tuple {
    type Err = TupleError;

    fn from_str(text: &str) -> Result<Self, TupleError> {
        let mut names = text.split(',').map(str::trim);
        let (Some(a), Some(b), Some(d), None) =
            (names.next(), names.next(), names.next(), names.next())
        else {
            return Err(TupleError::NotThreeNames);
        };
        let format = |name: &str| name.parse::<Format>().map_err(TupleError::Unknown);
        Tuple::new(format(a)?, format(b)?, format(d)?)
    }
}

/// The tuples of one card in the order commands index them, without an allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TupleList {
    slots: [Option<Tuple>; MAX_TUPLES],
    len: usize,
}

impl TupleList {
    /// Appends a tuple; false when the list already holds [`MAX_TUPLES`].
    #[must_use]
    pub fn push(&mut self, tuple: Tuple) -> bool {
        let Some(slot) = self.slots.get_mut(self.len) else { return false };
        *slot = Some(tuple);
        self.len += 1;
        true
    }

    /// Number of tuples.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when no tuple is listed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The tuple a command selects by `index`.
    pub fn get(&self, index: usize) -> Option<Tuple> {
        self.slots.get(index).copied().flatten()
    }

    /// The index of a tuple with these operand and result formats.
    pub fn position(&self, a: Format, b: Format, d: Format) -> Option<usize> {
        self.iter().position(|t| (t.a, t.b, t.d) == (a, b, d))
    }

    /// The tuples in order.
    pub fn iter(&self) -> impl Iterator<Item = Tuple> + '_ {
        self.slots.iter().map_while(|slot| *slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_prints_and_rejects() {
        for text in ["i8,i8,i32", "u8,i4,i32", "b2,b2,i32", "e4m3,e5m2,f32", "i8,i8,i8"] {
            assert_eq!(text.parse::<Tuple>().unwrap().to_string(), text);
        }
        for (text, message) in [
            ("i8,i8", "a type tuple is three formats `A,B,D`, such as `i8,i8,i32`"),
            ("i8,f16,f32", "operands i8 and f16 mix integer and float"),
            ("i32,i8,i32", "operand i32 is wider than the 16 bits an integer operand may have"),
            (
                "i8,i8,f32",
                "i8 times i8 cannot give f32: integers give integers, floats give floats",
            ),
            (
                "i8,x,i32",
                "unknown number format; known are i1..i16 u1..u16 b1..b8 e2m1 e2m3 e3m2 e4m3 e5m2 (any eXmY of 2 to 8 bits) f16 bf16 f32 i32",
            ),
        ] {
            assert_eq!(text.parse::<Tuple>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn exact_depth_is_the_last_k_that_cannot_overflow() {
        let depth = |t: &str| t.parse::<Tuple>().unwrap().exact_depth();
        assert_eq!(depth("i8,i8,i32"), Some(131_071)); // 2^31 - 1 over (-128)^2
        assert_eq!(depth("u8,u8,i32"), Some(33_025));
        assert_eq!(depth("i16,i16,i32"), Some(1));
        assert_eq!(depth("e4m3,e4m3,f32"), None);
        assert_eq!(
            "i4,i4,i32".parse::<Tuple>().unwrap().with_accumulator(8).exact_depth(),
            Some(1)
        );
    }
}
