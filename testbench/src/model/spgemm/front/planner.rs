//! Packs rows into windows.

use super::super::Command;
use super::super::control::{Close, Expect, Open};
use super::dispatch::Task;
use super::pointers::Pointed;
use super::sizes::{RowSizes, RowSizesIn, Size};

/// Products of a row from which on lanes share its columns, in order.
const SPREAD: u32 = 256;

#[derive(Clone, Copy, Debug)]
struct Registers {
    seq: u32,
    opened: bool,
    single: bool,
    filled: u32,
    count: u32,
    reals: u32,
    most: u32,
    row: u32,
    pass: u32,
    admitted: bool,
    in_ranges: bool,
    in_row: bool,
    /// In order, lanes share the columns of the current row.
    spread: bool,
    absorbed: bool,
    rereads: bool,
    asked: u32,
    row_sent: u32,
    row_left: u32,
    /// What a window may hold now: mean size of a row, and the registers from it to the limit.
    mean: u32,
    far: bool,
    ahead: u32,
    limit: u32,
}

/// Decides which rows share a window and emits tasks with their window and row slot.
#[derive(Debug)]
pub(crate) struct Planner {
    q: Registers,
    most_entries: u32,
    sizes: RowSizes,
}

pub(crate) struct PlannerIn<'a> {
    pub(crate) start: bool,
    pub(crate) flush: bool,
    pub(crate) first_row: u32,
    pub(crate) first_seq: u32,
    pub(crate) max_rows: u32,
    pub(crate) ranged: bool,
    pub(crate) passes: u32,
    pub(crate) token: Option<&'a Pointed>,
    pub(crate) expect: &'a Expect,
    pub(crate) can_plan: bool,
    pub(crate) planned: bool,
    pub(crate) plan_passes: u32,
    /// The stack of ranges in use.
    pub(crate) stack: bool,
    /// Window numbers that are free, a bit each.
    pub(crate) free: u32,
    pub(crate) task_ready: bool,
    /// There are several lanes.
    pub(crate) shares: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PlannerOut {
    /// The token was taken.
    pub(crate) in_ready: bool,
    pub(crate) task: Option<Task>,
    pub(crate) open: Option<Open>,
    pub(crate) close: Option<Close>,
    /// Ranges wanted.
    pub(crate) plan: Option<u32>,
    /// A row leaves, and its products.
    pub(crate) note: Option<(u32, u32)>,
}

impl Planner {
    pub(crate) fn new(tasks: u32, limit: u32) -> Self {
        let q = Registers {
            seq: 0,
            opened: false,
            single: false,
            filled: 0,
            count: 0,
            reals: 0,
            most: 256,
            row: 0,
            pass: 0,
            admitted: false,
            in_ranges: false,
            in_row: false,
            spread: false,
            absorbed: false,
            rereads: false,
            asked: 0,
            row_sent: 0,
            row_left: 0,
            mean: 0,
            far: false,
            ahead: 0,
            limit: 0,
        };
        Planner { q, most_entries: limit, sizes: RowSizes::new(tasks, limit) }
    }

    /// The pass that a window opened now is.
    pub(crate) fn pass(&self) -> u32 {
        self.q.pass
    }

    /// Elements of the current row sent and to come; rows of the current window, and those that may have elements.
    pub(crate) fn progress(&self) -> [u32; 4] {
        let q = &self.q;
        [q.row_sent, q.row_left, q.count, q.reals]
    }

    pub(crate) fn finished(&self, end_row: u32, flush: bool) -> bool {
        let q = &self.q;
        let at_row = !q.in_row && !flush;
        !q.opened && at_row && q.row == end_row && self.sizes.size().is_none()
    }

    pub(crate) fn idle(&self) -> bool {
        self.sizes.idle() && !self.q.opened && !self.q.in_row
    }

    pub(crate) fn tick(&mut self, command: &Command<'_>, i: &PlannerIn<'_>) -> PlannerOut {
        let q = self.q;
        let rows = command.end_row;
        let (size, task) = (self.sizes.size().copied(), self.sizes.task().copied());
        let has_size = size.is_some();
        let alone = size.is_some_and(|s| s.big) || q.in_ranges;
        let may_join = |s: Size| s.parts == 1 && s.products != 0 && q.count == q.reals;
        let apart = size.is_some_and(|s| s.big && !may_join(s)) || q.in_ranges;
        let entries = size.map_or(0, |s| s.bound);
        let skip = if q.absorbed { 0 } else { size.map_or(0, |s| s.skip) };
        let ahead = skip != 0;
        let with_skip = q.count + skip;
        let fits = u64::from(q.filled) + u64::from(entries) <= u64::from(q.limit);
        let joins = q.opened
            && !q.single
            && !apart
            && fits
            && q.reals < q.most
            && q.count & 256 == 0
            && !ahead;
        let at_row = !q.in_row && !i.flush;
        let absorb = at_row
            && has_size
            && ahead
            && q.opened
            && !q.single
            && !q.admitted
            && q.reals < q.most
            && with_skip <= 256;
        let blocked = at_row && has_size && !joins && !absorb && !q.admitted;
        let at_end = at_row && !has_size && q.row == rows;
        let close = q.opened && (blocked || at_end || (at_row && q.single && !q.admitted));
        let seq_free = i.free >> q.seq & 1 == 1;

        // A row that will not fit asks for its ranges once the window before it is closed.
        let parts = size.map_or(0, |s| s.parts);
        let whole = parts == 1 || q.in_ranges;
        let wants = blocked && !q.opened && !whole && !ahead && q.asked == 0;
        let plan = wants && i.can_plan;
        let planned = q.asked & 2 != 0 && i.planned;
        let open = blocked && !q.opened && seq_free && (whole || ahead);

        let may_go = (q.in_row || (has_size && (joins || q.admitted))) && !i.flush;
        let task = task.filter(|_| may_go);
        let sent = task.filter(|t| t.length == 0 || i.task_ready);
        let begins = sent.is_some() && !q.in_row;
        let ends = sent.is_some_and(|t| t.last);
        let passes = if q.rereads { i.plan_passes } else { i.passes };
        let last_pass = (q.pass + 1) & 0x1ff == passes;
        let again = q.rereads && !last_pass;
        let row_ends = ends && (!q.in_ranges || last_pass);

        let offered = task.filter(|t| t.length != 0);
        let wide = alone || size.is_some_and(|s| s.products >= SPREAD);
        let spread = if q.in_row { q.spread } else { wide };
        let out = PlannerOut {
            in_ready: self.sizes.tick(&RowSizesIn {
                cols: command.end_col - command.first_col,
                flush: i.flush,
                token: i.token,
                in_row: q.in_row,
                row_ready: begins && !again,
                task_ready: sent.is_some(),
                keep: again,
                rewind: ends && again,
                expect: i.expect,
            }),
            task: offered.map(|t| Task {
                seq: q.seq,
                row: q.count & 255,
                start: t.start,
                length: t.length,
                spread: spread && command.ordered && i.shares,
            }),
            open: open.then_some(Open {
                seq: q.seq,
                row: q.row,
                single: alone && !ahead,
                pass: q.pass,
                ranged: q.in_ranges,
                stack: i.stack,
            }),
            close: (close && !i.flush).then_some(Close {
                seq: q.seq,
                rows: q.count,
                reals: q.reals,
            }),
            plan: plan.then_some(parts),
            note: begins.then(|| (q.row, size.map_or(0, |s| s.products))),
        };

        let n = &mut self.q;
        n.spread = spread;
        n.in_row = !(i.flush || ends) && (begins || q.in_row);
        n.admitted = !(i.flush || begins) && if open { !ahead } else { q.admitted };
        n.absorbed = !(i.start || i.flush || (begins && !again)) && (absorb || q.absorbed);
        n.opened = !(i.flush || close) && (open || q.opened);
        if open {
            n.reals = 0;
            n.single = alone && !ahead;
            n.filled = 0;
            n.count = 0;
        } else {
            n.reals += u32::from(ends);
            if begins {
                n.filled = q.filled.wrapping_add(entries);
            }
            if absorb {
                n.count = with_skip & 0x1ff;
            } else if ends {
                n.count = (q.count + 1) & 0x1ff;
            }
        }
        if i.start {
            (n.most, n.seq, n.row) = (i.max_rows, i.first_seq, i.first_row);
        } else {
            if close {
                (n.most, n.seq) = (256, (q.seq + 1) & 3);
            }
            if absorb {
                n.row = q.row.wrapping_add(skip);
            } else if row_ends {
                n.row = q.row.wrapping_add(1);
            }
        }
        if i.start || planned {
            n.pass = 0;
        } else if ends && q.in_ranges {
            n.pass = (q.pass + 1) & 0x1ff;
        }
        if i.start {
            (n.in_ranges, n.rereads) = (i.ranged, false);
        } else if row_ends || i.flush {
            (n.in_ranges, n.rereads) = (false, false);
        } else if planned {
            (n.in_ranges, n.rereads) = (true, true);
        }
        if i.flush || planned {
            n.asked = 0;
        } else if plan {
            n.asked = 1;
        } else if q.asked & 1 == 1 {
            n.asked = 2;
        }
        if begins {
            n.row_sent = 1;
        } else if sent.is_some() {
            n.row_sent = q.row_sent.wrapping_add(1);
        }
        if let Some(task) = sent {
            n.row_left = task.left;
        }
        self.next_limit(rows.wrapping_sub(q.row), i.start, begins.then_some((alone, entries)));
        out
    }

    /// An eighth of what the rows to come are expected to hold, as far as they are like the last ones, between an
    /// eighth of the most and all of it.
    fn next_limit(&mut self, rows_left: u32, start: bool, begins: Option<(bool, u32)>) {
        let (most, q) = (self.most_entries, &mut self.q);
        let (mean, ahead, far) = (q.mean, q.ahead, q.far);
        let share = (ahead >> 3).min(most).max((most / 8).max(1));
        q.limit = if far { most } else { share };
        q.far = rows_left >> 11 != 0;
        q.ahead = (rows_left & 0x7ff) * (mean >> 6);
        if start {
            q.mean = 0;
        } else if let Some((alone, size)) = begins {
            let size = if alone || most < size { most } else { size } & 0x3_ffff;
            q.mean = (mean - (mean >> 6) + size) & 0xff_ffff;
        }
    }
}
