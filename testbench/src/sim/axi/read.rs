//! Reads: bursts answered in order, a beat a cycle.

use super::address::{AddressChannel, Burst};
use crate::sim::Direction;
use crate::sim::storage::{Response, Storage};
use rtl_gen::sim::{PortId, Simulator};
use std::collections::VecDeque;

pub(super) struct ReadSide {
    address: AddressChannel,
    valid: PortId,
    data: PortId,
    resp: PortId,
    last: PortId,
    ready: PortId,
    latency: u64,
    queue: VecDeque<Burst>,
    /// A beat is on the bus; it stays until it is taken.
    offered: bool,
    /// It was there in the last cycle already.
    stalled: bool,
    words: Vec<u32>,
    pub(super) bursts: u64,
    pub(super) beats: u64,
}

impl ReadSide {
    pub(super) fn new(sim: &dyn Simulator, prefix: &str, latency: u64) -> Self {
        let pin = |signal: &str| sim.port(&format!("{prefix}r{signal}"));
        let bytes = sim.width(pin("data")) as usize / 8;
        ReadSide {
            address: AddressChannel::new(sim, prefix, "ar", bytes),
            valid: pin("valid"),
            data: pin("data"),
            resp: pin("resp"),
            last: pin("last"),
            ready: pin("ready"),
            latency,
            queue: VecDeque::new(),
            offered: false,
            stalled: false,
            words: vec![0; bytes / 4],
            bursts: 0,
            beats: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        4 * self.words.len()
    }

    /// Whether a beat is on the bus.
    pub(super) fn is_offering(&self) -> bool {
        self.offered
    }

    /// Whether this side may move a beat this cycle. A beat that stalled before does not keep writes
    /// away: the master may need them to get on.
    pub(super) fn uses_slot(&self) -> bool {
        self.offered && !self.stalled
    }

    pub(super) fn drive(
        &mut self,
        sim: &mut dyn Simulator,
        memory: &mut Storage,
        cycle: u64,
        slot: bool,
    ) {
        self.address.drive(sim, memory);
        let due = self.queue.front().is_some_and(|b| b.due <= cycle);
        if !self.offered && slot && due && !memory.stall() {
            self.offer(sim, memory);
        }
        sim.set(self.valid, self.offered.into());
    }

    fn offer(&mut self, sim: &mut dyn Simulator, memory: &Storage) {
        let Some(burst) = self.queue.front() else { return };
        let address = burst.beat_address(self.bytes());
        let response = match burst.response {
            Response::Okay => memory.read_beat(address, &mut self.words),
            error => {
                self.words.fill(0xdead_beef);
                error
            }
        };
        sim.set_words(self.data, &self.words);
        sim.set(self.resp, response as u64);
        sim.set(self.last, (burst.done + 1 == burst.beats).into());
        self.offered = true;
    }

    /// True when a beat moved.
    pub(super) fn sample(
        &mut self,
        sim: &mut dyn Simulator,
        memory: &Storage,
        cycle: u64,
    ) -> Result<bool, String> {
        if let Some(burst) = self.address.sample(sim, cycle + self.latency)? {
            let response = memory.bus.burst(Direction::Read, burst.address);
            self.queue.push_back(Burst { response, ..burst });
            self.bursts += 1;
        }
        let moved = self.offered && sim.get(self.ready) == 1;
        self.stalled = self.offered && !moved;
        if moved {
            self.offered = false;
            self.beats += 1;
            if let Some(burst) = self.queue.front_mut() {
                burst.done += 1;
                if burst.done == burst.beats {
                    self.queue.pop_front();
                }
            }
        }
        Ok(moved)
    }
}
