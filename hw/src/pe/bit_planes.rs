//! Dot product unit of bit planes: ANDs and population counts.

use super::dot::{DotShape, Term, levels, sum_up};
use rtl_gen::{Builder, Module, Sig, bits};

/// Sums over pairs of bit planes: `sum = sum_ij +-2^(i+j) * popcount(a_i & b_j)`, planes with a sign counted negative.
///
/// Ports: table of [`crate::pe::dot`]. All pairs of planes stand side by side, so a sum takes one cycle whatever the widths; the area goes with the
/// product of the widths, which makes this the PE for operands of few bits. Counts of one weight are added before weights are
/// joined. Latency: the counts, log2 of the pairs of planes.
///
/// Source: BISMO (FPL 2018), whose dot product unit counts one pair of planes a cycle.
#[derive(Clone, Copy, Debug)]
pub struct BitPlanes {
    /// Widths.
    pub shape: DotShape,
}

impl BitPlanes {
    /// Cycles from operands to sum.
    pub fn latency(&self) -> u32 {
        let DotShape { a_bits, b_bits, .. } = self.shape;
        1 + levels(a_bits * b_bits)
    }
}

impl Module for BitPlanes {
    fn name(&self) -> String {
        format!("bit_planes_{}", self.shape.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Dot product of bit planes: ANDs, population counts, a weighted sum.");
        let DotShape { a_bits, b_bits, depth } = self.shape;
        let (a, b) = (m.input("a", bits(depth * a_bits)), m.input("b", bits(depth * b_bits)));
        let width = levels(depth) + 2;
        let mut terms = vec![];
        for i in 0..a_bits {
            for j in 0..b_bits {
                let both = (0..depth).map(|k| a.lane(k, a_bits).bit(i) & b.lane(k, b_bits).bit(j));
                let flags: Vec<Sig> = both.map(|f| f.as_u().zext(width).as_s()).collect();
                let count = flags[1..].iter().fold(flags[0], |sum, flag| sum.add_wrap(*flag));
                let signed = (i + 1 == a_bits) != (j + 1 == b_bits);
                let value = if signed { count.lit(0).sub_wrap(count) } else { count };
                terms.push(Term::new(m.reg(&format!("count_{i}_{j}"), value), i + j));
            }
        }
        m.output("sum", sum_up(m, "sum", terms).value.resize(self.shape.sum_bits()));
    }
}
