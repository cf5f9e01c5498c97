//! AXI4 masters and the AXI4-Lite slave.
//!
//! | module | what |
//! |---|---|
//! | [`AxiReadMaster`] | commands in, INCR bursts on the bus, data in order |
//! | [`AxiWriteMaster`] | commands and data in, INCR bursts on the bus, every response counted |
//! | [`AxiLiteSlave`] | the host's register accesses as a simple register bus |
//!
//! Every burst is INCR, of full-width beats, and ends at the latest at a multiple of `max_burst` beats,
//! so that none crosses a 4 KiB boundary. One ID: answers come back in order. Bus ports are named as in
//! [`rtl_gen::bundle::Axi4`] with the prefix `m_axi`; carry them outwards with [`rtl_gen::bundle::expose`].

mod burst;
mod fault;
mod lite;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use burst::beats_bits;
pub use lite::AxiLiteSlave;
pub use read::AxiReadMaster;
pub use write::AxiWriteMaster;
