//! `fp-chain`: one fused multiply-add after the other.

use super::{ExactSum, Number, RoundTo};
use mattock_spec::Format;

/// `acc = fma(a, b, acc)` for k ascending, each step rounded once to `to.format`; starts from `start` (a code).
///
/// Zero sums follow IEEE 754 6.3: the sum of zeros of one sign keeps it, other zero sums are +0, or -0 when
/// rounding down. Subnormals are kept.
pub fn chain_dot(
    products: impl IntoIterator<Item = (Number, Number)>,
    start: u32,
    to: &RoundTo,
) -> u32 {
    products.into_iter().fold(start, |acc, (a, b)| fma(a.times(b), acc, to))
}

fn fma(product: Number, acc: u32, to: &RoundTo) -> u32 {
    let addend = Number::of(to.format, acc);
    if let (Some(p), Some(c)) = (zero_sign(product), zero_sign(addend))
        && p == c
    {
        return zero(to.format, p);
    }
    let mut sum = ExactSum::new();
    sum.add(product);
    sum.add(addend);
    let value = sum.to_odd();
    if value == 0.0 {
        return to.round(0.0);
    }
    to.round(value)
}

fn zero_sign(x: Number) -> Option<bool> {
    match x {
        Number::Finite { negative, significand: 0, .. } => Some(negative),
        _ => None,
    }
}

fn zero(format: Format, negative: bool) -> u32 {
    u32::from(negative) << (format.bits() - 1)
}
