//! The small cells of `mattock_hw::cells`, as they look between two clock edges.
//!
//! A cell is asked for its outputs (`ready`, `front`), which are registers, and then ticks once with its inputs.

use std::collections::VecDeque;

/// Queue in LUT RAM: what is pushed can leave in the next cycle.
#[derive(Clone, Debug)]
pub(super) struct Fifo<T> {
    items: VecDeque<T>,
    depth: usize,
}

impl<T> Fifo<T> {
    pub(super) fn new(depth: u32) -> Self {
        Fifo { items: VecDeque::with_capacity(depth as usize), depth: depth as usize }
    }

    pub(super) fn ready(&self) -> bool {
        self.items.len() < self.depth
    }

    pub(super) fn valid(&self) -> bool {
        !self.items.is_empty()
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.items.front()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn tick(&mut self, offered: Option<T>, take: bool) -> Option<T> {
        let room = self.ready();
        let taken = if take { self.items.pop_front() } else { None };
        if room {
            self.items.extend(offered);
        }
        taken
    }
}

/// Queue in block RAM with a register behind it: what is pushed can leave two cycles later.
#[derive(Clone, Debug)]
pub(super) struct BlockFifo<T> {
    items: VecDeque<T>,
    held: Option<T>,
    depth: usize,
}

impl<T> BlockFifo<T> {
    pub(super) fn new(depth: u32) -> Self {
        let items = VecDeque::with_capacity(depth as usize);
        BlockFifo { items, held: None, depth: depth as usize }
    }

    pub(super) fn ready(&self) -> bool {
        self.items.len() < self.depth
    }

    pub(super) fn valid(&self) -> bool {
        self.held.is_some()
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.held.as_ref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.held.is_none()
    }

    pub(super) fn tick(&mut self, offered: Option<T>, take: bool) -> Option<T> {
        let room = self.ready();
        let taken = if take { self.held.take() } else { None };
        if self.held.is_none() {
            self.held = self.items.pop_front();
        }
        if room {
            self.items.extend(offered);
        }
        taken
    }
}

/// Skid buffer: valid, ready and payload are registers.
#[derive(Clone, Debug)]
pub(super) struct Skid<T> {
    out: Option<T>,
    spare: Option<T>,
}

impl<T> Skid<T> {
    pub(super) fn new() -> Self {
        Skid { out: None, spare: None }
    }

    pub(super) fn ready(&self) -> bool {
        self.spare.is_none()
    }

    pub(super) fn valid(&self) -> bool {
        self.out.is_some()
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.out.as_ref()
    }

    pub(super) fn tick(&mut self, offered: Option<T>, take: bool) {
        let accepted = if self.ready() { offered } else { None };
        if self.out.is_none() || take {
            self.out = self.spare.take().or(accepted);
        } else if accepted.is_some() {
            self.spare = accepted;
        }
    }
}

/// Round-robin arbiter over up to 32 requests, a bit each.
#[derive(Clone, Debug)]
pub(super) struct RoundRobin {
    last: u32,
}

impl RoundRobin {
    pub(super) fn new(requests: u32) -> Self {
        RoundRobin { last: requests - 1 }
    }

    /// Who is served: the first request after the last one served, from the start if there is none.
    pub(super) fn grant(&self, requests: u32) -> Option<u32> {
        let after = requests & !(u32::MAX >> (31 - self.last));
        let among = if after != 0 { after } else { requests };
        (among != 0).then(|| among.trailing_zeros())
    }

    /// The one granted was served.
    pub(super) fn served(&mut self, granted: u32) {
        self.last = granted;
    }
}

/// Bits of an index below `n`, at least 1.
pub(super) fn index_width(n: u32) -> u32 {
    rtl_gen::index_width(n)
}
