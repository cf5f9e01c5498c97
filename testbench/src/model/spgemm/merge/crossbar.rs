//! Crossbar with a look-ahead window at each lane.

use super::Product;
use std::collections::VecDeque;

/// Products that may still arrive after `space` has fallen, and the one it allows itself.
pub(super) const IN_FLIGHT: u32 = 4;

/// Sends any product whose bank is granted, the oldest first.
#[derive(Debug)]
struct Window {
    depth: usize,
    items: VecDeque<Product>,
    /// Banks granted, a bit each.
    grants: u64,
    chosen: Option<Product>,
    sent: Option<Product>,
}

impl Window {
    fn wants(&self) -> u64 {
        self.items.iter().fold(0, |bits, p| bits | 1 << p.bank)
    }

    fn tick(&mut self, offered: Option<Product>, grants: u64) {
        let room = self.items.len() < self.depth;
        self.sent = self.chosen.take();
        if self.grants != 0 {
            let mut items = self.items.iter();
            let place = items.position(|p| self.grants >> p.bank & 1 == 1);
            self.chosen = place.and_then(|place| self.items.remove(place));
        }
        if room {
            self.items.extend(offered);
        }
        self.grants = grants;
    }
}

#[derive(Debug)]
pub(super) struct Crossbar {
    windows: Vec<Window>,
    /// Banks whose turn begins at each lane.
    starts: Vec<u64>,
}

impl Crossbar {
    pub(super) fn new(lanes: u32, banks: u32, look_ahead: u32) -> Self {
        let depth = look_ahead as usize;
        let window = |_| Window {
            depth,
            items: VecDeque::with_capacity(depth),
            grants: 0,
            chosen: None,
            sent: None,
        };
        let start = |lane| {
            let mine = (0..banks).filter(|bank| bank % lanes == lane);
            mine.fold(0, |bits, bank| bits | 1 << bank)
        };
        Crossbar {
            windows: (0..lanes).map(window).collect(),
            starts: (0..lanes).map(start).collect(),
        }
    }

    pub(super) fn ready(&self, lane: usize) -> bool {
        self.windows[lane].items.len() < self.windows[lane].depth
    }

    /// The products that arrive at their banks.
    pub(super) fn out(&self) -> impl Iterator<Item = Product> + '_ {
        self.windows.iter().filter_map(|w| w.sent)
    }

    /// A cycle: products by lane; banks with room, a bit each.
    pub(super) fn tick(&mut self, offered: &[Option<Product>], space: u64) {
        let lanes = self.windows.len();
        let mut wants = [0u64; 16];
        let mut any = 0;
        for (lane, window) in self.windows.iter().enumerate() {
            wants[lane] = window.wants() & space;
            any |= wants[lane];
        }
        let mut grants = [0u64; 16];
        if lanes == 1 {
            grants[0] = wants[0];
        } else if any != 0 {
            // A bank is granted to the first lane from its turn on that wants it.
            let mut taken = 0;
            for ahead in 0..lanes {
                let before = taken;
                for lane in 0..lanes {
                    let turn = self.starts[(lane + lanes - ahead) % lanes];
                    let mine = wants[lane] & turn & !before;
                    grants[lane] |= mine;
                    taken |= mine;
                }
            }
        }
        self.starts.rotate_right(1);
        for (lane, window) in self.windows.iter_mut().enumerate() {
            window.tick(offered[lane], grants[lane]);
        }
    }
}
