//! What Mattock's hardware and driver are checked with.
//!
//! | module        | what is in it                                                              |
//! |---------------|----------------------------------------------------------------------------|
//! | [`mod@reference`] | level-1 models in plain Rust: the truth for both engines, and comparisons   |
//! | [`model`]     | what the engines do in every cycle, without the values                      |
//! | [`rmat`]      | seeded random graphs with the skew of real ones                             |
//! | [`sim`]       | memory and host of a simulated card                                         |
//! | [`serve`]     | a simulated card as a PCI device of other processes                         |
//! | [`stats`]     | sizes and product counts of sparse matrices                                 |
//! | [`mod@array`] | a bare array of PEs, fed as the engine feeds it                              |
//! | [`contract`]  | the dense engine's cycle contract, measured                                 |
//! | [`layers`]    | products of real networks, run from memory and held against their plan        |
//! | [`digits`]    | 1,797 handwritten digits and an int8 network that reads them                |
//!
//! Small real inputs lie in `testbench/data`, each folder with its sources and licences.

pub mod array;
pub mod contract;
pub mod digits;
pub mod layers;
pub mod model;
pub mod reference;
pub mod rmat;
pub mod serve;
pub mod sim;
pub mod soak;
pub mod stats;
pub mod traffic;

use std::path::PathBuf;

/// Names of the matrices committed under `testbench/data/matrices`, smallest first.
pub const MATRICES: [&str; 3] = ["karate", "bcspwr10", "ca-GrQc"];

/// Path of a committed matrix file, for a name of [`MATRICES`].
pub fn matrix_path(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/matrices");
    PathBuf::from(folder).join(format!("{name}.mtx.gz"))
}
