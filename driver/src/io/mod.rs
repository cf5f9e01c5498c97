//! Matrix files: four formats in, Matrix Market out.
//!
//! | [`Format`]      | names        | indices | what the reader does by itself                     |
//! |-----------------|--------------|---------|----------------------------------------------------|
//! | `MatrixMarket`  | `.mtx`       | from 1  | symmetric and skew files are expanded              |
//! | `EdgeList`      | `.txt` ...   | from 0  | SNAP; undirected graphs listed once are mirrored   |
//! | `Metis`         | `.graph`     | from 1  | adjacency lists, both directions are in the file   |
//! | `Triplet`       | `.triplet`   | from 0  | CSparse; a single triangle is mirrored             |
//!
//! Every file may be gzipped, which is seen from its content, not from its name. Content decides
//! the format, then the name; [`ReadOptions::format`] overrides both.
//!
//! Nothing a file claims is trusted: memory is taken for entries that were read, not for entries
//! that were announced, and every refusal is a [`ReadError`] with the line and what was expected.
//!
//! The readers are our own because the crates that read Matrix Market do not hold for such files.
//! Tried: `sprs` 0.11.6 panics on an index out of range, aborts on an absurd entry count (it
//! allocates what the header announces), ignores entries beyond the announced count, and refuses
//! pattern files; `nalgebra-sparse` 0.12.0 reads a pattern file as nothing but a matrix of `()`;
//! both refuse the single `%` that files of the Network Repository start with.

mod assemble;
mod edge_list;
mod error;
mod format;
mod matrix_market;
mod metis;
mod text;
mod triplet;
mod write;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use error::ReadError;
pub use format::{Field, Format, UnknownFormatName};
pub use write::{MatrixMarketValue, write_matrix_market, write_matrix_market_to};

use crate::{Csr, Error};

/// When the reader adds the mirror image of what the file holds.
///
/// Mirroring gives (j, i) the value of (i, j) wherever the file does not give (j, i) itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Symmetrize {
    /// What the format means: see [`LoadedMatrix::mirrored`].
    #[default]
    Auto,
    /// Always; the matrix must be square.
    Always,
    /// Never: exactly the entries of the file.
    Never,
}

/// How a matrix file is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The format, when it should not be found out.
    pub format: Option<Format>,
    /// Whether to add the mirror image.
    pub symmetrize: Symmetrize,
    /// Accept NaN and infinities as values. Default: refused.
    pub non_finite: bool,
    /// Most bytes of text, after unpacking. Default 1 GiB.
    pub max_bytes: u64,
    /// Most rows and columns, each. Default 2^25, whose row pointers take 256 MiB.
    pub max_dim: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            symmetrize: Symmetrize::Auto,
            non_finite: false,
            max_bytes: 1 << 30,
            max_dim: 1 << 25,
        }
    }
}

/// A matrix and what its file said about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedMatrix {
    /// The matrix. A position that a file gives more than once holds the sum, or 1 in a pattern.
    pub matrix: Csr<f64>,
    /// Format it was read as.
    pub format: Format,
    /// What the values are.
    pub field: Field,
    /// Whether the mirror image was added. With [`Symmetrize::Auto`] that is: for Matrix Market
    /// when its header says symmetric or skew-symmetric; for an edge list when a comment says
    /// `undirected`, or when no comment says `directed` and every edge lies in one strict
    /// triangle; for a triplet file when every entry lies in one triangle, as in CSparse's own
    /// demonstration programs; never for METIS, which lists both directions.
    pub mirrored: bool,
}

/// Reads the matrix file at `path`.
///
/// # Errors
/// [`Error::Io`] when it cannot be opened, [`Error::Read`] when it is not a matrix file.
pub fn read_matrix(path: impl AsRef<Path>, options: &ReadOptions) -> Result<LoadedMatrix, Error> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|source| Error::Io {
        action: "open",
        path: path.to_path_buf(),
        source,
    })?;
    read_named(file, Some(path), options)
        .map_err(|source| Error::Read { path: path.to_path_buf(), source })
}

/// Reads a matrix from any source of bytes; the format comes from its content or `options`.
///
/// # Errors
/// [`ReadError`].
pub fn read_matrix_from(
    reader: impl Read,
    options: &ReadOptions,
) -> Result<LoadedMatrix, ReadError> {
    read_named(reader, None, options)
}

fn read_named(
    reader: impl Read,
    name: Option<&Path>,
    options: &ReadOptions,
) -> Result<LoadedMatrix, ReadError> {
    let mut lines = text::Lines::new(reader, options.max_bytes)?;
    let first = loop {
        match lines.next()? {
            Some(line) if line.is_blank() => {}
            Some(line) => break line,
            None => return Err(ReadError::Empty),
        }
    };
    let format = options
        .format
        .or_else(|| Format::detect(first.bytes, name))
        .ok_or(ReadError::UnknownFormat { have: Format::NAMES })?;
    lines.unread();
    match format {
        Format::MatrixMarket => matrix_market::read(&mut lines, options),
        Format::EdgeList => edge_list::read(&mut lines, options),
        Format::Metis => metis::read(&mut lines, options),
        Format::Triplet => triplet::read(&mut lines, options),
    }
}
