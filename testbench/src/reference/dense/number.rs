//! Exact values.

use mattock_spec::{Format, Value};

/// The exact value of a code, or of a product of codes: nothing is ever rounded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// Not a number.
    Nan,
    /// An infinity.
    Infinite {
        /// Its sign.
        negative: bool,
    },
    /// `significand * 2^exponent`; a zero keeps its sign.
    Finite {
        /// Below zero, or a negative zero.
        negative: bool,
        /// Any scaling; 0 is zero.
        significand: u128,
        /// Power of two of the significand's lowest bit.
        exponent: i32,
    },
}

impl Number {
    /// Positive zero.
    pub const ZERO: Number = Number::Finite { negative: false, significand: 0, exponent: 0 };

    /// The value of a code.
    pub fn of(format: Format, code: u32) -> Number {
        Number::from(format.decode(code))
    }

    /// `significand * 2^exponent`.
    pub fn scaled(value: i64, exponent: i32) -> Number {
        let significand = value.unsigned_abs().into();
        Number::Finite { negative: value < 0, significand, exponent }
    }

    /// The exact product. An infinity times zero is NaN, as in IEEE 754 7.2.
    #[must_use]
    pub fn times(self, other: Number) -> Number {
        use Number::{Finite, Infinite, Nan};
        match (self, other) {
            (Nan, _) | (_, Nan) => Nan,
            (Infinite { negative: n }, Infinite { negative: o }) => Infinite { negative: n ^ o },
            (Infinite { negative: n }, Finite { negative: o, significand, .. })
            | (Finite { negative: o, significand, .. }, Infinite { negative: n }) => {
                if significand == 0 { Nan } else { Infinite { negative: n ^ o } }
            }
            (
                Finite { negative: n, significand: s, exponent: e },
                Finite { negative: o, significand: t, exponent: f },
            ) => Finite { negative: n ^ o, significand: s * t, exponent: e + f },
        }
    }

    /// Exponent of the leading bit of a finite non-zero value.
    pub(super) fn leading(self) -> Option<i32> {
        match self {
            Number::Finite { significand, exponent, .. } if significand != 0 => {
                Some(exponent + significand.ilog2() as i32)
            }
            _ => None,
        }
    }
}

impl From<Value> for Number {
    fn from(value: Value) -> Number {
        match value {
            Value::Int(i) => Number::scaled(i, 0),
            Value::Float(f) => Number::from(f),
        }
    }
}

impl From<f64> for Number {
    fn from(f: f64) -> Number {
        let negative = f.is_sign_negative();
        if f.is_nan() {
            return Number::Nan;
        }
        if f.is_infinite() {
            return Number::Infinite { negative };
        }
        let bits = f.to_bits();
        let (field, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
        let significand = if field == 0 { fraction } else { fraction | 1 << 52 };
        // Short significands: products of several of them then stay within 128 bits.
        let spare = if significand == 0 { 0 } else { significand.trailing_zeros() };
        let exponent = field.max(1) - 1075 + spare as i32;
        Number::Finite { negative, significand: (significand >> spare).into(), exponent }
    }
}

impl From<f32> for Number {
    fn from(f: f32) -> Number {
        Number::from(f64::from(f))
    }
}
