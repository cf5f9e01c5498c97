//! The memory port: the AXI masters of `mattock_hw::bus` and the memory of `crate::sim` behind them.
//!
//! Only when something moves is of interest: lines are asked for one by one, and the memory accepts every address at once.

use super::cells::{Fifo, Skid};
use std::collections::VecDeque;

/// Bursts under way at most.
const WRITES: u32 = 64;
const READS: u32 = 512;

/// How the memory behaves.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Cycles from a read address to its data, and from written data to its response.
    pub latency: u64,
    /// Bytes a cycle, both ways together, up to the width of the bus.
    pub bytes_per_cycle: Option<u32>,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { latency: 100, bytes_per_cycle: None }
    }
}

/// Address half of a master: a command becomes a burst of one line.
#[derive(Debug)]
struct Address {
    active: bool,
    flight: usize,
    most: usize,
    /// The address channel's register holds an address; the memory takes it at once.
    on_bus: bool,
}

impl Address {
    fn new(most: u32) -> Self {
        Address { active: false, flight: 0, most: most as usize, on_bus: false }
    }

    fn issues(&self) -> bool {
        self.active && self.flight < self.most
    }

    fn ready(&self) -> bool {
        !self.active || self.issues()
    }

    fn idle(&self) -> bool {
        !self.active && self.flight == 0
    }

    fn tick(&mut self, command: bool, answered: bool) {
        let issues = self.issues();
        self.active = (command && self.ready()) || (self.active && !issues);
        self.flight = self.flight + usize::from(issues) - usize::from(answered);
        self.on_bus = issues;
    }
}

/// Reader, writer and memory.
#[derive(Debug)]
pub(super) struct Port {
    latency: u64,
    width: i64,
    rate: i64,
    credit: i64,
    cycle: u64,
    read: Address,
    /// When each read may be answered.
    reads: VecDeque<u64>,
    read_offered: bool,
    write: Address,
    /// Addresses and lines part here.
    addresses: Fifo<()>,
    lines: Fifo<()>,
    /// Bursts whose data has not been sent yet.
    lengths: Fifo<()>,
    stage: Skid<()>,
    /// Bursts that the memory knows of and has no data for.
    open: usize,
    /// A beat was offered and not taken.
    beat_waits: bool,
    responses: VecDeque<u64>,
    pub(super) read_beats: u64,
    pub(super) write_beats: u64,
}

/// What the port does this cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortNow {
    /// A line read arrives.
    pub(super) data: bool,
    response: bool,
    /// A line written leaves.
    pub(super) beat: bool,
}

impl Port {
    pub(super) fn new(bus_bytes: u32, memory: &Memory) -> Self {
        let width = i64::from(bus_bytes);
        let rate = memory.bytes_per_cycle.map_or(width, i64::from);
        Port {
            latency: memory.latency,
            width,
            rate: rate.min(width).max(1),
            credit: 0,
            cycle: 0,
            read: Address::new(READS),
            reads: VecDeque::new(),
            read_offered: false,
            write: Address::new(WRITES),
            addresses: Fifo::new(4),
            lines: Fifo::new(4),
            lengths: Fifo::new(WRITES),
            stage: Skid::new(),
            open: 0,
            beat_waits: false,
            responses: VecDeque::new(),
            read_beats: 0,
            write_beats: 0,
        }
    }

    pub(super) fn read_ready(&self) -> bool {
        self.read.ready()
    }

    pub(super) fn write_ready(&self) -> bool {
        self.addresses.ready() && self.lines.ready()
    }

    /// Nothing is under way.
    pub(super) fn quiet(&self) -> bool {
        let waiting = self.addresses.valid() || self.lines.valid();
        self.read.idle() && self.write.idle() && !waiting
    }

    /// The memory decides what moves: one beat, reads before writes unless a write waited through a read.
    pub(super) fn drive(&mut self) -> PortNow {
        self.credit = (self.credit + self.rate).min(self.width);
        let free = self.credit >= self.width;
        let write_waits = self.beat_waits && self.open > 0;
        let turn = self.read_offered && write_waits;
        let data = free && !turn && self.reads.front().is_some_and(|due| *due <= self.cycle);
        self.read_offered = data;
        let beat = free && !data && self.open > 0 && self.stage.valid();
        let response = self.responses.front().is_some_and(|due| *due <= self.cycle);
        PortNow { data, response, beat }
    }

    pub(super) fn tick(&mut self, now: PortNow, read: bool, write: bool) {
        if now.data {
            self.reads.pop_front();
            self.read_beats += 1;
        }
        if self.read.on_bus {
            self.reads.push_back(self.cycle + self.latency);
        }
        self.read.tick(read, now.data);

        if now.response {
            self.responses.pop_front();
        }
        self.beat_waits = self.stage.valid() && !now.beat;
        if now.beat {
            self.open -= 1;
            self.write_beats += 1;
            self.responses.push_back(self.cycle + self.latency);
        }
        self.open += usize::from(self.write.on_bus);
        self.credit -= self.width * (i64::from(now.data) + i64::from(now.beat));

        let line_taken = self.lengths.valid() && self.stage.ready();
        let sent = self.lines.valid() && line_taken;
        let rooms = [self.addresses.ready(), self.lines.ready()];
        let (command, command_taken) = (self.addresses.valid(), self.write.ready());
        let issued = self.write.issues();
        self.stage.tick(sent.then_some(()), now.beat);
        self.lengths.tick(issued.then_some(()), sent);
        self.lines.tick((write && rooms[0]).then_some(()), line_taken);
        self.addresses.tick((write && rooms[1]).then_some(()), command_taken);
        self.write.tick(command, now.response);
        self.cycle += 1;
    }
}
