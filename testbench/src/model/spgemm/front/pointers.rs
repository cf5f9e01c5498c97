//! Start and length of the row of B behind each element of A.

use super::super::Command;
use super::super::cells::{BlockFifo, Fifo, Skid};
use super::a_stream::Token;

/// Lines that later tokens may share.
const RECENT: usize = 8;
/// Tokens with their pointers that wait for the planner.
const OUT: u32 = 16;

/// A token with the row of B it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointed {
    pub(crate) last: bool,
    pub(crate) skip: u32,
    pub(crate) left: u32,
    pub(crate) start: u32,
    pub(crate) length: u32,
}

/// A token that waits for its lines: the slots of both pointers, and the newest line when it came.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    token: Token,
    first: u32,
    second: u32,
    newest: u32,
}

/// Looks up `B_ptr[k]` and `B_ptr[k + 1]` through the cache, many at a time.
#[derive(Debug)]
pub(crate) struct PointerFetch {
    word_bits: u32,
    depth: u32,
    arrivals: Skid<Token>,
    /// Line address and slot.
    requests: Skid<(u64, u32)>,
    /// Lines asked for and given back, modulo twice the ring.
    next: u32,
    oldest: u32,
    recent: [Option<u32>; RECENT],
    tokens: BlockFifo<Waiting>,
    accepted: bool,
    here: Vec<bool>,
    stages: [Option<Token>; 3],
    out: Fifo<Pointed>,
    open: u32,
}

pub(crate) struct PointersIn {
    pub(crate) token: Option<Token>,
    pub(crate) flush: bool,
    pub(crate) req_ready: bool,
    /// Slot of the line that the cache answers.
    pub(crate) rsp: Option<u32>,
    pub(crate) out_ready: bool,
}

impl PointerFetch {
    pub(crate) fn new(line_words: u32, depth: u32) -> Self {
        PointerFetch {
            word_bits: line_words.trailing_zeros(),
            depth,
            arrivals: Skid::new(),
            requests: Skid::new(),
            next: 0,
            oldest: 0,
            recent: [None; RECENT],
            tokens: BlockFifo::new(2 * depth),
            accepted: false,
            here: vec![false; depth as usize],
            stages: [None; 3],
            out: Fifo::new(OUT),
            open: 0,
        }
    }

    pub(crate) fn ready(&self) -> bool {
        self.arrivals.ready()
    }

    /// Line address and slot of the request.
    pub(crate) fn request(&self) -> Option<(u64, u32)> {
        self.requests.front().copied()
    }

    pub(crate) fn out(&self) -> Option<&Pointed> {
        self.out.front()
    }

    pub(crate) fn idle(&self) -> bool {
        let [_, second, third] = &self.stages;
        let waiting = self.arrivals.valid()
            || self.queued()
            || third.is_some()
            || second.is_some()
            || self.out.valid();
        self.open == 0 && !waiting
    }

    /// The queue shows a token only two cycles after it came.
    fn queued(&self) -> bool {
        self.tokens.valid() || self.accepted
    }

    /// Slot of a line, if it is one of the last.
    fn find(&self, line: u32) -> Option<u32> {
        let place = self.recent.iter().position(|at| *at == Some(line))? as u32;
        Some(self.next.wrapping_sub(place + 1) & (self.depth - 1))
    }

    pub(crate) fn tick(&mut self, command: &Command<'_>, i: &PointersIn) {
        let [_, stage_2, stage_3] = self.stages;
        let around = 2 * self.depth - 1;
        let word_mask = (1u32 << self.word_bits) - 1;
        let straddles = |k: u32| k & word_mask == word_mask;
        let nothing =
            !(self.arrivals.valid() || self.queued() || stage_3.is_some() || stage_2.is_some());
        let clear = self.open == 0 && i.rsp.is_none() && (i.flush || nothing);

        // A token enters once its lines are there or asked for; it asks for one a cycle.
        let ring_room = self.next.wrapping_sub(self.oldest) & around < self.depth;
        let room = self.tokens.ready() && !i.flush;
        let new = self.next & (self.depth - 1);
        let (mut accept, mut wanted) = (None, None);
        if let Some(token) = self.arrivals.front().copied().filter(|_| room) {
            let line = token.k >> self.word_bits;
            let (first, second) = (self.find(line), self.find(line + 1));
            let lacks_second = straddles(token.k) && second.is_none();
            let lacks = !token.empty && (first.is_none() || lacks_second);
            if lacks && ring_room {
                wanted = Some(if first.is_some() { line + 1 } else { line });
            }
            let asked = wanted.is_some() && self.requests.ready();
            if !lacks || (asked && (first.is_none() ^ lacks_second)) {
                let newest = if asked { self.next } else { self.next.wrapping_sub(1) & around };
                let (first, second) = (first.unwrap_or(new), second.unwrap_or(new));
                accept = Some(Waiting { token, first, second, newest });
            }
        }
        let asked = wanted.filter(|_| self.requests.ready());

        // The oldest token reads its lines.
        let out_room = self.out.len() < (OUT - 6) as usize;
        let read = self.tokens.front().copied().filter(|front| {
            let here = |slot: u32| self.here[slot as usize];
            let found = here(front.first) && (!straddles(front.token.k) || here(front.second));
            (front.token.empty || found) && out_room && !i.flush
        });

        self.arrivals.tick(i.token, accept.is_some() || i.flush);
        let request = wanted.map(|line| (command.b_ptr + u64::from(line), new));
        self.requests.tick(request, i.req_ready);
        self.accepted = accept.is_some();
        self.tokens.tick(accept, read.is_some() || clear);
        if clear {
            self.recent = [None; RECENT];
            self.next = 0;
        } else if let Some(line) = asked {
            self.recent.rotate_right(1);
            self.recent[0] = Some(line);
            self.next = (self.next + 1) & around;
        }
        if let Some(slot) = i.rsp {
            self.here[slot as usize] = true;
        }
        if asked.is_some() {
            self.here[new as usize] = false;
        }
        match read {
            _ if clear => self.oldest = 0,
            Some(front) if !front.token.empty => {
                let bound = front.newest.wrapping_sub(RECENT as u32) & around;
                // Before the ring has turned once there is nothing to give back.
                if bound.wrapping_sub(self.oldest) & around < self.depth {
                    self.oldest = bound;
                }
            }
            _ => {}
        }
        let result = stage_3.filter(|_| !i.flush).map(|token| {
            let pointer = |k: u32| command.b.ptr[k as usize];
            let start = if token.empty { 0 } else { pointer(token.k) };
            let length = if token.empty { 0 } else { pointer(token.k + 1) - start };
            Pointed { last: token.last, skip: token.skip, left: token.left, start, length }
        });
        self.out.tick(result, i.out_ready || i.flush);
        let [stage_1, ..] = self.stages;
        self.stages =
            [read.map(|w| w.token), stage_1.filter(|_| !i.flush), stage_2.filter(|_| !i.flush)];
        self.open = self.open + u32::from(asked.is_some()) - u32::from(i.rsp.is_some());
    }
}
