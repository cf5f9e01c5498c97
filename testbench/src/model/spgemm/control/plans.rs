//! Rows that come in passes over ranges of their columns: up to two at a time.

use super::cuts::{Cuts, CutsIn};
use super::ranges::{Ranges, RangesIn};

/// Two stacks of column ranges and the histogram that fills them.
#[derive(Debug)]
pub(crate) struct Plans {
    cuts: Cuts,
    ranges: [Ranges; 2],
    current: bool,
    plan: bool,
    parts: u32,
    pass: u32,
    halve: [bool; 2],
    used: [bool; 2],
}

pub(crate) struct PlansIn {
    pub(crate) first_col: u32,
    pub(crate) end_col: u32,
    pub(crate) reset: bool,
    pub(crate) sample: Option<u32>,
    pub(crate) done: u32,
    pub(crate) left: u32,
    /// The planner's wish for so many ranges.
    pub(crate) plan: Option<u32>,
    pub(crate) redo: bool,
    pub(crate) split: bool,
    pub(crate) stack: bool,
    pub(crate) pass: u32,
    pub(crate) abort: bool,
    pub(crate) forget: bool,
    pub(crate) retire: bool,
    pub(crate) open_pass: u32,
}

impl Plans {
    pub(crate) fn new() -> Self {
        Plans {
            cuts: Cuts::new(),
            ranges: [Ranges::new(), Ranges::new()],
            current: false,
            plan: false,
            parts: 0,
            pass: 0,
            halve: [false; 2],
            used: [false; 2],
        }
    }

    /// The stack of the planner's row.
    pub(crate) fn current(&self) -> bool {
        self.current
    }

    /// Columns of that pass of the planner's row.
    pub(crate) fn range(&self, open_pass: u32) -> (u64, u64) {
        let stack = usize::from(self.current);
        let pass = if self.halve[stack] { self.pass } else { open_pass & 63 };
        self.ranges[stack].range(pass)
    }

    /// Passes of the planner's row.
    pub(crate) fn passes(&self) -> u32 {
        self.ranges[usize::from(self.current)].count()
    }

    pub(crate) fn is_last(&self, stack: bool, pass: u32) -> bool {
        (pass + 1) & 63 == self.ranges[usize::from(stack)].count()
    }

    pub(crate) fn can_plan(&self, reset: bool, redo: bool, split: bool) -> bool {
        let other = usize::from(!self.current);
        !(self.used[other] || self.cuts.busy(reset) || self.plan || redo || split)
    }

    pub(crate) fn busy(&self, reset: bool) -> bool {
        self.cuts.busy(reset)
    }

    pub(crate) fn tick(&mut self, i: &PlansIn) {
        let (current, plan, halve) = (self.current, self.plan, self.halve);
        let bound = self.cuts.tick(&CutsIn {
            cols: i.end_col.wrapping_sub(i.first_col),
            reset: i.reset,
            sample: i.sample.map(|col| col.wrapping_sub(i.first_col)),
            plan: plan || i.redo,
            parts: if plan { self.parts } else { 0 },
            done: i.done,
            left: i.left,
            abort: i.abort,
        });
        let bound = bound.map(|b| b + u64::from(i.first_col));
        for (s, &halves) in halve.iter().enumerate() {
            let (mine, other) = ((s == 1) == current, (s == 1) != current);
            let clear = (i.redo && s == 0) || (plan && other);
            let last = (i.pass + 1) & 63 == self.ranges[s].count();
            self.ranges[s].tick(&RangesIn {
                first_col: u64::from(i.first_col),
                end_col: u64::from(i.end_col),
                clear,
                push: bound.filter(|_| mine),
                pass: if halves { self.pass } else { i.open_pass & 63 },
                split: halves,
            });
            let named = i.stack == (s == 1);
            self.halve[s] = i.split && named;
            if clear || self.halve[s] {
                self.used[s] = true;
            } else if i.forget || (i.retire && named && last) {
                self.used[s] = false;
            }
        }
        if i.redo {
            self.current = false;
        } else if i.split {
            self.current = i.stack;
        } else if plan {
            self.current = !current;
        }
        self.pass = i.pass;
        self.plan = i.plan.is_some();
        self.parts = i.plan.unwrap_or(self.parts);
    }
}
