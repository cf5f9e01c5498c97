//! How many entries a row will have, learned from the rows before it.

/// Bits of a number of products.
pub(crate) const PRODUCT_BITS: u32 = 24;
/// Rows remembered.
const ROWS: usize = 4096;
/// Fraction bits of a ratio.
const RATIO: u32 = 12;
const FULL: u32 = (1 << RATIO) - 1;

#[derive(Clone, Copy, Debug, Default)]
struct Registers {
    steps: [bool; 6],
    entries: u32,
    read: u32,
    products: u32,
    class: u32,
    ratio: u32,
    guess: i64,
    error: i64,
    change: i64,
    seen: u32,
    spread: bool,
    clearing: bool,
    at: u32,
    value: u32,
}

/// Ratios of entries to products by class, `floor(log2(products))`.
#[derive(Debug)]
pub(crate) struct Expect {
    q: Registers,
    ratios: [u32; 32],
    rows: Box<[u32]>,
}

pub(crate) struct ExpectIn {
    pub(crate) reset: bool,
    /// A row on its way, and its products.
    pub(crate) note: Option<(u32, u32)>,
    /// A row and its entries.
    pub(crate) learn: Option<(u32, u32)>,
}

fn class(products: u32) -> u32 {
    products.checked_ilog2().unwrap_or(0)
}

impl Expect {
    pub(crate) fn new() -> Self {
        let rows = vec![0; ROWS].into_boxed_slice();
        Expect { q: Registers::default(), ratios: [0; 32], rows }
    }

    /// The ratio of rows with so many products.
    pub(crate) fn ratio(&self, products: u32) -> u32 {
        self.ratios[class(products) as usize]
    }

    /// Entries by products and ratio.
    pub(crate) fn scaled(products: u32, ratio: u32) -> u32 {
        ((u64::from(products) * u64::from(ratio)) >> RATIO) as u32
    }

    pub(crate) fn tick(&mut self, i: &ExpectIn) {
        let q = self.q;
        let busy = q.steps.iter().any(|s| *s);
        let free = !busy && !q.spread && !q.clearing && i.note.is_none() && !i.reset;
        let take = i.learn.filter(|_| free);
        let n = &mut self.q;
        if let Some((row, entries)) = take {
            n.entries = entries.min((1 << PRODUCT_BITS) - 1);
            n.read = self.rows[row as usize % ROWS];
        }
        if let Some((row, products)) = i.note {
            self.rows[row as usize % ROWS] = products;
        }
        if q.steps[0] {
            n.products = q.read;
        }
        if q.steps[1] {
            n.class = class(q.products);
        }
        if q.steps[2] {
            n.ratio = self.ratios[q.class as usize];
            n.guess = i64::from(q.products) * i64::from(n.ratio);
        }
        if q.steps[3] {
            n.error = (i64::from(q.entries) << RATIO) - q.guess;
        }
        if q.steps[4] {
            let first = q.seen >> q.class & 1 == 0;
            let slower = if first { 1 } else { if q.error < 0 { 4 } else { 2 } };
            n.change = q.error >> (q.class + slower);
        }
        let write = q.steps[5];
        let clamped = (i64::from(q.ratio) + q.change).clamp(0, i64::from(FULL)) as u32;
        let known = q.steps[1] && q.read != 0;
        let before = [take.is_some(), q.steps[0], known, q.steps[2], q.steps[3], q.steps[4]];
        n.steps = before.map(|b| b && !i.reset);

        // The classes above that have no rows of their own follow.
        let next = (q.value - (q.value >> 2) + (q.value >> 4)) & FULL;
        let spreads = q.spread && q.seen >> q.at & 1 == 0;
        n.spread = (write || (spreads && q.at != 31)) && !i.reset;
        n.clearing = i.reset || (q.clearing && q.at != 31);
        if i.reset {
            n.at = 0;
        } else if write {
            n.at = q.class + 1;
        } else if q.spread || q.clearing {
            n.at = (q.at + 1) & 31;
        }
        if write {
            n.value = clamped;
        } else if q.spread {
            n.value = next;
        }
        if i.reset {
            n.seen = 0;
        } else if write {
            n.seen |= 1 << q.class;
        }
        if q.clearing || write || spreads {
            let to = if write { q.class } else { q.at };
            self.ratios[to as usize] = if q.clearing {
                FULL
            } else if write {
                clamped
            } else {
                next
            };
        }
    }
}
