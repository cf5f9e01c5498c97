//! Lines asked of memory and who waits for them: a ring of miss slots, used, answered and freed in order.

use super::Request;
use std::collections::VecDeque;

/// One line on its way.
#[derive(Debug)]
struct Slot {
    set: u32,
    way: u32,
    waiting: Vec<Request>,
}

#[derive(Debug)]
pub(super) struct Misses {
    most: usize,
    waiters: usize,
    slots: VecDeque<Slot>,
    /// Slots whose line is here and whose waiters are being replayed.
    answered: usize,
    replayed: usize,
    spare: Vec<Vec<Request>>,
}

impl Misses {
    pub(super) fn new(slots: u32, waiters: u32) -> Self {
        let (most, waiters) = (slots as usize, waiters as usize);
        let slots = VecDeque::with_capacity(most);
        Misses { most, waiters, slots, answered: 0, replayed: 0, spare: vec![] }
    }

    pub(super) fn is_full(&self) -> bool {
        self.slots.len() == self.most
    }

    pub(super) fn idle(&self) -> bool {
        self.slots.is_empty()
    }

    /// Ways of a set whose line is on its way, a bit each.
    pub(super) fn pending(&self, set: u32) -> u32 {
        self.slots.iter().filter(|s| s.set == set).fold(0, |bits, s| bits | 1 << s.way)
    }

    /// The slot that fetches the line of a frame.
    pub(super) fn slot_of(&self, set: u32, way: u32) -> Option<usize> {
        self.slots.iter().position(|s| s.set == set && s.way == way)
    }

    pub(super) fn is_crowded(&self, slot: usize) -> bool {
        self.slots[slot].waiting.len() == self.waiters
    }

    /// The request to be replayed.
    pub(super) fn replay(&self) -> Option<Request> {
        if self.answered == 0 {
            return None;
        }
        self.slots.front().map(|s| s.waiting[self.replayed])
    }

    /// A cycle: the set and way a miss takes with its request, a request that waits for a slot's line, a line arrives, the
    /// replayed request was taken.
    pub(super) fn tick(
        &mut self,
        allocate: Option<(u32, u32, Request)>,
        append: Option<(usize, Request)>,
        fill: bool,
        taken: bool,
    ) {
        if let Some((slot, request)) = append {
            self.slots[slot].waiting.push(request);
        }
        if let Some((set, way, request)) = allocate {
            let mut waiting = self.spare.pop().unwrap_or_default();
            waiting.push(request);
            self.slots.push_back(Slot { set, way, waiting });
        }
        self.answered += usize::from(fill);
        if taken {
            self.replayed += 1;
            // One more that came in this cycle is among those that wait.
            if self.slots.front().is_some_and(|s| s.waiting.len() == self.replayed) {
                let mut done = self.slots.pop_front().map(|s| s.waiting).unwrap_or_default();
                done.clear();
                self.spare.push(done);
                (self.replayed, self.answered) = (0, self.answered - 1);
            }
        }
    }
}
