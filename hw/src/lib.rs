//! The hardware of a Mattock card, written in [`rtl_gen`].
//!
//! | module | what |
//! |---|---|
//! | [`bus`] | AXI4 masters, AXI4-Lite slave |
//! | [`cells`] | FIFOs, skid buffers, arbiters: what every block is composed of |
//! | [`float`] | single-precision adder and multiplier |
//! | [`control`] | registers from the tables of `mattock-spec`, bookkeeping of commands |
//! | [`gemm`] | the dense engine: array, scratchpads, DMA, control |
//! | [`pe`] | processing elements of the array |
//! | [`top`] | whole cards |
//! | [`spgemm`] | the sparse engine: fetch, hash merge, sorter, writer |

pub mod bus;
pub mod cells;
pub mod float;
pub mod control;
pub mod gemm;
pub mod pe;
pub mod spgemm;
pub mod top;
