//! Integer PE around one multiplier block.

use super::PeShape;
use rtl_gen::{Builder, Module, bit, sint};

/// Integer multiply-accumulate cell: `acc <= first ? a*b : acc + a*b`.
///
/// Ports: table of [`crate::pe`]. Operand registers, then a product register between multiplier and
/// adder, then the accumulator: three cycles from `a_in` to the sum, one product per cycle, never
/// stalls. `product_latency` is 1. The multiplier stands in a wire of its own between registers
/// without reset, so that every tool infers a DSP block.
#[derive(Clone, Copy, Debug)]
pub struct IntMac {
    /// Operand and accumulator widths.
    pub shape: PeShape,
}

impl Module for IntMac {
    fn name(&self) -> String {
        format!("int_mac_{}", self.shape.suffix())
    }

    fn check(&self) -> Result<(), String> {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        for (key, bits) in [("a_bits", a_bits), ("b_bits", b_bits)] {
            if !(2..=18).contains(&bits) {
                return Err(format!("pe.{key} is {bits}; one multiplier block takes 2 to 18 bits"));
            }
        }
        if acc_bits < a_bits + b_bits || acc_bits > 64 {
            let least = a_bits + b_bits;
            return Err(format!("pe.acc_bits is {acc_bits}; {least} (one product) to 64 fit"));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        m.doc("Integer multiply-accumulate cell; `first` starts a sum and drains the one before.");
        let a = m.reg("a", m.input("a_in", sint(a_bits)));
        let b = m.reg("b", m.input("b_in", sint(b_bits)));
        let first = m.reg("first", m.input("first_in", bit()));

        let product = m.reg("product_q", (a * b).named("product")).sext(acc_bits);
        let acc = m.reg_decl("acc", sint(acc_bits));
        // `product + (acc & keep)` instead of a multiplexer behind the adder: one LUT per bit.
        let kept = first.mux(acc.q().lit(0), acc.q());
        acc.drive(product.add_wrap(kept));
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
