//! What goes wrong between driver and card.

use mattock::Error;
use mattock::transport::{Limit, Transport, Waited};
use mattock_spec::command::{DESCRIPTOR_BYTES, Descriptor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A way to a card on which things go wrong when asked: the card leaves the bus, its interrupts get lost, entries of its
/// rings are damaged in memory.
pub struct FaultyLink<T> {
    inner: T,
    faults: LinkFaults,
}

/// What goes wrong on a [`FaultyLink`]. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct LinkFaults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Register accesses and waits until the card is gone; it is when this is 0.
    left: Option<u64>,
    deaf: bool,
    damage: Option<(usize, u8)>,
    accesses: u64,
    damaged: u64,
}

impl LinkFaults {
    /// The card is gone after so many more register accesses and waits: registers read as all ones, writes are lost,
    /// no interrupt comes. Memory is the host's and stays.
    pub fn leave_after(&self, accesses: u64) {
        self.state().left = Some(accesses);
    }

    /// Whether the card is gone.
    pub fn is_gone(&self) -> bool {
        self.state().left == Some(0)
    }

    /// Interrupts get lost while this is set.
    pub fn lose_interrupts(&self, lost: bool) {
        self.state().deaf = lost;
    }

    /// Flips bits of one byte of the next ring entry that is written.
    pub fn damage_entry(&self, byte: usize, flip: u8) {
        self.state().damage = Some((byte, flip));
    }

    /// Ends everything: the card is back, as it is.
    pub fn end(&self) {
        let mut state = self.state();
        (state.left, state.deaf, state.damage) = (None, false, None);
    }

    /// Register accesses and waits so far.
    pub fn accesses(&self) -> u64 {
        self.state().accesses
    }

    /// Ring entries damaged so far.
    pub fn damaged(&self) -> u64 {
        self.state().damaged
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an access; whether the card is there for it.
    fn reaches(&self) -> bool {
        let mut state = self.state();
        state.accesses += 1;
        match &mut state.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

impl<T: Transport> FaultyLink<T> {
    /// The way `inner`, on which nothing goes wrong yet.
    pub fn new(inner: T) -> (Self, LinkFaults) {
        let faults = LinkFaults::default();
        (FaultyLink { inner, faults: faults.clone() }, faults)
    }
}

impl<T: Transport> Transport for FaultyLink<T> {
    fn description(&self) -> String {
        self.inner.description()
    }

    fn read32(&mut self, offset: u32) -> Result<u32, Error> {
        if self.faults.reaches() { self.inner.read32(offset) } else { Ok(u32::MAX) }
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        if self.faults.reaches() { self.inner.write32(offset, value) } else { Ok(()) }
    }

    fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        self.inner.alloc(bytes)
    }

    fn free(&mut self, address: u64) {
        self.inner.free(address);
    }

    fn available(&self) -> u64 {
        self.inner.available()
    }

    fn trim(&mut self) -> Result<bool, Error> {
        self.inner.trim()
    }

    fn reset(&mut self) -> Result<bool, Error> {
        if self.faults.is_gone() { Ok(false) } else { self.inner.reset() }
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Error> {
        let mut state = self.faults.state();
        // A parameter block may be as long as an entry, but does not look like one.
        if Descriptor::decode(data).is_ok()
            && let Some((byte, flip)) = state.damage.take()
        {
            state.damaged += 1;
            drop(state);
            let mut damaged = data.to_vec();
            damaged[byte % DESCRIPTOR_BYTES] ^= flip;
            return self.inner.write(address, &damaged);
        }
        drop(state);
        self.inner.write(address, data)
    }

    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error> {
        self.inner.read(address, data)
    }

    fn wait(&mut self, limit: Limit) -> Result<Waited, Error> {
        if !self.faults.reaches() {
            return Ok(Waited::Expired);
        }
        if !self.faults.state().deaf {
            return self.inner.wait(limit);
        }
        // The card goes on; only the host does not hear of it.
        let mut left = limit.cycles;
        while left > 0 {
            let slice = Limit { cycles: left.min(64), ..limit };
            if self.inner.wait(slice)? == Waited::Interrupt {
                break;
            }
            left -= slice.cycles;
        }
        Ok(Waited::Expired)
    }

    fn is_simulated(&self) -> bool {
        self.inner.is_simulated()
    }
}
