//! Integer PE around one multiplier block.

use super::{PeShape, accumulate};
use crate::cells::BlockMultiplier;
use rtl_gen::{Builder, Module, bit, sint};

/// Integer multiply-accumulate cell: `acc <= keep ? acc + a*b : a*b`.
///
/// Ports: table of [`crate::pe`]. The operands go into the registers of a [`BlockMultiplier`] and, beside it, into those
/// that pass them on; a register in the fabric behind the block (without it the way from block to adder is the slowest), then the
/// accumulator: four cycles from `a_in` to the sum, one product per cycle, never stalls.
#[derive(Clone, Copy, Debug)]
pub struct IntMac {
    /// Operand and accumulator widths.
    pub shape: PeShape,
}

impl IntMac {
    /// Cycles of the product behind the operand register.
    pub const LATENCY: u32 = BlockMultiplier::LATENCY;

    fn multiplier(&self) -> BlockMultiplier {
        BlockMultiplier { a_bits: self.shape.a_bits, b_bits: self.shape.b_bits }
    }
}

impl Module for IntMac {
    fn name(&self) -> String {
        format!("int_mac_{}", self.shape.suffix())
    }

    fn check(&self) -> Result<(), String> {
        self.multiplier().check().map_err(|e| format!("pe.{e}"))?;
        self.shape.check_accumulator()
    }

    fn build(&self, m: &Builder) {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        m.doc("Multiply-accumulate cell around a multiplier block; `keep` 0 starts a sum and drains the one before.");
        let (a_in, b_in) = (m.input("a_in", sint(a_bits)), m.input("b_in", sint(b_bits)));
        let keep = m.reg("keep", m.input("keep_in", bit()));
        let block = m.inst("multiplier", &self.multiplier()).set("a", a_in).set("b", b_in);
        let product = m.reg("product_q", block.get("product"));

        m.output("a_out", m.reg("a", a_in));
        m.output("b_out", m.reg("b", b_in));
        m.output("keep_out", keep);
        m.output("drain", accumulate(m, product, keep, acc_bits));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtl_gen::Design;

    #[test]
    fn verilog_text() {
        let design = Design::elaborate(&IntMac { shape: PeShape::INT8 }).expect("elaborates");
        insta::assert_snapshot!(design.verilog_text());
    }

    #[test]
    fn refuses_widths_it_cannot_build() {
        let error = |a_bits, b_bits, acc_bits| {
            let shape = PeShape { a_bits, b_bits, acc_bits, lanes: None };
            IntMac { shape }.check().expect_err("refused")
        };
        assert_eq!(error(19, 8, 32), "pe.a_bits is 19; one multiplier block takes 2 to 18 bits");
        assert_eq!(error(8, 1, 32), "pe.b_bits is 1; one multiplier block takes 2 to 18 bits");
        assert_eq!(error(8, 8, 15), "pe.acc_bits is 15; 16 (one product) to 64 fit");
    }
}
