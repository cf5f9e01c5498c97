//! Single-precision (IEEE 754 binary32) arithmetic, one operation a cycle.
//!
//! Both units round to nearest even, keep subnormal numbers and return one canonical quiet NaN
//! (`0x7fc0_0000`), so they agree with Rust's `f32` bit for bit once NaN payloads are
//! canonicalised. Each also does the 32-bit integer operation at the same latency, chosen by
//! `is_float`, so that one pipeline around it serves both value types.

mod add;
mod fma;
#[cfg(test)]
mod fma_tests;
mod mul;
mod operand;
mod round;
#[cfg(test)]
mod tests;
mod to_int;

pub use add::{Add, Choice};
pub use fma::Fma;
pub use mul::Multiply;
pub use operand::{Decode, Operand};
pub use round::Round;
pub use to_int::ToInt;

use rtl_gen::{Builder, Sig, cat, uint};

/// The one NaN these units return.
pub const CANONICAL_NAN: u32 = 0x7fc0_0000;

/// The fields of a binary32 operand.
struct Fields<'m> {
    sign: Sig<'m>,
    /// Biased exponent as a number, 1 for subnormals: the weight of the significand.
    exponent: Sig<'m>,
    /// Significand with its leading bit, `uint(24)`.
    significand: Sig<'m>,
    /// The leading bit is 0.
    subnormal: Sig<'m>,
    zero: Sig<'m>,
    infinite: Sig<'m>,
    nan: Sig<'m>,
}

/// Takes `bits(32)` apart; combinational.
fn unpack<'m>(x: Sig<'m>) -> Fields<'m> {
    let (exponent, fraction) = (x.slice(30, 23), x.slice(22, 0));
    let (subnormal, full) = (!exponent.red_or(), exponent.red_and());
    let some = fraction.red_or();
    Fields {
        sign: x.bit(31),
        exponent: cat(&[exponent.slice(7, 1), exponent.bit(0) | subnormal]).as_u(),
        significand: cat(&[!subnormal, fraction]).as_u(),
        subnormal,
        zero: subnormal & !some,
        infinite: full & !some,
        nan: full & some,
    }
}

/// `x >> amount`, the bits `levels` of the amount applied, largest first; what is shifted out is
/// kept as a 1 in the lowest bit ("jamming": enough for correct rounding when at least two bits
/// lie below the result). `x` keeps its width.
fn shift_right_jam<'m>(x: Sig<'m>, amount: Sig<'m>, levels: std::ops::Range<u32>) -> Sig<'m> {
    let width = x.width();
    levels.rev().fold(x.as_bits(), |x, level| {
        let shift = 1 << level;
        let lost = x.slice(shift.min(width) - 1, 0).red_or();
        let moved = if shift >= width {
            lost.as_u().zext(width).as_bits()
        } else {
            let kept = x.slice(width - 1, shift);
            let kept = if kept.width() == 1 {
                kept | lost
            } else {
                cat(&[kept.slice(kept.width() - 1, 1), kept.bit(0) | lost])
            };
            kept.as_u().zext(width).as_bits()
        };
        amount.bit(level).mux(moved, x)
    })
}

/// Zeros above the highest 1 of `x`, and whether there is none (then the count is the width less one,
/// rounded up to all ones). A tree: depth log2 of the width.
pub(crate) fn leading_zeros<'m>(m: &'m Builder, x: Sig<'m>) -> (Sig<'m>, Sig<'m>) {
    let width = x.width();
    let padded = width.next_power_of_two();
    let x = if padded == width { x.as_bits() } else { cat(&[x, m.lit(uint(padded - width), 0)]) };
    let mut parts: Vec<(Option<Sig>, Sig)> = (0..padded).rev().map(|i| (None, !x.bit(i))).collect();
    while parts.len() > 1 {
        parts = parts
            .chunks(2)
            .map(|pair| {
                let ((high, high_empty), (low, low_empty)) = (pair[0], pair[1]);
                let count = match (high, low) {
                    (Some(high), Some(low)) => cat(&[high_empty, high_empty.mux(low, high)]),
                    _ => high_empty,
                };
                (Some(count), high_empty & low_empty)
            })
            .collect();
    }
    let (count, empty) = parts[0];
    (count.unwrap_or(empty).as_u(), empty)
}

/// `value` and the exponent field above it, rounded by adding `up`: one carry chain. A
/// significand with its leading bit adds 1 to the exponent by itself, a subnormal one does not.
/// `exponent` is one less than the field of a normal result; the sum has `exponent.width() + 24` bits.
fn round<'m>(exponent: Sig<'m>, significand: Sig<'m>, up: Sig<'m>) -> Sig<'m> {
    let width = exponent.width() + 24;
    let high = cat(&[exponent, significand.lit(0).slice(22, 0), up]).as_u().zext(width + 1);
    let low = cat(&[significand, up]).as_u().zext(width + 1);
    high.add_wrap(low).slice(width, 1)
}
