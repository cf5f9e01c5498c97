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
//! With `control = "riscv"`:
//!
//! ```text
//!  host ──► BusShare ──► Csr ──► Launch ──► engines ──► records ──► Ring ◄──► m2_axi_*
//!              ▲          ▲                                          │ entries
//!  window ──► March ──► Processor ◄── LocalRegisters ◄───────────────┘
//! ```
//!
//! An engine is any module that keeps to the contract of [`EngineSlot`].

mod card;
mod controller;
mod engine;
mod gemm;
mod host;
mod spgemm;
#[cfg(test)]
mod tests;

pub use card::{Card, CardError};
pub use engine::EngineSlot;
