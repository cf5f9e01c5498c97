//! A lane's fetch: from chunks of rows of B to one product a cycle.

mod elements;
mod ring;

use super::super::Command;
use super::dispatch::Task;
pub(crate) use elements::{Element, Limits, Share};
use elements::{Elements, ElementsIn};
use ring::{LineRing, RingIn};

/// Most elements of a chunk.
pub(super) const CHUNK: u32 = 64;

/// Sizes of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneShape {
    pub(crate) slots: u32,
    pub(crate) chunks: u32,
    pub(crate) line_words: u32,
}

#[derive(Debug)]
pub(crate) struct Lane {
    ring: LineRing,
    elements: Elements,
}

pub(crate) struct LaneIn<'a> {
    pub(crate) flush: bool,
    pub(crate) chunk: Option<Task>,
    pub(crate) req_ready: bool,
    /// Tag of the cache's answer.
    pub(crate) rsp: Option<u32>,
    pub(crate) out_ready: bool,
    /// Windows whose elements may leave, a bit each.
    pub(crate) open: u32,
    pub(crate) limits: &'a [Limits; 4],
    pub(crate) share: Share,
}

impl Lane {
    pub(crate) fn new(shape: LaneShape) -> Self {
        Lane { ring: LineRing::new(shape), elements: Elements::new() }
    }

    pub(crate) fn chunk_ready(&self, flush: bool) -> bool {
        self.ring.chunk_ready(flush)
    }

    pub(crate) fn queued(&self) -> u32 {
        self.ring.queued()
    }

    /// Line address and tag of the request.
    pub(crate) fn request(&self) -> Option<(u64, u32)> {
        self.ring.request()
    }

    pub(crate) fn out(&self, open: u32, flush: bool) -> Option<Element> {
        self.elements.out(open, flush)
    }

    /// An element waits for its window to open.
    pub(crate) fn held_back(&self, open: u32, flush: bool) -> bool {
        self.elements.held_back(open, flush)
    }

    /// Window of the chunk that ended with the last cycle.
    pub(crate) fn chunk_done(&self) -> Option<u32> {
        self.elements.chunk_done()
    }

    pub(crate) fn idle(&self) -> bool {
        self.ring.idle() && self.elements.idle()
    }

    pub(crate) fn tick(&mut self, command: &Command<'_>, i: &LaneIn<'_>) {
        let line_ready = self.elements.tick(
            command,
            &ElementsIn {
                line: self.ring.line(),
                flush: i.flush,
                out_ready: i.out_ready,
                open: i.open,
                limits: i.limits,
                share: i.share,
            },
        );
        self.ring.tick(
            command,
            &RingIn {
                flush: i.flush,
                chunk: i.chunk,
                req_ready: i.req_ready,
                rsp: i.rsp,
                line_ready,
            },
        );
    }
}
