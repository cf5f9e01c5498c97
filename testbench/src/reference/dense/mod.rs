//! The dense engine's numbers: one reference model, in plain Rust, of every mode a card may promise.
//!
//! | module | what it defines |
//! |---|---|
//! | [`Number`] | the exact value of a code; exact products |
//! | [`ExactSum`] | a sum of products without any rounding (fixed point, 1024 bits) |
//! | [`RoundTo`], [`Lfsr`] | the one rounding of a sum: five directed modes, and stochastic with its generator |
//! | [`int_dot`] | integer sums: exact, wrapping, or saturating at every step |
//! | [`exact_dot`], [`chain_dot`], [`tc_dot`] | `fp-exact`, `fp-chain` and `fp-tc` |
//! | [`scale_add`] | `alpha*A*B + beta*C` |
//! | [`Blocks`], [`Palette`] | shared scales (MX, NVFP4, group-wise integers) and code books |
//! | [`Requant`] | three ways from a 32-bit sum to a narrow integer |
//! | [`Epilogue`] | what happens to a sum on its way to memory, in a fixed order |
//! | [`DenseGemm`] | all of it for whole matrices of codes |
//!
//! The rules behind each are written, with sources, in `docs/numerics.md`.

mod blocks;
mod chain;
mod epilogue;
mod exact;
mod int;
mod matrix;
mod number;
mod requant;
mod rounding;
mod scale;
mod tensor_core;

pub use blocks::{Blocks, Palette, PaletteError, e8m0};
pub use chain::chain_dot;
pub use epilogue::{Activation, Bias, Epilogue, Scale};
pub use exact::{ExactSum, exact_dot};
pub use int::{IntMode, int_dot};
pub use matrix::{DenseGemm, Mode, Unsupported};
pub use number::Number;
pub use requant::{Requant, double_rounding, half_even, quantized_multiplier, single_rounding};
pub use rounding::{Lfsr, RoundTo, Rounded};
pub use scale::{Combination, scale_add};
pub use tensor_core::{TcProfile, tc_dot};
