//! `alpha*A*B + beta*C` for floating-point products.

use super::{ExactSum, Number, RoundTo};
use mattock_spec::{Format, Rounding};

/// The factors of a product and of the matrix added to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Combination {
    /// Factor of A*B.
    pub alpha: f32,
    /// Factor of C.
    pub beta: f32,
}

impl Combination {
    /// `A*B` alone.
    pub const PRODUCT: Combination = Combination { alpha: 1.0, beta: 0.0 };

    /// C, or its absence, joins the exact sum: alpha is 1 and beta 0 or 1.
    pub fn is_exact(self) -> bool {
        self.alpha == 1.0 && (self.beta == 0.0 || self.beta == 1.0)
    }
}

/// The combination as a code of `to.format`, or of binary32 when something is to follow (`to.format` is then f32).
///
/// With alpha = 1 and beta in {0, 1}, C joins the exact sum of products and one rounding follows. Otherwise
/// t = round(A*B), u = round(beta*C), D = fma(alpha, t, u), each in binary32 with the rounding mode of `to` (stochastic:
/// t and u to nearest even); D is then rounded to the result's format. beta = 0 does not read C: a NaN there changes
/// nothing.
pub fn scale_add(mut products: ExactSum, c: Number, by: Combination, to: &RoundTo) -> u32 {
    if by.is_exact() {
        if by.beta == 1.0 {
            products.add(c);
        }
        return products.round(to);
    }
    let rounding = if to.random.is_some() { Rounding::Rne } else { to.rounding };
    let single = RoundTo { rounding, ..RoundTo::nearest(Format::F32) };
    let (t, u) = parts(&products, c, by, &single);
    if to.format == Format::F32 {
        let mut sum = ExactSum::new();
        sum.add(Number::from(by.alpha).times(t.into()));
        sum.add(u.into());
        return sum.round(to);
    }
    to.round(fused(by.alpha.into(), t.into(), Some(u), &single).into())
}

/// t and u.
fn parts(products: &ExactSum, c: Number, by: Combination, single: &RoundTo) -> (f32, f32) {
    let t = f32::from_bits(products.round(single));
    let u = if by.beta == 0.0 { 0.0 } else { fused(by.beta.into(), c, None, single) };
    (t, u)
}

/// `a*b + c` rounded once to binary32.
pub(super) fn fused(a: Number, b: Number, c: Option<f32>, to: &RoundTo) -> f32 {
    let mut sum = ExactSum::new();
    sum.add(a.times(b));
    c.into_iter().for_each(|c| sum.add(c.into()));
    f32::from_bits(sum.round(to))
}

/// `a*b + c` rounded once to binary32, to nearest even.
pub(super) fn fused_nearest(a: f32, b: f32, c: f32) -> f32 {
    let to = RoundTo { rounding: Rounding::Rne, ..RoundTo::nearest(Format::F32) };
    fused(a.into(), b.into(), Some(c), &to)
}
