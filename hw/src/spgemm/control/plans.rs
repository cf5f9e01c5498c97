//! Rows that come in passes over ranges of their columns: up to two at a time.

use super::{Cuts, Ranges};
use rtl_gen::{Builder, Module, Sig, any, bit, mux, uint};

/// Two stacks of column ranges ([`Ranges`]) and the histogram that fills them ([`Cuts`]).
///
/// A row is given a stack when it is planned: by the planner, before its first window, or by the sequencer, after it
/// did not fit. It keeps the stack until its last pass retires, so that the sequencer can halve a range that
/// does not fit, while the planner is a row ahead.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `first_col`, `end_col` | in | uint(32) | columns that there are |
/// | `reset`, `sample`, `sample_col`, `done`, `left` | in | | as [`Cuts`] |
/// | `plan`, `parts` | in | bit, uint(5) | planner, pulse while `can_plan`: ranges for its next row, in the other stack |
/// | `can_plan` | out | bit | |
/// | `redo`, `split`, `stack`, `pass` | in | bit x 3, uint(6) | sequencer, pulses: a row is planned anew in stack 0; `pass` of `stack` is halved and those above it are done |
/// | `abort`, `forget` | in | bit | level: give up a plan under way; pulse, with `redo` or `split` or alone: all other rows give up their stack |
/// | `retire`, `retire_stack` | in | bit | pulse: a window of a row in ranges retires: pass `pass` of it |
/// | `open_pass` | in | uint(9) | the planner opens that pass of its row |
/// | `current` | out | bit | the stack of the planner's row |
/// | `lo`, `hi` | out | uint(`index_bits` + 1) | range of that pass |
/// | `passes` | out | uint(9) | of the planner's row |
/// | `last` | out | bit | `pass` is the last one of `stack` |
/// | `busy` | out | bit | a sweep or a plan is under way; from two cycles after `plan` |
#[derive(Clone, Copy, Debug)]
pub struct Plans {
    /// Bits of a column.
    pub index_bits: u32,
}

impl Module for Plans {
    fn name(&self) -> String {
        format!("plans_c{}", self.index_bits)
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Column ranges of up to two rows.");
        let column = uint(self.index_bits + 1);
        let (first_col, end_col) = (m.input("first_col", uint(32)), m.input("end_col", uint(32)));
        let low = first_col.resize(column.width()).named("low");
        // The planner's wish comes late in its cycle.
        let plan = m.reg_reset("plan_q", m.input("plan", bit()), 0);
        let (redo, split) = (m.input("redo", bit()), m.input("split", bit()));
        let (stack, pass) = (m.input("stack", bit()), m.input("pass", uint(6)));
        let forget = m.input("forget", bit());
        let (retire, retire_stack) = (m.input("retire", bit()), m.input("retire_stack", bit()));
        let open_pass = m.input("open_pass", uint(9));

        let current = m.state("current_q", bit(), 0);
        let other = !current.q();
        current.update(&[(redo, m.low()), (split, stack), (plan, other)]);

        let cuts = m.inst("cuts", &Cuts { index_bits: self.index_bits });
        // The histogram counts columns from the first one there is.
        cuts.set("cols", end_col.sub_wrap(first_col)).set("reset", m.input("reset", bit()));
        let sample_col = m.input("sample_col", uint(self.index_bits));
        let sample_col = sample_col.sub_wrap(low.trunc(self.index_bits));
        cuts.set("sample", m.input("sample", bit())).set("sample_col", sample_col);
        let bound = cuts.get("bound").add_wrap(low).named("bound");
        let parts = m.reg("parts_q", m.input("parts", uint(5)));
        cuts.set("plan", plan | redo).set("parts", mux(plan, parts, parts.lit(0)));
        cuts.set("done", m.input("done", uint(32))).set("left", m.input("left", uint(32)));
        cuts.set("abort", m.input("abort", bit()));

        let pass_q = m.reg("pass_q", pass);
        let mut arms: Vec<[Sig; 3]> = vec![];
        let mut lasts = vec![];
        let mut frees = vec![];
        for s in 0..2 {
            let is = |which: Sig<'m>| if s == 1 { which } else { !which };
            let ranges = m.inst(&format!("ranges_{s}"), &Ranges { index_bits: self.index_bits });
            ranges.set("first_col", low).set("end_col", end_col.resize(column.width()));
            let first = m.lit(bit(), 1 - s);
            ranges.set("clear", (redo & first) | (plan & is(other)));
            ranges.set("push", cuts.get("push") & is(current.q())).set("bound", bound);
            let halve = (split & is(stack)).named(&format!("halve_{s}"));
            let halve_q = m.reg_reset(&format!("halve_{s}_q"), halve, 0);
            ranges.set("split", halve_q);
            ranges.set("pass", mux(halve_q, pass_q, open_pass.trunc(6)));
            let count = ranges.get("count");
            lasts.push(pass.inc().eq(count));
            let used = m.state(&format!("used_{s}"), bit(), 0);
            let mine = (redo & first) | halve | (plan & is(other));
            let over = retire & is(retire_stack) & pass.inc().eq(count);
            used.update(&[(mine, m.high()), (forget | over, m.low())]);
            frees.push(!used.q());
            arms.push([ranges.get("lo"), ranges.get("hi"), count]);
        }
        let pick = |i: usize| mux(current.q(), arms[1][i], arms[0][i]);
        m.output("current", current.q());
        m.output("lo", pick(0));
        m.output("hi", pick(1));
        m.output("passes", pick(2).zext(9));
        m.output("last", mux(stack, lasts[1], lasts[0]));
        m.output(
            "can_plan",
            mux(other, frees[1], frees[0]) & !any(&[cuts.get("busy"), plan, redo, split]),
        );
        m.output("busy", cuts.get("busy"));
    }
}
