//! Integer PE without multiplier blocks.

use super::{PeShape, accumulate};
use crate::cells::RowMultiplier;
use rtl_gen::{Builder, Module, bit, sint};

/// Integer multiply-accumulate cell in carry chains: `acc <= keep ? acc + a*b : a*b`.
///
/// Ports: table of [`crate::pe`]. Operand registers, a [`RowMultiplier`] of [`Rows::LATENCY`] cycles, then the
/// accumulator, whose load is free ([`GatedAdd`](crate::cells::GatedAdd)): no step has more than one carry chain between registers. One product per cycle, never stalls.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// Operand and accumulator widths.
    pub shape: PeShape,
}

impl Rows {
    /// Cycles of the multiplier, whatever the width: narrow ones are padded with registers.
    pub const LATENCY: u32 = 3;

    fn multiplier(&self) -> RowMultiplier {
        RowMultiplier { a_bits: self.shape.a_bits, b_bits: self.shape.b_bits }
    }
}

impl Module for Rows {
    fn name(&self) -> String {
        format!("rows_mac_{}", self.shape.suffix())
    }

    fn check(&self) -> Result<(), String> {
        let b_bits = self.shape.b_bits;
        let multiplier = self.multiplier();
        multiplier.check()?;
        if multiplier.latency() > Self::LATENCY {
            return Err(format!("pe.b_bits is {b_bits}; rows are built for 2 to 8 bits"));
        }
        self.shape.check_accumulator()
    }

    fn build(&self, m: &Builder) {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        m.doc("Multiply-accumulate cell in carry chains; `keep` 0 starts a sum and drains the one before.");
        let a = m.reg("a", m.input("a_in", sint(a_bits)));
        let b = m.reg("b", m.input("b_in", sint(b_bits)));
        let keep = m.reg("keep", m.input("keep_in", bit()));

        let multiplier = self.multiplier();
        let rows = m.inst("rows", &multiplier).set("a", a).set("b", b);
        let pad = Self::LATENCY - multiplier.latency();
        let product = m.delay("product", rows.get("product"), pad);

        m.output("a_out", a);
        m.output("b_out", b);
        m.output("keep_out", keep);
        m.output("drain", accumulate(m, product, keep, acc_bits));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtl_gen::Design;

    #[test]
    fn refuses_widths_it_cannot_build() {
        let error = |a_bits, b_bits, acc_bits| {
            let shape = PeShape { a_bits, b_bits, acc_bits, lanes: None };
            Rows { shape }.check().expect_err("refused")
        };
        assert_eq!(error(8, 9, 32), "pe.b_bits is 9; rows are built for 2 to 8 bits");
        assert_eq!(error(33, 8, 64), "row multiplier: a_bits is 33; 2 to 32 are built");
        assert_eq!(error(8, 8, 15), "pe.acc_bits is 15; 16 (one product) to 64 fit");
    }

    #[test]
    fn text_in_ecp5_cells() {
        let shape = PeShape { a_bits: 2, b_bits: 2, acc_bits: 5, lanes: None };
        let design = Design::elaborate(&Rows { shape }).expect("elaborates");
        let files: Vec<String> = design.verilog_for("ecp5").into_iter().map(|f| f.text).collect();
        insta::assert_snapshot!(files.join("\n"));
    }
}
