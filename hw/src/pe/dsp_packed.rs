//! Integer PE that gets two products out of one multiplier block.

use super::{PeShape, accumulate};
use crate::cells::BlockMultiplier;
use rtl_gen::{Builder, Module, bit, bits, cat, sint};

/// Multiply-accumulate cell of two neighbouring columns: `acc_j <= keep ? acc_j + a*b_j : a*b_j`.
///
/// Ports: table of [`crate::pe`] with `columns` = 2. The block multiplies `a` by `b_1 * 2^L + b_0`, L = `a_bits + b_bits`: the low L bits of the
/// product are `a*b_0`, the rest is `a*b_1` less the borrow of a negative `a*b_0`, whose sign bit is added back in the
/// register stage behind the block. Exact for all operands (tested exhaustively). Timing as [`IntMac`](super::IntMac): one
/// product per column and cycle, never stalls.
///
/// Source: packing of narrow products into wide multipliers, Fu et al., "Deep Learning with INT8 Optimization" (WP486),
/// and the 4-bit packing of Sommer et al., "DSP-Packing" (FPL 2022), with the exact correction.
#[derive(Clone, Copy, Debug)]
pub struct DspPacked {
    /// Operand and accumulator widths, of each column.
    pub shape: PeShape,
}

impl DspPacked {
    /// Cycles of the product behind the operand register.
    pub const LATENCY: u32 = BlockMultiplier::LATENCY;

    /// Bits of the low product.
    fn lane(&self) -> u32 {
        self.shape.a_bits + self.shape.b_bits
    }

    fn multiplier(&self) -> BlockMultiplier {
        let PeShape { a_bits, b_bits, .. } = self.shape;
        BlockMultiplier { a_bits, b_bits: self.lane() + b_bits + 1 }
    }
}

impl Module for DspPacked {
    fn name(&self) -> String {
        format!("dsp_packed_{}", self.shape.suffix())
    }

    fn check(&self) -> Result<(), String> {
        let PeShape { a_bits, b_bits, .. } = self.shape;
        for (key, bits) in [("a_bits", a_bits), ("b_bits", b_bits)] {
            if !(2..=4).contains(&bits) {
                return Err(format!("pe.{key} is {bits}; two products of 2 to 4 bits fit a block"));
            }
        }
        self.multiplier().check()?;
        self.shape.check_accumulator()
    }

    fn build(&self, m: &Builder) {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        m.doc("Multiply-accumulate cell of two columns around one multiplier block.");
        let a_in = m.input("a_in", sint(a_bits));
        let b_in = m.input("b_in", bits(2 * b_bits));
        let keep = m.reg("keep", m.input("keep_in", bit()));
        let lane = self.lane();
        let [low, high] = [0, 1].map(|i| b_in.lane(i, b_bits).as_s());
        let borrow = low.msb().as_u().zext(b_bits + 1).as_s();
        let above = high.sext(b_bits + 1).sub_wrap(borrow);
        let packed = cat(&[above.as_bits(), low.sext(lane).as_bits()]).as_s();

        let block = m.inst("multiplier", &self.multiplier()).set("a", a_in).set("b", packed);
        let both = block.get("product");
        let sign = both.bit(lane - 1).as_u().zext(lane).as_s();
        let low = m.reg("low_q", both.slice(lane - 1, 0).as_s());
        let high = m.reg("high_q", both.slice(2 * lane - 1, lane).as_s().add_wrap(sign));

        m.output("a_out", m.reg("a", a_in));
        m.output("b_out", m.reg("b", b_in));
        m.output("keep_out", keep);
        let low = m.scope("low", || accumulate(m, low, keep, acc_bits));
        let high = m.scope("high", || accumulate(m, high, keep, acc_bits));
        m.output("drain", cat(&[high, low]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtl_gen::{Design, Interpreter};

    #[test]
    fn all_operands_give_exact_products() {
        let shape = PeShape::int(4);
        let mut sim = Interpreter::new(&Design::elaborate(&DspPacked { shape }).unwrap()).unwrap();
        let signed = |code: u64| ((code << 60) as i64) >> 60;
        // Every step starts a sum, so every product drains.
        let [a, b, keep, drain] = ["a_in", "b_in", "keep_in", "drain"].map(|p| sim.port(p));
        sim.set(keep, 0);
        let latency = DspPacked::LATENCY as usize + 3;
        for code in 0..(1 << 12) + latency as u64 {
            sim.set(a, code & 15);
            sim.set(b, code >> 4 & 255);
            if let Some(old) = code.checked_sub(latency as u64) {
                let word = sim.get(drain);
                let got = [word as i32, (word >> 32) as i32].map(i64::from);
                let [x, y0, y1] = [old, old >> 4, old >> 8].map(|c| signed(c & 15));
                assert_eq!(got, [x * y0, x * y1], "{x} by {y0}, {y1}");
            }
            sim.tick();
        }
    }

    #[test]
    fn refuses_widths_it_cannot_build() {
        let shape = PeShape::INT8;
        let error = DspPacked { shape }.check().expect_err("refused");
        assert_eq!(error, "pe.a_bits is 8; two products of 2 to 4 bits fit a block");
    }
}
