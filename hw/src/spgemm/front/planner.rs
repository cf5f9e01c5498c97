//! Packs rows into windows.

use super::sizes::RowSizes;
use crate::spgemm::control::PRODUCT_BITS;
use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, mux, one_hot_mux, uint};

/// Holds tasks until the size of their row is known (`RowSizes`), decides which rows share a window, and emits
/// tasks with their window and row slot (`docs/spgemm.md`, "Windows").
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | pulse, while `idle`: take the configuration below |
/// | `first_row`, `rows`, `cols` | in | uint(32) | first row that comes, rows of A, columns of B |
/// | `first_seq` | in | bits(2) | sequence number of the first window |
/// | `max_rows` | in | uint(9) | most rows in the first window, those without elements apart |
/// | `ranged`, `passes` | in | bit, uint(9) | the first row comes `passes` times, each in a window of its own |
/// | `products`, `expected` | out, in | uint(24) | of a row, and the entries it is expected to have, two cycles later |
/// | `note`, `note_row`, `note_products` | out | bit, uint(32), uint(24) | pulse: a row leaves; 0 products when it did not fit the queue |
/// | `plan`, `plan_parts` | out | bit, uint(5) | pulse: cut the columns into so many ranges |
/// | `can_plan`, `planned`, `plan_passes` | in | bit, bit, uint(9) | `plan` may come; from two cycles after it: the ranges are there; so many |
/// | `flush` | in | bit | level: drop everything; hold until `idle` |
/// | `in_*` | | | tokens of [`super::PointerFetch`] |
/// | `task_valid`, `task_ready` | out, in | bit | tasks, never empty ones |
/// | `task_seq`, `task_row`, `task_start`, `task_length`, `task_a` | out | bits(2), bits(8), uint(32) x 2, bits(`a_bits`) | |
/// | `ordered`, `task_spread` | in, out | bit | if `ordered`: constant while not `idle`; in order, the task's row is spread over the lanes |
/// | `free` | in | bits(4) | per sequence number: no window uses it |
/// | `open`, `open_seq` | out | bit, bits(2) | pulse: a window begins |
/// | `open_row`, `open_single` | out | uint(32), bit | its first row; one row only |
/// | `open_ranged`, `open_pass` | out | bit, uint(9) | a pass over the ranged row, and which |
/// | `close`, `close_seq`, `close_rows`, `close_reals` | out | bit, bits(2), uint(9) x 2 | pulse: the window's last task has left; its rows, and those of them that may have elements |
/// | `row_done`, `row_left` | out | uint(32) | elements of the current row sent and to come |
/// | `finished` | out | bit | level: everything asked for has left and its window is closed |
/// | `idle` | out | bit | nothing held |
///
/// A row expected to have more entries than a half holds comes in as many passes as it needs, each over a range of
/// the columns and in a window of its own; its tasks are read again from the queue. A row of more tasks than fit
/// the queue counts as big, and is not cut in advance.
///
/// In order a row stays in one lane, or each lane takes a class of its columns: the row is *spread* if it is big or has 256 products.
///
/// One task a cycle; two extra cycles where a window ends and the next begins. Towards the last row windows become
/// smaller, down to an eighth, so that little is left to be drained and sorted after the last product.
#[derive(Clone, Copy, Debug)]
pub struct Planner {
    /// Tasks held; a power of two.
    pub tasks: u32,
    /// Entries a window may be expected to need: 0.72 of a table half.
    pub limit: u32,
    /// Bits of `a`, which travels with a task: 32 of A's element, above them whatever else.
    pub a_bits: u32,
    /// A command may ask for order.
    pub ordered: bool,
}

/// Products of a row from which on it is spread, a power of two: what the queue of a lane holds.
const SPREAD: u32 = 256;

impl Module for Planner {
    fn name(&self) -> String {
        let joined = if self.a_bits > 32 { "_j" } else { "" };
        let ordered = if self.ordered { "_o" } else { "" };
        format!("planner_t{}_l{}{joined}{ordered}", self.tasks, self.limit)
    }

    fn build(&self, m: &Builder) {
        m.doc("Packs rows into windows.");
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        let word = |name: &str| m.input(name, uint(32));
        let (first_row, rows, cols) = (word("first_row"), word("rows"), word("cols"));
        let (first_seq, free) = (m.input("first_seq", bits(2)), m.input("free", bits(4)));
        let (max_rows, passes) = (m.input("max_rows", uint(9)), m.input("passes", uint(9)));
        let ranged = m.input("ranged", bit());
        let task_ready = m.input("task_ready", bit());

        let entry = m
            .inst("sizes", &RowSizes { tasks: self.tasks, limit: self.limit, a_bits: self.a_bits });
        entry.set("flush", flush).set("cols", cols);
        for (port, ty) in [
            ("valid", bit()),
            ("last", bit()),
            ("start", uint(32)),
            ("length", uint(32)),
            ("a", bits(self.a_bits)),
            ("left", uint(32)),
            ("skip", uint(8)),
        ] {
            let port = format!("in_{port}");
            entry.set(&port, m.input(&port, ty));
        }
        entry.set("expected", m.input("expected", uint(PRODUCT_BITS)));
        m.output("products", entry.get("products"));
        m.output("in_ready", entry.get("in_ready"));

        // Exit: does the front row join the open window?
        let seq = m.state("seq", uint(2), 0);
        let opened = m.state("opened", bit(), 0);
        let single = m.state("single", bit(), 0);
        let filled = m.state("filled", uint(32), 0);
        let count = m.state("count", uint(9), 0);
        let most = m.state("most", uint(9), 256);
        let row = m.state("row", uint(32), 0);
        let pass = m.state("pass", uint(9), 0);
        let admitted = m.state("admitted", bit(), 0);
        let in_ranges = m.state("in_ranges", bit(), 0);
        let in_row = m.state("in_row", bit(), 0);
        let (has_size, has_task) = (entry.get("row_valid"), entry.get("task_valid"));
        let alone = (entry.get("row_big") | in_ranges.q()).named("alone");
        let size = entry.get("row_bound");
        let begins = m.forward("begins", bit());
        let limit = self.limit_now(m, rows.sub_wrap(row.q()), (start, begins.sig(), alone, size));
        // Empty rows before the front row join the window on their own.
        let absorbed = m.state("absorbed", bit(), 0);
        let skip = (!absorbed.q()).gate(entry.get("row_skip"));
        let ahead = skip.red_or();
        let reals = m.state("reals", uint(9), 0);
        let with_skip = count.q().zext(10).add_wrap(skip.zext(10));
        let fits = !limit.zext(33).lt(filled.q() + size);
        // A big row that is expected to fit may join a window, but none that began with empty rows: should that have to be
        // replayed, it would get rid of one of them at a time.
        let known = entry.get("row_products").as_bits().red_or();
        let may_join = all(&[entry.get("row_parts").is(1), known, count.q().eq(reals.q())]);
        let apart = ((entry.get("row_big") & !may_join) | in_ranges.q()).named("apart");
        let joins = all(&[
            opened.q(),
            !single.q(),
            !apart,
            fits,
            reals.q().lt(most.q()),
            !count.q().bit(8),
            !ahead,
        ])
        .named("joins");
        let at_row = (!in_row.q() & !flush).named("at_row");
        let absorb = all(&[
            at_row,
            has_size,
            ahead,
            opened.q(),
            !single.q(),
            !admitted.q(),
            reals.q().lt(most.q()),
        ]);
        let absorb = (absorb & !with_skip.gt(with_skip.lit(256))).named("absorb");
        let blocked = all(&[at_row, has_size, !joins, !absorb, !admitted.q()]).named("blocked");
        let at_end = all(&[at_row, !has_size, row.q().eq(rows)]).named("at_end");
        let close = (opened.q() & (blocked | at_end | (at_row & single.q() & !admitted.q())))
            .named("closing");
        let seq_free = one_hot_mux(&[0, 1, 2, 3].map(|i| (seq.q().is(i), free.bit(i as u32))));
        // A row that will not fit asks for its ranges once the window before it is closed.
        let rereads = m.state("rereads", bit(), 0);
        let asked = m.state("asked", bits(2), 0);
        let whole = entry.get("row_parts").is(1) | in_ranges.q();
        let wants = all(&[blocked, !opened.q(), !whole, !ahead, asked.q().is(0)]);
        let plan = (wants & m.input("can_plan", bit())).named("plan_now");
        let planned = (asked.q().bit(1) & m.input("planned", bit())).named("planned_now");
        asked.update(&[
            (flush | planned, asked.q().lit(0)),
            (plan, asked.q().lit(1)),
            (asked.q().bit(0), asked.q().lit(2)),
        ]);
        let open = all(&[blocked, !opened.q(), seq_free, whole | ahead]).named("opening");

        let task = entry.get("task_data");
        let a = 32 + self.a_bits;
        let (last, length) = (task.msb(), task.slice(a + 31, a).as_u());
        let hollow = length.is(0);
        let may_go = all(&[in_row.q() | (has_size & (joins | admitted.q())), has_task, !flush])
            .named("may_go");
        let sent = (may_go & (hollow | task_ready)).named("sent");
        begins.assign(sent & !in_row.q());
        let begins = begins.sig();
        let ends = (sent & last).named("ends");
        let passes = mux(rereads.q(), m.input("plan_passes", uint(9)), passes);
        let last_pass = pass.q().inc().eq(passes);
        let again = (rereads.q() & !last_pass).named("again");
        let row_ends = (ends & (!in_ranges.q() | last_pass)).named("row_ends");
        entry.set("task_ready", sent).set("keep", again).set("rewind", ends & again);
        entry.set("row_ready", begins & !again).set("in_row", in_row.q());

        in_row.update(&[(flush | ends, m.low()), (begins, m.high())]);
        admitted.update(&[(flush | begins, m.low()), (open, !ahead)]);
        absorbed.update(&[(start | flush | (begins & !again), m.low()), (absorb, m.high())]);
        reals.update(&[(open, reals.q().lit(0)), (ends, reals.q().inc())]);
        opened.update(&[(flush | close, m.low()), (open, m.high())]);
        let opens_single = (alone & !ahead).named("opens_single");
        single.drive_when(open, opens_single);
        let charged = filled.q().add_wrap(size);
        filled.update(&[(open, filled.q().lit(0)), (begins, charged)]);
        count.update(&[
            (open, count.q().lit(0)),
            (absorb, with_skip.trunc(9)),
            (ends, count.q().inc()),
        ]);
        most.update(&[(start, max_rows), (close, most.q().lit(256))]);
        seq.update(&[(start, first_seq.as_u()), (close, seq.q().inc())]);
        row.update(&[
            (start, first_row),
            (absorb, row.q().add_wrap(skip.zext(32))),
            (row_ends, row.q().inc()),
        ]);
        pass.update(&[(start | planned, pass.q().lit(0)), (ends & in_ranges.q(), pass.q().inc())]);
        in_ranges.update(&[(start, ranged), (row_ends | flush, m.low()), (planned, m.high())]);
        rereads.update(&[(start | row_ends | flush, m.low()), (planned, m.high())]);
        let row_sent = m.state("row_sent", uint(32), 0);
        row_sent.update(&[(begins, row_sent.q().lit(1)), (sent, row_sent.q().inc())]);
        let row_left = m.reg_when("row_left_q", sent, task.slice(31, 0).as_u());

        if self.ordered {
            let many = entry.get("row_products").shr_k(SPREAD.ilog2()).red_or();
            let wide = alone | many;
            let spread = in_row.q().mux(m.reg_when("spread", begins, wide), wide);
            m.output("task_spread", spread & m.input("ordered", bit()));
        }
        m.output("plan", plan);
        m.output("plan_parts", entry.get("row_parts"));
        m.output("note", begins);
        m.output("note_row", row.q());
        m.output("note_products", entry.get("row_products"));
        m.output("task_valid", may_go & !hollow);
        m.output("task_seq", seq.q().as_bits());
        m.output("task_row", count.q().slice(7, 0));
        m.output("task_start", task.slice(a + 63, a + 32).as_u());
        m.output("task_length", length);
        m.output("task_a", task.slice(a - 1, 32));
        m.output("open", open);
        m.output("open_seq", seq.q().as_bits());
        m.output("open_row", row.q());
        m.output("open_single", opens_single);
        m.output("open_pass", pass.q());
        m.output("open_ranged", in_ranges.q());
        m.output("close", close & !flush);
        m.output("close_seq", seq.q().as_bits());
        m.output("close_rows", count.q());
        m.output("close_reals", reals.q());
        m.output("row_done", row_sent.q());
        m.output("row_left", row_left);
        m.output("finished", !opened.q() & at_row & row.q().eq(rows) & !has_size);
        m.output("idle", entry.get("idle") & !any(&[opened.q(), in_row.q()]));
    }
}

impl Planner {
    /// What a window may hold now: an eighth of what the rows to come are expected to hold, as far as they are like the
    /// last ones, between an eighth of `limit` and all of it.
    fn limit_now<'m>(
        &self,
        m: &'m Builder,
        rows_left: Sig<'m>,
        (start, begins, alone, size): (Sig<'m>, Sig<'m>, Sig<'m>, Sig<'m>),
    ) -> Sig<'m> {
        let most = m.lit(uint(32), self.limit as i128);
        let least = (self.limit / 8).max(1);
        // Mean size of a row, over some 64 rows; six fraction bits.
        let mean = m.state("mean_size", uint(24), 0);
        let size = mux(alone | most.lt(size), most, size).trunc(18);
        let lighter = mean.q().sub_wrap(mean.q().shr_k(6).zext(24));
        mean.update(&[(start, mean.q().lit(0)), (begins, lighter.add_wrap(size.zext(24)))]);
        let far = rows_left.shr_k(11).red_or();
        let ahead = m.reg("ahead", rows_left.trunc(11) * mean.q().shr_k(6));
        let share = ahead.shr_k(3);
        let wide = most.zext(share.width().max(32));
        let share = share.zext(wide.width());
        let now = mux(share.lt(wide), share.trunc(32), most);
        let now = mux(now.lt(most.lit(least as i128)), most.lit(least as i128), now);
        m.reg("limit_now", mux(m.reg("far", far), most, now))
    }
}
