//! Chunks in, their lines out in order: requests run ahead, answers come in any order.

use super::super::super::Command;
use super::super::super::cells::{Fifo, Skid};
use super::super::dispatch::Task;
use super::LaneShape;

/// A line of columns and values: the elements of it that belong to the chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) seq: u32,
    pub(super) row: u32,
    pub(super) start: u32,
    pub(super) length: u32,
    /// The last one of its chunk.
    pub(super) last: bool,
    /// Lanes share its columns.
    pub(super) spread: bool,
}

#[derive(Debug)]
pub(super) struct LineRing {
    shape: LaneShape,
    flushing: bool,
    /// Line address and tag.
    requests: Skid<(u64, u32)>,
    head: u32,
    tail: u32,
    used: u32,
    queue: Fifo<Task>,
    /// The chunk being cut; its values are asked for next.
    cut: Option<Task>,
    values: bool,
    meta: Vec<Line>,
    /// Columns and values that are here, by slot.
    here: [Vec<bool>; 2],
    open: u32,
    handed: Option<Line>,
    queued: u32,
}

pub(super) struct RingIn {
    pub(super) flush: bool,
    pub(super) chunk: Option<Task>,
    pub(super) req_ready: bool,
    pub(super) rsp: Option<u32>,
    pub(super) line_ready: bool,
}

impl LineRing {
    pub(super) fn new(shape: LaneShape) -> Self {
        let slots = shape.slots as usize;
        let none = Line { seq: 0, row: 0, start: 0, length: 0, last: false, spread: false };
        LineRing {
            shape,
            flushing: false,
            requests: Skid::new(),
            head: 0,
            tail: 0,
            used: 0,
            queue: Fifo::new(shape.chunks),
            cut: None,
            values: false,
            meta: vec![none; slots],
            here: [vec![false; slots], vec![false; slots]],
            open: 0,
            handed: None,
            queued: 0,
        }
    }

    pub(super) fn chunk_ready(&self, flush: bool) -> bool {
        self.queue.ready() && !(flush || self.flushing)
    }

    pub(super) fn queued(&self) -> u32 {
        self.queued
    }

    pub(super) fn request(&self) -> Option<(u64, u32)> {
        self.requests.front().copied()
    }

    pub(super) fn line(&self) -> Option<Line> {
        self.handed
    }

    pub(super) fn idle(&self) -> bool {
        let cutting = self.cut.is_some() || self.queue.valid();
        !cutting && self.used == 0 && self.handed.is_none() && self.open == 0
    }

    pub(super) fn tick(&mut self, command: &Command<'_>, i: &RingIn) {
        let stop = i.flush || self.flushing;
        let line_words = self.shape.line_words;
        let (accepts, empty) = (self.chunk_ready(i.flush), self.idle());
        let chunk = i.chunk.filter(|_| accepts);

        // The line being asked for: its columns, for which a slot is taken, then its values.
        let slot_free = self.used != self.shape.slots;
        let wants = self.cut.filter(|_| (self.values || slot_free) && !stop);
        let asked = wants.filter(|_| self.requests.ready());
        let request = wants.map(|t| {
            let base = if self.values { command.b_val } else { command.b_col };
            let tag = self.tail << 1 | u32::from(self.values);
            (base + u64::from(t.start / line_words), tag)
        });
        let new = asked.filter(|_| !self.values).map(|t| {
            let length = t.length.min(line_words - t.start % line_words);
            let last = length == t.length;
            let Task { seq, row, start, spread, .. } = t;
            Line { seq, row, start, length, last, spread }
        });
        let next_line = asked.filter(|_| self.values);
        let rest = next_line.map(|t| {
            let length = t.length.min(line_words - t.start % line_words);
            Task { start: t.start + length, length: t.length - length, ..t }
        });
        let done = rest.is_some_and(|t| t.length == 0);
        let take = self.cut.is_none() || done;
        let taken = self.queue.front().copied().filter(|_| take);

        let head = self.head as usize;
        let complete = self.here[0][head] && self.here[1][head];
        let read = complete && (self.handed.is_none() || i.line_ready) && !stop;
        let leaving = self.handed.filter(|_| i.line_ready).map_or(0, |l| l.length);

        self.requests.tick(request, i.req_ready);
        self.queue.tick(chunk, take || stop);
        if let Some(line) = new {
            self.meta[self.tail as usize] = line;
        }
        // While stopping, answers under way belong to nobody.
        if stop {
            self.here.iter_mut().for_each(|h| h.fill(false));
        } else {
            if let Some(tag) = i.rsp {
                self.here[(tag & 1) as usize][(tag >> 1) as usize] = true;
            }
            if read {
                self.here.iter_mut().for_each(|h| h[head] = false);
            }
        }
        self.open = self.open + u32::from(asked.is_some()) - u32::from(i.rsp.is_some());
        if stop {
            self.handed = None;
        } else if read {
            self.handed = Some(self.meta[head]);
        } else if i.line_ready {
            self.handed = None;
        }
        if stop {
            (self.head, self.tail, self.used, self.queued) = (0, 0, 0, 0);
            (self.cut, self.values) = (None, false);
        } else {
            let around = self.shape.slots - 1;
            self.tail = (self.tail + u32::from(next_line.is_some())) & around;
            self.head = (self.head + u32::from(read)) & around;
            self.used = self.used + u32::from(new.is_some()) - u32::from(read);
            self.queued = self.queued + chunk.map_or(0, |c| c.length) - leaving;
            self.values ^= asked.is_some();
            self.cut = match taken {
                Some(chunk) => Some(chunk),
                None => rest.or(self.cut).filter(|_| !done),
            };
        }
        self.flushing = i.flush || (self.flushing && !empty);
    }
}
