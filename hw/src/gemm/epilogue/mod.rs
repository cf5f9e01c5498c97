//! From a sum to what is stored: bias, scale, zero point, activation, residual, cast; always in this order.
//!
//! ```text
//!  sum ─► + bias ─► FixedPoint or HalfEven ─► + zero ─► limits or slope ─► + residual ─► limits of the type ─► code
//! ```
//!
//! A lane takes one sum a cycle, and its parameters beside it: those of a column change from tile to tile without a
//! bubble, so C lanes behind the C columns of an array keep the cycle contract, a few cycles later. The rules are those of
//! `docs/numerics.md`; the model is `testbench/src/reference/dense/epilogue.rs`.
//!
//! | file | what |
//! |---|---|
//! | [`fixed_point`](FixedPoint) | times `multiplier * 2^(shift - 31)`, TFLite's two roundings |
//! | [`half_even`](HalfEven) | times a binary32 factor, as ONNX Runtime does |
//! | [`requant`](Requantise) | one of these, per command |
//! | [`finish`](Finish) | zero point, activation, residual, saturating cast |
//! | [`parameters`](Parameters) | fetches the parameters of a command before its operands |
//! | [`columns`](Epilogue) | all columns: a lane and a bank of parameters each |

mod columns;
mod finish;
mod fixed_point;
mod half_even;
mod parameters;
mod requant;
#[cfg(test)]
mod tests;

pub use columns::Epilogue;
pub use finish::Finish;
pub use fixed_point::FixedPoint;
pub use half_even::HalfEven;
pub use parameters::Parameters;
pub use requant::Requantise;

use rtl_gen::{Builder, Module, bit, bits, sint, uint};

/// One column's epilogue for integer sums, one sum a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `sum` | in | bits(32) | of the array |
/// | `bias` | in | bits(32) | added modulo 2^32 |
/// | `factor`, `shift` | in | bits(32), sint(6) | of [`Requantise`] |
/// | `residual` | in | bits(32) | integer added after the activation |
/// | `requant` | in | uint(2) | of [`Requantise`] |
/// | `zero`, `low`, `high`, `slope`, `leaky`, `looks_up`, `tab_*`, `least`, `most`, `saturate` | in | | of [`Finish`] |
/// | `code` | out | bits(32) | the stored value in its low bits, [`latency`](Self::latency) cycles later |
///
/// `bias`, `factor`, `shift` and `residual` belong to the sum of their cycle; the others hold still during a command.
#[derive(Clone, Copy, Debug)]
pub struct EpilogueLane {
    /// Negative values may have a slope: a second multiplier.
    pub leaky: bool,
    /// Values may be looked up: a RAM of 256 x 16 bits.
    pub table: bool,
}

impl EpilogueLane {
    fn finish(&self) -> Finish {
        Finish { leaky: self.leaky, table: self.table }
    }

    /// Cycles from `sum` to `code`.
    pub fn latency(&self) -> u32 {
        1 + Requantise::LATENCY + self.finish().latency()
    }
}

impl Module for EpilogueLane {
    fn name(&self) -> String {
        let leaky = if self.leaky { "_leaky" } else { "" };
        format!("epilogue_lane{leaky}{}", if self.table { "_table" } else { "" })
    }

    fn build(&self, m: &Builder) {
        m.doc("Bias, requantisation, zero point, activation, residual and cast of one column.");
        let sum = m.input("sum", bits(32)).as_u();
        let biased = m.reg("biased", sum.add_wrap(m.input("bias", bits(32)).as_u()));
        let requant = m.inst("requantise", &Requantise);
        requant
            .set("sum", biased.as_bits())
            .set("mode", m.input("requant", uint(2)))
            .set("factor", m.reg("factor_q", m.input("factor", bits(32))))
            .set("shift", m.reg("shift_q", m.input("shift", sint(6))));
        let finish = m.inst("finish", &self.finish());
        let residual = m.delay("residual", m.input("residual", bits(32)), 1 + Requantise::LATENCY);
        finish.set("scaled", requant.get("result")).set("residual", residual);
        for name in ["zero", "least", "most"] {
            finish.set(name, m.input(name, sint(32)));
        }
        for name in ["low", "high"] {
            finish.set(name, m.input(name, sint(33)));
        }
        finish.set("saturate", m.input("saturate", bit()));
        if self.leaky {
            finish.set("leaky", m.input("leaky", bit())).set("slope", m.input("slope", bits(32)));
        }
        if self.table {
            for (name, ty) in [
                ("looks_up", bit()),
                ("tab_write", bit()),
                ("tab_word", uint(8)),
                ("tab_data", bits(16)),
            ] {
                finish.set(name, m.input(name, ty));
            }
        }
        m.output("code", finish.get("code"));
    }
}
