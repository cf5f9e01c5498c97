//! A stream of words from memory, prefetched by lines.

use super::super::cells::{BlockFifo, Fifo};

/// Reads runs of consecutive words; emits their indices in order.
#[derive(Debug)]
pub(crate) struct WordStream {
    word_bits: u32,
    active: bool,
    line: u32,
    last_line: u32,
    credit: u32,
    outstanding: u32,
    runs: Fifo<(u32, u32)>,
    buffer: BlockFifo<()>,
    walking: bool,
    at: u32,
    left: u32,
    out: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WordsIn {
    /// First word and number of words of a run.
    pub(crate) command: Option<(u32, u32)>,
    pub(crate) flush: bool,
    pub(crate) req_ready: bool,
    pub(crate) rsp: bool,
    pub(crate) out_ready: bool,
}

impl WordStream {
    pub(crate) fn new(line_words: u32, lines: u32) -> Self {
        WordStream {
            word_bits: line_words.trailing_zeros(),
            active: false,
            line: 0,
            last_line: 0,
            credit: lines,
            outstanding: 0,
            runs: Fifo::new(4),
            buffer: BlockFifo::new(lines),
            walking: false,
            at: 0,
            left: 0,
            out: None,
        }
    }

    pub(crate) fn command_ready(&self, flush: bool) -> bool {
        !self.active && self.runs.ready() && !flush
    }

    /// A line is asked for.
    pub(crate) fn request(&self, flush: bool) -> bool {
        self.active && self.credit != 0 && !flush
    }

    /// The word at the output.
    pub(crate) fn out(&self) -> Option<u32> {
        self.out
    }

    pub(crate) fn idle(&self) -> bool {
        let waiting = self.active || self.runs.valid() || self.walking || self.out.is_some();
        !waiting && self.outstanding == 0 && self.buffer.is_empty()
    }

    pub(crate) fn tick(&mut self, i: &WordsIn) {
        let take = i.command.filter(|_| self.command_ready(i.flush));
        let issued = self.request(i.flush) && i.req_ready;
        let room = self.out.is_none() || i.out_ready;
        let step = self.walking && self.buffer.valid() && room && !i.flush;
        let last = self.left == 1;
        let line_words = 1u32 << self.word_bits;
        let next_line = step && (last || self.at & (line_words - 1) == line_words - 1);
        let next_run = self.runs.valid() && (!self.walking || (step && last));
        let popped = self.buffer.valid() && (next_line || i.flush);

        let done = issued && self.line == self.last_line;
        self.active = take.is_some() || (self.active && !done && !i.flush);
        match take {
            Some((start, count)) => {
                self.line = start >> self.word_bits;
                self.last_line = start.wrapping_add(count).wrapping_sub(1) >> self.word_bits;
            }
            None => self.line += u32::from(issued),
        }
        self.credit = self.credit + u32::from(popped) - u32::from(issued);
        self.outstanding = self.outstanding + u32::from(issued) - u32::from(i.rsp);
        let run = self.runs.front().copied();
        self.runs.tick(take, next_run || i.flush);
        self.buffer.tick(i.rsp.then_some(()), next_line || i.flush);

        self.out = match step {
            true => Some(self.at),
            false => self.out.filter(|_| !i.out_ready && !i.flush),
        };
        self.walking = (next_run || (self.walking && !(step && last))) && !i.flush;
        match run.filter(|_| next_run) {
            Some((start, count)) => (self.at, self.left) = (start, count),
            None if step => (self.at, self.left) = (self.at + 1, self.left.wrapping_sub(1)),
            None => {}
        }
    }
}
