//! What can be wrong with a matrix file.

use std::io;

/// Why a matrix file was refused. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Reading or decompressing failed; a cut-off `.gz` file is reported here.
    #[error("cannot read on after line {line}: {source}")]
    Io {
        /// Lines read before.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// A line is not what the format asks for.
    #[error("line {line}: expected {expected}, found {found}")]
    Syntax {
        /// Where.
        line: u64,
        /// What should stand there.
        expected: String,
        /// What stands there, shortened.
        found: String,
    },
    /// The file ends early.
    #[error("the file ends after line {line}: expected {expected}")]
    Truncated {
        /// Last line read.
        line: u64,
        /// What should have come.
        expected: String,
    },
    /// The file is well-formed but of a kind that is not read.
    #[error("line {line}: {asked} is not supported; supported: {have}")]
    Unsupported {
        /// Where the file says so.
        line: u64,
        /// What it is.
        asked: String,
        /// What is read.
        have: &'static str,
    },
    /// The file is larger than the reader was allowed to take.
    #[error(
        "line {line}: {what} {asked} is over the limit of {limit}; raise `{option}` to allow it"
    )]
    TooLarge {
        /// Where.
        line: u64,
        /// What is too large.
        what: &'static str,
        /// Its size.
        asked: u64,
        /// What is allowed.
        limit: u64,
        /// Field of [`ReadOptions`](super::ReadOptions) that allows more.
        option: &'static str,
    },
    /// Repeated entries of one position add up to a value that no longer fits.
    #[error("the entries at row {row}, column {col} (from 1) add up to {sum:?}: out of range")]
    Overflow {
        /// Row, from 1.
        row: u64,
        /// Column, from 1.
        col: u64,
        /// The sum.
        sum: f64,
    },
    /// The matrix must be square to be mirrored.
    #[error("a matrix of {rows} x {cols} cannot be mirrored: it is not square")]
    NotSquare {
        /// Rows of the matrix.
        rows: u64,
        /// Columns of the matrix.
        cols: u64,
    },
    /// Neither content nor name tells the format.
    #[error("cannot tell the format from the content or the name; say it with `--format` ({have})")]
    UnknownFormat {
        /// Names of the formats.
        have: &'static str,
    },
    /// The file has no content.
    #[error("the file is empty")]
    Empty,
}
