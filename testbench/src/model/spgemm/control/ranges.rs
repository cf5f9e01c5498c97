//! The column ranges of one row that are still to be done.

/// Upper bounds on a stack, the next range on top.
#[derive(Debug)]
pub(super) struct Ranges {
    stack: [u64; 64],
    depth: u32,
    low: u64,
    /// A split under way: place and lower bound, then also the upper bound, then the middle.
    read: Option<(u32, u64, u64)>,
    write: Option<(u32, u64, u64)>,
}

pub(super) struct RangesIn {
    pub(super) first_col: u64,
    pub(super) end_col: u64,
    pub(super) clear: bool,
    /// The top range ends there, a new one follows.
    pub(super) push: Option<u64>,
    pub(super) pass: u32,
    pub(super) split: bool,
}

impl Ranges {
    pub(super) fn new() -> Self {
        Ranges { stack: [0; 64], depth: 0, low: 0, read: None, write: None }
    }

    pub(super) fn count(&self) -> u32 {
        self.depth
    }

    /// Lower and upper bound of a pass.
    pub(super) fn range(&self, pass: u32) -> (u64, u64) {
        let place = self.depth.wrapping_sub(pass) & 63;
        let upper = self.stack[(place.wrapping_sub(1) & 63) as usize];
        let lo = if pass == 0 { self.low } else { self.stack[place as usize] };
        (lo, upper)
    }

    pub(super) fn tick(&mut self, i: &RangesIn) {
        let (lo, upper) = self.range(i.pass);
        let place = self.depth.wrapping_sub(i.pass) & 63;
        let write = self.write.take();
        if let Some((place, lo, upper)) = self.read.take() {
            let half = ((upper.wrapping_sub(lo)) >> 1).max(1);
            self.write = Some((place, lo, lo + half));
        }
        if i.split {
            self.read = Some((place, lo, upper));
        }
        if i.clear {
            self.stack[0] = i.end_col;
            (self.depth, self.low) = (1, i.first_col);
        } else if let Some((at, from, middle)) = write {
            self.stack[at as usize] = middle;
            (self.depth, self.low) = ((at + 1) & 63, from);
        } else if let Some(bound) = i.push {
            self.stack[self.depth as usize] = bound;
            self.depth = (self.depth + 1) & 63;
        }
    }
}
