//! ONNX Runtime's way from a sum to an integer.

use crate::float::{Multiply, Round, ToInt};
use mattock_spec::format::Float;
use rtl_gen::{Builder, Module, bits, uint};

/// A 32-bit integer as binary32, times a binary32 factor, as an integer: three roundings to nearest even, one sum a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `sum` | in | bits(32) | integer |
/// | `factor` | in | bits(32) | binary32; belongs to the sum of its cycle |
/// | `result` | out | bits(32) | integer, saturated, [`HalfEven::LATENCY`] cycles later |
#[derive(Clone, Copy, Debug)]
pub struct HalfEven;

impl HalfEven {
    /// Cycles from `sum` to `result`.
    pub const LATENCY: u32 = Round::LATENCY + Multiply::LATENCY + ToInt::LATENCY;
}

impl Module for HalfEven {
    fn name(&self) -> String {
        "half_even".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("A sum to binary32, times a binary32 factor, to the nearest integer; ties to even each time.");
        // An integer is a fixed-point sum whose lowest bit weighs 1.
        let round = m.inst("to_float", &Round { window: 32, flags: false, to: Float::F32 });
        let nearest = m.lit(uint(3), 0);
        round
            .set("sum", m.input("sum", bits(32)))
            .set("exponent", m.lit(uint(8), Float::F32.bias().into()))
            .set("is_int", m.low())
            .set("mode", nearest)
            .set("random", m.lit(bits(16), 0))
            .set("saturate", m.low());
        let product = m.inst("times", &Multiply { bypass: false });
        product
            .set("enable", m.high())
            .set("is_float", m.high())
            .set("a", round.get("result"))
            .set("b", m.delay("factor", m.input("factor", bits(32)), Round::LATENCY));
        let integer = m.inst("to_int", &ToInt);
        integer.set("number", product.get("product"));
        m.output("result", integer.get("value").as_bits());
    }
}
