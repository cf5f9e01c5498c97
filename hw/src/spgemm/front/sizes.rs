//! Rows and their sizes: a row leaves once it is known how much it will need.

use super::row_queue::RowQueue;
use crate::cells::{Fifo, Skid};
use crate::spgemm::control::PRODUCT_BITS;
use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, cat, mux, uint};

/// Queues tasks, sums up the products of each row, and says what a row needs when it has come as a whole.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `cols` | in | uint(32) | columns of B |
/// | `in_*` | | | tokens of [`super::PointerFetch`] |
/// | `in_row` | in | bit | tasks of the front row are leaving |
/// | `products`, `expected` | out, in | uint(24) | products of a row, and the entries it is expected to have, two cycles later |
/// | `row_valid`, `row_ready` | out, in | bit | size of the front row |
/// | `row_skip` | out | uint(8) | empty rows before it |
/// | `row_big` | out | bit | it may have more entries than a window holds |
/// | `row_parts` | out | uint(5) | passes it is expected to need; 1 when it fits, or did not fit the queue |
/// | `row_bound` | out | uint(32) | entries it cannot exceed; of a big row of one part, those it is expected to have |
/// | `row_products` | out | uint(24) | its products; 0 when it did not fit the queue |
/// | `task_valid`, `task_ready`, `task_data` | out, in, out | bit, bit, bits(97 + `a_bits`) | `{last, start, length, a, left}`; a row has one task at least |
/// | `keep`, `rewind` | in | bit | as [`RowQueue`] |
/// | `flush` | in | bit | level: drop everything |
///
/// One token a cycle. The size of a row follows its last token by five cycles. A row of more tasks than fit the queue
/// is announced when the queue is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowSizes {
    /// Tasks held; a power of two.
    pub tasks: u32,
    /// Entries a window may be expected to need: 0.72 of a table half.
    pub limit: u32,
    /// Bits of `a`.
    pub a_bits: u32,
}

impl Module for RowSizes {
    fn name(&self) -> String {
        let joined = if self.a_bits > 32 { "_j" } else { "" };
        format!("row_sizes_t{}_l{}{joined}", self.tasks, self.limit)
    }

    fn build(&self, m: &Builder) {
        m.doc("Tasks by row, with the size of each row.");
        let flush = m.input("flush", bit());
        let word = |name: &str| m.input(name, uint(32));
        let cols = word("cols");
        let (in_valid, in_last) = (m.input("in_valid", bit()), m.input("in_last", bit()));
        let (in_start, in_length, in_left) = (word("in_start"), word("in_length"), word("in_left"));
        let in_a = m.input("in_a", bits(self.a_bits));
        let in_skip = m.input("in_skip", uint(8));
        let in_row = m.input("in_row", bit());
        let limit = m.lit(uint(32), self.limit as i128);

        let queue = m.inst("queue", &RowQueue { width: 97 + self.a_bits, depth: self.tasks });
        let shape = Fifo { width: 46 + PRODUCT_BITS, depth: 64 };
        let sizes = m.inst("sizes", &shape);
        // As many are in the pipeline below.
        let held = sizes.get("count");
        let room = held.lt(held.lit(64 - 8)).named("room");

        let sum = m.state("sum", uint(32), 0);
        let announced = m.state("announced", bit(), 0);
        let total = (sum.q() + in_length).named("total");
        let huge = total.bit(32);
        let total = total.trunc(32);
        let over = (limit.lt(cols) & (huge | limit.lt(total))).named("over");
        let bound = mux(huge | cols.lt(total), cols, total).named("bound");
        let keep = (in_last | in_length.ne(in_length.lit(0))).named("keep_task");
        let accept = all(&[in_valid, queue.get("in_ready"), room, !flush]).named("accept");
        // The queue is full of this one row: nothing leaves before its size is announced.
        let announcing = m.forward("announcing", bit());
        let head = m.inst("head", &Skid { width: shape.width });
        let waiting = (sizes.get("out_valid") | head.get("out_valid")).named("row_waits");
        let busy = any(&[in_row, waiting, announcing.sig(), flush]);
        let stuck = all(&[!busy, !queue.get("in_ready"), in_valid, !announced.q()]).named("stuck");
        let announce = (!announced.q() & (stuck | (accept & in_last)) & !flush).named("announce");
        let most = sum.q().lit(u32::MAX as i128);
        sum.update(&[
            (flush | (accept & in_last), sum.q().lit(0)),
            (accept, mux(huge, most, total)),
        ]);
        announced.update(&[(flush | (accept & in_last), m.low()), (announce, m.high())]);

        // Products, expected entries, passes: a register each.
        let many = (huge | total.shr_k(PRODUCT_BITS).red_or()).named("many");
        let products = total.trunc(PRODUCT_BITS);
        let products = mux(many, products.lit((1 << PRODUCT_BITS) - 1), products);
        let products = mux(stuck, products.lit(0), products);
        m.output("products", m.reg("products_0", products));
        let note = cat(&[in_skip.as_bits(), over | stuck, products.as_bits(), bound.as_bits()]);
        let (mut valid, mut note) = (m.reg_reset("said_0", announce, 0), m.reg("note_0", note));
        let mut said = vec![valid];
        for i in 1..=4 {
            valid = m.reg_reset(&format!("said_{i}"), valid & !flush, 0);
            note = m.reg(&format!("note_{i}"), note);
            said.push(valid);
        }
        announcing.assign(any(&said));
        let expected = m.input("expected", uint(PRODUCT_BITS));
        let wide = cols.lt(expected.zext(32));
        let expected = m.reg("expected_3", mux(wide, cols.trunc(PRODUCT_BITS), expected));
        // Parts of a window each; what fits the half in all likelihood is not cut.
        let share = (1 << SHARE) / self.limit.max(1);
        let parts = m.reg("parts", (expected * m.lit(uint(SHARE), share as i128)).shr_k(SHARE));
        let small =
            m.reg("fits_half", !expected.zext(32).gt(limit.lit((self.limit * 10 / 9) as i128)));
        let expected = m.reg("expected_4", expected);
        let (big, products) = (note.bit(32 + PRODUCT_BITS), note.slice(31 + PRODUCT_BITS, 32));
        let one = m.lit(uint(5), 1);
        let known = (big & products.red_or()).named("known_big");
        let cut = known & !small;
        let bound = mux(known & small, expected.zext(32), note.trunc(32).as_u());
        let parts = mux(
            parts.shr_k(5).red_or() | parts.trunc(5).red_and(),
            one.lit(31),
            parts.trunc(5).inc(),
        );
        let parts = mux(cut, parts, one);
        let skip = note.slice(40 + PRODUCT_BITS, 33 + PRODUCT_BITS);
        let size = cat(&[skip, big, parts.as_bits(), products, bound.as_bits()]);
        sizes.set("in_valid", valid & !flush).set("in_data", size);
        let row_ready = m.input("row_ready", bit());
        // A register between the LUT RAM and the planner's decisions.
        sizes.set("out_ready", head.get("in_ready"));
        head.set("in_valid", sizes.get("out_valid")).set("in_data", sizes.get("out_data"));
        head.set("out_ready", row_ready | flush);
        let size = head.get("out_data");
        m.output("row_valid", head.get("out_valid"));
        m.output("row_skip", size.slice(45 + PRODUCT_BITS, 38 + PRODUCT_BITS).as_u());
        m.output("row_big", size.bit(37 + PRODUCT_BITS));
        m.output("row_parts", size.slice(36 + PRODUCT_BITS, 32 + PRODUCT_BITS).as_u());
        m.output("row_products", size.slice(31 + PRODUCT_BITS, 32).as_u());
        m.output("row_bound", size.trunc(32).as_u());

        let task: [Sig; 5] =
            [in_last, in_start.as_bits(), in_length.as_bits(), in_a, in_left.as_bits()];
        queue.set("in_valid", accept & keep).set("in_data", cat(&task)).set("clear", flush);
        queue.set("out_ready", m.input("task_ready", bit()));
        queue.set("keep", m.input("keep", bit())).set("rewind", m.input("rewind", bit()));
        m.output("in_ready", accept);
        m.output("task_valid", queue.get("out_valid"));
        m.output("task_data", queue.get("out_data"));
        m.output("idle", !any(&[announcing.sig(), waiting, queue.get("any")]));
    }
}

/// Fraction bits of a division by a constant.
const SHARE: u32 = 20;
