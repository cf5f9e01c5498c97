//! Writes: data applied as it comes, one response a burst.

use super::address::{AddressChannel, Burst};
use crate::sim::Direction;
use crate::sim::storage::{Response, Storage};
use rtl_gen::sim::{PortId, Simulator};
use std::collections::VecDeque;

/// A data beat: words, strobes, WLAST.
type Beat = (Vec<u32>, u64, u64);

pub(super) struct WriteSide {
    address: AddressChannel,
    data: PortId,
    strb: PortId,
    last: PortId,
    valid: PortId,
    ready: PortId,
    resp_valid: PortId,
    resp: PortId,
    resp_ready: PortId,
    latency: u64,
    /// Bursts whose data is still to come; the address comes first.
    open: VecDeque<Burst>,
    responses: VecDeque<Burst>,
    accepting: bool,
    response_offered: bool,
    waiting: Option<Beat>,
    words: Vec<u32>,
    pub(super) bursts: u64,
    pub(super) beats: u64,
}

impl WriteSide {
    pub(super) fn new(sim: &dyn Simulator, prefix: &str, latency: u64) -> Self {
        let pin = |signal: &str| sim.port(&format!("{prefix}{signal}"));
        let bytes = sim.width(pin("wdata")) as usize / 8;
        WriteSide {
            address: AddressChannel::new(sim, prefix, "aw", bytes),
            data: pin("wdata"),
            strb: pin("wstrb"),
            last: pin("wlast"),
            valid: pin("wvalid"),
            ready: pin("wready"),
            resp_valid: pin("bvalid"),
            resp: pin("bresp"),
            resp_ready: pin("bready"),
            latency,
            open: VecDeque::new(),
            responses: VecDeque::new(),
            accepting: false,
            response_offered: false,
            waiting: None,
            words: vec![0; bytes / 4],
            bursts: 0,
            beats: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        4 * self.words.len()
    }

    /// Whether a data beat could be taken at once if there were bandwidth.
    pub(super) fn beat_waits(&self) -> bool {
        self.waiting.is_some() && !self.open.is_empty()
    }

    pub(super) fn drive(
        &mut self,
        sim: &mut dyn Simulator,
        memory: &mut Storage,
        cycle: u64,
        slot: bool,
    ) {
        self.address.drive(sim, memory);
        self.accepting = slot && !self.open.is_empty() && !memory.stall();
        sim.set(self.ready, self.accepting.into());
        if !self.response_offered
            && let Some(burst) = self.responses.front().filter(|b| b.due <= cycle)
            && !memory.stall()
        {
            sim.set(self.resp, burst.response as u64);
            self.response_offered = true;
        }
        sim.set(self.resp_valid, self.response_offered.into());
    }

    /// True when a data beat moved.
    pub(super) fn sample(
        &mut self,
        sim: &mut dyn Simulator,
        memory: &mut Storage,
        cycle: u64,
    ) -> Result<bool, String> {
        let opened = self.address.sample(sim, 0)?;
        if self.response_offered && sim.get(self.resp_ready) == 1 {
            self.response_offered = false;
            self.responses.pop_front();
        }
        let moved = self.data(sim, memory, cycle)?;
        if let Some(burst) = opened {
            let response = memory.bus.burst(Direction::Write, burst.address);
            let lost = response != Response::Okay;
            self.open.push_back(Burst { response, lost, ..burst });
            self.bursts += 1;
        }
        Ok(moved)
    }

    fn data(
        &mut self,
        sim: &mut dyn Simulator,
        memory: &mut Storage,
        cycle: u64,
    ) -> Result<bool, String> {
        if sim.get(self.valid) == 0 {
            return match self.waiting {
                Some(_) => Err("W withdrawn before it was accepted".into()),
                None => Ok(false),
            };
        }
        sim.get_words(self.data, &mut self.words);
        let (strobes, last) = (sim.get(self.strb), sim.get(self.last));
        if let Some((words, s, l)) = &self.waiting
            && (*words != self.words || (*s, *l) != (strobes, last))
        {
            return Err("W changed before it was accepted".into());
        }
        if !self.accepting {
            if self.waiting.is_none() {
                self.waiting = Some((self.words.clone(), strobes, last));
            }
            return Ok(false);
        }
        self.waiting = None;
        self.beats += 1;
        let bytes = self.bytes();
        let Some(burst) = self.open.front_mut() else { return Ok(true) };
        let address = burst.beat_address(bytes);
        if !burst.lost {
            let response = memory.write_beat(address, &self.words, strobes);
            burst.response = burst.response.max(response);
        }
        burst.done += 1;
        let ends = burst.done == burst.beats;
        if ends != (last == 1) {
            return Err(format!("WLAST is {last} on beat {} of {}", burst.done, burst.beats));
        }
        if ends && let Some(burst) = self.open.pop_front() {
            self.responses.push_back(Burst { due: cycle + self.latency, ..burst });
        }
        Ok(true)
    }
}
