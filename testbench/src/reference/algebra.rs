//! Semirings on plain numbers: the operations of the specification's table, one by one.

use mattock_spec::Semiring;
use mattock_spec::semiring::{AddOp, MultiplyOp};

/// A number that every semiring computes with.
pub trait Element: Copy {
    /// What two factors make.
    fn multiply(self, other: Self, by: MultiplyOp) -> Self;
    /// What two products of one entry make.
    fn add(self, other: Self, by: AddOp) -> Self;
}

/// 32-bit two's complement; overflow wraps, so the order of a sum does not matter.
impl Element for i32 {
    fn multiply(self, other: Self, by: MultiplyOp) -> Self {
        match by {
            MultiplyOp::Times => self.wrapping_mul(other),
            MultiplyOp::Plus => self.wrapping_add(other),
            MultiplyOp::And => i32::from(self != 0 && other != 0),
            MultiplyOp::Pair => 1,
            MultiplyOp::First => self,
            MultiplyOp::Second => other,
        }
    }

    fn add(self, other: Self, by: AddOp) -> Self {
        match by {
            AddOp::Plus => self.wrapping_add(other),
            AddOp::Min => self.min(other),
            AddOp::Max => self.max(other),
            AddOp::Or => i32::from(self != 0 || other != 0),
            AddOp::Any => self,
        }
    }
}

macro_rules! floats {
    ($($float:ty),*) => {$(
        /// IEEE numbers, rounded to nearest.
        impl Element for $float {
            fn multiply(self, other: Self, by: MultiplyOp) -> Self {
                match by {
                    MultiplyOp::Times => self * other,
                    MultiplyOp::Plus => self + other,
                    MultiplyOp::And => if self != 0.0 && other != 0.0 { 1.0 } else { 0.0 },
                    MultiplyOp::Pair => 1.0,
                    MultiplyOp::First => self,
                    MultiplyOp::Second => other,
                }
            }

            fn add(self, other: Self, by: AddOp) -> Self {
                let less = self.total_cmp(&other).is_lt();
                match by {
                    AddOp::Plus => self + other,
                    AddOp::Min | AddOp::Max if self.is_nan() => other,
                    AddOp::Min | AddOp::Max if other.is_nan() => self,
                    AddOp::Min => if less { self } else { other },
                    AddOp::Max => if less { other } else { self },
                    AddOp::Or => if self != 0.0 || other != 0.0 { 1.0 } else { 0.0 },
                    AddOp::Any => self,
                }
            }
        }
    )*};
}

floats!(f32, f64);

/// The operands of a plus-times product that has the same sums; `None` where the semiring does not sum, or sums `a + b`.
///
/// What an fp32 sum may be off by is known for products ([`super::SpgemmBound`]): a factor of 1 adds no error.
pub(super) fn as_factors(semiring: Semiring) -> Option<impl Fn(f32, f32) -> (f32, f32)> {
    let op = semiring.multiply();
    let sums = semiring.add() == AddOp::Plus && !matches!(op, MultiplyOp::Plus | MultiplyOp::And);
    sums.then_some(move |a, b| match op {
        MultiplyOp::Pair => (1.0, 1.0),
        MultiplyOp::First => (a, 1.0),
        MultiplyOp::Second => (1.0, b),
        _ => (a, b),
    })
}
