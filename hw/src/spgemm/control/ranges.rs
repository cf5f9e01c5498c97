//! The column ranges of one row that are still to be done.

use rtl_gen::{Builder, MemSpec, Module, bit, mux, uint};

/// Upper bounds on a stack, the next range on top: the first range starts at `low`, each other where the
/// one above it ends.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `first_col`, `end_col` | in | uint(`index_bits` + 1) | columns that there are |
/// | `clear` | in | bit | pulse: one range, all columns |
/// | `push`, `bound` | in | bit, uint(`index_bits` + 1) | pulse: the top range ends at `bound`, a new one follows |
/// | `pass` | in | uint(6) | which range, 0 is the top |
/// | `lo`, `hi` | out | uint(`index_bits` + 1) | that range |
/// | `split` | in | bit | pulse: ranges above `pass` are finished, range `pass` is halved and becomes the top; three cycles later it is, with no other pulse in between |
/// | `count` | out | uint(6) | ranges |
///
/// A range of one column is never split: it cannot overflow. With at most 31 bounds pushed after
/// `clear`, 32 halvings of a 32-bit range still fit the 64 places.
#[derive(Clone, Copy, Debug)]
pub struct Ranges {
    /// Bits of a column.
    pub index_bits: u32,
}

impl Module for Ranges {
    fn name(&self) -> String {
        format!("ranges_c{}", self.index_bits)
    }

    fn build(&self, m: &Builder) {
        m.doc("Column ranges of one row that are still to be done.");
        let column = uint(self.index_bits + 1);
        let (first, end) = (m.input("first_col", column), m.input("end_col", column));
        let (clear, push) = (m.input("clear", bit()), m.input("push", bit()));
        let bound = m.input("bound", column);
        let (pass, split) = (m.input("pass", uint(6)), m.input("split", bit()));

        let depth = m.state("depth", uint(6), 0);
        let low = m.state("low", column, 0);
        let stack = m.mem("stack", MemSpec::distributed(64, column.width()));
        let place = depth.q().sub_wrap(pass).named("place");
        let upper = stack.read_async("upper", place.dec()).as_u();
        let below = stack.read_async("below", place).as_u();
        let lo = pass.is(0).mux(low.q(), below).named("range_lo");
        // Reading the stack, halving and writing in a cycle each: together they are two carry chains between two RAMs.
        let read = m.reg_reset("split_read", split, 0);
        let (place_q, lo_q) = (m.reg("split_place", place), m.reg("split_lo", lo));
        let half = m.reg("split_upper", upper).sub_wrap(lo_q).shr_k(1).zext(column.width());
        let middle = lo_q.add_wrap(half.is(0).mux(half.lit(1), half));
        let write = m.reg_reset("split_write", read, 0);
        let (middle, at, from) =
            (m.reg("middle", middle), m.reg("middle_place", place_q), m.reg("middle_lo", lo_q));
        let to = mux(clear, depth.q().lit(0), mux(write, at, depth.q()));
        let value = mux(clear, end, mux(write, middle, bound));
        stack.write(to, value.as_bits(), clear | push | write);
        depth.update(&[(clear, depth.q().lit(1)), (write, at.inc()), (push, depth.q().inc())]);
        low.update(&[(clear, first), (write, from)]);
        m.assert("one_change_at_a_time", !((split | read | write) & (clear | push)));

        m.output("lo", lo);
        m.output("hi", upper);
        m.output("count", depth.q());
    }
}
