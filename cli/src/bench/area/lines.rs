//! The lines of the table: designs and what is asked of them.

use fpga_boards::measure::Mapping;
use mattock_spec::config::{ArrayKind, Pe};
use mattock_spec::format::Float;

use super::goal::{Goal, Limit, Quantity};

/// A design with its goals.
pub(super) struct Line {
    /// Name on the command line.
    pub(super) name: &'static str,
    /// What it is, for a person.
    pub(super) what: &'static str,
    /// How it is mapped.
    pub(super) mapping: Mapping,
    /// The design; none if this version does not build it.
    pub(super) subject: Option<Subject>,
    /// What is asked; nothing for a line that is only reported.
    pub(super) goals: &'static [Goal],
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    /// An array of `side` x `side` multipliers with its operand registers and drain.
    Array {
        kind: ArrayKind,
        pe: Pe,
        side: u32,
        /// Bits of a row and of a column operand.
        bits: [u32; 2],
    },
    /// The sparse cluster of a reference card.
    Cluster(&'static str),
    /// A PE that chains products of this format in binary32.
    Chain(Float),
}

const fn at_most(of: Quantity, value: f64) -> Goal {
    Goal { of, limit: Limit::AtMost(value) }
}

const fn at_least(of: Quantity, value: f64) -> Goal {
    Goal { of, limit: Limit::AtLeast(value) }
}

const fn array(kind: ArrayKind, pe: Pe, side: u32, bits: [u32; 2]) -> Option<Subject> {
    Some(Subject::Array { kind, pe, side, bits })
}

use ArrayKind::{Broadcast, Systolic, Tree};
use Mapping::{Ecp5, UltrascalePlus, UltrascalePlusLuts};
use Quantity::{CyclesPerOperand, Gmacs, Lut, LutPerMac, MacsPerDsp, Mhz};

/// Every line, in the order of the table.
pub(super) const LINES: &[Line] = &[
    Line {
        name: "int8-8x8",
        what: "8 x 8 int8, systolic, no DSP",
        mapping: Ecp5,
        subject: array(Systolic, Pe::Rows, 8, [8, 8]),
        goals: &[at_most(LutPerMac, 105.0), at_least(Mhz, 280.0)],
    },
    Line {
        name: "int8-16x16",
        what: "16 x 16 int8, systolic, no DSP",
        mapping: Ecp5,
        subject: array(Systolic, Pe::Rows, 16, [8, 8]),
        goals: &[at_most(LutPerMac, 105.0), at_least(Mhz, 280.0)],
    },
    Line {
        name: "int4-tree",
        what: "int4 tree, 16 columns of 16",
        mapping: Ecp5,
        subject: array(Tree, Pe::Rows, 16, [4, 4]),
        goals: &[at_most(LutPerMac, 26.0)],
    },
    Line {
        name: "int4-tree-us",
        what: "int4 tree, 16 columns of 16, no DSP",
        mapping: UltrascalePlusLuts,
        subject: array(Tree, Pe::Rows, 16, [4, 4]),
        goals: &[at_most(LutPerMac, 18.0)],
    },
    Line {
        name: "int2-int8",
        what: "int8 by int2 weights, tree, 16 columns of 16",
        mapping: Ecp5,
        subject: array(Tree, Pe::Rows, 16, [8, 2]),
        goals: &[at_most(LutPerMac, 24.0)],
    },
    Line {
        name: "ternary-int8",
        what: "int8 by ternary weights, tree",
        mapping: Ecp5,
        subject: None,
        goals: &[at_most(LutPerMac, 14.0)],
    },
    Line {
        name: "int4-os",
        what: "8 x 8 int4, systolic, no DSP",
        mapping: Ecp5,
        subject: array(Systolic, Pe::Rows, 8, [4, 4]),
        goals: &[at_most(LutPerMac, 40.5)],
    },
    Line {
        name: "dsp-int8-us",
        what: "int8 tree on DSP48E2, 16 columns of 16",
        mapping: UltrascalePlus,
        subject: array(Tree, Pe::Dsp, 16, [8, 8]),
        goals: &[at_least(MacsPerDsp, 2.0), at_most(LutPerMac, 12.0)],
    },
    Line {
        name: "dsp-int4-us",
        what: "int4 tree on DSP48E2, 16 columns of 16",
        mapping: UltrascalePlus,
        subject: array(Tree, Pe::Dsp, 16, [4, 4]),
        goals: &[at_least(MacsPerDsp, 4.0), at_most(LutPerMac, 12.0)],
    },
    Line {
        name: "dsp-int4",
        what: "8 x 8 int4, systolic, two products per MULT18X18D",
        mapping: Ecp5,
        subject: array(Systolic, Pe::DspPacked, 8, [4, 4]),
        goals: &[at_least(MacsPerDsp, 2.0)],
    },
    Line {
        name: "dsp-int4-narrow",
        what: "int4 by weights of -7 to 7, tree, three products per MULT18X18D",
        mapping: Ecp5,
        subject: None,
        goals: &[at_least(MacsPerDsp, 3.0)],
    },
    Line {
        name: "dsp-int8",
        what: "8 x 8 int8, systolic, a MULT18X18D per PE",
        mapping: Ecp5,
        subject: array(Systolic, Pe::Dsp, 8, [8, 8]),
        goals: &[at_most(LutPerMac, 48.0), at_least(Mhz, 250.0)],
    },
    Line {
        name: "digit-skip",
        what: "8 x 8 int8, zero digits skipped",
        mapping: Ecp5,
        subject: array(Broadcast, Pe::DigitSkip, 8, [8, 8]),
        goals: &[at_most(LutPerMac, 60.0), at_least(Mhz, 200.0), at_most(CyclesPerOperand, 2.05)],
    },
    Line {
        name: "whole-chip",
        what: "LFE5U-85F filled with int8 multiply-adds on DSPs and LUTs",
        mapping: Ecp5,
        subject: None,
        goals: &[at_least(Gmacs, 150.0)],
    },
    Line {
        name: "spgemm",
        what: "sparse cluster of `sparse2`",
        mapping: Ecp5,
        subject: Some(Subject::Cluster("sparse2")),
        goals: &[at_least(Mhz, 110.0)],
    },
    Line {
        name: "spgemm-us",
        what: "sparse cluster of `sparse4`, 4 lanes",
        mapping: UltrascalePlus,
        subject: Some(Subject::Cluster("sparse4")),
        goals: &[],
    },
    Line {
        name: "fma-f16",
        what: "fp16 multiply-add, fp32 accumulator, rounded each time",
        mapping: Ecp5,
        subject: Some(Subject::Chain(Float::F16)),
        goals: &[at_most(Lut, 1326.0), at_least(Mhz, 120.0)],
    },
    Line {
        name: "fma-bf16",
        what: "bf16 multiply-add, fp32 accumulator, rounded each time",
        mapping: Ecp5,
        subject: Some(Subject::Chain(Float::BF16)),
        goals: &[at_most(Lut, 1025.0), at_least(Mhz, 120.0)],
    },
    Line {
        name: "fma-f32",
        what: "fp32 multiply-add, rounded each time",
        mapping: Ecp5,
        subject: Some(Subject::Chain(Float::F32)),
        goals: &[at_least(Mhz, 120.0)],
    },
];
