//! The algebras a sparse product runs over: what stands for multiplication and for addition.
//!
//! [`SEMIRINGS`] is the one table: the hardware selects its cells by it, the reference model computes by it, the driver,
//! the command line and the register manual print names and numbers from it.

use crate::regs::ValueType;
use core::fmt;
use core::str::FromStr;

/// What two factors make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MultiplyOp {
    /// `a * b`; integers wrap.
    Times,
    /// `a + b`; integers wrap.
    Plus,
    /// 1 where neither is zero, else 0. NaN is not zero.
    And,
    /// 1.
    Pair,
    /// `a`.
    First,
    /// `b`.
    Second,
}

impl MultiplyOp {
    /// As the manual writes it.
    pub const fn formula(self) -> &'static str {
        match self {
            MultiplyOp::Times => "a * b",
            MultiplyOp::Plus => "a + b",
            MultiplyOp::And => "a and b",
            MultiplyOp::Pair => "1",
            MultiplyOp::First => "a",
            MultiplyOp::Second => "b",
        }
    }
}

/// What two products for one entry make: associative and commutative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddOp {
    /// `x + y`; integers wrap.
    Plus,
    /// The lesser. Of floats, -0 is less than +0, and NaN gives way to any number.
    Min,
    /// The greater, likewise.
    Max,
    /// 1 where either is not zero; both are 0 or 1.
    Or,
    /// Either; both are the same.
    Any,
}

impl AddOp {
    /// As the manual writes it.
    pub const fn formula(self) -> &'static str {
        match self {
            AddOp::Plus => "x + y",
            AddOp::Min => "min(x, y)",
            AddOp::Max => "max(x, y)",
            AddOp::Or => "x or y",
            AddOp::Any => "x",
        }
    }

    /// The value that changes nothing, as the manual writes it for i32 and f32.
    pub const fn identity(self) -> &'static str {
        match self {
            AddOp::Plus | AddOp::Or => "0",
            AddOp::Min => "2^31 - 1, +inf",
            AddOp::Max => "-2^31, -inf",
            AddOp::Any => "none",
        }
    }
}

/// Declares the semirings with their operations in one table.
macro_rules! semirings {
    ($( $variant:ident = $code:literal $name:literal $multiply:ident $add:ident $doc:literal )*) => {
        /// A semiring, the number in `SPGEMM.MODE.SEMIRING`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Semiring {
            $( #[doc = $doc] $variant = $code, )*
        }

        /// Every semiring, by number.
        pub const SEMIRINGS: &[Semiring] = &[$( Semiring::$variant ),*];

        impl Semiring {
            /// Its name on the command line and in configurations.
            pub const fn name(self) -> &'static str {
                match self { $( Semiring::$variant => $name, )* }
            }

            /// What two factors make.
            pub const fn multiply(self) -> MultiplyOp {
                match self { $( Semiring::$variant => MultiplyOp::$multiply, )* }
            }

            /// What two products of one entry make.
            pub const fn add(self) -> AddOp {
                match self { $( Semiring::$variant => AddOp::$add, )* }
            }

            /// What it is for.
            pub const fn doc(self) -> &'static str {
                match self { $( Semiring::$variant => $doc, )* }
            }
        }
    };
}

semirings! {
    PlusTimes = 0 "plus-times" Times Plus "Linear algebra."
    MinPlus = 1 "min-plus" Plus Min "Shortest paths."
    MaxPlus = 2 "max-plus" Plus Max "Longest paths, schedules."
    MaxTimes = 3 "max-times" Times Max "Most probable paths."
    OrAnd = 4 "or-and" And Or "Reachability; 0 is false, all else is true, results are 0 and 1."
    PlusPair = 5 "plus-pair" Pair Plus "Counts of pairs: common neighbours, triangles."
    PlusFirst = 6 "plus-first" First Plus "Sums of A where B has an entry."
    PlusSecond = 7 "plus-second" Second Plus "Sums of B where A has an entry."
    AnyPair = 8 "any-pair" Pair Any "Structure alone: 1 wherever there is a product."
}

const _: () = {
    let mut i = 0;
    while i < SEMIRINGS.len() {
        assert!(SEMIRINGS[i] as usize == i, "semirings are not numbered in order");
        i += 1;
    }
};

impl Semiring {
    /// The semiring of a number; `None` when this software does not know it.
    pub fn from_u8(number: u8) -> Option<Semiring> {
        SEMIRINGS.get(usize::from(number)).copied()
    }

    /// The bits a sum begins with: adding any product to them gives that product. Where the sum is a least or greatest
    /// float that is NaN, which gives way even to an infinity.
    pub const fn start(self, value: ValueType) -> u32 {
        match (self.add(), value.is_float()) {
            (AddOp::Plus, false) => 0,
            // x + (-0) is x, for +0 and -0 too.
            (AddOp::Plus, true) => (-0.0f32).to_bits(),
            (AddOp::Min, false) => i32::MAX as u32,
            (AddOp::Max | AddOp::Or | AddOp::Any, false) => i32::MIN as u32,
            (AddOp::Min | AddOp::Max | AddOp::Or | AddOp::Any, true) => 0x7fc0_0000,
        }
    }
}

impl fmt::Display for Semiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[allow(clippy::derivable_impls, reason = "the table's macro has no place to mark a row")]
impl Default for Semiring {
    fn default() -> Self {
        Semiring::PlusTimes
    }
}

/// A name that is no semiring's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSemiring;

impl fmt::Display for UnknownSemiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a semiring; there are ")?;
        for (i, semiring) in SEMIRINGS.iter().enumerate() {
            write!(f, "{}{semiring}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownSemiring {}

impl FromStr for Semiring {
    type Err = UnknownSemiring;

    fn from_str(name: &str) -> Result<Self, UnknownSemiring> {
        SEMIRINGS.iter().copied().find(|s| s.name() == name).ok_or(UnknownSemiring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back() {
        for &semiring in SEMIRINGS {
            assert_eq!(semiring.name().parse(), Ok(semiring));
            assert_eq!(Semiring::from_u8(semiring as u8), Some(semiring));
        }
        assert_eq!("plus_times".parse::<Semiring>(), Err(UnknownSemiring));
        assert_eq!(Semiring::from_u8(SEMIRINGS.len() as u8), None);
    }
}
