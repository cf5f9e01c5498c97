//! The C interface of Mattock's host library.
//!
//! Every function gives a status, 0 when all went well; [`mattock_last_error`] tells more, to the thread that made the
//! call. Nothing panics across the boundary. Handles may be shared between threads; closing one twice or using it
//! afterwards is undefined, as with `free`. Dimensions are 64 bits wide and signed; negative ones are refused.
//! Structures begin with `struct_size`, which the caller sets to `sizeof`, so that they can grow.
//!
//! `include/mattock.h` is printed from these sources but [`cblas`], `include/cblas.h` from that one; a test keeps both
//! fresh.

mod algebra;
mod buffer;
mod card;
mod cblas;
mod event;
mod gemm;
mod matrix;
mod quant;
mod sparse;
mod status;
mod structure;

pub use algebra::*;
pub use buffer::*;
pub use card::*;
pub use cblas::*;
pub use event::*;
pub use gemm::*;
pub use matrix::*;
pub use quant::*;
pub use sparse::*;
pub use status::*;
