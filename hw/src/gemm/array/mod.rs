//! Ways to join PEs to an array; all take a step of k a cycle and drain a tile while the next begins.

mod systolic;

pub use systolic::Array;
