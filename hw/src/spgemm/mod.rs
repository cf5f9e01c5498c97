//! The SpGEMM engine: row-wise products merged by atomic hashing. Contract between the blocks and the
//! timing on paper: `docs/spgemm.md`.

pub mod back;
mod choice;
mod cluster;
mod clusters;
pub mod control;
pub mod front;
pub mod merge;

pub use cluster::Cluster;
pub use clusters::Clusters;
