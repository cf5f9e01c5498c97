//! Whole cards: host port, registers, engines, memory ports.
//!
//! ```text
//!  s_axi_* ──► AxiLiteSlave ──► Csr ──► engine 0 ──► m0_axi_*
//!                                │  └─► engine 1 ──► m1_axi_*
//!                        irq ◄───┴── Account of each engine
//!
//!  uart_* ──► SerialPort ──► Csr ──► engines ──► CardMemory ◄── SerialPort
//! ```
//!
//! An engine is any module that keeps to the contract of [`EngineSlot`].

mod card;
mod engine;
mod gemm;
mod host;
mod spgemm;
#[cfg(test)]
mod tests;

pub use card::{Card, CardError};
pub use engine::EngineSlot;
