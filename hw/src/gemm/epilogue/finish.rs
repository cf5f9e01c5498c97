//! Behind the scale: zero point, activation, residual, cast.

use super::HalfEven;
use rtl_gen::{Builder, Module, Sig, bit, bits, sint};

/// The last steps of an epilogue, one value a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `scaled` | in | bits(32) | integer |
/// | `residual` | in | bits(32) | integer added after the activation; belongs to the value of its cycle |
/// | `zero` | in | sint(32) | added first |
/// | `low`, `high` | in | sint(33) | limits after that: ReLU has `low` = `zero`, none has the type's own |
/// | `leaky`, `slope` | in | bit, bits(32) | only with `leaky`: below `zero`, the value times a binary32 slope, to nearest even |
/// | `least`, `most`, `saturate` | in | sint(32), bit | range of the stored type; without `saturate` the low bits are kept |
/// | `code` | out | bits(32) | [`latency`](Self::latency) cycles later |
///
/// All but `scaled` and `residual` hold still during a command. Stages: (slope;) zero point; limits; residual; range.
#[derive(Clone, Copy, Debug)]
pub struct Finish {
    /// Negative values may have a slope.
    pub leaky: bool,
}

impl Finish {
    /// Cycles from `scaled` to `code`.
    pub fn latency(&self) -> u32 {
        4 + if self.leaky { HalfEven::LATENCY } else { 0 }
    }
}

impl Module for Finish {
    fn name(&self) -> String {
        format!("finish{}", if self.leaky { "_leaky" } else { "" })
    }

    fn build(&self, m: &Builder) {
        m.doc("Zero point, activation, residual and saturating cast.");
        let scaled = m.input("scaled", bits(32));
        let residual = m.input("residual", bits(32)).as_s();
        let zero = m.input("zero", sint(32));
        let (low, high) = (m.input("low", sint(33)), m.input("high", sint(33)));
        let (least, most) = (m.input("least", sint(32)), m.input("most", sint(32)));
        let saturate = m.input("saturate", bit());

        let value = match self.leaky {
            false => scaled,
            true => {
                let sloped = m.inst("times_slope", &HalfEven);
                sloped.set("sum", scaled).set("factor", m.input("slope", bits(32)));
                let waited = m.delay("scaled_waited", scaled, HalfEven::LATENCY);
                let below = m.input("leaky", bit()) & waited.msb();
                below.mux(sloped.get("result"), waited)
            }
        };
        let moved = m.reg("moved", value.as_s() + zero);
        let limited = m.reg("limited", clamp(moved, low, high));
        let residual = m.delay("residual_waited", residual, self.latency() - 2);
        let total = m.reg("total", limited + residual.sext(33));
        let ranged = clamp(total, least.sext(34), most.sext(34));
        m.output("code", m.reg("code_q", saturate.mux(ranged, total).trunc(32).as_bits()));
    }
}

/// `x` between two limits of its type.
fn clamp<'m>(x: Sig<'m>, low: Sig<'m>, high: Sig<'m>) -> Sig<'m> {
    let raised = x.lt(low).mux(low, x);
    raised.gt(high).mux(high, raised)
}
