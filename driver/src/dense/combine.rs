//! Alpha and beta, which cards of today do not apply.
//!
//! The card's product p is a number of C's format already. What becomes of it is `alpha * p + beta * c`, computed
//! exactly and rounded once to C's format, as the call's [`GemmOptions`] say for float results; results of `i32` are
//! reduced modulo 2^32. Where alpha is 0 the product, and where beta is 0 the old value, is not looked at.

use super::GemmOptions;
use crate::Error;
use crate::element::Scalar;
use crate::view::{Layout, PlaceMut};
use mattock_spec::{Format, Rounding};

/// How the elements of one C come about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Combine {
    pub(super) alpha: Scalar,
    pub(super) beta: Scalar,
    pub(super) format: Format,
    pub(super) rounding: Rounding,
    pub(super) saturate: bool,
}

impl Combine {
    pub(super) fn new(alpha: Scalar, beta: Scalar, format: Format, options: &GemmOptions) -> Self {
        Self { alpha, beta, format, rounding: options.rounding, saturate: options.saturate }
    }

    /// Whether C is the card's product, unchanged.
    pub(super) fn is_plain(&self) -> bool {
        self.alpha.is_one() && self.beta.is_zero()
    }

    /// `c = alpha * product + beta * c` for elements side by side.
    pub(super) fn apply(&self, product: &[u8], c: &mut [u8]) {
        let size = self.size();
        for (c, product) in c.chunks_exact_mut(size).zip(product.chunks_exact(size)) {
            store(c, self.element(Some(word(product)), word(c)));
        }
    }

    /// `c = alpha * product + beta * c` for the bytes `to` of a place.
    pub(super) fn put(
        &self,
        c: &mut PlaceMut<'_>,
        to: std::ops::Range<usize>,
        product: &[u8],
    ) -> Result<(), Error> {
        match c {
            PlaceMut::Host(host) if self.is_plain() => host[to].copy_from_slice(product),
            PlaceMut::Host(host) => self.apply(product, &mut host[to]),
            PlaceMut::Card(memory) => {
                let at = to.start as u64;
                let mut old = vec![0; to.len()];
                if !self.beta.is_zero() {
                    memory.read(at, &mut old)?;
                }
                self.apply(product, &mut old);
                memory.write(at, &old)?;
            }
        }
        Ok(())
    }

    /// `C = beta * C`: what is left when there is no product. Gives the number of elements touched.
    pub(super) fn scale(&self, layout: &Layout, c: &mut PlaceMut<'_>) -> Result<u64, Error> {
        if layout.is_empty() || self.beta.is_one() {
            return Ok(0);
        }
        for i in 0..layout.lines().0 {
            let line = layout.line(i);
            match c {
                PlaceMut::Host(bytes) => self.scale_line(&mut bytes[line]),
                PlaceMut::Card(memory) => {
                    let mut old = vec![0; line.len()];
                    if !self.beta.is_zero() {
                        memory.read(line.start as u64, &mut old)?;
                    }
                    self.scale_line(&mut old);
                    memory.write(line.start as u64, &old)?;
                }
            }
        }
        Ok(layout.rows as u64 * layout.cols as u64)
    }

    fn scale_line(&self, line: &mut [u8]) {
        if self.beta.is_zero() {
            // Every format that results have writes zero as zero bits.
            return line.fill(0);
        }
        for c in line.chunks_exact_mut(self.size()) {
            store(c, self.element(None, word(c)));
        }
    }

    /// Bytes of an element.
    fn size(&self) -> usize {
        self.format.storage_bits().div_ceil(8) as usize
    }

    fn element(&self, product: Option<u32>, c: u32) -> u32 {
        let product = product.filter(|_| !self.alpha.is_zero());
        let c = Some(c).filter(|_| !self.beta.is_zero());
        match (self.alpha, self.beta) {
            (Scalar::I32(alpha), Scalar::I32(beta)) => {
                let times = |x: Option<u32>, by: i32| x.map_or(0, |x| x.wrapping_mul(by as u32));
                times(product, alpha).wrapping_add(times(c, beta))
            }
            (alpha, beta) => {
                let term = |code: Option<u32>, by: Scalar| {
                    code.map(|code| self.format.decode(code).to_f64() * by.to_f64())
                };
                let sum = match (term(product, alpha), term(c, beta)) {
                    (Some(x), Some(y)) => sum_to_odd(x, y, self.rounding),
                    (x, y) => x.or(y).unwrap_or(0.0),
                };
                self.format.encode(sum.into(), self.rounding, self.saturate)
            }
        }
    }
}

/// `x + y` with the last bit set when it is not exact, so that rounding it to a format of half the digits is the only
/// rounding there is (S. Boldo, G. Melquiond, "Emulation of a FMA and correctly rounded sums", IEEE TC 57(4), 2008).
/// x and y are products of two 24-bit numbers: exact, and far from the ends of `f64`.
fn sum_to_odd(x: f64, y: f64, rounding: Rounding) -> f64 {
    let sum = x + y;
    // What rounding the sum lost (Knuth's two-sum).
    let part = sum - x;
    let lost = (x - (sum - part)) + (y - part);
    if sum == 0.0 {
        // Zeros of one sign keep it; of two signs, or of numbers that cancel, the mode chooses (IEEE 754, 6.3).
        let both_negative = x.is_sign_negative() && y.is_sign_negative();
        let either = rounding == Rounding::Rd && (x.is_sign_negative() || y.is_sign_negative());
        return if both_negative || either { -0.0 } else { 0.0 };
    }
    let bits = sum.to_bits();
    if !sum.is_finite() || lost == 0.0 || bits & 1 == 1 {
        return sum;
    }
    f64::from_bits(if (lost > 0.0) == (sum > 0.0) { bits + 1 } else { bits - 1 })
}

/// The code in up to four bytes.
fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

fn store(to: &mut [u8], code: u32) {
    let bytes = code.to_le_bytes();
    to.copy_from_slice(&bytes[..to.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(alpha: impl Into<Scalar>, beta: impl Into<Scalar>, format: Format) -> Combine {
        Combine::new(alpha.into(), beta.into(), format, &GemmOptions::default())
    }

    #[test]
    fn sums_wrap() {
        let bytes = |values: [i32; 2]| values.map(i32::to_le_bytes).concat();
        let mut c = bytes([i32::MAX, 5]);
        rule(3, 1, Format::I32).apply(&bytes([1, i32::MIN]), &mut c);
        assert_eq!(c, bytes([i32::MIN + 2, i32::MIN + 5]));
        rule(-1, 0, Format::I32).apply(&bytes([1, 2]), &mut c);
        assert_eq!(c, bytes([-1, -2]));
    }

    /// Against the host's fused multiply-add where one product is exact, and against BLAS's rules for what is not read.
    #[test]
    fn floats_are_rounded_once() {
        let mut seed = 1u64;
        let mut draw = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            f32::from_bits((seed >> 32) as u32)
        };
        let mut inexact = 0;
        for _ in 0..20_000 {
            let (alpha, p) = (draw(), draw());
            // Near enough to the product for every bit of both to matter.
            let c = match (alpha * p * draw().clamp(0.3, 3.0)).clamp(-1e38, 1e38) {
                c if c.is_nan() => draw(),
                c => c,
            };
            let got = rule(alpha, 1.0, Format::F32).element(Some(p.to_bits()), c.to_bits());
            let (want, got) = (alpha.mul_add(p, c), f32::from_bits(got));
            assert!(
                got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
                "{alpha:e} * {p:e} + {c:e}: {got:e}, not {want:e}"
            );
            inexact += usize::from((alpha * p + c).to_bits() != want.to_bits());
        }
        assert!(inexact > 1000, "{inexact}");
        let (nan, one) = (f32::NAN.to_bits(), 1f32.to_bits());
        assert_eq!(rule(1.0, 0.0, Format::F32).element(Some(one), nan), one);
        assert_eq!(rule(0.0, 1.0, Format::F32).element(Some(nan), one), one);
        assert_eq!(rule(f32::NAN, 0.0, Format::F32).element(Some(one), one), 0x7fc0_0000);
        assert_eq!(rule(1.0, -1.0, Format::F32).element(Some(one), one), 0);
        let down = GemmOptions { rounding: Rounding::Rd, ..GemmOptions::default() };
        let down = Combine::new(1.0.into(), (-1.0).into(), Format::F32, &down);
        assert_eq!(down.element(Some(one), one), 0x8000_0000);
    }

    #[test]
    fn directed_modes_and_narrow_results() {
        let tiny = 2f32.powi(-100);
        let up = GemmOptions { rounding: Rounding::Ru, ..GemmOptions::default() };
        let up = Combine::new(1.0.into(), tiny.into(), Format::F32, &up);
        let one = 1f32.to_bits();
        assert_eq!(up.element(Some(one), one), one + 1);
        let mut c = half::f16::from_f32(2.0).to_le_bytes();
        let product = half::f16::from_f32(3.0).to_le_bytes();
        rule(2.0, 0.5, "f16".parse().unwrap()).apply(&product, &mut c);
        assert_eq!(half::f16::from_le_bytes(c).to_f32(), 7.0);
    }
}
