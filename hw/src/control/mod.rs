//! Registers of the card and the bookkeeping of commands, drawn from the tables of [`mattock_spec::regs`].
//!
//! | module | what |
//! |---|---|
//! | [`values`] | the tables as hardware sees them: one port for each value |
//! | [`Csr`] | the register block: decoder, storage, capability list, read multiplexer |
//! | [`ring`] | submission and completion rings |
//! | [`Launch`] | one command armed behind the one that runs, its registers, deadline and record |
//! | [`Processor`], [`LocalRegisters`] | the card's own processor: core, memory, registers |
//! | [`March`] | the test of its memory at power-up |
//! | [`BusShare`] | the register bus, for the host and the processor |
//! | [`Account`] | STATUS, cycles and bytes of one engine's command, and its ending by a reset |

mod account;
mod csr;
mod launch;
mod local;
mod march;
mod picorv32;
mod processor;
#[cfg(test)]
mod processor_tests;
mod registers;
pub mod ring;
mod share;
mod stored;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use csr::{ADDR_BITS, Csr};
pub use launch::Launch;
pub use local::LocalRegisters;
pub use march::March;
pub use picorv32::PICORV32;
pub use processor::Processor;
pub use registers::{Part, RegisterValue, values};
pub use share::BusShare;
