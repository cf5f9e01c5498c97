//! The merge core: products of the lanes into the banked hash table, entries out of it.
//!
//! ```text
//!  L lanes: multiply + hash ([`LaneFront`]) -> look-ahead ([`Window`]) -> [`Crossbar`]
//!    -> NB banks ([`Bank`]): queue -> find or insert ([`Tags`]) -> add ([`Accumulate`])
//!         half being drained: [`Walk`] -> S streams
//! ```

mod accumulate;
mod bank;
mod core;
mod crossbar;
mod encode;
mod hash;
mod product;
mod slots;
mod table;
mod tags;
#[cfg(test)]
mod tests;
mod walk;
mod window;

pub use accumulate::Accumulate;
pub use bank::Bank;
pub use core::MergeCore;
pub use crossbar::Crossbar;
pub use hash::{HASH_FACTOR, ROW_FACTOR};
pub use product::LaneFront;
pub use table::Table;
pub use tags::Tags;
pub use walk::Walk;
pub use window::Window;
