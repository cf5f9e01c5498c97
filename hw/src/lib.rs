//! The hardware of a Mattock card, written in [`rtl_gen`].
//!
//! | module | what |
//! |---|---|
//! | [`cells`] | FIFOs, skid buffers, arbiters: what every block is composed of |
//! | [`gemm`] | the dense engine: array, scratchpads, DMA, control |
//! | [`pe`] | processing elements of the array |

pub mod cells;
pub mod gemm;
pub mod pe;
pub mod spgemm;
