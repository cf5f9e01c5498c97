//! The column ranges of one row that are still to be done.

use rtl_gen::{Builder, MemSpec, Module, bit, mux, uint};

/// Upper bounds on a stack, the next range on top: the first range starts at `low`, each other where the
/// one above it ends.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `cols` | in | uint(`index_bits` + 1) | columns of B |
/// | `clear` | in | bit | pulse: one range, all columns |
/// | `push`, `bound` | in | bit, uint(`index_bits` + 1) | pulse: the top range ends at `bound`, a new one follows |
/// | `pass` | in | uint(6) | which range, 0 is the top |
/// | `lo`, `hi` | out | uint(`index_bits` + 1) | that range |
/// | `split` | in | bit | pulse: ranges above `pass` are finished, range `pass` is halved and becomes the top |
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
        let cols = m.input("cols", column);
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
        let half = upper.sub_wrap(lo).shr_k(1).zext(column.width());
        let middle = lo.add_wrap(half.is(0).mux(half.lit(1), half)).named("middle");
        let at = mux(clear, depth.q().lit(0), mux(split, place, depth.q()));
        let value = mux(clear, cols, mux(split, middle, bound));
        stack.write(at, value.as_bits(), clear | push | split);
        depth.update(&[(clear, depth.q().lit(1)), (split, place.inc()), (push, depth.q().inc())]);
        low.update(&[(clear, low.q().lit(0)), (split, lo)]);

        m.output("lo", lo);
        m.output("hi", upper);
        m.output("count", depth.q());
    }
}
