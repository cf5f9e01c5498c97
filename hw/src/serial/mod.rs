//! The serial host port: bytes on two wires, frames, and what they ask for.
//!
//! ```text
//!  uart_rx ─► UartReceiver ─► FrameReceiver ─► FrameStore ─► SerialBridge ─► registers
//!                                                             │   └────────► card memory
//!  uart_tx ◄─ UartSender ◄───────────────────── FrameSender ◄─┘
//! ```
//!
//! Frames: [`mattock_spec::serial`] and `docs/serial.md`.

mod access;
mod bridge;
mod crc;
mod port;
mod receiver;
mod sender;
mod store;
#[cfg(test)]
mod tests;
mod uart;

pub use bridge::SerialBridge;
pub use port::{SerialPins, SerialPort};
pub use receiver::FrameReceiver;
pub use sender::FrameSender;
pub use store::FrameStore;
pub use uart::{UartReceiver, UartSender};
