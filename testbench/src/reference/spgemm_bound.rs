//! How far an fp32 sparse product may be from the exact one.

use mattock::Csr;
use mattock::sparse::SparseValue;
use mattock_spec::{Format, Semiring};

use super::algebra::as_factors;
use super::compare::{Comparison, compare, compare_floats};
use super::mask::Mask;
use super::spgemm::{ShapeError, merged, onto, row_wise, spgemm_over, widened};

/// Unit roundoff of fp32, round to nearest: 2^-24.
const U: f64 = f32::EPSILON as f64 / 2.0;
/// Half of the smallest subnormal fp32: most that a product loses by gradual underflow.
const ETA: f64 = f32::from_bits(1) as f64 / 2.0;

/// One entry of the exact product.
#[derive(Clone, Copy, Debug)]
struct Exact {
    /// Sum of the products, in f64.
    sum: f64,
    /// Sum of their absolute values.
    magnitude: f64,
    /// How many there are.
    products: u32,
}

/// The reference for an fp32 product C = A*B whose sums may run in any order.
///
/// Each entry is c = sum of n products a*b; let S = sum |a*b|. With u = 2^-24 and eta = 2^-150:
///
/// - a product rounded to nearest is p = a*b*(1 + d) + e, |d| <= u, |e| <= eta (e only when it
///   underflows), so the rounded products together are off by at most u*S + n*eta, and
///   sum |p| <= (1 + u)*S + n*eta;
/// - adding the n values p in any order, one rounding for each of the n - 1 additions, is off by at
///   most (n - 1)*u*sum |p|: no higher-order term is needed (Jeannerod and Rump, Improved error
///   bounds for inner products in floating-point arithmetic, SIAM J. Matrix Anal. Appl. 34, 2013),
///   and additions do not underflow;
/// - together: (n - 1)*u*S + u*S + (n - 1)*u^2*S + n*eta*(1 + (n - 1)*u).
///
/// The bound used is `n*u*(1 + u)*S + 2*n*eta`, which is at least that for n <= 2^24, plus
/// `2*n*2^-53*S` for the reference itself: f64 products of fp32 values are exact, and the f64 sums
/// c and S are each off by at most (n - 1)*2^-53*S. Products that are not rounded (a fused
/// multiply-add) or sums kept wider only come closer.
///
/// Where the values of a and b have so few bits that fp32 holds their products (f16 with 2 * 11, bf16 with 2 * 8), d is 0: the
/// first u*S goes, and `n - 1` stands for n in the first term. A product of two bf16 may still underflow, so e stays.
///
/// Where S exceeds what fp32 holds, a sum may overflow on the way, and any result is accepted that
/// is infinite or NaN. Where an operand is infinite or NaN, the result must not be finite.
#[derive(Clone, Debug)]
pub struct SpgemmBound {
    exact: Csr<Exact>,
    /// Whether a product is rounded.
    rounds: bool,
}

/// Whether fp32 holds the significands of products of such values.
fn holds_products<T: SparseValue>() -> bool {
    match T::FORMAT {
        Format::Float(float) => 2 * (float.mantissa_bits() + 1) <= f32::MANTISSA_DIGITS,
        _ => false,
    }
}

impl SpgemmBound {
    /// Computes the exact product and its bound.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn new<T: SparseValue<Sum = f32>>(a: &Csr<T>, b: &Csr<T>) -> Result<Self, ShapeError> {
        Self::of_factors(a, b, |a, b| (a, b))
    }

    /// The same of `factors(a, b)` instead of a and b.
    fn of_factors<T: SparseValue<Sum = f32>>(
        a: &Csr<T>,
        b: &Csr<T>,
        factors: impl Fn(f32, f32) -> (f32, f32),
    ) -> Result<Self, ShapeError> {
        let product = |a: &T, b: &T| {
            let (a, b) = factors(a.widen(), b.widen());
            f64::from(a) * f64::from(b)
        };
        let first = |a: &T, b: &T| {
            let p = product(a, b);
            Exact { sum: p, magnitude: p.abs(), products: 1 }
        };
        let more = |exact: &mut Exact, a: &T, b: &T| {
            let p = product(a, b);
            exact.sum += p;
            exact.magnitude += p.abs();
            exact.products += 1;
        };
        Ok(Self { exact: row_wise(a, b, first, more)?, rounds: !holds_products::<T>() })
    }

    /// The product in f64.
    pub fn reference(&self) -> Csr<f64> {
        self.exact.map(|exact| exact.sum)
    }

    /// Largest allowed distance from [`reference`](Self::reference), for each entry.
    pub fn bounds(&self) -> Csr<f64> {
        self.exact.map(|exact| exact.bound(self.rounds))
    }

    /// Compares a computed product: its structure exactly, its values within the bound.
    pub fn check(&self, got: &Csr<f32>) -> Comparison {
        let allows = |exact: &Exact, got: &f32| exact.allows(*got, self.rounds);
        compare(&self.exact, got, |exact| exact.sum.to_string(), allows)
    }
}

/// Compares an fp32 product over a semiring with the right one: within the bound where it sums, else bit for bit.
///
/// # Errors
/// [`ShapeError`].
pub fn check_over<T: SparseValue<Sum = f32>>(
    a: &Csr<T>,
    b: &Csr<T>,
    semiring: Semiring,
    got: &Csr<f32>,
) -> Result<Comparison, ShapeError> {
    check_joined(a, b, semiring, &Joins::default(), got)
}

/// What joins a product.
#[derive(Clone, Copy, Debug, Default)]
pub struct Joins<'j> {
    /// Which entries are wanted.
    pub mask: Option<&'j Mask>,
    /// What the products are added to.
    pub onto: Option<&'j Csr<f32>>,
    /// Entries that are zero are not there.
    pub prune: bool,
}

impl Joins<'_> {
    fn masked<T: Clone>(&self, c: Csr<T>) -> Csr<T> {
        self.mask.map_or_else(|| c.clone(), |mask| mask.apply(&c))
    }
}

/// [`check_over`] of a product that more matrices join. Where a sum that is not exactly known may be zero, its entry may be there or not.
///
/// # Errors
/// [`ShapeError`].
pub fn check_joined<T: SparseValue<Sum = f32>>(
    a: &Csr<T>,
    b: &Csr<T>,
    semiring: Semiring,
    joins: &Joins<'_>,
    got: &Csr<f32>,
) -> Result<Comparison, ShapeError> {
    match as_factors(semiring) {
        Some(factors) => {
            let mut bound = SpgemmBound::of_factors(a, b, factors)?;
            if let Some(onto) = joins.onto {
                let addend = onto.map(|&c| Exact::value(c));
                bound.exact = merged(&addend, &bound.exact, Exact::plus);
            }
            bound.exact = joins.masked(bound.exact);
            if !joins.prune {
                return Ok(bound.check(got));
            }
            // A zero that is there is wrong, one that is not counts as computed.
            let there = got.map(|&value| if value == 0.0 { f32::NAN } else { value });
            let all = merged(&bound.exact.map(|_| 0.0), &there, |_, value| value);
            Ok(bound.check(&all))
        }
        None => {
            let mut all = spgemm_over(&widened(a), &widened(b), semiring)?;
            if let Some(c) = joins.onto {
                all = onto(c, &all, semiring);
            }
            let all = joins.masked(all).retain(|_, _, value| !joins.prune || *value != 0.0);
            Ok(compare_floats(&all, got))
        }
    }
}

impl Exact {
    /// A number by itself, which counts as a product.
    fn value(c: f32) -> Exact {
        let sum = f64::from(c);
        Exact { sum, magnitude: sum.abs(), products: 1 }
    }

    fn plus(self, other: Exact) -> Exact {
        Exact {
            sum: self.sum + other.sum,
            magnitude: self.magnitude + other.magnitude,
            products: self.products + other.products,
        }
    }
}

impl Exact {
    /// `rounds`: products are rounded.
    fn bound(&self, rounds: bool) -> f64 {
        let n = f64::from(self.products);
        let roundings = if rounds { n } else { n - 1.0 };
        let of_magnitude = roundings * U * (1.0 + U) + n * f64::EPSILON;
        self.magnitude * of_magnitude + 2.0 * n * ETA
    }

    /// Whether `got` is within the bound; how much of the bound it uses.
    fn allows(&self, got: f32, rounds: bool) -> (bool, f64) {
        if !self.magnitude.is_finite() {
            return (!got.is_finite(), 0.0);
        }
        let bound = self.bound(rounds);
        if !got.is_finite() {
            return (self.magnitude + bound > f64::from(f32::MAX), 0.0);
        }
        let error = (f64::from(got) - self.sum).abs();
        (error <= bound, error / bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mattock::{bf16, f16};

    /// A row times a column: one entry of C with the given products a*b.
    fn dot<T: SparseValue<Sum = f32>>(a: &[T], b: &[T]) -> SpgemmBound {
        let n = a.len();
        let columns = (0..n as u32).collect();
        let row = Csr::new(1, n, vec![0, n as u64], columns, a.to_vec()).unwrap();
        let starts = (0..=n as u64).collect();
        let col = Csr::new(n, 1, starts, vec![0; n], b.to_vec()).unwrap();
        SpgemmBound::new(&row, &col).unwrap()
    }

    fn result(value: f32) -> Csr<f32> {
        Csr::new(1, 1, vec![0, 1], vec![0], vec![value]).unwrap()
    }

    #[test]
    fn the_rounded_product_passes_and_its_neighbours_do_not() {
        let (a, b) = (1.1f32, 1.3f32);
        let bound = dot(&[a], &[b]);
        let right = a * b;
        assert_eq!(bound.check(&result(right)).mismatches(), 0);
        for wrong in [right.next_up().next_up(), right.next_down().next_down()] {
            assert_eq!(bound.check(&result(wrong)).mismatches(), 1);
        }
    }

    #[test]
    fn products_of_narrow_floats_are_exact() {
        let third = f16::from_f32(1.0 / 3.0);
        let bound = dot(&[third], &[third]);
        let right = f32::from(third) * f32::from(third);
        assert_eq!(bound.check(&result(right)).mismatches(), 0);
        for wrong in [right.next_up(), right.next_down()] {
            assert_eq!(bound.check(&result(wrong)).mismatches(), 1);
        }
        // 2^-100 * 2^-60 is less than the least number: it may be lost, and no more than that.
        let tiny = [-100, -60].map(|e| bf16::from_f32(2f32.powi(e)));
        let bound = dot(&tiny[..1], &tiny[1..]);
        assert_eq!(bound.check(&result(0.0)).mismatches(), 0);
        assert_eq!(bound.check(&result(f32::from_bits(2))).mismatches(), 1);
    }

    #[test]
    fn a_lost_or_doubled_product_is_seen() {
        let a = [1.0f32; 1000];
        let bound = dot(&a, &a);
        assert_eq!(bound.check(&result(1000.0)).mismatches(), 0);
        assert_eq!(bound.check(&result(999.0)).mismatches(), 1);
        assert_eq!(bound.check(&result(1001.0)).mismatches(), 1);
    }

    #[test]
    fn underflow_is_allowed_for() {
        let tiny = f32::from_bits(1);
        let bound = dot(&[tiny, tiny], &[0.5, 0.5]);
        // Each product is half of the smallest number: rounding up or down are both allowed.
        for got in [0.0, tiny, 2.0 * tiny] {
            assert_eq!(bound.check(&result(got)).mismatches(), 0, "{got:e}");
        }
        assert_eq!(bound.check(&result(4.0 * tiny)).mismatches(), 1);
    }

    #[test]
    fn infinities_only_where_they_can_come_from() {
        let finite = dot(&[2.0, 3.0], &[1.0, 1.0]);
        assert_eq!(finite.check(&result(f32::INFINITY)).mismatches(), 1);
        assert_eq!(finite.check(&result(f32::NAN)).mismatches(), 1);
        let overflow = dot(&[f32::MAX, -f32::MAX], &[2.0, 2.0]);
        assert_eq!(overflow.check(&result(f32::NAN)).mismatches(), 0);
        assert_eq!(overflow.check(&result(0.0)).mismatches(), 0);
        assert_eq!(overflow.check(&result(1e38)).mismatches(), 1);
        let nan = dot(&[f32::NAN], &[0.0]);
        assert_eq!(nan.check(&result(f32::NAN)).mismatches(), 0);
        assert_eq!(nan.check(&result(0.0)).mismatches(), 1);
    }
}
