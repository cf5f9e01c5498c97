//! Memory on the card, for cards without a host that has some: block RAM shared by the engines' AXI4 masters and
//! the host port.
//!
//! | module | what |
//! |---|---|
//! | [`CardMemory`] | the RAM and who may use it this cycle |
//! | [`AxiRamPort`] | an AXI4 slave that asks the RAM for beats |

mod port;
mod ram;
#[cfg(test)]
mod tests;

pub use port::AxiRamPort;
pub use ram::CardMemory;
