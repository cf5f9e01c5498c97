//! The merge core: products of the lanes into the banked hash table, entries out of it.
//!
//! ```text
//!  L lanes: LaneFront (multiply as the semiring does, hash) -> crate::cells::Crossbar with a look-ahead Window per lane
//!    -> NB banks: queue -> Tags (find or insert) -> Accumulate (add, never held back)
//!                 Walk (the half being drained) -> S streams
//! ```
//!
//! Throughput of the reference core (4 lanes, 16 banks, 2 x 4096 entries, adder latency 6), in the interpreter:
//! `cargo test -p mattock-hw merge::tests -- --nocapture`
//!
//! | what | measured |
//! |---|---|
//! | random keys to 0.7 of a half, look-ahead 8 (4) | 0.986 (0.936) products per lane and cycle |
//! | one key 100,000 times | 1 product per cycle, whole run 0.9995 |
//! | drain of a half 0.7 full, the other half filling | 0.963 entries per stream and cycle, filling as fast as without |
//! | most slots in use under an adversary, adder latency 3 to 8 | 8 10 11 12 14 15 of 16 16 16 16 32 32 |
//!
//! Parts on ECP5 (85k, grade 6): `cargo run -p mattock-hw --example merge_core -- target/merge_core`, then
//! `cargo xtask timing --dir target/merge_core --freq 100 --top` and the module's name
//!
//! | module | LUT | FF | block RAM | MHz |
//! |---|---|---|---|---|
//! | `bank_n16_w4_t4096_c32_r8_a6` | 3335 | 1934 | 12 | 91.8 |
//! | `crossbar_l4_p16_k8_w79` | 6906 | 1192 | 0 | 93.2 |
//!
//! The longest path of a bank is from its value RAM (5.8 ns to the output) into the queue of additions.

mod accumulate;
mod algebra;
mod bank;
mod core;
mod encode;
mod hash;
mod product;
mod slots;
mod table;
mod tags;
#[cfg(test)]
mod tests;
mod walk;

pub use accumulate::Accumulate;
pub use algebra::Algebra;
pub use bank::Bank;
pub use core::MergeCore;
pub use hash::{HASH_FACTOR, ROW_FACTOR, Spread};
pub use product::LaneFront;
pub use table::Table;
pub use tags::Tags;
pub use walk::Walk;
