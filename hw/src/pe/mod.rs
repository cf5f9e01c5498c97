//! Processing elements: one multiply-accumulate per cycle, operands passed on, results drained
//! while the next sum begins.
//!
//! Every variant is a module with the ports below, so that arrays, models and tests loop over
//! [`PE_VARIANTS`] and know nothing else about it.
//!
//! | port | dir | type | meaning |
//! |---|---|---|---|
//! | `a_in`, `a_out` | in, out | sint(`a_bits`) | row operand, passed to the right one cycle later |
//! | `b_in`, `b_out` | in, out | sint(`b_bits`) | column operand, passed down one cycle later |
//! | `first_in`, `first_out` | in, out | bit | the product of `product_latency` cycles ago starts a new sum |
//! | `drain` | out | bits(`acc_bits`) | the finished sum for one cycle, otherwise 0 |
//!
//! `first_in` runs `product_latency` cycles behind its operands, so that one flip-flop per PE serves
//! every variant. The step that loads the accumulator is exactly when its old value is final: the flag
//! that starts a sum also drains the one before, without shadow register or bubble. `drain` is 0 in all
//! other cycles, so a column is read by an OR (in a skewed array one row is active per column and cycle).

mod exact_window;
mod int_mac;
mod lane;
mod rows;

pub use exact_window::{ExactWindow, FLAGS};
pub use int_mac::IntMac;
pub use lane::Lane;
pub use rows::Rows;

use mattock_spec::config::Pe;
use rtl_gen::Module;
use std::fmt;

/// Operand and accumulator widths of a PE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeShape {
    /// Row operand.
    pub a_bits: u32,
    /// Column operand.
    pub b_bits: u32,
    /// Accumulator; sums wrap modulo 2^`acc_bits`.
    pub acc_bits: u32,
    /// What the operands consist of, for PEs that take more than integers.
    pub lanes: Option<[Lane; 2]>,
}

impl PeShape {
    /// 8-bit operands, 32-bit sums: exact for any K up to 131,071.
    pub const INT8: PeShape = PeShape { a_bits: 8, b_bits: 8, acc_bits: 32, lanes: None };

    fn suffix(self) -> String {
        format!("a{}_b{}_acc{}", self.a_bits, self.b_bits, self.acc_bits)
    }
}

/// One way to build a PE.
pub struct PeVariant {
    /// Which, in configurations.
    pub pe: Pe,
    /// One line for reports.
    pub doc: &'static str,
    /// Cycles from an operand at `a_in` to its product at the accumulator, less the operand register.
    pub product_latency: u32,
    /// The module for given widths.
    pub build: fn(PeShape) -> Box<dyn Module>,
}

impl PeVariant {
    /// Name in configurations.
    pub fn name(&self) -> &'static str {
        self.pe.info().map_or("", |info| info.name)
    }
}

impl fmt::Debug for PeVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// All PE variants; the first is the default.
pub const PE_VARIANTS: &[PeVariant] = &[
    PeVariant {
        pe: Pe::Dsp,
        doc: "one multiplier block per PE, product register in the fabric",
        product_latency: 1,
        build: |shape| Box::new(IntMac { shape }),
    },
    PeVariant {
        pe: Pe::Rows,
        doc: "no multiplier block: row pairs and a tree in carry chains, one chain a cycle",
        product_latency: Rows::LATENCY,
        build: |shape| Box::new(Rows { shape }),
    },
    PeVariant {
        pe: Pe::Fp,
        doc: "integers and floats: exact products, shifted into a fixed-point accumulator",
        product_latency: 2,
        build: |shape| Box::new(ExactWindow { shape }),
    },
];

/// The variant of that name.
pub fn variant(name: &str) -> Option<&'static PeVariant> {
    PE_VARIANTS.iter().find(|v| v.name() == name)
}

/// How a PE is built.
///
/// # Panics
/// With [`Pe::Auto`], which stands for one of the others: resolve it first.
pub fn variant_of(pe: Pe) -> &'static PeVariant {
    PE_VARIANTS.iter().find(|v| v.pe == pe).expect("the tables list the same PEs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mattock_spec::config::PES;

    #[test]
    fn every_pe_of_the_configurations_is_built() {
        let named: Vec<Pe> = PES.iter().map(|info| info.pe).collect();
        let built: Vec<Pe> = PE_VARIANTS.iter().map(|v| v.pe).collect();
        assert_eq!(named, built);
    }
}
