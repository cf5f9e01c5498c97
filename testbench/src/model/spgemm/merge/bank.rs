//! One bank of the hash table.

use super::super::cells::Fifo;
use super::Product;
use super::accumulate::Accumulate;
use super::crossbar::IN_FLIGHT;
use super::tags::Tags;
use super::walk::Walk;

/// Products queued at the entrance.
const QUEUE: u32 = 16;

/// Input queue, find-or-insert, accumulator and drain walk, on two halves.
#[derive(Debug)]
pub(super) struct Bank {
    queue: Fifo<Product>,
    tags: Tags,
    sums: Accumulate,
    walk: Walk,
}

impl Bank {
    pub(super) fn new(ways: u32, buckets: u32, adder_latency: u32) -> Self {
        Bank {
            queue: Fifo::new(QUEUE),
            tags: Tags::new(ways, buckets),
            sums: Accumulate::new(adder_latency),
            walk: Walk::new(buckets),
        }
    }

    pub(super) fn has_space(&self) -> bool {
        self.queue.len() <= (QUEUE - IN_FLIGHT) as usize
    }

    pub(super) fn walking(&self) -> bool {
        self.walk.walking()
    }

    /// Key of the entry offered to the drain.
    pub(super) fn out(&self) -> Option<u64> {
        self.walk.out()
    }

    /// Half of the product added in this cycle.
    pub(super) fn absorbed(&self) -> Option<bool> {
        self.sums.absorbed()
    }

    /// Half of the product dropped in this cycle.
    pub(super) fn dropped(&self) -> Option<bool> {
        self.tags.dropped()
    }

    /// Returns whether a product waits for another one of its entry.
    pub(super) fn tick(
        &mut self,
        ordered: bool,
        product: Option<Product>,
        start: Option<(bool, bool)>,
        out_ready: bool,
    ) -> bool {
        if self.walk.walking() || start.is_some() {
            self.walk.tick(&mut self.tags, start, out_ready);
        }
        let holds = ordered && self.sums.holds();
        let adds = self.tags.out().filter(|_| !holds);
        if adds.is_some() || !self.sums.idle() {
            self.sums.tick(adds, holds);
        }
        if holds {
            self.tags.hold();
            self.queue.tick(product, false);
            return true;
        }
        if self.queue.valid() || !self.tags.idle() {
            let meets = ordered && self.queue.front().is_some_and(|p| self.tags.meets(p));
            let free = self.tags.ready() && !meets;
            let stalled = self.tags.ready() && meets;
            self.tags.tick(self.queue.front().copied().filter(|_| free));
            self.queue.tick(product, free);
            return stalled;
        } else if product.is_some() {
            self.queue.tick(product, false);
        }
        false
    }
}
