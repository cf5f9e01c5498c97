//! A simulated card as a PCI device: whoever connects to the socket, a driver or a virtual machine, sees
//! registers in BAR 0, MSI and MSI-X, function level reset, and DMA into its own memory.
//!
//! ```text
//!  client ──socket──► server thread ──tasks──► the thread that owns the model
//!     ▲                                          │ runs the clock while an engine works
//!     └── memory (shared pages), event counters ◄┘ blocks otherwise: an idle card uses no CPU
//! ```
//!
//! Every task of a client goes through one queue to the one thread that owns the model, so that mapping memory,
//! unmapping it, reset and register accesses have their place among the clock cycles.

mod config_space;
mod device;
mod local;
mod tasks;

pub use device::{BAR0_BYTES, LAYOUT};
pub use local::Served;

use crate::sim::{BusMemory, SimCard, SimError};
use device::Device;
use pcie_mmap::vfio_user::{HostMemory, Server};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use tasks::Tasks;

/// Why a served card came to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] pcie_mmap::Error),
    /// The model broke a rule.
    #[error("the card failed: {0}")]
    Model(#[from] SimError),
    /// The thread at the socket ended by itself.
    #[error("the server's thread ended early")]
    Thread,
}

/// Memory of the client as the card's masters see it.
#[derive(Clone, Default)]
pub struct ClientMemory {
    map: Rc<RefCell<HostMemory>>,
    /// The bus master bit: without it no transfer gets through.
    enabled: Rc<Cell<bool>>,
}

impl BusMemory for ClientMemory {
    fn read(&self, address: u64, to: &mut [u8]) -> bool {
        self.enabled.get() && self.map.borrow().read(address, to).is_ok()
    }

    fn write(&mut self, address: u64, from: &[u8], strobes: u64) -> bool {
        let map = self.map.borrow();
        if !self.enabled.get() || !map.covers(address, from.len(), true) {
            return false;
        }
        // Runs of bytes to be written.
        let mut at = 0;
        while at < from.len() {
            let set = |i: usize| strobes >> i & 1 == 1;
            let run = (at..from.len()).take_while(|&i| set(i)).count();
            if run > 0 && map.write(address + at as u64, &from[at..at + run]).is_err() {
                return false;
            }
            at += run.max(1);
        }
        true
    }
}

/// Serves the card that `make` builds around a client's memory, until `server` is stopped or, with `once`, until
/// its first client has left. The calling thread owns the model.
///
/// # Errors
/// [`ServeError`]; what clients do is no error.
pub fn serve<E: From<ServeError>>(
    server: Server,
    once: bool,
    make: impl FnOnce(ClientMemory) -> Result<SimCard, E>,
) -> Result<(), E> {
    let memory = ClientMemory::default();
    let card = make(memory.clone())?;
    let stop = server.stopper();
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || server.serve(&mut Tasks::new(sender), once));
    let worked = Device::new(card, memory).work(&receiver);
    stop.stop();
    drop(receiver); // whoever still waits for an answer gets none
    let served = thread.join().map_err(|_| ServeError::Thread)?;
    worked.map_err(ServeError::Model)?;
    served.map_err(ServeError::Socket)?;
    Ok(())
}
