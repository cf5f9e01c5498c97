//! What can be wrong with the arrays of a sparse matrix.

/// Why arrays do not form a canonical [`Csr`](super::Csr).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrError {
    /// Column indices are 32 bits wide.
    #[error("{cols} columns asked, a column index of 32 bits allows at most 4294967296")]
    TooManyColumns {
        /// Columns asked for.
        cols: usize,
    },
    /// There must be one row pointer more than there are rows.
    #[error("{rows} rows need {rows} + 1 row pointers, got {got}")]
    RowPointerCount {
        /// Rows of the matrix.
        rows: usize,
        /// Length of the row pointer array.
        got: usize,
    },
    /// The first row pointer must be 0.
    #[error("the first row pointer must be 0, got {got}")]
    RowPointerStart {
        /// What stands there.
        got: u64,
    },
    /// Row pointers never fall.
    #[error("row pointers must not fall: row {row} would run from {start} to {end}")]
    RowPointerFalls {
        /// Row whose end lies before its start.
        row: usize,
        /// Its start.
        start: u64,
        /// Its end.
        end: u64,
    },
    /// The last row pointer is the number of entries.
    #[error("the last row pointer is {end}, but there are {entries} column indices")]
    RowPointerEnd {
        /// Last row pointer.
        end: u64,
        /// Length of the column array.
        entries: usize,
    },
    /// Each entry has one value.
    #[error("{columns} column indices but {values} values")]
    ValueCount {
        /// Length of the column array.
        columns: usize,
        /// Length of the value array.
        values: usize,
    },
    /// A column lies outside the matrix.
    #[error("row {row}: column {col} is outside a matrix of {cols} columns")]
    ColumnOutOfRange {
        /// Row of the entry.
        row: usize,
        /// Its column.
        col: u32,
        /// Columns of the matrix.
        cols: usize,
    },
    /// Columns of a row must rise.
    #[error("row {row}: column {col} follows column {previous}; columns must rise")]
    Unsorted {
        /// Row of the entry.
        row: usize,
        /// Column before it.
        previous: u32,
        /// Its column.
        col: u32,
    },
    /// A column stands twice in a row.
    #[error("row {row}: column {col} stands twice")]
    Duplicate {
        /// Row of the entry.
        row: usize,
        /// The column.
        col: u32,
    },
}
