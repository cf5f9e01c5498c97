//! Behind the scale: zero point, activation, residual, cast.

use super::HalfEven;
use rtl_gen::{Builder, MemSpec, Module, Sig, bit, bits, sint, uint};

/// The last steps of an epilogue, one value a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `scaled` | in | bits(32) | integer |
/// | `residual` | in | bits(32) | integer added after the activation; belongs to the value of its cycle |
/// | `zero` | in | sint(32) | added first |
/// | `low`, `high` | in | sint(33) | limits after that: ReLU has `low` = `zero`, none has the type's own |
/// | `leaky`, `slope` | in | bit, bits(32) | only with `leaky`: below `zero`, the value times a binary32 slope, to nearest even |
/// | `looks_up`, `tab_write`, `tab_word`, `tab_data` | in | bit, bit, uint(8), bits(16) | only with `table`: the limited value becomes an entry; entries are written |
/// | `least`, `most`, `saturate` | in | sint(32), bit | range of the stored type; without `saturate` the low bits are kept |
/// | `code` | out | bits(32) | [`latency`](Self::latency) cycles later |
///
/// All but `scaled` and `residual` hold still during a command. Stages: (slope;) zero point; limits; (index; entry; choice;) residual; range. A
/// table's index is the value saturated to i8, or to u8 where `least` is not negative.
#[derive(Clone, Copy, Debug)]
pub struct Finish {
    /// Negative values may have a slope.
    pub leaky: bool,
    /// Values may be looked up in a table of 256.
    pub table: bool,
}

impl Finish {
    /// Stages of a table.
    const LOOK_UP: u32 = 3;

    /// Cycles from `scaled` to `code`.
    pub fn latency(&self) -> u32 {
        let slope = if self.leaky { HalfEven::LATENCY } else { 0 };
        4 + slope + if self.table { Self::LOOK_UP } else { 0 }
    }
}

impl Module for Finish {
    fn name(&self) -> String {
        let leaky = if self.leaky { "_leaky" } else { "" };
        format!("finish{leaky}{}", if self.table { "_table" } else { "" })
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
        let limited = if self.table { look_up(m, limited, least) } else { limited };
        let residual = m.delay("residual_waited", residual, self.latency() - 2);
        let total = m.reg("total", limited + residual.sext(33));
        let ranged = clamp(total, least.sext(34), most.sext(34));
        m.output("code", m.reg("code_q", saturate.mux(ranged, total).trunc(32).as_bits()));
    }
}

/// A 33-bit value, or the entry of the table that it names.
fn look_up<'m>(m: &'m Builder, value: Sig<'m>, least: Sig<'m>) -> Sig<'m> {
    let signed = least.msb();
    let end =
        |with: i128, without: i128| signed.mux(m.lit(sint(33), with), m.lit(sint(33), without));
    let index = clamp(value, end(-128, 0), end(127, 255)).trunc(8).as_u();
    let index = m.reg("index", index);
    let table = m.mem("entries", MemSpec::block(256, 16));
    let (word, data) = (m.input("tab_word", uint(8)), m.input("tab_data", bits(16)));
    table.write(word, data, m.input("tab_write", bit()));
    let entry = table.read("entry", index, m.high()).as_s().sext(33);
    let waited = m.delay("limited_waited", value, 2);
    m.reg("chosen", m.input("looks_up", bit()).mux(entry, waited))
}

/// `x` between two limits of its type.
fn clamp<'m>(x: Sig<'m>, low: Sig<'m>, high: Sig<'m>) -> Sig<'m> {
    let raised = x.lt(low).mux(low, x);
    raised.gt(high).mux(high, raised)
}
