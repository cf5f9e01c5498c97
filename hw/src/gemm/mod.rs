//! The dense engine: D = A * B on an output-stationary array.
//!
//! # Timing on paper
//! In every cycle one *step* enters the [`Array`]: column k of an R-row window of A and row k of a
//! carries a flag that loads the accumulators and drains their old values, one row of C results per
//! cycle, so a tile occupies the array for `max(K, R)` cycles and
//!
//! `compute cycles <= ceil(M/R) * ceil(N/C) * max(K, R) + R + C + 16`
//!
//! with operands on chip ([`cycle_bound`]). The last tile is flushed by a flag without operands; its
//! last result appears R + C + 3 + `or_levels` cycles after that flag, inside the bound.
//!
//! A bubble can only appear where a tile waits for a block of operands still being loaded, or for a
//! slot of the result buffer still being stored; then zeros are fed, which change no sum.

mod array;
mod model;

pub use array::Array;
pub use model::{cycle_bound, reference};
