//! Lines in, elements out: the range of columns, and the wait for the window.

use super::super::super::Command;
use super::ring::Line;
use mattock_hw::spgemm::front::LaneFetch;

/// Columns wanted of a window: from the first, below the second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) lo: u64,
    pub(crate) hi: u64,
}

/// A lane, and the bits of its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) lane: u32,
    pub(crate) bits: u32,
}

/// A product's operands, as far as they matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) seq: u32,
    pub(crate) row: u32,
    pub(crate) col: u32,
}

/// A line of which the words `left` are wanted.
#[derive(Clone, Copy, Debug)]
struct Held {
    line: Line,
    left: u32,
}

/// An element, or the end of a chunk whose last line has none.
#[derive(Clone, Copy, Debug)]
struct Stage {
    element: Element,
    last: bool,
    hollow: bool,
}

impl Stage {
    fn may_leave(&self, open: u32, flush: bool) -> bool {
        open >> self.element.seq & 1 == 1 && !flush
    }
}

/// Line register, compared register, element register, output register.
#[derive(Debug)]
pub(super) struct Elements {
    raw: Option<Line>,
    /// No word of the line in `raw` is wanted; known once it has waited for a cycle.
    hollow: bool,
    held: Option<Held>,
    element: Option<Stage>,
    out: Option<Stage>,
    chunk_done: Option<u32>,
}

pub(super) struct ElementsIn<'a> {
    pub(super) line: Option<Line>,
    pub(super) flush: bool,
    pub(super) out_ready: bool,
    pub(super) open: u32,
    pub(super) limits: &'a [Limits; 4],
    pub(super) share: Share,
}

impl Elements {
    pub(super) fn new() -> Self {
        Elements {
            raw: None,
            hollow: false,
            held: None,
            element: None,
            out: None,
            chunk_done: None,
        }
    }

    pub(super) fn out(&self, open: u32, flush: bool) -> Option<Element> {
        let out = self.out.filter(|out| !out.hollow && out.may_leave(open, flush));
        out.map(|out| out.element)
    }

    pub(super) fn held_back(&self, open: u32, flush: bool) -> bool {
        self.out.is_some_and(|out| !out.hollow && !out.may_leave(open, flush))
    }

    pub(super) fn chunk_done(&self) -> Option<u32> {
        self.chunk_done
    }

    pub(super) fn idle(&self) -> bool {
        let any = self.raw.is_some() || self.held.is_some() || self.element.is_some();
        !any && self.out.is_none()
    }

    /// Returns whether a line can be taken.
    pub(super) fn tick(&mut self, command: &Command<'_>, i: &ElementsIn<'_>) -> bool {
        let leaves =
            self.out.filter(|out| out.hollow || (out.may_leave(i.open, i.flush) && i.out_ready));
        let out_free = self.out.is_none() || leaves.is_some();
        let element_free = self.element.is_none() || out_free;
        // The first word left leaves; a line without any passes on no more than the end of its chunk.
        let (mut step, mut finish) = (None, false);
        if let Some(held) = &self.held {
            let after = held.left & held.left.wrapping_sub(1);
            let emit = held.left != 0 || held.line.last;
            if emit && element_free {
                let hollow = held.left == 0;
                let at = held.line.start + if hollow { 0 } else { held.left.trailing_zeros() };
                let Line { seq, row, last, .. } = held.line;
                let element = Element { seq, row, col: command.b.col[at as usize] };
                step = Some((Stage { element, last: last && after == 0, hollow }, after));
            }
            finish = after == 0 && (!emit || element_free);
        }
        let compared_free = self.held.is_none() || finish;
        let load = self.raw.filter(|_| compared_free);
        let ended = leaves.filter(|out| out.last && !i.flush).map(|out| out.element.seq);
        // A line without any goes while words of the line before are left. The end of its chunk goes with the last of
        // them, or at once if they are another chunk's.
        let within = self.held.as_ref().is_some_and(|held| !held.line.last);
        let dropped = self.raw.filter(|line| {
            self.hollow && !compared_free && (!line.last || within || ended.is_none()) && !i.flush
        });
        let ends = dropped.filter(|line| line.last);
        let line_ready = self.raw.is_none() || compared_free || dropped.is_some();

        self.chunk_done = ended.or(ends.filter(|_| !within).map(|line| line.seq));
        self.hollow = match self.raw {
            Some(line) if !line_ready && !i.flush => {
                wanted(command, &line, &i.limits[line.seq as usize], i.share) == 0
            }
            _ => false,
        };
        if i.flush {
            (self.raw, self.held, self.element, self.out) = (None, None, None, None);
            return line_ready;
        }
        if out_free {
            self.out = self.element;
        }
        if element_free {
            self.element = step.map(|s| s.0);
        }
        if let Some(line) = load {
            self.held = Some(Held {
                line,
                left: wanted(command, &line, &i.limits[line.seq as usize], i.share),
            });
        } else if finish {
            self.held = None;
        } else if let (Some((_, after)), Some(held)) = (step, &mut self.held) {
            held.left = after;
        }
        if let (Some(_), Some(held)) = (ends, &mut self.held) {
            held.line.last = true;
        }
        if line_ready {
            self.raw = i.line;
        }
        line_ready
    }
}

/// The words of a line inside the range, a bit each from its first element.
fn wanted(command: &Command<'_>, line: &Line, limits: &Limits, share: Share) -> u32 {
    let columns = &command.b.col[line.start as usize..(line.start + line.length) as usize];
    let mine = |col: u32| !line.spread || LaneFetch::share(col, share.bits) == share.lane;
    let inside = |col: u32| (limits.lo..limits.hi).contains(&u64::from(col)) && mine(col);
    columns.iter().enumerate().fold(0, |bits, (n, &col)| bits | u32::from(inside(col)) << n)
}
