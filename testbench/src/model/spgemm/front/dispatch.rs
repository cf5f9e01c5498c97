//! Tasks to lanes, in chunks.

use super::lane::CHUNK;
use mattock_spec::config::Dispatch;

/// A part of a row of B for a window and row slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) seq: u32,
    pub(crate) row: u32,
    pub(crate) start: u32,
    pub(crate) length: u32,
    /// Every lane takes it, for a class of its columns each.
    pub(crate) spread: bool,
}

/// Cuts tasks into chunks and gives each to the lane with the fewest queued elements.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    line_words: u32,
    choice: Dispatch,
    /// The task being cut.
    task: Option<Task>,
    /// The chunk being handed over, and its lane.
    out: Option<(Task, usize)>,
    /// Window, row and lane of the last chunk, since a flush.
    last: Option<(u32, u32, usize)>,
}

pub(crate) struct DispatcherOut {
    pub(crate) task_ready: bool,
    /// Lane that took the chunk, and the chunk.
    pub(crate) handed: Option<(usize, Task)>,
}

impl Dispatcher {
    pub(crate) fn new(line_words: u32, choice: Dispatch) -> Self {
        Dispatcher { line_words, choice, task: None, out: None, last: None }
    }

    /// Windows of which chunks are here, a bit each.
    pub(crate) fn busy(&self) -> u32 {
        let bit = |task: Option<Task>| task.map_or(0, |t| 1 << t.seq);
        bit(self.task) | bit(self.out.map(|o| o.0))
    }

    pub(crate) fn idle(&self) -> bool {
        self.task.is_none() && self.out.is_none()
    }

    /// What moves, given which lanes are ready.
    pub(crate) fn moves(&self, ready: &[bool], flush: bool) -> DispatcherOut {
        let handed = self.out.filter(|(chunk, lane)| {
            let taken = if chunk.spread { ready.iter().all(|r| *r) } else { ready[*lane] };
            taken && !flush
        });
        let cut = self.task.filter(|_| (self.out.is_none() || handed.is_some()) && !flush);
        let fits = cut.is_some_and(|t| t.length <= self.room(&t));
        let task_ready = (self.task.is_none() || fits) && !flush;
        DispatcherOut { task_ready, handed: handed.map(|(chunk, lane)| (lane, chunk)) }
    }

    fn room(&self, task: &Task) -> u32 {
        CHUNK - task.start % self.line_words
    }

    pub(crate) fn tick(
        &mut self,
        task: Option<Task>,
        ordered: bool,
        lanes: &[(bool, u32)],
        flush: bool,
        moves: &DispatcherOut,
    ) {
        let handed = moves.handed.is_some();
        let cut = self.task.filter(|_| (self.out.is_none() || handed) && !flush);
        let next = cut.map(|task| {
            let chunk = Task { length: task.length.min(self.room(&task)), ..task };
            let load = |(l, &(ready, queued)): (usize, &(bool, u32))| {
                let coming = self.out.filter(|o| o.1 == l || o.0.spread).map_or(0, |o| o.0.length);
                (!ready, queued + coming)
            };
            let lane = match self.choice {
                Dispatch::Dynamic => (0..lanes.len()).min_by_key(|&l| load((l, &lanes[l]))),
                Dispatch::Static => Some(task.row as usize % lanes.len()),
            };
            let lane = lane.unwrap_or(0);
            let same = self.last.filter(|l| (l.0, l.1) == (chunk.seq, chunk.row));
            let stays = same.filter(|_| ordered && !chunk.spread);
            let lane = stays.map_or(lane, |(_, _, lane)| lane);
            self.last = Some((chunk.seq, chunk.row, lane));
            (chunk, lane)
        });
        match next {
            Some(out) => self.out = Some(out),
            None if handed || flush => self.out = None,
            None => {}
        }
        if let (Some((chunk, _)), Some(rest)) = (next, &mut self.task) {
            rest.start += chunk.length;
            rest.length -= chunk.length;
            if rest.length == 0 {
                self.task = None;
            }
        }
        if flush {
            (self.task, self.last) = (None, None);
        } else if moves.task_ready && task.is_some() {
            self.task = task;
        }
    }
}
