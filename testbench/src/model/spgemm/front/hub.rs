//! Many readers of memory lines on one port.

use super::super::cells::{Fifo, RoundRobin, Skid};

/// Joins requests in turn and routes the answers back. A request carries nothing: only when it moves is of interest.
#[derive(Debug)]
pub(crate) struct LineHub {
    owners: Fifo<u32>,
    skid: Skid<()>,
    arbiter: RoundRobin,
    answer: Option<u32>,
}

impl LineHub {
    pub(crate) fn new(clients: u32, in_flight: u32) -> Self {
        LineHub {
            owners: Fifo::new(in_flight),
            skid: Skid::new(),
            arbiter: RoundRobin::new(clients),
            answer: None,
        }
    }

    /// A request waits for memory.
    pub(crate) fn request(&self) -> bool {
        self.skid.valid()
    }

    /// The client whose line is here.
    pub(crate) fn answer(&self) -> Option<u32> {
        self.answer
    }

    /// Which client's request is taken; a bit for each client that asks.
    pub(crate) fn taken(&self, requests: u32) -> Option<u32> {
        let room = self.owners.ready() && self.skid.ready();
        if room { self.arbiter.grant(requests) } else { None }
    }

    pub(crate) fn tick(&mut self, taken: Option<u32>, mem_ready: bool, mem_answer: bool) {
        if let Some(client) = taken {
            self.arbiter.served(client);
        }
        self.skid.tick(taken.map(|_| ()), mem_ready);
        self.answer = self.owners.tick(taken, mem_answer);
    }
}
