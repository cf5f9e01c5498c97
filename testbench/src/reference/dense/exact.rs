//! `fp-exact`: all products and C in one sum, rounded once.

use super::{Number, RoundTo, Rounded};

const LIMBS: usize = 16;
/// Weight of the lowest bit is `2^-UNIT`. Products of two binary32 numbers reach down to 2^-298, MX elements of 8 bits
/// with two E8M0 scales to 2^-286 and up to 2^286: all far inside 2^-512 to 2^511.
const UNIT: i32 = 512;

/// A sum of exact terms: 1024-bit two's complement fixed point beside three sticky flags.
///
/// No term is rounded and addition of integers is associative, so the sum does not depend on the order of its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactSum {
    limbs: [u64; LIMBS],
    nan: bool,
    plus_infinity: bool,
    minus_infinity: bool,
}

impl Default for ExactSum {
    fn default() -> Self {
        ExactSum { limbs: [0; LIMBS], nan: false, plus_infinity: false, minus_infinity: false }
    }
}

impl ExactSum {
    /// The empty sum.
    pub fn new() -> ExactSum {
        ExactSum::default()
    }

    /// Adds one term.
    ///
    /// # Panics
    /// When a term does not lie on the grid of 2^-512 below 2^500: no product of formats of the table does.
    pub fn add(&mut self, term: Number) {
        let (negative, significand, exponent) = match term {
            Number::Nan => return self.nan = true,
            Number::Infinite { negative: false } => return self.plus_infinity = true,
            Number::Infinite { negative: true } => return self.minus_infinity = true,
            Number::Finite { significand: 0, .. } => return,
            Number::Finite { negative, significand, exponent } => (negative, significand, exponent),
        };
        let shift = usize::try_from(exponent + UNIT).expect("the term lies on the grid");
        let (limb, offset) = (shift / 64, shift % 64);
        let top = significand.ilog2() as usize + shift;
        assert!(top < 64 * LIMBS - 12, "the term is below 2^500");
        let low = significand << offset;
        let high = if offset == 0 { 0 } else { significand >> (128 - offset) };
        let words = [low as u64, (low >> 64) as u64, high as u64];
        let mut carry = false;
        for i in limb..LIMBS {
            let word = words.get(i - limb).copied().unwrap_or(0);
            if i - limb >= words.len() && !carry {
                break;
            }
            let (value, one) = if negative {
                self.limbs[i].overflowing_sub(word)
            } else {
                self.limbs[i].overflowing_add(word)
            };
            let (value, two) = if negative {
                value.overflowing_sub(carry.into())
            } else {
                value.overflowing_add(carry.into())
            };
            (self.limbs[i], carry) = (value, one | two);
        }
    }

    /// The value, rounded to odd when it has more than 53 significant bits: the last bit of an inexact result is 1.
    ///
    /// A later rounding to any format of at most 51 bits, in any mode, is then as if it were the only one (Boldo and
    /// Melquiond, *Emulation of FMA and correctly rounded sums*, IEEE Trans. Comput. 57(4), 2008).
    pub fn to_odd(&self) -> f64 {
        if self.nan || (self.plus_infinity && self.minus_infinity) {
            return f64::NAN;
        }
        if self.plus_infinity {
            return f64::INFINITY;
        }
        if self.minus_infinity {
            return f64::NEG_INFINITY;
        }
        let negative = self.limbs[LIMBS - 1] >> 63 == 1;
        let mut magnitude = self.limbs;
        if negative {
            let mut carry = true;
            for limb in &mut magnitude {
                (*limb, carry) = (!*limb).overflowing_add(carry.into());
            }
        }
        let Some(top) = magnitude.iter().rposition(|&limb| limb != 0) else { return 0.0 };
        let below = |i: usize| top.checked_sub(i).map_or(0, |i| magnitude[i]);
        let shift = magnitude[top].leading_zeros();
        let head = u128::from(magnitude[top]) << 64 | u128::from(below(1));
        let head = ((head << shift) >> 64) as u64;
        // Below those 64 bits lie `64 - shift` bits of the next limb, then whole limbs.
        let rest = (below(1) << shift != 0 && shift < 64)
            || magnitude[..top.saturating_sub(1)].iter().any(|&limb| limb != 0);
        let kept = head >> 11;
        let odd = kept | u64::from(head & 0x7ff != 0 || rest);
        let exponent = top as i32 * 64 + 63 - shift as i32 - UNIT;
        let value = odd as f64 * 2f64.powi(exponent - 52);
        if negative { -value } else { value }
    }

    /// The one rounding. An exact sum of zero is +0, with rounding down -0.
    pub fn round(&self, to: &RoundTo) -> Rounded {
        to.round(self.to_odd())
    }
}

/// The sum of all products and of `c`.
pub fn exact_dot(
    products: impl IntoIterator<Item = (Number, Number)>,
    c: Option<Number>,
) -> ExactSum {
    let mut sum = ExactSum::new();
    products.into_iter().for_each(|(a, b)| sum.add(a.times(b)));
    c.into_iter().for_each(|c| sum.add(c));
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    #[test]
    fn sums_of_wide_range_are_exact_and_odd_when_they_are_not_representable() {
        let sum = |terms: &[f64]| {
            let mut sum = ExactSum::new();
            terms.iter().for_each(|&t| sum.add(t.into()));
            sum.to_odd()
        };
        assert_eq!(sum(&[2f64.powi(400), 1.0, -2f64.powi(400)]), 1.0);
        assert_eq!(sum(&[2f64.powi(-400), -1.0, 1.0]), 2f64.powi(-400));
        let next = |x: f64| f64::from_bits(x.to_bits() + 1);
        assert_eq!(sum(&[1.0, 2f64.powi(-53)]), next(1.0)); // between 1 and its odd neighbour
        assert_eq!(sum(&[1.0, 2f64.powi(-300)]), next(1.0));
        assert_eq!(sum(&[next(1.0), 2f64.powi(-300)]), next(1.0));
        assert_eq!(sum(&[-1.0, -2f64.powi(-300)]), -next(1.0));
        assert_eq!(sum(&[2.0, -2f64.powi(-300)]), f64::from_bits(2f64.to_bits() - 1));
    }

    #[test]
    fn the_order_of_terms_does_not_matter() {
        let mut rng = StdRng::seed_from_u64(5);
        for _ in 0..200 {
            let terms: Vec<f64> = (0..40)
                .map(|_| rng.random_range(-1.0..1.0) * 2f64.powi(rng.random_range(-200..200)))
                .collect();
            let sum = |terms: &mut dyn Iterator<Item = &f64>| {
                let mut sum = ExactSum::new();
                terms.for_each(|&t| sum.add(t.into()));
                sum
            };
            assert_eq!(sum(&mut terms.iter()), sum(&mut terms.iter().rev()));
        }
    }
}
