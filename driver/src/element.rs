//! Element types of matrices: what a slice holds, and which number format that is on the card.

use half::{bf16, f16};
use mattock_spec::Format;
use mattock_spec::format::Float;

#[cfg(target_endian = "big")]
compile_error!("cards read memory as little-endian words; this library copies it unchanged");

/// A type of matrix elements.
///
/// Formats narrower than a byte lie packed, the first element in the low bits; their slices hold bytes.
pub trait Element: sealed::Sealed + Copy + Send + Sync + 'static {
    /// The number format.
    const FORMAT: Format;
    /// What a slice in host memory holds.
    type Unit: bytemuck::Pod + Send + Sync + std::fmt::Debug;

    /// Elements in one [`Unit`](Self::Unit).
    const PER_UNIT: usize = 8 * size_of::<Self::Unit>() / Self::FORMAT.storage_bits() as usize;
}

/// A type of results, with the type of alpha and beta that goes with it.
pub trait Output: Element {
    /// The type of alpha and beta.
    type Scale: Into<Scalar>;
}

mod sealed {
    pub trait Sealed {}
}

/// Declares element types in one table: type, what a slice holds, format.
macro_rules! elements {
    ($($type:ty: $unit:ty = $format:expr;)*) => { $(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const FORMAT: Format = $format;
            type Unit = $unit;
        }
    )* };
}

elements! {
    i8: i8 = Format::int(8);
    u8: u8 = Format::uint(8);
    i16: i16 = Format::int(16);
    u16: u16 = Format::uint(16);
    i32: i32 = Format::I32;
    f16: f16 = Format::Float(Float::F16);
    bf16: bf16 = Format::Float(Float::BF16);
    f32: f32 = Format::F32;
    I4: u8 = Format::int(4);
    U4: u8 = Format::uint(4);
    E4M3: u8 = Format::Float(Float::E4M3);
    E5M2: u8 = Format::Float(Float::E5M2);
}

/// Signed 4-bit integers, two a byte.
#[derive(Clone, Copy, Debug)]
pub enum I4 {}
/// Unsigned 4-bit integers, two a byte.
#[derive(Clone, Copy, Debug)]
pub enum U4 {}
/// 8-bit floats with 4 exponent bits, as bytes.
#[derive(Clone, Copy, Debug)]
pub enum E4M3 {}
/// 8-bit floats with 5 exponent bits, as bytes.
#[derive(Clone, Copy, Debug)]
pub enum E5M2 {}

impl Output for i32 {
    type Scale = i32;
}
impl Output for i8 {
    type Scale = f32;
}
impl Output for f16 {
    type Scale = f32;
}
impl Output for bf16 {
    type Scale = f32;
}
impl Output for f32 {
    type Scale = f32;
}

/// Alpha or beta of a call whose types are known at run time only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// With results of `i32`: arithmetic modulo 2^32.
    I32(i32),
    /// With float results.
    F32(f32),
}

impl Scalar {
    /// One and zero, the alpha and beta of a plain product, for results of this format.
    pub fn one_and_zero(format: Format) -> (Scalar, Scalar) {
        match format.is_integer() {
            true => (Scalar::I32(1), Scalar::I32(0)),
            false => (Scalar::F32(1.0), Scalar::F32(0.0)),
        }
    }

    /// Whether it is zero, of either sign.
    pub fn is_zero(self) -> bool {
        matches!(self, Scalar::I32(0)) || matches!(self, Scalar::F32(x) if x == 0.0)
    }

    /// Its value.
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::I32(value) => value.into(),
            Scalar::F32(value) => value.into(),
        }
    }

    /// Whether it is one.
    pub fn is_one(self) -> bool {
        matches!(self, Scalar::I32(1)) || matches!(self, Scalar::F32(x) if x == 1.0)
    }
}

impl From<i32> for Scalar {
    fn from(value: i32) -> Self {
        Scalar::I32(value)
    }
}

impl From<f32> for Scalar {
    fn from(value: f32) -> Self {
        Scalar::F32(value)
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::I32(value) => value.fmt(f),
            Scalar::F32(value) => value.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_hold_whole_elements() {
        fn fits<T: Element>() {
            let unit = 8 * size_of::<T::Unit>() as u32;
            assert_eq!(T::PER_UNIT as u32 * T::FORMAT.storage_bits(), unit, "{}", T::FORMAT);
        }
        let all = [fits::<i8>, fits::<u16>, fits::<i32>, fits::<f32>, fits::<bf16>, fits::<f16>];
        all.iter().chain(&[fits::<I4>, fits::<U4>, fits::<E4M3>, fits::<E5M2>]).for_each(|f| f());
        assert_eq!((I4::PER_UNIT, i8::PER_UNIT), (2, 1));
    }

    #[test]
    fn zero_and_one() {
        assert!(Scalar::from(0).is_zero() && Scalar::from(-0.0f32).is_zero());
        assert!(Scalar::from(1).is_one() && Scalar::from(1.0f32).is_one());
        let neither = [Scalar::F32(f32::NAN), Scalar::I32(-1), Scalar::F32(0.5)];
        assert!(neither.iter().all(|s| !s.is_zero() && !s.is_one()));
    }
}
