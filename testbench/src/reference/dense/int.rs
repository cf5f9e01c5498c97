//! Integer sums.

/// What an integer accumulator does at its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntMode {
    /// The exact sum; a card offers it only for K up to the proven depth (`Tuple::exact_depth`).
    Exact,
    /// Modulo 2^bits: independent of the order of terms.
    Wrap,
    /// Clamped after every addition, k ascending: depends on that order.
    Saturate,
}

/// The sum of products in an accumulator of `bits` (at most 64), k ascending, starting from `c`.
///
/// `None` when `Exact` was asked for and the sum does not fit.
pub fn int_dot(
    products: impl IntoIterator<Item = (i64, i64)>,
    c: i64,
    bits: u32,
    mode: IntMode,
) -> Option<i64> {
    let (low, high) = (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1);
    let mut sum = i128::from(c);
    for (a, b) in products {
        sum += i128::from(a) * i128::from(b);
        if mode == IntMode::Saturate {
            sum = sum.clamp(low, high);
        }
    }
    match mode {
        IntMode::Exact => (low..=high).contains(&sum).then_some(sum as i64),
        IntMode::Saturate => Some(sum as i64),
        IntMode::Wrap => Some(((sum << (128 - bits)) >> (128 - bits)) as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let terms = [(127, 127), (127, 127), (-128, 127)];
        assert_eq!(int_dot(terms, 0, 32, IntMode::Exact), Some(16002));
        assert_eq!(int_dot(terms, 0, 15, IntMode::Saturate), Some(16383 - 16256));
        assert_eq!(int_dot(terms, 0, 15, IntMode::Wrap), Some(16002));
        assert_eq!(int_dot(terms[..2].to_vec(), 0, 15, IntMode::Exact), None);
        assert_eq!(int_dot(terms[..2].to_vec(), 0, 15, IntMode::Wrap), Some(32258 - 32768));
    }
}
