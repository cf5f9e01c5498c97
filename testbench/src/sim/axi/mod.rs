//! The memory's side of one AXI4 master port, and the rules it holds the master to.

mod address;
mod read;
mod write;

use super::storage::Storage;
use read::ReadSide;
use rtl_gen::sim::Simulator;
use write::WriteSide;

/// A broken rule of the bus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("AXI rule broken on {port} in cycle {cycle}: {rule}")]
pub struct Violation {
    /// Prefix of the port.
    pub port: String,
    /// Cycles since the start of the simulation.
    pub cycle: u64,
    /// What was wrong.
    pub rule: String,
}

/// Traffic of one port so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounts {
    /// Read bursts.
    pub read_bursts: u64,
    /// Read data beats.
    pub read_beats: u64,
    /// Write bursts.
    pub write_bursts: u64,
    /// Write data beats.
    pub write_beats: u64,
}

/// One master port; a master may only read or only write.
pub(super) struct Port {
    name: String,
    read: Option<ReadSide>,
    write: Option<WriteSide>,
    /// Reads had the last turn, so a waiting write beat has this one.
    write_turn: bool,
    /// Bytes that may move now; a beat needs its width, two beats in one cycle are paid for later.
    credit: i64,
    /// Bytes gained a cycle, up to a beat.
    rate: i64,
}

impl Port {
    pub(super) fn new(sim: &dyn Simulator, prefix: &str, latency: u64, rate: Option<u32>) -> Self {
        let has = |signal: &str| sim.try_port(&format!("{prefix}{signal}")).is_some();
        let read = has("arvalid").then(|| ReadSide::new(sim, prefix, latency));
        let write = has("awvalid").then(|| WriteSide::new(sim, prefix, latency));
        assert!(read.is_some() || write.is_some(), "the design has no AXI master port `{prefix}*`");
        let mut port =
            Port { name: prefix.to_owned(), read, write, write_turn: false, credit: 0, rate: 0 };
        port.rate = port.width().min(rate.map_or(i64::MAX, i64::from)).max(1);
        port
    }

    /// Bytes of a beat.
    fn width(&self) -> i64 {
        let read = self.read.as_ref().map(ReadSide::bytes);
        read.or(self.write.as_ref().map(WriteSide::bytes)).unwrap_or(1) as i64
    }

    /// Forgets every transaction, as when the master is reset.
    pub(super) fn reset(&mut self, sim: &dyn Simulator, latency: u64) {
        *self = Port::new(sim, &self.name, latency, u32::try_from(self.rate).ok());
    }

    pub(super) fn counts(&self) -> PortCounts {
        let (read_bursts, read_beats) = self.read.as_ref().map_or((0, 0), |r| (r.bursts, r.beats));
        let (write_bursts, write_beats) =
            self.write.as_ref().map_or((0, 0), |w| (w.bursts, w.beats));
        PortCounts { read_bursts, read_beats, write_bursts, write_beats }
    }

    pub(super) fn bytes_moved(&self) -> u64 {
        let read = self.read.as_ref().map_or(0, |r| r.beats * r.bytes() as u64);
        read + self.write.as_ref().map_or(0, |w| w.beats * w.bytes() as u64)
    }

    /// Decides this cycle's inputs. One data beat moves a cycle, reads and writes together.
    pub(super) fn drive(&mut self, sim: &mut dyn Simulator, memory: &mut Storage, cycle: u64) {
        self.credit = (self.credit + self.rate).min(self.width());
        let free = self.credit >= self.width();
        let write_waits = self.write.as_ref().is_some_and(WriteSide::beat_waits);
        let mut write_slot = free;
        if let Some(read) = &mut self.read {
            read.drive(sim, memory, cycle, free && !(self.write_turn && write_waits));
            write_slot &= !read.uses_slot();
            self.write_turn = read.is_offering();
        }
        if let Some(write) = &mut self.write {
            write.drive(sim, memory, cycle, write_slot);
        }
    }

    /// Takes this cycle's handshakes and checks the master.
    pub(super) fn sample(
        &mut self,
        sim: &mut dyn Simulator,
        memory: &mut Storage,
        cycle: u64,
    ) -> Result<(), Violation> {
        let read = self.read.as_mut().map_or(Ok(false), |r| r.sample(sim, memory, cycle));
        let write = self.write.as_mut().map_or(Ok(false), |w| w.sample(sim, memory, cycle));
        let moved = read.and_then(|r| Ok((r, write?)));
        let (read, write) =
            moved.map_err(|rule| Violation { port: self.name.clone(), cycle, rule })?;
        self.credit -= self.width() * (i64::from(read) + i64::from(write));
        Ok(())
    }
}
