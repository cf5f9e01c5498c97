//! Sparse matrices on the host: the checked [`Csr`] form, its assembly from triplets, and the
//! conversion of values to the types a card computes with, and products on the card.

mod convert;
mod csr;
mod error;
mod multiply;
mod triplets;

pub use convert::ConvertError;
pub use csr::Csr;
pub use error::CsrError;
pub use multiply::{SparseValue, SpgemmOptions, SpgemmStats};
pub use triplets::Triplets;
