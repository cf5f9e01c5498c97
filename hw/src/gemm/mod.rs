//! The dense engine: D = A * B on an output-stationary array.
//!
//! # Timing on paper
//! In every cycle one *step* enters the [`Array`]: column k of an R-row window of A and row k of a
//! C-column window of B, from the two operand scratchpads. A tile is K steps. The first step of a tile
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
#[cfg(test)]
mod bench;
mod bus;
mod command;
mod engine;
mod geometry;
mod load;
mod model;
mod plan;
mod results;
mod rotate;
mod scratchpad;
mod sequencer;
mod store;
mod walk;
mod window;

pub use array::Array;
pub use bus::GemmBus;
pub use engine::GemmEngine;
pub use geometry::{DIM_BITS, Geometry};
pub use load::{Filler, Loader, Operand, Planner};
pub use model::{cycle_bound, reference};
pub use plan::Plan;
pub use results::Results;
pub use scratchpad::Scratchpad;
pub use sequencer::Sequencer;
pub use store::Store;
