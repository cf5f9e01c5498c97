//! Level-1 models: what the engines must compute, written as plainly as possible.
//!
//! Nothing here knows how the hardware works, and nothing of the hardware is used here. The models
//! are themselves checked against outside libraries in `testbench/tests`.

mod algebra;
mod compare;
pub mod dense;
mod gemm;
pub mod graph;
mod int4;
mod mask;
mod quantized;
mod spgemm;
mod spgemm_bound;

pub use algebra::Element;
pub use compare::{Comparison, Difference, compare_exact, compare_floats};
pub use gemm::{Layout, LayoutError, gemm};
pub use int4::{Int4Error, pack_i4, unpack_i4};
pub use mask::Mask;
pub use quantized::QuantizedProduct;
pub use spgemm::{ShapeError, onto, spgemm, spgemm_from, spgemm_over, widened};
pub use spgemm_bound::{Joins, SpgemmBound, check_joined, check_over};
