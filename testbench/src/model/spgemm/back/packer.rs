//! Packing words into lines.

use super::super::cells::Fifo;

/// Lines that wait for the memory port, and how many more may be on their way.
const LINES: u32 = 8;
const MARGIN: usize = 3;

#[derive(Debug)]
pub(super) struct Packer {
    line_words: u32,
    room: bool,
    came: Option<u32>,
    fill: u32,
    lines: Fifo<()>,
}

impl Packer {
    pub(super) fn new(line_words: u32) -> Self {
        Packer { line_words, room: true, came: None, fill: 0, lines: Fifo::new(LINES) }
    }

    pub(super) fn ready(&self) -> bool {
        self.room
    }

    /// A line waits.
    pub(super) fn request(&self) -> bool {
        self.lines.valid()
    }

    pub(super) fn idle(&self) -> bool {
        !self.lines.valid() && self.came.is_none() && self.fill == 0
    }

    /// A cycle: words offered; the last, partial line is written with `flush`.
    pub(super) fn tick(&mut self, start: bool, words: Option<u32>, flush: bool, out_ready: bool) {
        let came = std::mem::replace(&mut self.came, words.filter(|_| self.room));
        let total = self.fill + came.unwrap_or(0);
        let full = came.is_some() && total >= self.line_words;
        let rest = flush && came.is_none() && self.lines.ready() && self.fill != 0;
        self.room = self.lines.len() < LINES as usize - MARGIN;
        self.lines.tick((full || rest).then_some(()), out_ready);
        if start || rest {
            self.fill = 0;
        } else if came.is_some() {
            self.fill = total % self.line_words;
        }
    }
}
