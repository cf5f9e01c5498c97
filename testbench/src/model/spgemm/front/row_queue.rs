//! The tasks of rows, which may be read several times.

use std::collections::VecDeque;

/// A queue in block RAM of which a row can be read again and again before it is given up.
#[derive(Debug)]
pub(super) struct RowQueue<T> {
    kept: VecDeque<T>,
    depth: usize,
    /// Of those kept, not read yet.
    ahead: usize,
    held: Option<T>,
}

pub(super) struct RowQueueIn<T> {
    pub(super) offered: Option<T>,
    pub(super) out_ready: bool,
    pub(super) keep: bool,
    pub(super) rewind: bool,
    pub(super) clear: bool,
}

impl<T: Copy> RowQueue<T> {
    pub(super) fn new(depth: u32) -> Self {
        let depth = depth as usize;
        RowQueue { kept: VecDeque::with_capacity(depth), depth, ahead: 0, held: None }
    }

    pub(super) fn ready(&self) -> bool {
        self.kept.len() < self.depth
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.held.as_ref()
    }

    pub(super) fn any(&self) -> bool {
        self.held.is_some() || self.ahead != 0
    }

    pub(super) fn tick(&mut self, i: RowQueueIn<T>) {
        if i.clear {
            self.kept.clear();
            (self.ahead, self.held) = (0, None);
            return;
        }
        let room = self.ready();
        let pop = self.held.is_some() && i.out_ready;
        let fetch = self.ahead != 0 && (self.held.is_none() || pop) && !i.rewind;
        let next = fetch.then(|| self.kept[self.kept.len() - self.ahead]);
        if pop || i.rewind {
            self.held = None;
        }
        self.held = next.or(self.held);
        if pop && !i.keep {
            self.kept.pop_front();
        }
        self.ahead -= usize::from(fetch);
        if let Some(item) = i.offered.filter(|_| room) {
            self.kept.push_back(item);
            self.ahead += 1;
        }
        if i.rewind {
            self.ahead = self.kept.len();
        }
    }
}
