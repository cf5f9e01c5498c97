//! PE that sums in binary32, one rounding a step.

use crate::float::{Fma, Operand};
use rtl_gen::{Builder, Module, bit, bits, uint};

/// Sums of several rows of one column, each a chain `acc = fma(a, b, acc)`: as many as the addition has stages take turns, so that
/// the one place where sums are is the pipeline of [`Fma`] itself.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `a_in`, `a_out` | in, out | bits | row operand, another row every cycle; passed to the right one cycle later |
/// | `take_in`, `take_out` | in, out | bit | with the first row of a turn: take the column operand |
/// | `b_in`, `b_out` | in, out | bits | column operand of a turn, passed down at the next `take_in` |
/// | `keep_in`, `keep_out` | in, out | bit | 0: the product of [`latency`](Self::latency) cycles ago starts a new sum |
/// | `hold_in`, `hold_out` | in, out | bit | 1: that product is none, the sum stays as it is |
/// | `mode`, `saturate` | in | uint(3), bit | of [`Fma`]; hold still while sums are under way |
/// | `drain` | out | bits(32) | the finished sum for one cycle, otherwise 0 |
///
/// A turn is [`Chain::ROWS`] cycles. One multiply-add a cycle, never stalls.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Row operand.
    pub a: Operand,
    /// Column operand.
    pub b: Operand,
}

impl Chain {
    /// Rows that take turns.
    pub const ROWS: u32 = Fma::LATENCY;

    /// Cycles by which `keep_in` and `hold_in` follow the operands.
    pub fn latency(&self) -> u32 {
        self.fma().product_latency()
    }

    fn fma(&self) -> Fma {
        Fma { a: self.a, b: self.b }
    }
}

impl Module for Chain {
    fn name(&self) -> String {
        format!("pe_chain_{}", self.fma().name())
    }

    fn build(&self, m: &Builder) {
        m.doc("Multiply-accumulate cell in binary32; the rows of a turn share its adder.");
        let take = m.input("take_in", bit());
        let a = m.reg("a", m.input("a_in", bits(self.a.bits())));
        let b = m.reg_when("b", take, m.input("b_in", bits(self.b.bits())));
        let keep = m.reg("keep", m.input("keep_in", bit()));
        let hold = m.reg("hold", m.input("hold_in", bit()));
        let fma = m.inst("fma", &self.fma());
        let sum = fma.get("sum");
        fma.set("a", a).set("b", b).set("addend", keep.gate(sum)).set("hold", hold);
        fma.set("mode", m.input("mode", uint(3))).set("saturate", m.input("saturate", bit()));

        m.output("a_out", a);
        m.output("take_out", m.reg("take", take));
        m.output("b_out", b);
        m.output("keep_out", keep);
        m.output("hold_out", hold);
        m.output("drain", m.reg("drain_q", (!keep).gate(sum)));
    }
}
