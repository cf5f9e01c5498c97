//! Processing elements: one multiply-accumulate per cycle, operands passed on, results drained
//! while the next sum begins.
//!
//! Every variant is a row of [`PE_VARIANTS`], over which arrays, models and tests loop; they know nothing else
//! about it. The cell of a systolic array ([`Cell`]) is a module with these ports:
//!
//! | port | dir | type | meaning |
//! |---|---|---|---|
//! | `a_in`, `a_out` | in, out | sint(`a_bits`) | row operand, passed to the right one cycle later |
//! | `b_in`, `b_out` | in, out | `columns` * `b_bits` | column operands, the left one in the low bits, passed down one cycle later |
//! | `keep_in`, `keep_out` | in, out | bit | 0: the product of `product_latency` cycles ago starts a new sum |
//! | `drain` | out | bits(`columns` * `words` * `acc_bits`) | the finished sums for one cycle, otherwise 0 |
//!
//! `keep_in` runs `product_latency` cycles behind its operands, so that one flip-flop per PE serves
//! every variant. The step that loads the accumulator is exactly when its old value is final: the flag
//! that starts a sum also drains the one before, without shadow register or bubble. `drain` is 0 in all
//! other cycles, so a column is read by an OR (in a skewed array one row is active per column and cycle).
//! The flag is 1 while a sum goes on because that is what clears the drain register: flip-flops of an FPGA have the clear
//! for free, an inverter in front of it is a LUT per PE and was the slowest path.

mod bit_planes;
pub(crate) mod booth;
mod carry_save;
mod chain;
mod digit_skip;
pub mod dot;
mod dsp_packed;
mod exact_window;
mod int_mac;
mod lane;
mod lut;
mod products;
mod rows;
mod shared_encoder;

pub use bit_planes::BitPlanes;
pub use carry_save::CarrySave;
pub use chain::Chain;
pub use digit_skip::{DigitSkip, DigitWord};
pub use dot::{Dot, DotShape};
pub use dsp_packed::DspPacked;
pub use exact_window::{ExactWindow, FLAGS};
pub use int_mac::IntMac;
pub use lane::Lane;
pub use lut::{Lut, Tables};
pub use products::Products;
pub use rows::Rows;
pub use shared_encoder::{Encoder, SharedEncoder};

use crate::cells::GatedAdd;
use mattock_spec::config::Pe;
use rtl_gen::{Builder, Module, Sig, sint};
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
    pub const INT8: PeShape = PeShape::int(8);

    /// Integers of equal width, 32-bit sums.
    pub const fn int(bits: u32) -> PeShape {
        PeShape { a_bits: bits, b_bits: bits, acc_bits: 32, lanes: None }
    }

    /// Bits of an operand at the ports of an array: bytes, as scratchpads deliver them, or lane words.
    pub(crate) fn port_bits(self, bits: u32) -> u32 {
        if self.lanes.is_some() { bits } else { bits.max(8) }
    }

    fn suffix(self) -> String {
        format!("a{}_b{}_acc{}", self.a_bits, self.b_bits, self.acc_bits)
    }

    /// Refuses accumulators that do not hold one product, or are wider than any card's.
    fn check_accumulator(self) -> Result<(), String> {
        let (bits, least) = (self.acc_bits, self.a_bits + self.b_bits);
        if bits < least || bits > 64 {
            return Err(format!("pe.acc_bits is {bits}; {least} (one product) to 64 fit"));
        }
        Ok(())
    }
}

/// One way to build a PE.
pub struct PeVariant {
    /// Which, in configurations.
    pub pe: Pe,
    /// One line for reports.
    pub doc: &'static str,
    /// As the cell of a systolic array, if it is one.
    pub cell: Option<Cell>,
    /// As the unit of a broadcast array, if it is one.
    pub dot: Option<Dot>,
}

/// A PE as the cell of a systolic array; its ports are told in the head of this file.
pub struct Cell {
    /// Cycles from an operand at `a_in` to its product at the accumulator, less the operand register.
    pub product_latency: u32,
    /// Neighbouring columns a cell computes.
    pub columns: u32,
    /// Words whose sum is the result.
    pub words: u32,
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
        doc: "one multiplier block per PE, with its own registers",
        cell: Some(Cell {
            product_latency: IntMac::LATENCY,
            columns: 1,
            words: 1,
            build: |shape| Box::new(IntMac { shape }),
        }),
        dot: Some(products(true)),
    },
    PeVariant {
        pe: Pe::DspPacked,
        doc: "two products of 4-bit operands per multiplier block, exact",
        cell: Some(Cell {
            product_latency: DspPacked::LATENCY,
            columns: 2,
            words: 1,
            build: |shape| Box::new(DspPacked { shape }),
        }),
        dot: None,
    },
    PeVariant {
        pe: Pe::Rows,
        doc: "no multiplier block: row pairs and a tree in carry chains, one chain a cycle",
        cell: Some(Cell {
            product_latency: Rows::LATENCY,
            columns: 1,
            words: 1,
            build: |shape| Box::new(Rows { shape }),
        }),
        dot: Some(products(false)),
    },
    PeVariant {
        pe: Pe::CarrySave,
        doc: "Booth rows compressed into a carry-save sum, added up as it drains; for ASIC",
        cell: Some(Cell {
            product_latency: CarrySave::LATENCY,
            columns: 1,
            words: 2,
            build: |shape| Box::new(CarrySave { shape }),
        }),
        dot: None,
    },
    PeVariant {
        pe: Pe::BitPlanes,
        doc: "ANDs and population counts of bit planes, side by side",
        cell: None,
        dot: Some(Dot {
            latency: |shape| BitPlanes { shape }.latency(),
            prepare: None,
            word_bits: |shape| shape.depth * shape.a_bits,
            single: true,
            build: |shape| Box::new(BitPlanes { shape }),
        }),
    },
    PeVariant {
        pe: Pe::Lut,
        doc: "sums of pairs looked up in tables made once per row, a lookup per bit plane",
        cell: None,
        dot: Some(Dot {
            latency: |shape| Lut { shape }.latency(),
            prepare: Some(|shape| Box::new(Tables { shape })),
            word_bits: |shape| Lut { shape }.word_bits(),
            single: false,
            build: |shape| Box::new(Lut { shape }),
        }),
    },
    PeVariant {
        pe: Pe::SharedEncoder,
        doc: "row operands recoded to radix-4 digits once per row, digits of one weight added first",
        cell: None,
        dot: Some(Dot {
            latency: |shape| SharedEncoder { shape }.latency(),
            prepare: Some(|shape| Box::new(Encoder { shape })),
            word_bits: |shape| SharedEncoder { shape }.word_bits(),
            single: true,
            build: |shape| Box::new(SharedEncoder { shape }),
        }),
    },
    PeVariant {
        pe: Pe::DigitSkip,
        doc: "one nonzero radix-4 digit of the row operand a cycle",
        cell: None,
        dot: None,
    },
    PeVariant {
        pe: Pe::Fp,
        doc: "integers and floats: exact products, shifted into a fixed-point accumulator",
        cell: Some(Cell {
            product_latency: 2,
            columns: 1,
            words: 1,
            build: |shape| Box::new(ExactWindow { shape }),
        }),
        dot: None,
    },
    PeVariant {
        pe: Pe::FpChain,
        doc: "floats of 16 and 32 bits: fused multiply-adds in binary32, several rows in turn",
        cell: None,
        dot: None,
    },
];

/// Whole multipliers and an adder tree.
const fn products(blocks: bool) -> Dot {
    let latency: fn(DotShape) -> u32 = match blocks {
        true => |shape| Products { shape, blocks: true }.latency(),
        false => |shape| Products { shape, blocks: false }.latency(),
    };
    let build: fn(DotShape) -> Box<dyn Module> = match blocks {
        true => |shape| Box::new(Products { shape, blocks: true }),
        false => |shape| Box::new(Products { shape, blocks: false }),
    };
    let word_bits = |shape: DotShape| shape.depth * shape.a_bits;
    Dot { latency, prepare: None, word_bits, single: true, build }
}

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

/// `acc <= keep ? acc + product : product`; the old sum for a cycle when `keep` is 0, otherwise 0.
///
/// The gate in front of the adder is in its carry cells ([`GatedAdd`]), that of the drain is the clear of its register.
pub(crate) fn accumulate<'m>(
    m: &'m Builder,
    product: Sig<'m>,
    keep: Sig<'m>,
    acc_bits: u32,
) -> Sig<'m> {
    let acc = m.reg_decl("acc", sint(acc_bits));
    let add = m.inst("add", &GatedAdd { width: acc_bits });
    add.set("a", product.resize(acc_bits).as_bits()).set("b", acc.q().as_bits()).set("keep", keep);
    acc.drive(add.get("sum").as_s());
    m.reg("drain_q", (!keep).gate(acc.q().as_bits()))
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
