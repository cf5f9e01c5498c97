//! Dot product unit of whole multipliers and an adder tree.

use super::dot::{DotShape, Term, levels, sum_up};
use crate::cells::{BlockMultiplier, RowMultiplier};
use rtl_gen::{Builder, Module, bits};

/// `depth` multipliers of one kind and a tree of adders, a register behind each level.
///
/// Ports: table of [`crate::pe::dot`]. The classical multiplier-adder tree: for PE `dsp` multiplier blocks, for `rows` row
/// pairs in carry chains.
#[derive(Clone, Copy, Debug)]
pub struct Products {
    /// Widths.
    pub shape: DotShape,
    /// Multiplier blocks, otherwise carry chains.
    pub blocks: bool,
}

impl Products {
    fn rows(&self) -> RowMultiplier {
        RowMultiplier { a_bits: self.shape.a_bits, b_bits: self.shape.b_bits }
    }

    fn block(&self) -> BlockMultiplier {
        BlockMultiplier { a_bits: self.shape.a_bits, b_bits: self.shape.b_bits }
    }

    /// Cycles from operands to sum: the product, a register behind it, the tree.
    pub fn latency(&self) -> u32 {
        let product = if self.blocks { BlockMultiplier::LATENCY } else { self.rows().latency() };
        product + self.behind() + levels(self.shape.depth)
    }

    /// A lone block's product needs a register in the fabric before the accumulator; in a tree the first adder has one.
    fn behind(&self) -> u32 {
        u32::from(self.blocks && self.shape.depth == 1)
    }
}

impl Module for Products {
    fn name(&self) -> String {
        let kind = if self.blocks { "dsp" } else { "rows" };
        format!("products_{kind}_{}", self.shape.suffix())
    }

    fn check(&self) -> Result<(), String> {
        if self.blocks { self.block().check() } else { self.rows().check() }
    }

    fn build(&self, m: &Builder) {
        m.doc("Dot product: multipliers and a tree of adders.");
        let DotShape { a_bits, b_bits, depth } = self.shape;
        let (a, b) = (m.input("a", bits(depth * a_bits)), m.input("b", bits(depth * b_bits)));
        let products = (0..depth)
            .map(|k| {
                let name = format!("multiplier_{k}");
                let multiplier = match self.blocks {
                    true => m.inst(&name, &self.block()),
                    false => m.inst(&name, &self.rows()),
                };
                multiplier.set("a", a.lane(k, a_bits).as_s()).set("b", b.lane(k, b_bits).as_s());
                let product = multiplier.get("product");
                Term::new(m.delay(&format!("product_{k}"), product, self.behind()), 0)
            })
            .collect();
        m.output("sum", sum_up(m, "sum", products).value.resize(self.shape.sum_bits()));
    }
}
