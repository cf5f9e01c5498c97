//! A multiplier block with its own registers.

use super::ECP5;
use rtl_gen::{Builder, Module, sint};
use std::fmt::Write;

/// Signed product from one multiplier block, operands and product in the block's registers.
///
/// | port | dir | type |
/// |---|---|---|
/// | `a` | in | sint(`a_bits`) |
/// | `b` | in | sint(`b_bits`) |
/// | `product` | out | sint(`a_bits` + `b_bits`) |
///
/// [`LATENCY`](Self::LATENCY) cycles, one product a cycle. yosys leaves the registers around an ECP5 multiplier in the fabric
/// (72 to 108 MHz), so on ECP5 the leaf is a `MULT18X18D` that is told to use its own.
#[derive(Clone, Copy, Debug)]
pub struct BlockMultiplier {
    /// First operand, at most 18 bits.
    pub a_bits: u32,
    /// Second operand, at most 18 bits.
    pub b_bits: u32,
}

/// Operand bits of a block.
const BLOCK: u32 = 18;

impl BlockMultiplier {
    /// Cycles from operands to product.
    pub const LATENCY: u32 = 2;

    /// The block in ECP5 cells; what is not connected is not used.
    fn ecp5(self) -> String {
        let mut out = String::from("  MULT18X18D #(");
        for register in ["INPUTA", "INPUTB", "OUTPUT"] {
            let _ = write!(out, ".REG_{register}_CLK(\"CLK0\"), ");
        }
        out.push_str(".REG_PIPELINE_CLK(\"NONE\")) block (\n    ");
        for (operand, bits) in [("a", self.a_bits), ("b", self.b_bits)] {
            for i in 0..BLOCK {
                let port = operand.to_uppercase();
                // The sign fills the operand.
                let _ = write!(out, ".{port}{i}({operand}[{}]), ", i.min(bits - 1));
            }
            out.push_str("\n    ");
        }
        for i in 0..self.a_bits + self.b_bits {
            let _ = write!(out, ".P{i}(product[{i}]), ");
        }
        out.push_str(
            "\n    .SIGNEDA(1'b1), .SIGNEDB(1'b1), .SOURCEA(1'b0), .SOURCEB(1'b0), \
             .CLK0(clk), .CE0(1'b1), .RST0(1'b0)\n  );\n",
        );
        out
    }
}

impl Module for BlockMultiplier {
    fn name(&self) -> String {
        format!("block_multiplier_{}x{}", self.a_bits, self.b_bits)
    }

    fn check(&self) -> Result<(), String> {
        for (key, bits) in [("a_bits", self.a_bits), ("b_bits", self.b_bits)] {
            if !(2..=BLOCK).contains(&bits) {
                return Err(format!(
                    "{key} is {bits}; one multiplier block takes 2 to {BLOCK} bits"
                ));
            }
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Signed product of a multiplier block, operands and product registered in it.");
        // A wire of its own between registers without reset: every tool infers a block.
        let a = m.reg("a_q", m.input("a", sint(self.a_bits)));
        let b = m.reg("b_q", m.input("b", sint(self.b_bits)));
        m.output("product", m.reg("product_q", (a * b).named("full")));
        m.native(ECP5, self.ecp5());
    }
}
