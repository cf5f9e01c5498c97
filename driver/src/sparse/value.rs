//! Values of sparse matrices on the card.

use crate::element::Element;
use mattock_spec::regs::ValueType;

/// A type of values the sparse engine multiplies; 4 bytes each.
pub trait SparseValue: Element<Unit = Self> + PartialEq + bytemuck::Pod {
    /// Its name in a command.
    const TYPE: ValueType;
    /// One.
    const ONE: Self;
    /// Zero.
    const ZERO: Self;
    /// The product, as the card forms it: `i32` wraps, `f32` rounds.
    fn times(self, other: Self) -> Self;
    /// The sum, as the card forms it.
    fn plus(self, other: Self) -> Self;
}

impl SparseValue for i32 {
    const TYPE: ValueType = ValueType::I32;
    const ONE: Self = 1;
    const ZERO: Self = 0;
    fn times(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

impl SparseValue for f32 {
    const TYPE: ValueType = ValueType::F32;
    const ONE: Self = 1.0;
    const ZERO: Self = 0.0;
    fn times(self, other: Self) -> Self {
        self * other
    }
    fn plus(self, other: Self) -> Self {
        self + other
    }
}
