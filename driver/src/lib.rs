//! Host library for Mattock matrix cards.
//!
//! The application programmer's side of the project: the same `gemm` and `spgemm` call whether the
//! card is a PCIe board, a serial board or the simulated one.
//!
//! A dense product, from opening the card to the result; sparse ones are [`Context::spgemm`]:
//!
//! ```no_run
#![doc = include_str!("../examples/product.rs")]
//! ```
//!
//! | module     | what is in it                                                             |
//! |------------|---------------------------------------------------------------------------|
//! | [`device`] | [`Device`]: an open card; [`Context`]: memory and calls of one user of it  |
//! | [`buffer`] | [`DmaBuf`]: operands and results that stay in card memory                  |
//! | [`element`] | types of elements: integers, floats, packed ones                          |
//! | [`view`]   | [`View`]: where a matrix lies, in a slice or a buffer, in which order      |
//! | [`dense`]  | [`Context::gemm`], batched, with run-time types; [`Context::gemv`]         |
//! | [`plan`]   | how a dense product runs: blocks, what stays on chip, bytes and cycles     |
//! | [`quant`]  | weights in few bits: groups, outliers, mixed widths; [`Context::gemm_quantized`] |
//! | [`sparse`] | [`Csr`], the checked sparse matrix; [`Context::spgemm`] and its family     |
//! | [`graph`]  | triangles, breadth-first levels, shortest paths, as sparse products         |
//! | [`selftest`] | [`Device::selftest`]: everything between this process and a right result |
//! | [`error`]  | [`Error`], the one error type of every call                                |
//! | [`transport`] | ways to a card, and card URLs                                           |
//! | [`io`]     | readers for Matrix Market, SNAP, METIS and triplet files, and a writer     |
//!
//! Reading a matrix needs no card:
//!
//! ```
//! use mattock::io::{ReadOptions, read_matrix_from};
//!
//! let text = "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 2\n";
//! let file = read_matrix_from(text.as_bytes(), &ReadOptions::default())?;
//! assert_eq!(file.matrix.nnz(), 4); // the file holds one triangle, the matrix holds both
//! # Ok::<(), mattock::io::ReadError>(())
//! ```

pub mod buffer;
mod card;
pub mod dense;
pub mod device;
pub mod element;
pub mod error;
pub mod graph;
pub mod io;
pub mod plan;
pub mod quant;
pub mod selftest;
pub mod sparse;
pub mod transport;
pub mod view;

pub use buffer::DmaBuf;
pub use dense::{Event, GemmOptions, GemmStats};
pub use device::{Context, ContextOptions, Device};
pub use element::{Element, Output, Scalar};
pub use error::Error;
pub use half::{bf16, f16};
pub use mattock_spec::Semiring;
pub use mattock_spec::regs::{Capabilities, GemmCaps, SpgemmCaps};
pub use sparse::Csr;
pub use view::{DynView, DynViewMut, Order, View, ViewMut};
