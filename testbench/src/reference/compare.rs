//! Comparison of sparse results: structure first, then values.

use std::fmt::Debug;

use mattock::Csr;

/// What a computed sparse matrix has in common with the expected one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Whether rows and columns are equal; if not, nothing else was compared.
    pub shape_differs: bool,
    /// Entries that are expected and not there.
    pub missing: u64,
    /// Entries that are there and not expected.
    pub extra: u64,
    /// Entries at the right place with a wrong value.
    pub wrong: u64,
    /// Entries compared.
    pub compared: u64,
    /// Largest part of the allowed distance that a right value uses; 0 for exact comparisons.
    pub worst: f64,
    /// The first difference, in row order.
    pub first: Option<Difference>,
}

/// One place where two matrices differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Row, from 0.
    pub row: usize,
    /// Column, from 0.
    pub col: u32,
    /// What should stand there; `None`: no entry.
    pub expected: Option<String>,
    /// What stands there; `None`: no entry.
    pub got: Option<String>,
}

impl Comparison {
    /// Entries missing or too many.
    pub fn structural(&self) -> u64 {
        self.missing + self.extra + u64::from(self.shape_differs)
    }

    /// All differences: the `mismatches` of reports. 0 means right.
    pub fn mismatches(&self) -> u64 {
        self.structural() + self.wrong
    }
}

/// Compares structure and values, which must be equal.
pub fn compare_exact<T: PartialEq + Debug>(expected: &Csr<T>, got: &Csr<T>) -> Comparison {
    compare(expected, got, |value| format!("{value:?}"), |a, b| (a == b, 0.0))
}

/// Compares structure and floats, which must be equal bit for bit; every NaN equals every other.
pub fn compare_floats(expected: &Csr<f32>, got: &Csr<f32>) -> Comparison {
    let same = |a: &f32, b: &f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    compare(expected, got, |value| format!("{value:?}"), |a, b| (same(a, b), 0.0))
}

/// Compares structure exactly and values by `agrees`, which also says how much of the allowed
/// distance is used; `show` prints an expected value.
pub(super) fn compare<E, G: Debug>(
    expected: &Csr<E>,
    got: &Csr<G>,
    show: impl Fn(&E) -> String,
    agrees: impl Fn(&E, &G) -> (bool, f64),
) -> Comparison {
    let mut result = Comparison::default();
    if (expected.rows(), expected.cols()) != (got.rows(), got.cols()) {
        return Comparison { shape_differs: true, ..result };
    }
    for row in 0..expected.rows() {
        let (want_cols, want) = expected.row(row);
        let (got_cols, have) = got.row(row);
        let (mut i, mut j) = (0, 0);
        while i < want_cols.len() || j < got_cols.len() {
            // A row that has ended counts as standing beyond every column.
            let at = |cols: &[u32], index: usize| cols.get(index).map_or(u64::MAX, |&c| c.into());
            let (left, right) = (at(want_cols, i), at(got_cols, j));
            let (expected, got) =
                ((left <= right).then(|| &want[i]), (right <= left).then(|| &have[j]));
            let fine = match (expected, got) {
                (Some(a), Some(b)) => {
                    let (fine, used) = agrees(a, b);
                    result.compared += 1;
                    result.wrong += u64::from(!fine);
                    if fine {
                        result.worst = result.worst.max(used);
                    }
                    fine
                }
                (expected, _) => {
                    result.missing += u64::from(expected.is_some());
                    result.extra += u64::from(expected.is_none());
                    false
                }
            };
            if !fine && result.first.is_none() {
                result.first = Some(Difference {
                    row,
                    col: left.min(right) as u32,
                    expected: expected.map(&show),
                    got: got.map(|value| format!("{value:?}")),
                });
            }
            i += usize::from(expected.is_some());
            j += usize::from(got.is_some());
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cols: &[u32], values: &[i32]) -> Csr<i32> {
        Csr::new(1, 9, vec![0, cols.len() as u64], cols.to_vec(), values.to_vec()).unwrap()
    }

    #[test]
    fn each_kind_of_difference_is_counted() {
        let expected = row(&[0, 2, 4, 8], &[1, 2, 3, 4]);
        assert_eq!(compare_exact(&expected, &expected).mismatches(), 0);
        let result = compare_exact(&expected, &row(&[0, 3, 4, 5, 8], &[1, 2, 9, 4, 4]));
        assert_eq!((result.missing, result.extra, result.wrong, result.compared), (1, 2, 1, 3));
        assert_eq!((result.structural(), result.mismatches()), (3, 4));
        let first = result.first.unwrap();
        assert_eq!((first.row, first.col, first.got), (0, 2, None));
        let other = Csr::empty(2, 9).unwrap();
        assert_eq!(compare_exact(&expected, &other).mismatches(), 1);
    }
}
