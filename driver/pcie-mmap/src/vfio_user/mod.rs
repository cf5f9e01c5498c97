//! The vfio-user protocol: a PCI device that is another process, over a Unix socket.
//!
//! [`VfioUser`] is a client, [`Server`] the device's side. Both treat what the other sends as untrusted: every
//! length is checked before it is used, every wait has an end, and a message that makes no sense ends the
//! connection or is answered with an error, never with a panic.

mod client;
mod host_memory;
mod message;
mod server;
mod wire;

pub use client::VfioUser;
pub use host_memory::{Fault, HostMemory};
pub use message::{DmaMap, DmaUnmap, IrqSet, Request};
pub use server::{Backend, Layout, Server, Stop};
