//! Merging two sorted streams several entries a cycle (FLiMS).

use super::super::cells::Fifo;

/// Most entries of a beat.
pub(super) const WIDEST: usize = 16;
/// Key of a pad, which fills up the last beats of a batch.
pub(super) const PAD: u64 = u64::MAX;

/// Sorted keys, or the end mark of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WideBeat {
    pub(super) end: bool,
    pub(super) keys: [u64; WIDEST],
}

/// A head of a queue.
#[derive(Clone, Copy, Debug)]
enum Head {
    Key(u64),
    End,
}

/// One input, dealt over `width` queues.
#[derive(Debug)]
struct Side {
    upper: bool,
    queues: Vec<Fifo<Head>>,
}

impl Side {
    fn new(width: usize) -> Self {
        Side { upper: false, queues: (0..width).map(|_| Fifo::new(4)).collect() }
    }

    fn ready(&self, end: bool) -> bool {
        let half = self.queues.len() / 2;
        let queues = match (end, self.upper) {
            (true, _) => &self.queues[..],
            (false, true) => &self.queues[half..],
            (false, false) => &self.queues[..half],
        };
        queues.iter().all(Fifo::ready)
    }

    fn tick(&mut self, offered: Option<&WideBeat>, takes: &[bool]) {
        let half = self.queues.len() / 2;
        let accepted = offered.filter(|beat| self.ready(beat.end));
        let upper = self.upper;
        for (i, queue) in self.queues.iter_mut().enumerate() {
            let item = accepted.and_then(|beat| match beat.end {
                true => Some(Head::End),
                false => ((i >= half) == upper).then(|| Head::Key(beat.keys[i % half])),
            });
            queue.tick(item, takes[i]);
        }
        if let Some(beat) = accepted {
            self.upper = !beat.end && !upper;
        }
    }
}

/// Merges two sorted streams of `width / 2` entries a beat into one of `width`.
#[derive(Debug)]
pub(super) struct WideMerge {
    width: usize,
    sides: [Side; 2],
    /// The register behind the choice and those of the network, the output last.
    stages: Vec<Option<WideBeat>>,
}

impl WideMerge {
    pub(super) fn new(width: u32) -> Self {
        let stages = vec![None; 1 + width.ilog2() as usize];
        let width = width as usize;
        WideMerge { width, sides: [Side::new(width), Side::new(width)], stages }
    }

    pub(super) fn out(&self) -> Option<&WideBeat> {
        self.stages.last().and_then(Option::as_ref)
    }

    pub(super) fn ready(&self, side: usize, end: bool) -> bool {
        self.sides[side].ready(end)
    }

    pub(super) fn tick(&mut self, offered: [Option<&WideBeat>; 2], out_ready: bool) {
        let w = self.width;
        let advance = self.out().is_none() || out_ready;
        let mut takes = [[false; WIDEST]; 2];
        if advance {
            let beat = self.choose(&mut takes);
            self.stages.rotate_right(1);
            self.stages[0] = beat;
        }
        for (side, queues) in self.sides.iter_mut().enumerate() {
            queues.tick(offered[side], &takes[side][..w]);
        }
    }

    /// Unit `i` compares the head of queue `i` of the first input with that of `width - 1 - i` of the second. What is
    /// taken is bitonic, and the network puts it in order.
    fn choose(&self, takes: &mut [[bool; WIDEST]; 2]) -> Option<WideBeat> {
        let w = self.width;
        let mut heads = [[Head::End; WIDEST]; 2];
        for (heads, side) in heads.iter_mut().zip(&self.sides) {
            for (head, queue) in heads.iter_mut().zip(&side.queues) {
                *head = *queue.front()?;
            }
        }
        let is_end = |head: &Head| matches!(head, Head::End);
        let mut keys = [PAD; WIDEST];
        if heads.iter().all(|side| side[..w].iter().all(is_end)) {
            takes.iter_mut().for_each(|side| side[..w].fill(true));
            return Some(WideBeat { end: true, keys });
        }
        let key = |head: Head| match head {
            Head::Key(key) => key,
            Head::End => PAD,
        };
        for i in 0..w {
            let (a, b) = (heads[0][i], heads[1][w - 1 - i]);
            // A pad that came as an entry must leave its queue, so it goes before an end mark.
            let second = key(b) < key(a) || (is_end(&a) && !is_end(&b));
            if second {
                takes[1][w - 1 - i] = !is_end(&b);
            } else {
                takes[0][i] = !is_end(&a);
            }
            keys[i] = key(if second { b } else { a });
        }
        keys[..w].sort_unstable();
        Some(WideBeat { end: false, keys })
    }
}
