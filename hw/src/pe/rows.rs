//! Integer PE without multiplier blocks.

use super::PeShape;
use crate::cells::{GatedAdd, RowMultiplier};
use rtl_gen::{Builder, Module, bit, sint};

/// Integer multiply-accumulate cell in carry chains: `acc <= first ? a*b : acc + a*b`.
///
/// Ports: table of [`crate::pe`]. Operand registers, a [`RowMultiplier`] of [`Rows::LATENCY`] cycles, then the
/// accumulator, whose load is free ([`GatedAdd`]): no step has more than one carry chain between registers. One product per cycle, never stalls.
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
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        let multiplier = self.multiplier();
        multiplier.check()?;
        if multiplier.latency() > Self::LATENCY {
            return Err(format!("pe.b_bits is {b_bits}; rows are built for 2 to 8 bits"));
        }
        if acc_bits < a_bits + b_bits || acc_bits > 64 {
            let least = a_bits + b_bits;
            return Err(format!("pe.acc_bits is {acc_bits}; {least} (one product) to 64 fit"));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        m.doc("Multiply-accumulate cell in carry chains; `first` starts a sum and drains the one before.");
        let a = m.reg("a", m.input("a_in", sint(a_bits)));
        let b = m.reg("b", m.input("b_in", sint(b_bits)));
        let first = m.reg("first", m.input("first_in", bit()));

        let multiplier = self.multiplier();
        let rows = m.inst("rows", &multiplier).set("a", a).set("b", b);
        let pad = Self::LATENCY - multiplier.latency();
        let product = m.delay("product", rows.get("product"), pad).sext(acc_bits);
        let acc = m.reg_decl("acc", sint(acc_bits));
        let add = m.inst("add", &GatedAdd { width: acc_bits });
        add.set("a", product.as_bits()).set("b", acc.q().as_bits()).set("clear", first);
        acc.drive(add.get("sum").as_s());
        // The gate is the synchronous clear of the flip-flops: no LUT.
        let drain = m.reg("drain_q", first.gate(acc.q().as_bits()));

        m.output("a_out", a);
        m.output("b_out", b);
        m.output("first_out", first);
        m.output("drain", drain);
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
