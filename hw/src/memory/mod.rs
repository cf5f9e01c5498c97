//! Memory on the card, for cards without a host that has some: block RAM or an SDRAM chip, shared by the engines' AXI4
//! masters and the host port.
//!
//! | module | what |
//! |---|---|
//! | [`CardMemory`] | the RAM and who may use it this cycle |
//! | [`Sdram`] | an SDR SDRAM chip, a burst a beat |
//! | [`AxiRamPort`] | an AXI4 slave that asks the RAM for beats |

mod port;
mod ram;
mod sdram;
#[cfg(test)]
mod tests;

pub use port::AxiRamPort;
pub use ram::CardMemory;
pub use sdram::Sdram;
