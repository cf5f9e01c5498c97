//! Emptying one half of a bank.

use super::tags::Tags;

/// Walks the buckets of a half, clears them and streams their keys.
#[derive(Debug)]
pub(super) struct Walk {
    buckets: u32,
    walking: bool,
    half: bool,
    silent: bool,
    /// The bucket being emptied and its ways still to go, a bit each.
    word: Vec<u64>,
    left: u32,
    out: Option<u64>,
    /// The bucket after it.
    reading: bool,
    next: u32,
    waits: Option<u32>,
}

impl Walk {
    pub(super) fn new(buckets: u32) -> Self {
        Walk {
            buckets,
            walking: false,
            half: false,
            silent: false,
            word: vec![],
            left: 0,
            out: None,
            reading: false,
            next: 0,
            waits: None,
        }
    }

    pub(super) fn walking(&self) -> bool {
        self.walking
    }

    pub(super) fn out(&self) -> Option<u64> {
        self.out
    }

    /// A cycle; `start` names the half and whether its entries go nowhere.
    pub(super) fn tick(&mut self, tags: &mut Tags, start: Option<(bool, bool)>, out_ready: bool) {
        let working = self.reading || self.waits.is_some() || self.left != 0 || self.out.is_some();
        let advance = self.out.is_none() || out_ready;
        let emit = self.left != 0 && advance;
        let left_after = if emit { self.left & (self.left - 1) } else { self.left };
        let load = self.waits.filter(|_| left_after == 0);
        let fetch = self.reading && (self.waits.is_none() || load.is_some());
        if advance {
            self.out = emit.then(|| self.word[self.left.trailing_zeros() as usize]);
        }
        self.left = left_after;
        if let Some(bucket) = load {
            tags.take_bucket(self.half, bucket, &mut self.word);
            if !self.silent {
                let used = self.word.iter().enumerate().filter(|(_, key)| Tags::is_used(**key));
                self.left = used.fold(0, |bits, (way, _)| bits | 1 << way);
            }
            self.waits = None;
        }
        self.walking = start.is_some() || (self.walking && working);
        if fetch {
            self.waits = Some(self.next);
            self.reading = self.next != self.buckets - 1;
            self.next = (self.next + 1) & (self.buckets - 1);
        }
        if let Some((half, silent)) = start {
            (self.half, self.silent, self.reading) = (half, silent, true);
        }
    }
}
