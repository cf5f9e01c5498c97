//! The SpGEMM engine: row-wise products merged by atomic hashing. Contract between the blocks and the
//! timing on paper: `docs/spgemm.md`.

pub mod back;
pub mod control;
pub mod front;
pub mod merge;
