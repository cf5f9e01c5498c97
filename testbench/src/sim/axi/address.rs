//! Address channels: what a master asks for, checked.

use crate::sim::storage::{Response, Storage};
use rtl_gen::sim::{PortId, Simulator};

/// A burst being answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burst {
    pub(super) address: u64,
    pub(super) beats: u64,
    pub(super) done: u64,
    /// Cycle from which on it may be answered.
    pub(super) due: u64,
    pub(super) response: Response,
    /// Its data goes nowhere.
    pub(super) lost: bool,
}

impl Burst {
    /// Address of the beat that comes next.
    pub(super) fn beat_address(&self, bytes: usize) -> u64 {
        self.address + self.done * bytes as u64
    }
}

/// Address, length, size, burst, ID, as on the wires.
type Fields = [u64; 5];

/// The AR or AW channel of a master.
pub(super) struct AddressChannel {
    name: &'static str,
    valid: PortId,
    ready: PortId,
    fields: [PortId; 5],
    bytes: u64,
    accepting: bool,
    waiting: Option<Fields>,
}

impl AddressChannel {
    /// `channel` is `ar` or `aw`.
    pub(super) fn new(
        sim: &dyn Simulator,
        prefix: &str,
        channel: &'static str,
        bytes: usize,
    ) -> Self {
        let pin = |signal: &str| sim.port(&format!("{prefix}{channel}{signal}"));
        AddressChannel {
            name: channel,
            valid: pin("valid"),
            ready: pin("ready"),
            fields: ["addr", "len", "size", "burst", "id"].map(pin),
            bytes: bytes as u64,
            accepting: false,
            waiting: None,
        }
    }

    pub(super) fn drive(&mut self, sim: &mut dyn Simulator, memory: &mut Storage) {
        self.accepting = !memory.stall();
        sim.set(self.ready, self.accepting.into());
    }

    /// The burst accepted this cycle.
    pub(super) fn sample(
        &mut self,
        sim: &mut dyn Simulator,
        due: u64,
    ) -> Result<Option<Burst>, String> {
        let offered = (sim.get(self.valid) == 1).then(|| self.fields.map(|p| sim.get(p)));
        if self.waiting.is_some() && self.waiting != offered {
            return Err(format!("{} changed before it was accepted", self.name.to_uppercase()));
        }
        self.waiting = offered.filter(|_| !self.accepting);
        let Some(fields) = offered.filter(|_| self.accepting) else { return Ok(None) };
        let burst = self.burst(fields, due);
        burst.map(Some).map_err(|rule| format!("{}: {rule}", self.name.to_uppercase()))
    }

    fn burst(&self, [address, len, size, kind, id]: Fields, due: u64) -> Result<Burst, String> {
        let (bytes, beats) = (self.bytes, len + 1);
        if kind != 1 {
            return Err(format!("burst type {kind}, only INCR (1) is allowed"));
        }
        if 1 << size != bytes {
            return Err(format!("beats of {} bytes on a bus of {bytes}", 1u64 << size));
        }
        if !address.is_multiple_of(bytes) {
            return Err(format!("address {address:#x} is not a multiple of the bus width"));
        }
        if (address & 4095) + beats * bytes > 4096 {
            return Err(format!("{beats} beats from {address:#x} cross a 4 KiB boundary"));
        }
        if id != 0 {
            return Err(format!("ID {id}, only 0 is allowed"));
        }
        Ok(Burst { address, beats, done: 0, due, response: Response::Okay, lost: false })
    }
}
