//! Registers of the card and the bookkeeping of commands, drawn from the tables of [`mattock_spec::regs`].
//!
//! | module | what |
//! |---|---|
//! | [`values`] | the tables as hardware sees them: one port for each value |
//! | [`Csr`] | the register block: decoder, storage, capability list, read multiplexer |
//! | [`ring`] | submission and completion rings |
//! | [`Account`] | STATUS, cycles and bytes of one engine's command, and its ending by a reset |

mod account;
mod csr;
mod registers;
pub mod ring;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use csr::{ADDR_BITS, Csr};
pub use registers::{Part, RegisterValue, values};
