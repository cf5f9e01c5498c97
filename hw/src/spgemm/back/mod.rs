//! The back end: table entries are sorted and written as lines of C.
//!
//! A **batch** is what one window leaves. Streams inside the sorter carry beats that are either an
//! entry or the end mark of a batch.

mod chain;
mod merge;
mod packer;
mod sorter;
mod stage;
mod writer;

pub use chain::Chain;
pub use merge::WideMerge;
pub use packer::Packer;
pub use sorter::Sorter;
pub use stage::MergeStage;
pub use writer::RowWriter;

use rtl_gen::index_width;

/// Shape of a table entry on its way to memory: key = (row slot, column), compared as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Bits of the key.
    pub key_bits: u32,
    /// Bits of the value.
    pub value_bits: u32,
}

impl Entry {
    /// Bits of an entry: `{key, value}`.
    pub fn width(self) -> u32 {
        self.key_bits + self.value_bits
    }

    fn tag(self) -> String {
        format!("k{}_v{}", self.key_bits, self.value_bits)
    }
}

/// Stages of a chain that sorts up to `entries`.
fn stages_for(entries: u32) -> u32 {
    if entries <= 1 { 1 } else { index_width(entries) }
}
