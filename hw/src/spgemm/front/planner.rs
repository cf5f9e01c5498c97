//! Packs rows into windows.

use crate::cells::{BlockFifo, Fifo};
use rtl_gen::{Builder, Module, all, any, bit, bits, cat, one_hot_mux, uint};

/// Holds tasks until the size of their row is known, decides which rows share a window, and emits
/// tasks with their window and row slot (`docs/spgemm.md`, "Windows").
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | pulse, while `idle`: take the configuration below |
/// | `first_row`, `rows`, `cols` | in | uint(32) | first row that comes, rows of A, columns of B |
/// | `first_seq` | in | bits(2) | sequence number of the first window |
/// | `max_rows` | in | uint(9) | most rows in the first window |
/// | `ranged`, `passes` | in | bit, uint(9) | the first row comes `passes` times, each in a window of its own |
/// | `only_first` | in | bit | nothing follows the first row |
/// | `flush` | in | bit | level: drop everything; hold until `idle` |
/// | `in_*` | | | tokens of [`super::PointerFetch`] |
/// | `task_valid`, `task_ready` | out, in | bit | tasks, never empty ones |
/// | `task_seq`, `task_row`, `task_start`, `task_length`, `task_a` | out | bits(2), bits(8), uint(32) x 2, bits(32) | |
/// | `free` | in | bits(4) | per sequence number: no window uses it |
/// | `open`, `open_seq` | out | bit, bits(2) | pulse: a window begins |
/// | `open_row`, `open_single` | out | uint(32), bit | its first row; one row only |
/// | `open_ranged`, `open_pass` | out | bit, uint(9) | a pass over the ranged row, and which |
/// | `close`, `close_seq`, `close_rows` | out | bit, bits(2), uint(9) | pulse: the window's last task has left |
/// | `row_done`, `row_left` | out | uint(32) | elements of the current row sent and to come |
/// | `finished` | out | bit | level: everything asked for has left and its window is closed |
/// | `idle` | out | bit | nothing held |
///
/// One task a cycle; two extra cycles where a window ends and the next begins. A row of more
/// tasks than fit the queue counts as big.
#[derive(Clone, Copy, Debug)]
pub struct Planner {
    /// Tasks held; a power of two.
    pub tasks: u32,
    /// Entries a window may be expected to need: 0.72 of a table half.
    pub limit: u32,
}

impl Module for Planner {
    fn name(&self) -> String {
        format!("planner_t{}_l{}", self.tasks, self.limit)
    }

    fn build(&self, m: &Builder) {
        m.doc("Packs rows into windows.");
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        let word = |name: &str| m.input(name, uint(32));
        let (first_row, rows, cols) = (word("first_row"), word("rows"), word("cols"));
        let (first_seq, free) = (m.input("first_seq", bits(2)), m.input("free", bits(4)));
        let (max_rows, passes) = (m.input("max_rows", uint(9)), m.input("passes", uint(9)));
        let (ranged, only_first) = (m.input("ranged", bit()), m.input("only_first", bit()));
        let (in_valid, in_last) = (m.input("in_valid", bit()), m.input("in_last", bit()));
        let (in_start, in_length) = (word("in_start"), word("in_length"));
        let (in_a, in_left) = (m.input("in_a", bits(32)), word("in_left"));
        let task_ready = m.input("task_ready", bit());
        let limit = m.lit(uint(32), self.limit as i128);

        // Entry: sum the products of the row; announce it when it ends, is big, or fills the queue.
        let queue = m.inst("queue", &BlockFifo { width: 129, depth: self.tasks });
        let sizes = m.inst("sizes", &Fifo { width: 33, depth: 64 });
        let narrow = (!limit.lt(cols)).named("narrow");
        let sum = m.state("sum", uint(32), 0);
        let announced = m.state("announced", bit(), 0);
        let total = (sum.q() + in_length).named("total");
        let over = (!narrow & total.bit(32)) | (!narrow & limit.lt(total.trunc(32)));
        let over = over.named("over");
        let bound =
            (total.bit(32) | cols.lt(total.trunc(32))).mux(cols, total.trunc(32)).named("bound");
        let keep = (in_last | in_length.ne(in_length.lit(0))).named("keep");
        let accept =
            all(&[in_valid, queue.get("in_ready"), sizes.get("in_ready"), !flush]).named("accept");
        // The queue is full of this one row: nothing leaves before its size is announced.
        let in_row = m.state("in_row", bit(), 0);
        let quiet = !(in_row.q() | sizes.get("out_valid") | queue.get("in_ready") | flush);
        let stuck = all(&[quiet, in_valid, !announced.q()]).named("stuck");
        let early = ((accept & over & !in_last) | stuck).named("early");
        let announce = (!announced.q() & (early | (accept & in_last))).named("announce");
        sum.update(&[
            (flush | (accept & in_last), sum.q().lit(0)),
            (accept, over.mux(limit, total.trunc(32))),
        ]);
        announced.update(&[(flush | (accept & in_last), m.low()), (announce, m.high())]);
        sizes.set("in_valid", announce).set("in_data", cat(&[over | stuck, bound.as_bits()]));
        let packed =
            cat(&[in_last, in_start.as_bits(), in_length.as_bits(), in_a, in_left.as_bits()]);
        queue.set("in_valid", accept & keep).set("in_data", packed);

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
        let (has_size, has_task) = (sizes.get("out_valid"), queue.get("out_valid"));
        let size = sizes.get("out_data");
        let alone = (size.bit(32) | in_ranges.q()).named("alone");
        let size = size.slice(31, 0).as_u();
        let fits = !limit.zext(33).lt(filled.q() + size);
        let joins =
            all(&[opened.q(), !single.q(), !alone, fits, count.q().lt(most.q())]).named("joins");
        let at_row = (!in_row.q() & !flush).named("at_row");
        let blocked = all(&[at_row, has_size, !joins, !admitted.q()]).named("blocked");
        let at_end = all(&[at_row, !has_size, row.q().eq(rows)]).named("at_end");
        let close = (opened.q() & (blocked | at_end | (at_row & single.q() & !admitted.q())))
            .named("closing");
        let seq_free = one_hot_mux(&[0, 1, 2, 3].map(|i| (seq.q().is(i), free.bit(i as u32))));
        let open = (blocked & !opened.q() & seq_free).named("opening");

        let task = queue.get("out_data");
        let (last, length) = (task.bit(128), task.slice(95, 64).as_u());
        let hollow = length.is(0);
        let may_go = all(&[in_row.q() | (has_size & (joins | admitted.q())), has_task, !flush])
            .named("may_go");
        let sent = (may_go & (hollow | task_ready)).named("sent");
        let begins = (sent & !in_row.q()).named("begins");
        let ends = (sent & last).named("ends");
        let last_pass = pass.q().inc().eq(passes);
        let row_ends = (ends & (!in_ranges.q() | last_pass)).named("row_ends");
        queue.set("out_ready", sent | flush);
        sizes.set("out_ready", begins | flush);

        in_row.update(&[(flush | ends, m.low()), (begins, m.high())]);
        admitted.update(&[(flush | begins, m.low()), (open, m.high())]);
        opened.update(&[(flush | close, m.low()), (open, m.high())]);
        single.drive_when(open, alone);
        let charged = filled.q().add_wrap(size);
        filled.update(&[(open, filled.q().lit(0)), (begins, charged)]);
        count.update(&[(open, count.q().lit(0)), (ends, count.q().inc())]);
        most.update(&[(start, max_rows), (close, most.q().lit(256))]);
        seq.update(&[(start, first_seq.as_u()), (close, seq.q().inc())]);
        row.update(&[(start, first_row), (row_ends, row.q().inc())]);
        pass.update(&[(start, pass.q().lit(0)), (ends & in_ranges.q(), pass.q().inc())]);
        in_ranges.update(&[(start, ranged), (row_ends | flush, m.low())]);
        let row_sent = m.state("row_sent", uint(32), 0);
        row_sent.update(&[(begins, row_sent.q().lit(1)), (sent, row_sent.q().inc())]);
        let row_left = m.reg_when("row_left_q", sent, task.slice(31, 0).as_u());
        // Nothing follows the first row in this mode.
        let plan_done = (only_first & !row.q().eq(first_row)).named("plan_done");

        m.output("in_ready", accept);
        m.output("task_valid", may_go & !hollow);
        m.output("task_seq", seq.q().as_bits());
        m.output("task_row", count.q().slice(7, 0));
        m.output("task_start", task.slice(127, 96).as_u());
        m.output("task_length", length);
        m.output("task_a", task.slice(63, 32));
        m.output("open", open);
        m.output("open_seq", seq.q().as_bits());
        m.output("open_row", row.q());
        m.output("open_single", alone);
        m.output("open_pass", pass.q());
        m.output("open_ranged", in_ranges.q());
        m.output("close", close & !flush);
        m.output("close_seq", seq.q().as_bits());
        m.output("close_rows", count.q());
        m.output("row_done", row_sent.q());
        m.output("row_left", row_left);
        m.output("finished", !opened.q() & at_row & (row.q().eq(rows) | plan_done) & !has_size);
        m.output("idle", !any(&[has_size, has_task, opened.q(), in_row.q()]));
    }
}
