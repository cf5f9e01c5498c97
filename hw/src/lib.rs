//! The hardware of a Mattock card, written in [`rtl_gen`].
//!
//! | module | what |
//! |---|---|
//! | [`cells`] | FIFOs, skid buffers, arbiters: what every block is composed of |

pub mod cells;
pub mod spgemm;
