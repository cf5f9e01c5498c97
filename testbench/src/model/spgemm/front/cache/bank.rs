//! One bank of the cache.

use super::super::super::cells::{Fifo, Skid, index_width};
use super::misses::Misses;
use super::tags::Tags;
use super::{CacheShape, Request};

/// Requests that wait in front of a bank.
const QUEUE: u32 = 8;
/// Looked-up requests that wait for their client.
const ANSWERS: u32 = 8;

/// What a look-up ends as, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The line's answer may leave.
    Answer { client: u32, tag: u32 },
    /// The frame's old line has been read: the memory request of its new one may leave.
    Release,
}

/// Look-up pipeline, miss ring and answers.
#[derive(Debug)]
pub(super) struct Bank {
    tags: Tags,
    misses: Misses,
    queue: Fifo<Request>,
    stages: [Option<Request>; 3],
    orders: Fifo<Order>,
    head: Skid<Order>,
    /// Memory requests whose release has passed.
    released: u32,
    /// Client and tag of the answer being read, and of the one at the output.
    reading: Option<(u32, u32)>,
    answer: Option<(u32, u32)>,
    wait: bool,
    sweeping: u32,
}

pub(super) struct BankIn {
    pub(super) request: Option<Request>,
    pub(super) answer_taken: bool,
    pub(super) mem_taken: bool,
    pub(super) fill: bool,
    pub(super) invalidate: bool,
}

impl Bank {
    pub(super) fn new(shape: &CacheShape) -> Self {
        Bank {
            tags: Tags::new(index_width(shape.banks), shape.ways, shape.sets),
            misses: Misses::new(shape.misses / shape.banks, shape.waiters),
            queue: Fifo::new(QUEUE),
            stages: [None; 3],
            orders: Fifo::new(ANSWERS),
            head: Skid::new(),
            released: 0,
            reading: None,
            answer: None,
            wait: true,
            sweeping: 0,
        }
    }

    pub(super) fn ready(&self) -> bool {
        !self.wait && self.sweeping == 0
    }

    pub(super) fn req_ready(&self) -> bool {
        self.queue.ready()
    }

    /// Client of the oldest looked-up request.
    pub(super) fn offer(&self) -> Option<u32> {
        match self.head.front() {
            Some(Order::Answer { client, .. }) => Some(*client),
            _ => None,
        }
    }

    /// Client and tag.
    pub(super) fn answer(&self) -> Option<(u32, u32)> {
        self.answer
    }

    pub(super) fn asks_memory(&self) -> bool {
        self.released != 0
    }

    /// Returns whether a look-up hit, and whether it missed.
    pub(super) fn tick(&mut self, i: &BankIn) -> (bool, bool) {
        let answer = |r: Request| Order::Answer { client: r.client, tag: r.tag };
        // Forgetting all lines waits until nothing is under way.
        let under_way = self.queue.valid() || !self.misses.idle();
        let looking_up = self.stages.iter().any(Option::is_some);
        let sweep = self.wait && self.sweeping == 0 && !under_way && !looking_up;
        if sweep {
            self.tags.clear();
        }
        self.sweeping = if sweep { self.tags.sets() } else { self.sweeping.saturating_sub(1) };
        self.wait = i.invalidate || (self.wait && !sweep);

        // The third stage: a read order, a miss that takes a frame, or one more that waits.
        let (room, replay) = (self.orders.ready(), self.misses.replay());
        let order_room = room && replay.is_none();
        let [first, second, third] = self.stages;
        let (mut allocate, mut append, mut own) = (None, None, None);
        let mut advance = third.is_none();
        if let Some(request) = third {
            let set = self.tags.set(request.line);
            let found = self.tags.find(set, request.line);
            let slot = found.and_then(|way| self.misses.slot_of(set, way));
            match (found, slot) {
                (Some(way), None) if order_room => {
                    own = Some(answer(request));
                    self.tags.touch(set, way);
                    advance = true;
                }
                (Some(way), Some(slot)) if !self.misses.is_crowded(slot) => {
                    append = Some((slot, request));
                    self.tags.touch(set, way);
                    advance = true;
                }
                (None, _) if order_room && !self.misses.is_full() => {
                    if let Some(way) = self.tags.victim(set, self.misses.pending(set)) {
                        allocate = Some((set, way, request));
                        own = Some(Order::Release);
                        self.tags.place(set, way, request.line);
                        self.tags.touch(set, way);
                        advance = true;
                    }
                }
                _ => {}
            }
        }
        let (miss, hit) = (allocate.is_some(), advance && third.is_some() && allocate.is_none());
        if advance {
            self.stages = [self.queue.front().copied(), first, second];
        }
        self.queue.tick(i.request, advance);
        self.misses.tick(allocate, append, i.fill, replay.is_some() && room);

        // Answers and releases leave in order.
        let release = self.head.front() == Some(&Order::Release);
        self.answer = self.reading;
        self.reading = match self.head.front() {
            Some(Order::Answer { client, tag }) if i.answer_taken => Some((*client, *tag)),
            _ => None,
        };
        let head_ready = self.head.ready();
        self.head.tick(self.orders.front().copied(), i.answer_taken || release);
        self.orders.tick(replay.map(answer).or(own), head_ready);
        self.released = self.released + u32::from(release) - u32::from(i.mem_taken);
        (hit, miss)
    }
}
