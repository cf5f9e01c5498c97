//! `fp-tc`: how NVIDIA's tensor cores sum, so that results can be compared bit for bit.

use super::Number;

/// Groups of products aligned to their largest exponent, cut off, summed and normalised with truncation.
///
/// Source: F. A. Khattak and M. Mikaitis, *Accurate Models of NVIDIA Tensor Cores*, ACM TACO 23(3), 2026
/// (arXiv 2512.07004); the group sizes and fraction bits are those of their models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcProfile {
    /// Name, as in `fp-tc:hopper-fp8`.
    pub name: &'static str,
    /// Products per group; the accumulator joins them.
    pub group: usize,
    /// Fraction bits kept below the largest exponent, further ones are dropped.
    pub fraction: u32,
    /// Fraction bits of a group's result, the rest is dropped (at most 23).
    pub result_fraction: u32,
    /// The alignment exponent is never below this.
    pub least_exponent: i32,
}

impl TcProfile {
    const fn row(
        name: &'static str,
        group: usize,
        fraction: u32,
        result_fraction: u32,
    ) -> TcProfile {
        TcProfile { name, group, fraction, result_fraction, least_exponent: -132 }
    }

    /// Every profile.
    pub const ALL: [TcProfile; 5] = [
        TcProfile::row("volta-fp16", 4, 23, 23),
        TcProfile::row("ampere-fp16", 8, 24, 23),
        TcProfile::row("hopper-fp16", 16, 25, 23),
        TcProfile::row("ada-fp8", 16, 13, 13),
        TcProfile::row("hopper-fp8", 32, 13, 13),
    ];
}

/// An operand with the exponent its hardware field has: that of the leading bit, but not below the smallest
/// normal one (`lowest`), so that subnormals are aligned as they are stored.
#[derive(Clone, Copy)]
struct Aligned {
    value: Number,
    exponent: Option<i32>,
}

/// The dot product in groups, k ascending, starting from `c` (binary32). `lowest` are the exponents of the smallest
/// normal numbers of both operand formats.
///
/// Infinities and NaN follow IEEE 754 on the whole sum; NaN is the canonical quiet one. A zero result is +0.
pub fn tc_dot(
    products: &[(Number, Number)],
    lowest: (i32, i32),
    c: f32,
    profile: &TcProfile,
) -> f32 {
    let mut acc = c;
    for group in products.chunks(profile.group) {
        let mut terms: Vec<Aligned> = Vec::with_capacity(group.len() + 1);
        for &(a, b) in group {
            let field = |x: Number, low: i32| x.leading().map(|e| e.max(low));
            let exponent = field(a, lowest.0).zip(field(b, lowest.1)).map(|(e, f)| e + f);
            terms.push(Aligned { value: a.times(b), exponent });
        }
        let value = Number::from(acc);
        terms.push(Aligned { value, exponent: value.leading() });
        acc = sum_group(&terms, profile);
    }
    acc
}

fn sum_group(terms: &[Aligned], profile: &TcProfile) -> f32 {
    let infinite = |sign| terms.iter().any(|t| t.value == Number::Infinite { negative: sign });
    let (plus, minus) = (infinite(false), infinite(true));
    if (plus && minus) || terms.iter().any(|t| t.value == Number::Nan) {
        return f32::NAN;
    }
    if plus || minus {
        return if plus { f32::INFINITY } else { f32::NEG_INFINITY };
    }
    let largest = terms.iter().filter_map(|t| t.exponent).max().unwrap_or(i32::MIN);
    let unit = largest.max(profile.least_exponent) - profile.fraction as i32;
    let sum: i128 = terms.iter().map(|t| whole_units(t.value, unit)).sum();
    // Truncate to the result's fraction bits; below the normal range of binary32 they are fewer.
    let magnitude = sum.unsigned_abs();
    if magnitude == 0 {
        return 0.0;
    }
    let leading = (magnitude.ilog2() as i32 + unit).max(-126);
    let drop = leading - profile.result_fraction as i32 - unit;
    let kept = if drop > 0 { magnitude >> drop << drop } else { magnitude };
    let value = kept as f64 * 2f64.powi(unit);
    (if sum < 0 { -value } else { value }) as f32
}

/// The value in units of `2^unit`, the rest dropped.
fn whole_units(value: Number, unit: i32) -> i128 {
    let Number::Finite { negative, significand, exponent } = value else { return 0 };
    let shift = exponent - unit;
    let magnitude = if shift >= 0 {
        significand << shift
    } else {
        significand.checked_shr(shift.unsigned_abs()).unwrap_or(0)
    } as i128;
    if negative { -magnitude } else { magnitude }
}
