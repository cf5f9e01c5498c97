//! Weights in few bits: quantised on the host, multiplied on the card.
//!
//! | | what |
//! |---|---|
//! | [`Quantizer`] | from a float [`Matrix`] to [`QuantizedWeights`]: to the nearest, in groups, with outliers, with columns of two widths |
//! | [`QuantizedWeights`] | codes, scales, zero points, outliers, factors of inputs, checked; as a `.npz` file that NumPy reads |
//! | [`Context::load_quantized`](crate::Context::load_quantized) | the same in card memory |
//! | [`Context::gemm_quantized`](crate::Context::gemm_quantized) | activations times weights |
//!
//! A product's bits are promised: each step and its order stand in `docs/numerics.md`.

mod activations;
mod error;
mod file;
mod load;
mod matrix;
mod npy;
mod npz;
mod product;
mod quantizer;
mod round;
mod salient;
mod weights;

pub use error::QuantError;
pub use load::LoadedWeights;
pub use matrix::Matrix;
pub use product::{OutlierPlace, QuantizedStats};
pub use quantizer::Quantizer;
pub use salient::{Outliers, Wide};
pub use weights::{BITS, Method, QuantizedWeights, WeightArrays};
