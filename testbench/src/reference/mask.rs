//! Masks: which entries of a product are wanted.

use mattock::Csr;
use std::collections::BTreeSet;

/// The entries where a matrix has one, or (`complement`) where it has none.
#[derive(Clone, Debug)]
pub struct Mask {
    entries: BTreeSet<(usize, u32)>,
    complement: bool,
}

impl Mask {
    /// The mask of a matrix; `by_value`: its zeros are no entries.
    pub fn new<M: PartialEq + Default>(matrix: &Csr<M>, complement: bool, by_value: bool) -> Self {
        let set = |value: &M| !by_value || *value != M::default();
        let entries = matrix.entries().filter(|(_, _, value)| set(value));
        Mask { entries: entries.map(|(row, col, _)| (row, col)).collect(), complement }
    }

    /// What it leaves of `c`.
    pub fn apply<T: Clone>(&self, c: &Csr<T>) -> Csr<T> {
        c.retain(|row, col, _| self.entries.contains(&(row, col)) != self.complement)
    }
}
