//! Rows and their sizes: a row leaves once it is known how much it will need.

use super::super::cells::{Fifo, Skid};
use super::super::control::{Expect, PRODUCT_BITS};
use super::pointers::Pointed;
use super::row_queue::{RowQueue, RowQueueIn};

/// Sizes queued, and how many may be in the pipeline before the queue.
const SIZES: u32 = 64;
const PIPELINE: u32 = 8;
/// Fraction bits of a division by a constant.
const SHARE: u32 = 20;
const MOST_PRODUCTS: u32 = (1 << PRODUCT_BITS) - 1;

/// A row of B to be multiplied by an element of A.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowTask {
    pub(super) last: bool,
    pub(super) start: u32,
    pub(super) length: u32,
    pub(super) left: u32,
}

/// What a row needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) skip: u32,
    pub(super) big: bool,
    pub(super) parts: u32,
    pub(super) products: u32,
    pub(super) bound: u32,
}

/// Queues tasks, sums up the products of each row, and says what a row needs.
#[derive(Debug)]
pub(super) struct RowSizes {
    limit: u32,
    queue: RowQueue<RowTask>,
    sizes: Fifo<Size>,
    head: Skid<Size>,
    sum: u32,
    announced: bool,
    /// Notes on their way; their products, ratio, expected entries.
    said: [Option<Size>; 5],
    products: u32,
    asked: (u32, u32),
    scaled: u32,
    expected: u32,
    /// A cycle later.
    expected_late: u32,
    parts: u32,
    fits_half: bool,
}

pub(super) struct RowSizesIn<'a> {
    pub(super) cols: u32,
    pub(super) flush: bool,
    pub(super) token: Option<&'a Pointed>,
    pub(super) in_row: bool,
    pub(super) row_ready: bool,
    pub(super) task_ready: bool,
    pub(super) keep: bool,
    pub(super) rewind: bool,
    pub(super) expect: &'a Expect,
}

impl RowSizes {
    pub(super) fn new(tasks: u32, limit: u32) -> Self {
        RowSizes {
            limit,
            queue: RowQueue::new(tasks),
            sizes: Fifo::new(SIZES),
            head: Skid::new(),
            sum: 0,
            announced: false,
            said: [None; 5],
            products: 0,
            asked: (0, 0),
            scaled: 0,
            expected: 0,
            expected_late: 0,
            parts: 0,
            fits_half: false,
        }
    }

    pub(super) fn size(&self) -> Option<&Size> {
        self.head.front()
    }

    pub(super) fn task(&self) -> Option<&RowTask> {
        self.queue.front()
    }

    fn waiting(&self) -> bool {
        self.sizes.valid() || self.head.valid()
    }

    pub(super) fn idle(&self) -> bool {
        !(self.announcing() || self.waiting() || self.queue.any())
    }

    fn announcing(&self) -> bool {
        self.said.iter().any(Option::is_some)
    }

    /// Returns whether the token was taken.
    pub(super) fn tick(&mut self, i: &RowSizesIn<'_>) -> bool {
        let limit = self.limit;
        let room = self.sizes.len() < (SIZES - PIPELINE) as usize;
        let accept = i.token.is_some() && self.queue.ready() && room && !i.flush;
        let last = accept && i.token.is_some_and(|t| t.last);
        // The queue is full of this one row: nothing leaves before its size is announced.
        let busy = i.in_row || self.waiting() || self.announcing() || i.flush;
        let stuck = !busy && !self.queue.ready() && i.token.is_some() && !self.announced;
        let announce = !self.announced && (stuck || last) && !i.flush;
        let length = i.token.map_or(0, |t| t.length);
        let (total, huge) = self.sum.overflowing_add(length);

        let note = i.token.filter(|_| announce).map(|token| {
            let over = limit < i.cols && (huge || limit < total);
            let many = huge || total > MOST_PRODUCTS;
            let products = if many { MOST_PRODUCTS } else { total };
            Size {
                skip: token.skip,
                big: over || stuck,
                parts: 1,
                products: if stuck { 0 } else { products },
                bound: if huge || i.cols < total { i.cols } else { total },
            }
        });
        if i.flush || last {
            self.sum = 0;
        } else if accept {
            self.sum = if huge { u32::MAX } else { total };
        }
        self.announced = !(i.flush || last) && (announce || self.announced);

        // Products, ratio, expected entries, passes: a register each.
        let size = self.said[4].map(|mut size| {
            if size.big && size.products != 0 {
                let parts = if self.parts >= 31 { 31 } else { self.parts + 1 };
                size.parts = if self.fits_half { 1 } else { parts };
                size.bound = if self.fits_half { self.expected_late } else { size.bound };
            }
            size
        });
        let share = u64::from((1u32 << SHARE) / limit.max(1));
        self.parts = ((u64::from(self.expected) * share) >> SHARE) as u32;
        self.fits_half = self.expected <= limit * 10 / 9;
        self.expected_late = self.expected;
        self.expected = self.scaled.min(i.cols);
        self.scaled = Expect::scaled(self.asked.0, self.asked.1);
        self.asked = (self.products, i.expect.ratio(self.products));
        self.products = note.map_or(self.products, |n| n.products);

        let head_ready = self.head.ready();
        self.head.tick(self.sizes.front().copied(), i.row_ready || i.flush);
        self.sizes.tick(size.filter(|_| !i.flush), head_ready);
        let [a, b, c, d, _] = self.said;
        let keep = |note: Option<Size>| note.filter(|_| !i.flush);
        self.said = [note, keep(a), keep(b), keep(c), keep(d)];

        let task = i.token.filter(|t| accept && (t.last || t.length != 0));
        self.queue.tick(RowQueueIn {
            offered: task.map(|t| RowTask {
                last: t.last,
                start: t.start,
                length: t.length,
                left: t.left,
            }),
            out_ready: i.task_ready,
            keep: i.keep,
            rewind: i.rewind,
            clear: i.flush,
        });
        accept
    }
}
