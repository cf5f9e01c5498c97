//! The windows under way.

/// The planner begins a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) seq: u32,
    pub(crate) row: u32,
    pub(crate) single: bool,
    pub(crate) pass: u32,
    pub(crate) ranged: bool,
    pub(crate) stack: bool,
}

/// The planner's last task of a window has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Close {
    pub(crate) seq: u32,
    pub(crate) rows: u32,
    pub(crate) reals: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    active: bool,
    ended: bool,
    row: u32,
    single: bool,
    pass: u32,
    ranged: bool,
    stack: bool,
    rows: u32,
    reals: u32,
    chunks: u32,
    bad: bool,
}

/// What is known of each of the four windows, and when the oldest is complete.
#[derive(Debug)]
pub(crate) struct WindowTable {
    windows: [Window; 4],
    /// Windows whose products may be in the merge core: 2, or 1, the oldest.
    open_windows: u32,
    oldest: u32,
    settled: u32,
}

/// The oldest window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oldest {
    pub(crate) seq: u32,
    pub(crate) complete: bool,
    pub(crate) bad: bool,
    pub(crate) none: bool,
    pub(crate) single: bool,
    pub(crate) ended: bool,
    pub(crate) row: u32,
    pub(crate) rows: u32,
    pub(crate) reals: u32,
    pub(crate) ranged: bool,
    pub(crate) pass: u32,
    pub(crate) stack: bool,
}

pub(crate) struct WindowTableIn<'a> {
    pub(crate) restart: bool,
    pub(crate) retire: bool,
    pub(crate) open: Option<Open>,
    pub(crate) close: Option<Close>,
    /// A bit for each window of which the dispatcher holds chunks.
    pub(crate) in_dispatch: u32,
    /// Window of the chunk taken, and by how many lanes.
    pub(crate) dispatched: Option<(u32, u32)>,
    /// Windows of the chunks finished, by lane.
    pub(crate) done: &'a [Option<u32>],
    pub(crate) busy: [bool; 2],
    pub(crate) overflow: [bool; 2],
}

impl WindowTable {
    pub(crate) fn new(open_windows: u32) -> Self {
        WindowTable { open_windows, windows: [Window::default(); 4], oldest: 0, settled: 0 }
    }

    /// A half belongs to the oldest window of its parity.
    fn is_current(&self, seq: u32) -> bool {
        seq == self.oldest || seq == (self.oldest + 1) & 3
    }

    /// No window of that number, a bit each.
    pub(crate) fn free(&self) -> u32 {
        (0..4).filter(|&s| !self.windows[s].active).fold(0, |bits, s| bits | 1 << s)
    }

    /// Its elements may leave the lanes, a bit each.
    pub(crate) fn lanes_open(&self) -> u32 {
        (0..4u32)
            .filter(|&s| self.windows[s as usize].active && self.is_current(s))
            .filter(|&s| self.open_windows == 2 || s == self.oldest)
            .fold(0, |bits, s| bits | 1 << s)
    }

    fn still(&self, in_dispatch: u32, busy: [bool; 2]) -> bool {
        let w = &self.windows[self.oldest as usize];
        let waits = in_dispatch >> self.oldest & 1 == 1 || busy[self.oldest as usize & 1];
        w.active && w.ended && w.chunks == 0 && !waits
    }

    /// The oldest window; `complete` as it is while nothing retires.
    pub(crate) fn oldest(&self, in_dispatch: u32, busy: [bool; 2]) -> Oldest {
        let w = &self.windows[self.oldest as usize];
        Oldest {
            seq: self.oldest,
            complete: self.settled == 7 && self.still(in_dispatch, busy),
            bad: w.bad && w.active,
            none: self.windows.iter().all(|w| !w.active),
            single: w.single,
            ended: w.ended,
            row: w.row,
            rows: w.rows,
            reals: w.reals,
            ranged: w.ranged && w.active,
            pass: w.pass,
            stack: w.stack,
        }
    }

    pub(crate) fn tick(&mut self, i: &WindowTableIn<'_>) {
        let still = self.still(i.in_dispatch, i.busy) && !i.retire;
        self.settled = if still { (self.settled + 1).min(7) } else { 0 };
        for s in 0..4u32 {
            let (old, current) = (s == self.oldest, self.is_current(s));
            let open = i.open.filter(|o| o.seq == s);
            let close = i.close.filter(|c| c.seq == s);
            let w = &mut self.windows[s as usize];
            let lost = i.overflow[s as usize & 1] && current && w.active;
            if i.restart || (i.retire && old) {
                w.active = false;
            } else if open.is_some() {
                w.active = true;
            }
            if i.restart || open.is_some() {
                w.ended = false;
                w.bad = false;
            } else {
                w.ended |= close.is_some();
                w.bad |= lost;
            }
            if let Some(Open { row, single, pass, ranged, stack, .. }) = open {
                (w.row, w.single, w.pass, w.ranged, w.stack) = (row, single, pass, ranged, stack);
            }
            if let Some(Close { rows, reals, .. }) = close {
                (w.rows, w.reals) = (rows, reals);
            }
            let new = i.dispatched.filter(|d| d.0 == s).map_or(0, |d| d.1);
            let over = i.done.iter().filter(|d| **d == Some(s)).count() as u32;
            w.chunks = if i.restart { 0 } else { (w.chunks + new).wrapping_sub(over) & 0xffff };
        }
        if i.retire {
            self.oldest = (self.oldest + 1) & 3;
        }
    }
}
