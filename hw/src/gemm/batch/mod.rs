//! Many small products as one command.
//!
//! ```text
//!            ┌ strides, or ┐ base of A ─► ProductReads ─┬► notes and runs, as a Planner gives them
//!  command ─►│ List ◄─ bus │ base of B ─► ProductReads ─┘
//!            └ Bases ──────┘ base of D ─► Store ─► JoinBeats ─► bus
//! ```
//!
//! Products of one command have one shape and one block of each operand. A scratchpad is then not two halves but a ring of *slots*,
//! the powers of two of steps that hold a block, so that as many products are read ahead as cover the memory's latency. Sequencer
//! and store unit walk through the tiles of all products without a pause ([`walk`](super::walk)).
//!
//! # Timing on paper
//! A product of M x N x K, one tile, holds up
//!
//! | | cycles |
//! |---|---|
//! | the array | `max(K, R)`, with groups of rows `max(ceil(K / g), R / g)` |
//! | each loader | a line a cycle: M or K for A, K or N for B, as they lie, more where lines straddle groups of lanes |
//! | the store unit | M lines, each of the beats it lies in |
//! | the bus | the beats that A, B and D lie in, and half a beat for an entry of a list on a bus of 64 bytes |
//!
//! and the longest of them is what it costs. A line may be a byte long and the bus still moves a beat: lines less than a beat apart
//! are therefore read together, by one run of the bus, and neighbouring lines of results are written in one beat.

mod bases;
mod join;
mod list;
mod reads;

pub use bases::Bases;
pub use join::JoinBeats;
pub use list::List;
pub use reads::ProductReads;
