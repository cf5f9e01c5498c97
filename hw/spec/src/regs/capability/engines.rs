//! What a card says about its engines, and what fits into them.

use crate::format::{Float, Format, TupleList};
use crate::join::JoinStep;
use crate::semiring::Semiring;

/// Declares the types of values of sparse products in one table. Bit 0 of a number is 1 for floats.
macro_rules! value_types {
    ($( $variant:ident = $code:literal $format:expr, $sum:ident $doc:literal )*) => {
        /// Type of the values of a sparse product's factors, the number in `SPGEMM.MODE.VALUE`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum ValueType {
            $( #[doc = $doc] $variant = $code, )*
        }

        impl ValueType {
            /// Every value type, by number.
            pub const ALL: &[ValueType] = &[$( ValueType::$variant ),*];

            /// The number format of the values.
            pub const fn format(self) -> Format {
                match self { $( ValueType::$variant => $format, )* }
            }

            /// The type they are computed in, which is that of the result.
            pub const fn sum(self) -> ValueType {
                match self { $( ValueType::$variant => ValueType::$sum, )* }
            }

            /// What becomes of them.
            pub const fn doc(self) -> &'static str {
                match self { $( ValueType::$variant => $doc, )* }
            }
        }
    };
}

value_types! {
    I32 = 0 Format::I32, I32 "32-bit integers; sums and products wrap."
    F32 = 1 Format::F32, F32 "IEEE binary32; the order of the additions depends on timing, unless MODE.ORDERED asks for one."
    I16 = 2 Format::int(16), I32 "16-bit integers, extended by their sign."
    F16 = 3 Format::Float(Float::F16), F32 "IEEE binary16, widened exactly: subnormal numbers and infinities stay what they are."
    I8 = 4 Format::int(8), I32 "8-bit integers, extended by their sign."
    BF16 = 5 Format::Float(Float::BF16), F32 "The upper half of a binary32."
}

const _: () = {
    let mut i = 0;
    while i < ValueType::ALL.len() {
        let value = ValueType::ALL[i];
        assert!(value as usize == i, "value types are not numbered in order");
        assert!(value.is_float() == (i & 1 == 1), "bit 0 of a value type says that it is a float");
        i += 1;
    }
};

impl ValueType {
    /// Whether it is a floating-point type.
    pub const fn is_float(self) -> bool {
        !self.format().is_integer()
    }

    /// Bytes of a value in memory: 1, 2 or 4.
    pub const fn bytes(self) -> u32 {
        self.format().storage_bits() / 8
    }

    /// The value type of a number; `None` when this software does not know it.
    pub fn from_u8(number: u8) -> Option<ValueType> {
        ValueType::ALL.get(usize::from(number)).copied()
    }
}

/// What a card with a GEMM engine says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmCaps {
    /// Rows of a tile of results.
    pub rows: u32,
    /// Columns of it.
    pub cols: u32,
    /// Steps of k that are summed in a PE each cycle.
    pub depth: u32,
    /// Rows of a tile that a PE works on in turn, which is also the cycles of a step of k.
    pub interleave: u32,
    /// Most groups of rows that work on steps of k of their own, for products of few rows.
    pub k_split: u32,
    /// A scratchpad in KiB.
    pub a_kib: u32,
    /// B scratchpad in KiB.
    pub b_kib: u32,
    /// Result buffer in KiB.
    pub result_kib: u32,
    /// Addresses and strides are multiples of this many bytes.
    pub align: u32,
    /// Type tuples, in the order `MODE.TUPLE` counts them.
    pub tuples: TupleList,
}

impl GemmCaps {
    /// Multiply-adds a cycle.
    pub fn macs_per_cycle(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.cols) * u64::from(self.depth)
            / u64::from(self.interleave)
    }

    /// Bits of an element in the scratchpads: of the widest operand of any tuple.
    pub fn element_bits(&self) -> u32 {
        let each = self.tuples.iter().flat_map(|t| [t.a, t.b]);
        each.map(Format::storage_bits).max().unwrap_or(0).max(8)
    }

    /// Bytes of the A scratchpad that an M x K operand fills: whole tiles of `rows`, every element as wide as the widest.
    pub fn a_bytes(&self, m: u32, k: u32) -> u64 {
        tiled_bytes(m, self.rows, k, self.element_bits())
    }

    /// Bytes of the B scratchpad that a K x N operand fills.
    pub fn b_bytes(&self, k: u32, n: u32) -> u64 {
        tiled_bytes(n, self.cols, k, self.element_bits())
    }

    /// Bytes of the result buffer that an M x N result fills: whole tiles, every element in the
    /// widest accumulator of any tuple.
    pub fn result_bytes(&self, m: u32, n: u32) -> u64 {
        let bits = self.tuples.iter().map(|t| t.acc.storage_bits()).max().unwrap_or(0);
        let columns = u64::from(n).next_multiple_of(u64::from(self.cols));
        tiled_bytes(m, self.rows, 1, bits).saturating_mul(columns)
    }
}

/// Shapes too large for 64 bits saturate; they fit no buffer anyway.
fn tiled_bytes(lines: u32, tile: u32, depth: u32, bits: u32) -> u64 {
    let lines = u64::from(lines).next_multiple_of(u64::from(tile));
    (lines * u64::from(bits)).div_ceil(8).saturating_mul(depth.into())
}

/// What a card with a SpGEMM engine says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpgemmCaps {
    /// Clusters.
    pub clusters: u32,
    /// Lanes per cluster.
    pub lanes: u32,
    /// Hash banks per cluster.
    pub banks: u32,
    /// Entries per bucket.
    pub ways: u32,
    /// Hash table entries per half.
    pub entries_per_half: u32,
    /// Bits of a column index.
    pub index_bits: u32,
    /// B cache per cluster in KiB.
    pub cache_kib: u32,
    /// Rows per window.
    pub row_slots: u32,
    /// Array addresses are multiples of this many bytes.
    pub align: u32,
    /// Bit n set: value type number n is built in.
    pub values: u32,
    /// Cycles of the floating-point adder.
    pub adder_latency: u32,
    /// Hash seed after reset.
    pub seed: u32,
    /// Bit n set: semiring number n is built in.
    pub semirings: u32,
    /// Bit n set: [`JoinStep`] number n is built in.
    pub joins: u32,
    /// `MODE.ORDERED` is built in.
    pub ordered: bool,
}

impl SpgemmCaps {
    /// Whether the card computes with values of this type.
    pub fn has(&self, value: ValueType) -> bool {
        self.values >> value as u32 & 1 == 1
    }

    /// Whether the card computes over this semiring.
    pub fn has_semiring(&self, semiring: Semiring) -> bool {
        self.semirings >> semiring as u32 & 1 == 1
    }

    /// Whether the card was built with this step.
    pub fn has_join(&self, step: JoinStep) -> bool {
        self.joins >> step as u32 & 1 == 1
    }
}

/// What a card with a processor of its own says about it: its commands go through rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerCaps {
    /// Memory of the processor in KiB.
    pub memory_kib: u32,
    /// Instructions of the processor, as in the header of an image.
    pub target: u32,
    /// Most entries of a ring.
    pub ring_entries: u32,
}
