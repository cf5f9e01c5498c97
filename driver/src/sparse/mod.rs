//! Sparse matrices on the host: the checked [`Csr`] form, its assembly from triplets, and the
//! conversion of values to the types a card computes with.

mod convert;
mod csr;
mod error;
mod triplets;

pub use convert::ConvertError;
pub use csr::Csr;
pub use error::CsrError;
pub use triplets::Triplets;
