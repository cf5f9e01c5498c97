//! Which rounding of the three.

use super::{FixedPoint, HalfEven};
use rtl_gen::{Builder, Module, bits, case, sint, uint};

/// A 32-bit sum times a real factor, one a cycle, in a mode chosen per command.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `sum` | in | bits(32) | integer |
/// | `factor`, `shift` | in | bits(32), sint(6) | multiplier and shift (modes 1 and 2), or a binary32 number (mode 3) |
/// | `mode` | in | uint(2) | [`Requantise::MODES`]; holds still while sums are in flight |
/// | `result` | out | bits(32) | integer, saturated, [`Requantise::LATENCY`] cycles later |
#[derive(Clone, Copy, Debug)]
pub struct Requantise;

impl Requantise {
    /// Cycles from `sum` to `result`, in every mode.
    pub const LATENCY: u32 = HalfEven::LATENCY;

    /// Values of `mode`: the sum as it is; TFLite's roundings; ONNX Runtime's.
    pub const MODES: [&'static str; 4] = ["none", "double", "single", "half_even"];
}

impl Module for Requantise {
    fn name(&self) -> String {
        "requantise".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("A sum times a real factor, rounded in one of three ways, or passed.");
        let (sum, factor) = (m.input("sum", bits(32)), m.input("factor", bits(32)));
        let mode = m.input("mode", uint(2));
        let fixed = m.inst("fixed_point", &FixedPoint);
        fixed
            .set("sum", sum)
            .set("multiplier", factor.slice(30, 0).as_u())
            .set("shift", m.input("shift", sint(6)))
            .set("double", mode.is(1));
        let float = m.inst("half_even", &HalfEven);
        float.set("sum", sum).set("factor", factor);
        // All modes take as long as the longest.
        let fixed = m.delay("fixed", fixed.get("result"), Self::LATENCY - FixedPoint::LATENCY);
        let passed = m.delay("passed", sum, Self::LATENCY);
        let arms = [(1, fixed), (2, fixed), (3, float.get("result"))];
        m.output("result", case(mode, &arms, passed));
    }
}
