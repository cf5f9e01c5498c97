//! Host library for Mattock matrix cards.
//!
//! The application programmer's side of the project: the same `gemm` and `spgemm` call whether the
//! card is a PCIe board, a serial board or the simulated one.
//!
//! | module     | what is in it                                                             |
//! |------------|---------------------------------------------------------------------------|
//! | [`mod@card`] | [`Card`]: opening one, and what it says about itself                      |
//! | [`dense`]   | dense products: [`Card::gemm`]                                            |
//! | [`plan`]   | how a dense product runs: blocks, what stays on chip, bytes and cycles    |
//! | [`error`]  | [`Error`], the one error type of every call                               |
//! | [`sparse`] | [`Csr`], the checked sparse matrix that calls take and give               |
//! | [`io`]     | readers for Matrix Market, SNAP, METIS and triplet files, and a writer    |
//!
//! ```
//! use mattock::io::{ReadOptions, read_matrix_from};
//!
//! let text = "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 2\n";
//! let file = read_matrix_from(text.as_bytes(), &ReadOptions::default())?;
//! assert_eq!(file.matrix.nnz(), 4); // the file holds one triangle, the matrix holds both
//! # Ok::<(), mattock::io::ReadError>(())
//! ```

pub mod card;
pub mod dense;
pub mod error;
pub mod io;
pub mod plan;
pub mod sparse;
pub mod transport;

pub use card::Card;
pub use error::Error;
pub use mattock_spec::Semiring;
pub use sparse::Csr;
