//! Sparse matrices on the host: the checked [`Csr`] form, its assembly from triplets, and the
//! conversion of values to the types a card computes with. Calls on the card: [`spgemm`], in one
//! call or in three phases ([estimate], [symbolic], [numeric]), under a [`Mask`], [`spmm`] and [`spmv`] with dense
//! operands, [`spadd`], [`spmultiply`], [`sddmm`]. A sparse vector is a matrix of one column, so `spgemm` multiplies it too.
//!
//! [`spgemm`]: crate::Context::spgemm
//! [estimate]: crate::Context::spgemm_estimate
//! [symbolic]: crate::Context::spgemm_symbolic
//! [numeric]: SpgemmPlan::numeric
//! [`spmm`]: crate::Context::spmm
//! [`spmv`]: crate::Context::spmv
//! [`spadd`]: crate::Context::spadd
//! [`spmultiply`]: crate::Context::spmultiply
//! [`sddmm`]: crate::Context::sddmm

mod add;
mod convert;
mod csr;
mod dense;
mod error;
mod join;
mod mask;
mod options;
mod plan;
mod run;
mod sampled;
mod spgemm;
mod split;
mod triplets;
mod value;

pub use convert::ConvertError;
pub use csr::Csr;
pub use error::CsrError;
pub use mask::Mask;
pub use mattock_spec::semiring::{SEMIRINGS, Semiring};
pub use options::{Determinism, SpgemmOptions, SpgemmStats};
pub use plan::{SpgemmEstimate, SpgemmPlan};
pub use split::spgemm_parts;
pub use triplets::Triplets;
pub use value::{SparseSum, SparseValue};
