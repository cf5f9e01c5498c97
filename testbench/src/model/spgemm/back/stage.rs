//! One stage of a rate-one merge sorter.

use super::super::cells::{BlockFifo, Fifo, Skid};
use super::Beat;

/// Short runs sit in LUT RAM, long ones in block RAM.
#[derive(Debug)]
enum Queue {
    Short(Fifo<Beat>),
    Long(BlockFifo<Beat>),
}

impl Queue {
    fn new(run: u32) -> Self {
        if run <= 16 {
            Queue::Short(Fifo::new((2 * run).max(4)))
        } else {
            Queue::Long(BlockFifo::new(run))
        }
    }

    fn ready(&self) -> bool {
        match self {
            Queue::Short(q) => q.ready(),
            Queue::Long(q) => q.ready(),
        }
    }

    fn front(&self) -> Option<Beat> {
        match self {
            Queue::Short(q) => q.front().copied(),
            Queue::Long(q) => q.front().copied(),
        }
    }

    fn tick(&mut self, offered: Option<Beat>, take: bool) {
        match self {
            Queue::Short(q) => q.tick(offered, take),
            Queue::Long(q) => q.tick(offered, take),
        };
    }
}

/// Merges pairs of runs of `run` entries into runs of twice that length.
#[derive(Debug)]
pub(super) struct MergeStage {
    run: u32,
    side: usize,
    filled: u32,
    queues: [Queue; 2],
    taken: [u32; 2],
    out: Skid<Beat>,
    /// Beats inside; an end mark in both queues counts twice.
    inside: u32,
}

impl MergeStage {
    pub(super) fn new(run: u32) -> Self {
        let queues = [Queue::new(run), Queue::new(run)];
        MergeStage { run, side: 0, filled: 0, queues, taken: [0; 2], out: Skid::new(), inside: 0 }
    }

    pub(super) fn out(&self) -> Option<Beat> {
        self.out.front().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inside == 0
    }

    /// Whether the beat offered can be taken.
    pub(super) fn ready(&self, offered: Option<Beat>) -> bool {
        match offered {
            Some(Beat::End) => self.queues[0].ready() && self.queues[1].ready(),
            _ => self.queues[self.side].ready(),
        }
    }

    pub(super) fn tick(&mut self, offered: Option<Beat>, out_ready: bool) {
        let accepted = offered.filter(|_| self.ready(offered));
        let heads = [self.queues[0].front(), self.queues[1].front()];
        let spent = self.taken.map(|n| n == self.run);
        let is_end = [0, 1].map(|i| heads[i] == Some(Beat::End));
        let done = [spent[0] || is_end[0], spent[1] || is_end[1]];
        let key = |i: usize| match heads[i] {
            Some(Beat::Entry(key)) if !spent[i] => Some(key),
            _ => None,
        };
        let keys = [key(0), key(1)];
        // The smaller head leaves, once the other side's is known or over.
        let pick = match keys {
            [Some(a), Some(b)] if !done[0] && !done[1] => Some(usize::from(b < a)),
            [Some(_), _] if done[1] => Some(0),
            [_, Some(_)] if done[0] => Some(1),
            _ => None,
        };
        let finish = is_end == [true, true];
        let go = self.out.ready();
        let beat = match pick {
            Some(i) => heads[i],
            None if finish => Some(Beat::End),
            None => None,
        };
        let leaves = [0, 1].map(|i| go && (pick == Some(i) || finish));

        let run_full = self.filled == self.run - 1;
        for (i, leaves) in leaves.into_iter().enumerate() {
            let mine = accepted.filter(|beat| *beat == Beat::End || self.side == i);
            self.inside += u32::from(mine.is_some());
            self.inside -= u32::from(leaves);
            self.queues[i].tick(mine, leaves);
        }
        match accepted {
            Some(Beat::End) => (self.side, self.filled) = (0, 0),
            Some(_) if run_full => (self.side, self.filled) = (1 - self.side, 0),
            Some(_) => self.filled += 1,
            None => {}
        }
        if go && let Some(i) = pick {
            self.taken[i] += 1;
        }
        if go && (finish || self.taken == [self.run; 2]) {
            self.taken = [0; 2];
        }
        self.inside += u32::from(go && beat.is_some());
        self.inside -= u32::from(out_ready && self.out.valid());
        self.out.tick(beat, out_ready);
    }
}
