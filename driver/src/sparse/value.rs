//! Values of sparse matrices on the card.

use crate::element::Element;
use half::{bf16, f16};
use mattock_spec::regs::ValueType;

/// A type of values the sparse engine multiplies: 1, 2 or 4 bytes each in card memory.
pub trait SparseValue: Element<Unit = Self> + PartialEq + bytemuck::Pod {
    /// Its name in a command.
    const TYPE: ValueType;
    /// Zero.
    const ZERO: Self;
    /// The type the card computes in, which is that of results: every value is one of its values.
    type Sum: SparseSum + From<Self>;
    /// The same value in that type.
    fn widen(self) -> Self::Sum {
        self.into()
    }
}

/// A type the sparse engine computes in.
pub trait SparseSum: SparseValue<Sum = Self> {
    /// One.
    const ONE: Self;
    /// The product, as the card forms it: `i32` wraps, `f32` rounds.
    fn times(self, other: Self) -> Self;
    /// The sum, as the card forms it.
    fn plus(self, other: Self) -> Self;
}

/// Declares types of values in one table: type, name in a command, type of sums, zero.
macro_rules! values {
    ($($type:ty: $variant:ident, $sum:ty, $zero:expr;)*) => { $(
        impl SparseValue for $type {
            const TYPE: ValueType = ValueType::$variant;
            const ZERO: Self = $zero;
            type Sum = $sum;
        }
        const _: () = assert!(ValueType::$variant.bytes() as usize == size_of::<$type>());
    )* };
}

values! {
    i32: I32, i32, 0;
    f32: F32, f32, 0.0;
    i16: I16, i32, 0;
    f16: F16, f32, f16::ZERO;
    i8: I8, i32, 0;
    bf16: BF16, f32, bf16::ZERO;
}

impl SparseSum for i32 {
    const ONE: Self = 1;
    fn times(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

impl SparseSum for f32 {
    const ONE: Self = 1.0;
    fn times(self, other: Self) -> Self {
        self * other
    }
    fn plus(self, other: Self) -> Self {
        self + other
    }
}
