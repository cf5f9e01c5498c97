//! The whole sorter: chains, then a tree of wide mergers.

use super::Beat;
use super::chain::Chain;
use super::merge::{PAD, WIDEST, WideBeat, WideMerge};

/// A beat of sorted entries: row slot and column each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sorted {
    pub(crate) end: bool,
    pub(crate) count: usize,
    pub(crate) keys: [u64; WIDEST],
}

/// Streams in, as many sorted entries a cycle out.
#[derive(Debug)]
pub(crate) struct Sorter {
    chains: Vec<Chain>,
    /// Mergers, those of two entries a beat first.
    levels: Vec<Vec<WideMerge>>,
}

impl Sorter {
    pub(crate) fn new(width: u32, entries: u32) -> Self {
        let mergers =
            |level: u32| (0..width >> level).map(|_| WideMerge::new(1 << level)).collect();
        Sorter {
            chains: (0..width).map(|_| Chain::new(entries)).collect(),
            levels: (1..=width.ilog2()).map(mergers).collect(),
        }
    }

    pub(crate) fn ready(&self, stream: usize, offered: Option<Beat>) -> bool {
        self.chains[stream].ready(offered)
    }

    fn wide(beat: Beat) -> WideBeat {
        let mut keys = [PAD; WIDEST];
        if let Beat::Entry(key) = beat {
            keys[0] = key;
        }
        WideBeat { end: beat == Beat::End, keys }
    }

    pub(crate) fn out(&self) -> Option<Sorted> {
        let beat = match self.levels.last() {
            Some(last) => *last[0].out()?,
            None => Self::wide(self.chains[0].out()?),
        };
        let count = beat.keys.iter().filter(|key| **key != PAD && !beat.end).count();
        Some(Sorted { end: beat.end, count, keys: beat.keys })
    }

    pub(crate) fn tick(&mut self, offered: &[Option<Beat>], out_ready: bool) {
        // From the last level on, as in a chain.
        let mut ready = [false; WIDEST];
        ready[0] = out_ready;
        for level in (0..self.levels.len()).rev() {
            let (below, above) = self.levels.split_at_mut(level);
            let mut takes = [false; WIDEST];
            for (n, merge) in above[0].iter_mut().enumerate() {
                let from_chain = [0, 1].map(|side| match below.last() {
                    Some(_) => None,
                    None => self.chains[2 * n + side].out().map(Self::wide),
                });
                let sources = [0, 1].map(|side| match below.last() {
                    Some(below) => below[2 * n + side].out(),
                    None => from_chain[side].as_ref(),
                });
                for side in 0..2 {
                    takes[2 * n + side] = merge.ready(side, sources[side].is_some_and(|b| b.end));
                }
                merge.tick(sources, ready[n]);
            }
            ready = takes;
        }
        for (n, chain) in self.chains.iter_mut().enumerate() {
            chain.tick(offered[n], ready[n]);
        }
    }
}
