//! Sorted entries to C in memory.

use super::super::cells::{Fifo, RoundRobin};
use super::packer::Packer;
use super::sorter::Sorted;

/// Rows of a window, and whether no further pass over its last row follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) rows: u32,
    pub(crate) whole: bool,
}

/// Writes row pointers, columns and values of C as lines, batch after batch.
#[derive(Debug)]
pub(crate) struct RowWriter {
    batches: Fifo<Batch>,
    row: u32,
    position: u32,
    /// Row pointers, columns, values.
    packers: [Packer; 3],
    arbiter: RoundRobin,
    first_due: bool,
    overflow: bool,
    rows_done: u32,
    row_began: u32,
    learn: Option<(u32, u32)>,
}

pub(crate) struct WriterIn {
    pub(crate) start: bool,
    pub(crate) finish: bool,
    pub(crate) capacity: u32,
    pub(crate) batch: Option<Batch>,
    pub(crate) sorted: Option<Sorted>,
    pub(crate) write_ready: bool,
}

pub(crate) struct WriterOut {
    /// The beat was taken.
    pub(crate) in_ready: bool,
    /// A line goes to memory.
    pub(crate) line: bool,
}

/// What the beat at the entrance does.
#[derive(Clone, Copy)]
struct Decision {
    step: bool,
    take: bool,
    at_end: bool,
    before: u32,
}

impl RowWriter {
    pub(crate) fn new(line_words: u32) -> Self {
        RowWriter {
            batches: Fifo::new(4),
            row: 0,
            position: 0,
            packers: [0; 3].map(|_| Packer::new(line_words)),
            arbiter: RoundRobin::new(3),
            first_due: false,
            overflow: false,
            rows_done: 0,
            row_began: 0,
            learn: None,
        }
    }

    pub(crate) fn batch_ready(&self) -> bool {
        self.batches.ready()
    }

    pub(crate) fn nnz(&self) -> u32 {
        self.position
    }

    /// A row, by its number in this C, and its entries.
    pub(crate) fn learn(&self) -> Option<(u32, u32)> {
        self.learn
    }

    pub(crate) fn idle(&self) -> bool {
        self.packers.iter().all(Packer::idle) && !self.batches.valid() && !self.first_due
    }

    /// Rows end where the slot of an entry passes the current one; each end yields one pointer.
    fn decide(&self, sorted: Option<&Sorted>) -> Decision {
        let none = Decision { step: false, take: false, at_end: false, before: 0 };
        let (Some(beat), Some(batch)) = (sorted, self.batches.front()) else { return none };
        let slot = |key: u64| (key >> 32) as u32 & 0x1ff;
        let keys = &beat.keys[..beat.count];
        let before = keys.iter().filter(|key| self.row >= slot(**key)).count() as u32;
        let last = keys.last().map_or(0, |key| slot(*key));
        let next = (self.row + 1) & 0x1ff;
        let (steps, over) = match beat.end {
            true => (batch.whole && self.row < batch.rows, !batch.whole || next >= batch.rows),
            false => (self.row < last, next >= last),
        };
        let room = beat.end || (self.packers[1].ready() && self.packers[2].ready());
        let step = steps && self.packers[0].ready() && !self.first_due && room;
        let take = (!steps && room) || (step && over);
        Decision { step, take, at_end: beat.end, before }
    }

    pub(crate) fn tick(&mut self, i: &WriterIn) -> WriterOut {
        let d = self.decide(i.sorted.as_ref());
        let requests = (0..3).fold(0, |bits, n| bits | u32::from(self.packers[n].request()) << n);
        let granted = self.arbiter.grant(requests);
        let line = granted.filter(|_| i.write_ready);
        if let Some(n) = line {
            self.arbiter.served(n);
        }
        let quiet = i.finish && i.sorted.is_none() && !self.batches.valid() && !self.first_due;

        let count = i.sorted.map_or(0, |s| s.count as u32);
        let entries = d.take && !d.at_end;
        let end_position = self.position.wrapping_add(count);
        let too_many = self.overflow || i.capacity < end_position;
        let write = (entries && !too_many).then_some(count);
        let pointer = self.position.wrapping_add(if d.at_end { 0 } else { d.before });
        let pointer_ready = self.packers[0].ready();
        let words = [(self.first_due || d.step).then_some(1), write, write];
        for (n, packer) in self.packers.iter_mut().enumerate() {
            packer.tick(i.start, words[n], quiet, line == Some(n as u32));
        }
        self.batches.tick(i.batch, d.take && d.at_end);

        self.learn = d.step.then(|| (self.rows_done, pointer.wrapping_sub(self.row_began)));
        if i.start {
            self.first_due = true;
            self.overflow = false;
            (self.row, self.position, self.rows_done, self.row_began) = (0, 0, 0, 0);
        } else {
            self.first_due &= !pointer_ready;
            self.overflow |= entries && too_many;
            if d.take && d.at_end {
                self.row = 0;
            } else if d.step {
                self.row = (self.row + 1) & 0x1ff;
            }
            if entries {
                self.position = end_position;
            }
            if d.step {
                self.rows_done += 1;
                self.row_began = pointer;
            }
        }
        WriterOut { in_ready: d.take, line: line.is_some() }
    }
}
