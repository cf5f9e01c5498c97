//! PE that sums exactly: products aligned into a fixed-point accumulator.

use super::{Lane, PeShape};
use rtl_gen::{Builder, Module, any, bit, cat, sint};

/// Multiply-accumulate without rounding: `acc <= keep ? acc + a*b : a*b` in fixed point.
///
/// Ports: table of [`crate::pe`]; operands are [`Lane`] words. Operand registers, the significands' product and the sum of
/// exponents, the product shifted into the window, the accumulator: four cycles from `a_in` to the sum, one product per
/// cycle, never stalls. `product_latency` is 2. The only loop is the fixed-point add.
///
/// The accumulator is the window that `mattock_spec::Tuple::window` proves wide enough, so nothing is lost and the sum does
/// not depend on the order of its terms. Where a lane has specials, three sticky flags travel above it: NaN, plus and
/// minus infinity, from the highest bit down; rounding at the array's edge makes of them what IEEE 754 says.
#[derive(Clone, Copy, Debug)]
pub struct ExactWindow {
    /// Lanes and accumulator; without lanes operands are plain integers.
    pub shape: PeShape,
}

/// Flags above the accumulator.
pub const FLAGS: u32 = 3;

impl ExactWindow {
    fn lanes(&self) -> [Lane; 2] {
        self.shape
            .lanes
            .unwrap_or([Lane::integer(self.shape.a_bits), Lane::integer(self.shape.b_bits)])
    }
}

impl Module for ExactWindow {
    fn name(&self) -> String {
        let [a, b] = self.lanes();
        let text = |l: Lane| {
            format!("{}e{}{}", l.significand, l.exponent, if l.specials { "s" } else { "" })
        };
        format!("exact_window_a{}_b{}_acc{}", text(a), text(b), self.shape.acc_bits)
    }

    fn check(&self) -> Result<(), String> {
        let [a, b] = self.lanes();
        let least = a.significand + b.significand;
        if self.shape.acc_bits < least || self.shape.acc_bits > 128 + FLAGS {
            let bits = self.shape.acc_bits;
            return Err(format!("pe.acc_bits is {bits}; {least} (one product) to 131 fit"));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc(
            "Exact multiply-accumulate cell: products are shifted into a fixed-point accumulator.",
        );
        let [lane_a, lane_b] = self.lanes();
        let specials = lane_a.specials | lane_b.specials;
        let window = self.shape.acc_bits - if specials { FLAGS } else { 0 };
        let a = m.reg("a", m.input("a_in", sint(lane_a.bits())));
        let b = m.reg("b", m.input("b_in", sint(lane_b.bits())));
        let keep = m.reg("keep", m.input("keep_in", bit()));
        let (x, y) = (lane_a.split(a), lane_b.split(b));

        let product = m.reg("product_q", (x.significand * y.significand).named("product"));
        let shift = match (x.exponent, y.exponent) {
            (Some(e), Some(f)) => Some(e + f),
            (e, f) => e.or(f),
        };
        let wide = product.sext(window);
        let aligned = match shift.map(|s| m.reg("shift", s)) {
            Some(shift) => wide.shl(shift),
            None => wide,
        };
        let aligned = m.reg("aligned", aligned);
        let acc = m.reg_decl("acc", sint(window));
        let kept = keep.gate(acc.q());
        acc.drive(aligned.add_wrap(kept));

        let mut word = vec![acc.q().as_bits()];
        if specials {
            let mut nans = vec![];
            let mut infinities = vec![];
            for (one, other) in [(x, y), (y, x)] {
                nans.extend(one.nan);
                infinities.extend(one.infinite);
                // A NaN has the significand 0 as well, and infinity times it is NaN either way.
                nans.extend(one.infinite.map(|i| i & !other.significand.as_bits().red_or()));
            }
            let nan = m.delay("nan", any(&nans), 2);
            let infinite = any(&infinities);
            let negative = x.significand.msb() ^ y.significand.msb();
            let minus = m.delay("minus", infinite & negative, 2);
            let plus = m.delay("plus", infinite & !negative, 2);
            for (name, now) in [("minus_q", minus), ("plus_q", plus), ("nan_q", nan)] {
                let sticky = m.reg_decl(name, bit());
                sticky.drive(now | (keep & sticky.q()));
                word.insert(0, sticky.q());
            }
        }
        let drain = m.reg("drain_q", (!keep).gate(cat(&word)));

        m.output("a_out", a);
        m.output("b_out", b);
        m.output("keep_out", keep);
        m.output("drain", drain);
    }
}
