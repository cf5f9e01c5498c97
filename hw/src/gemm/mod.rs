//! The dense engine: D = A * B on an output-stationary array.
//!
//! ```text
//!            ┌► Loader A ─► Scratchpad A ─┐            ┌► first, drains
//!  GemmBus ──┤                            ├─► Array ─► Results ─► Store ─► GemmBus
//!            └► Loader B ─► Scratchpad B ─┘
//!     Plan: block sizes      Sequencer: one step per cycle
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`GemmEngine`] | a command from `start` to `done`: checks, errors, counters |
//! | [`Plan`] | how many rows and steps of k make a block |
//! | [`Planner`], [`Filler`], [`Loader`] | strided reads of elements of 4 to 32 bits in either layout, from any element on |
//! | [`Scratchpad`] | written along k or across rows, read across rows |
//! | [`Sequencer`] | which step enters the array in every cycle |
//! | [`Array`] | R x C processing elements ([`crate::pe`]) |
//! | [`TypedArray`] | the same with decoders before it and rounding behind, for cards with other types than i8 and i4 |
//! | [`ChainArray`] | multiply-adds in binary32, each on several rows in turn, for cards with floats of 16 and 32 bits |
//! | [`EpilogueLane`] | what can happen to a sum on its way out: bias, requantisation, activation, residual, cast; not in a card yet |
//! | [`Results`], [`Store`] | ring of result tiles, written to memory with byte strobes |
//! | [`Bases`], [`List`], [`ProductReads`] | many small products as one command, on cards built with `batch` |
//! | [`GemmBus`] | both loaders and the store unit on one AXI4 master |
//! | [`NearBus`] | the same at block RAM on the card, without AXI |
//!
//! # Blocks
//! Half of a scratchpad holds a *block*: as many rows of A (columns of B) as fit with all of K. Blocks of A
//! are the outer loop, blocks of B the inner one; while a pair is in use the other halves are loaded. An
//! operand of at most two blocks is read once and stays. When K is too deep for a half, blocks shrink to a
//! tile and K runs in chunks through the array without draining. Rows past M, columns past N and words past
//! K are never read from memory, nor written: what the array computes of stale words stays in rows and
//! columns that are not stored.
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
//! last result appears R + C + 1 + [`Array::latency`] cycles after that flag at most, inside the bound.
//!
//! Where sums are chained, a step takes L cycles and a tile has L rows for each row of PEs: with R rows of a tile it occupies the array
//! for `max(L * K, R)` cycles, and that stands in the place of `max(K, R)`.
//!
//! A bubble can only appear where a tile waits for rows still being loaded, or for a slot of the result
//! buffer still being stored; then zeros are fed, which change no sum. A loader writes `lanes` elements a
//! cycle (R or C rounded up to a power of two), as fast as the array reads them.

mod array;
mod batch;
#[cfg(test)]
mod bench;
mod bus;
mod chain;
mod command;
mod engine;
mod epilogue;
mod geometry;
mod load;
mod model;
mod near;
mod plan;
mod results;
mod rotate;
mod scratchpad;
mod sequencer;
mod store;
mod typed;
mod walk;
mod window;

pub use array::Array;
pub use batch::{Bases, JoinBeats, List, ProductReads};
pub use bus::GemmBus;
pub use chain::ChainArray;
pub use engine::GemmEngine;
pub use epilogue::{Epilogue, EpilogueLane, Finish, FixedPoint, HalfEven, Parameters, Requantise};
pub use geometry::{DIM_BITS, Geometry};
pub use load::{Filler, Loader, Operand, Planner};
pub use model::{compute_cycles, cycle_bound, reference};
pub use near::NearBus;
pub use plan::Plan;
pub use results::Results;
pub use scratchpad::Scratchpad;
pub use sequencer::Sequencer;
pub use store::Store;
pub use typed::TypedArray;
