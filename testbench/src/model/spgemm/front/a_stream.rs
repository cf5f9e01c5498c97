//! The rows of A as a stream of tokens.

use super::super::Command;
use super::super::cells::Fifo;
use super::words::{WordStream, WordsIn};

/// Empty rows told with one token.
const MOST_SKIPPED: u32 = 127;

/// An element of A, or the mark of an empty row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) last: bool,
    pub(crate) empty: bool,
    /// Empty rows before this one.
    pub(crate) skip: u32,
    /// Column of the element: row of B.
    pub(crate) k: u32,
    /// Elements of the row after this one.
    pub(crate) left: u32,
}

#[derive(Clone, Copy, Debug)]
struct Length {
    empty: bool,
    skipped: u32,
    length: u32,
}

/// Reads A row by row.
#[derive(Debug)]
pub(crate) struct AStream {
    /// Row pointers, columns, values.
    pub(crate) words: [WordStream; 3],
    ask: bool,
    have_begin: bool,
    begin: u32,
    lengths: Fifo<Length>,
    repeat: u32,
    first: bool,
    run_wanted: bool,
    run: (u32, u32),
    at_row: u32,
    skipped: u32,
    rest_due: bool,
    rest_start: u32,
    done: u32,
}

pub(crate) struct AStreamIn {
    pub(crate) start: bool,
    pub(crate) flush: bool,
    pub(crate) first_row: u32,
    pub(crate) passes: u32,
    /// By array.
    pub(crate) req_ready: [bool; 3],
    pub(crate) rsp: [bool; 3],
    pub(crate) token_ready: bool,
}

impl AStream {
    pub(crate) fn new(line_words: u32, lines: u32) -> Self {
        AStream {
            words: [0; 3].map(|_| WordStream::new(line_words, lines)),
            ask: false,
            have_begin: false,
            begin: 0,
            lengths: Fifo::new(16),
            repeat: 0,
            first: false,
            run_wanted: false,
            run: (0, 0),
            at_row: 0,
            skipped: 0,
            rest_due: false,
            rest_start: 0,
            done: 0,
        }
    }

    pub(crate) fn idle(&self) -> bool {
        let quiet = self.words.iter().all(WordStream::idle) && !self.lengths.valid();
        quiet && !(self.ask || self.run_wanted || self.rest_due)
    }

    /// The token offered.
    pub(crate) fn token(&self, command: &Command<'_>, flush: bool) -> Option<Token> {
        let front = self.lengths.front().filter(|_| !flush)?;
        if front.empty {
            let skip = front.skipped;
            return Some(Token { last: true, empty: true, skip, k: 0, left: 0 });
        }
        let (column, _) = (self.words[1].out()?, self.words[2].out()?);
        let left = front.length.wrapping_sub(self.done).wrapping_sub(1);
        let k = command.a.col[column as usize];
        Some(Token { last: left == 0, empty: false, skip: front.skipped, k, left })
    }

    pub(crate) fn tick(&mut self, command: &Command<'_>, i: &AStreamIn) {
        let (rows, nnz) = (command.end_row, command.a.col.len() as u32);
        let token = self.token(command, i.flush);
        let sent = token.filter(|_| i.token_ready);
        let [pointers, columns, values] = &self.words;
        let end = pointers.out().map(|at| command.a.ptr[at as usize]);

        let run_free = columns.command_ready(i.flush) && values.command_ready(i.flush);
        let run_sent = self.run_wanted && run_free;
        let run_room = !self.run_wanted || run_sent;
        let row =
            end.is_some() && self.have_begin && self.lengths.ready() && (!self.first || run_room);
        let end = end.unwrap_or(0);
        let length = end.wrapping_sub(self.begin);
        let row_done = row && (!self.first || self.repeat == 1);
        let skips =
            length == 0 && !self.first && self.at_row + 1 != rows && self.skipped != MOST_SKIPPED;
        let rest = self.rest_due && run_room;
        let first_run = row && self.first && length != 0;
        let rest_count = nnz.wrapping_sub(self.rest_start);
        let rest_any = rest && rest_count != 0;
        let take_begin = pointers.out().is_some() && !self.have_begin;
        let ask_taken = self.ask && pointers.command_ready(i.flush);

        let pointer_count = rows.wrapping_sub(i.first_row).wrapping_add(1);
        let elements = sent.is_some_and(|t| !t.empty);
        let run = run_sent.then_some(self.run);
        let commands = [self.ask.then_some((i.first_row, pointer_count)), run, run];
        let out_ready = [take_begin || row_done, elements, elements];
        for (n, words) in self.words.iter_mut().enumerate() {
            words.tick(&WordsIn {
                command: commands[n],
                flush: i.flush,
                req_ready: i.req_ready[n],
                rsp: i.rsp[n],
                out_ready: out_ready[n],
            });
        }
        let note = Length { empty: length == 0, skipped: self.skipped, length };
        let over = sent.is_some_and(|t| t.last);
        self.lengths.tick((row && !skips).then_some(note), over || i.flush);

        self.ask = (i.start || (self.ask && !ask_taken)) && !i.flush;
        if i.start || i.flush || over {
            self.done = 0;
        } else if sent.is_some() {
            self.done += 1;
        }
        if i.start || i.flush {
            self.skipped = 0;
        } else if row {
            self.skipped = if skips { self.skipped + 1 } else { 0 };
        }
        if first_run {
            self.run = (self.begin, length);
        } else if rest {
            self.run = (self.rest_start, rest_count);
        }
        if row_done && self.first {
            self.rest_start = end;
        }
        self.rest_due = ((row_done && self.first) || (self.rest_due && !rest)) && !i.flush;
        self.run_wanted = (first_run || rest_any || (self.run_wanted && !run_sent)) && !i.flush;
        if take_begin || row_done {
            self.begin = end;
        }
        if i.start || i.flush {
            self.have_begin = false;
        } else if take_begin {
            self.have_begin = true;
        }
        if i.start {
            self.repeat = i.passes;
        } else if row && self.first {
            self.repeat -= 1;
        }
        if i.start {
            (self.first, self.at_row) = (true, i.first_row);
        } else {
            if i.flush || row_done {
                self.first = false;
            }
            self.at_row += u32::from(row_done);
        }
    }
}
