//! Products of the lanes into the banked hash table, entries out of it: `mattock_hw::spgemm::merge`.

mod accumulate;
mod bank;
mod core;
mod crossbar;
mod tags;
mod walk;

pub(super) use core::{CoreIn, MergeCore};

/// A product on its way to its table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Product {
    half: bool,
    bank: u32,
    bucket: u32,
    /// Row slot above column.
    key: u64,
}
