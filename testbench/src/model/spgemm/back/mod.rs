//! Table entries are sorted and written as lines of C: `mattock_hw::spgemm::back`.

mod chain;
mod merge;
mod packer;
mod sorter;
mod stage;
mod writer;

pub(super) use sorter::Sorter;
pub(super) use writer::{Batch, RowWriter, WriterIn};

/// What moves through a chain: an entry's key, or the end mark of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Entry(u64),
    End,
}
