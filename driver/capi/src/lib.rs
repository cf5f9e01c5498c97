//! The C interface of Mattock's host library.
//!
//! Every function gives a status, 0 when all went well; [`mattock_last_error`] tells more, to the thread that made the
//! call. Nothing panics across the boundary. Handles may be shared between threads; closing one twice or using it
//! afterwards is undefined, as with `free`. Dimensions are 64 bits wide and signed; negative ones are refused.
//! Structures begin with `struct_size`, which the caller sets to `sizeof`, so that they can grow.

mod call;
mod cblas;
mod gemm;
mod sparse;
mod status;

pub use call::*;
pub use cblas::*;
pub use gemm::*;
pub use sparse::*;
pub use status::*;
