//! Types of signals: a bit pattern of a width, read as plain bits, unsigned or signed.

use std::fmt;

/// Type of a signal. Widths are in bits and at least 1.
///
/// `Bits` carries no number and allows no arithmetic; conversion between the three is always
/// written out (`as_u`, `as_s`, `as_bits`) and costs nothing. `Clock` and `Reset` are the types
/// of the ports that every clock domain of a module brings with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// A bit pattern that is not a number.
    Bits(u32),
    /// An unsigned integer.
    UInt(u32),
    /// A two's-complement integer.
    SInt(u32),
    /// A clock; one bit.
    Clock,
    /// A reset, active high; one bit.
    Reset,
}

/// One bit that is not a number: a flag.
pub const fn bit() -> Type {
    Type::Bits(1)
}

/// A pattern of `width` bits.
pub const fn bits(width: u32) -> Type {
    Type::Bits(width)
}

/// An unsigned integer of `width` bits.
pub const fn uint(width: u32) -> Type {
    Type::UInt(width)
}

/// A two's-complement integer of `width` bits.
pub const fn sint(width: u32) -> Type {
    Type::SInt(width)
}

/// Bits needed to count `0..n`: an index into `n` things. At least 1.
pub const fn index_width(n: u32) -> u32 {
    if n <= 2 { 1 } else { 32 - (n - 1).leading_zeros() }
}

impl Type {
    /// Width in bits.
    pub const fn width(self) -> u32 {
        match self {
            Type::Bits(w) | Type::UInt(w) | Type::SInt(w) => w,
            Type::Clock | Type::Reset => 1,
        }
    }

    /// Whether the type is two's complement.
    pub const fn is_signed(self) -> bool {
        matches!(self, Type::SInt(_))
    }

    /// Whether arithmetic is allowed on the type.
    pub const fn is_number(self) -> bool {
        matches!(self, Type::SInt(_) | Type::UInt(_))
    }

    /// The same kind of type at another width.
    pub const fn with_width(self, width: u32) -> Type {
        match self {
            Type::UInt(_) => Type::UInt(width),
            Type::SInt(_) => Type::SInt(width),
            _ => Type::Bits(width),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bits(w) => write!(f, "bits({w})"),
            Type::UInt(w) => write!(f, "uint({w})"),
            Type::SInt(w) => write!(f, "sint({w})"),
            Type::Clock => f.write_str("clock"),
            Type::Reset => f.write_str("reset"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_width_counts() {
        let widths: Vec<u32> = [1, 2, 3, 4, 5, 256, 257].map(index_width).to_vec();
        assert_eq!(widths, [1, 1, 2, 2, 3, 8, 9]);
    }
}
