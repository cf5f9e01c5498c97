//! Layout of the capability list: the fields of each entry's words.

use crate::regs::Field;

const fn field(name: &'static str, low: u32, width: u32, doc: &'static str) -> Field {
    Field { name, low, width, doc }
}

pub(crate) const ID: Field = field("ID", 0, 8, "What the entry describes.");
pub(crate) const LENGTH: Field = field("LENGTH", 8, 8, "Words of the entry, header included.");
pub(crate) const NEXT: Field =
    field("NEXT", 16, 16, "BAR0 offset of the next header; 0 ends the list.");

pub(crate) const CLOCK_KHZ: Field = field("KHZ", 0, 32, "Nominal engine clock in kHz.");

pub(crate) const BUS_BYTES: Field =
    field("BUS_BYTES", 0, 8, "Data bus width of the AXI4 masters in bytes.");
pub(crate) const ADDRESS_BITS: Field =
    field("ADDRESS_BITS", 8, 8, "Address bits of the AXI4 masters.");

pub(crate) const ROWS: Field = field("ROWS", 0, 12, "Rows of a tile of results.");
pub(crate) const LOG2_K_SPLIT: Field = field(
    "LOG2_K_SPLIT",
    12,
    4,
    "Log2 of the most groups of rows that work on steps of k of their own.",
);
pub(crate) const COLS: Field = field("COLS", 16, 12, "Columns of a tile of results.");
pub(crate) const LOG2_DEPTH: Field =
    field("LOG2_DEPTH", 28, 4, "Log2 of the steps of k that are summed in a PE each cycle.");
pub(crate) const A_KIB: Field = field("A_KIB", 0, 13, "A scratchpad in KiB.");
pub(crate) const LOG2_INTERLEAVE: Field = field(
    "LOG2_INTERLEAVE",
    13,
    3,
    "Log2 of the rows of a tile that a PE works on in turn, and of the cycles of a step of k.",
);
pub(crate) const B_KIB: Field = field("B_KIB", 16, 16, "B scratchpad in KiB.");
pub(crate) const RESULT_KIB: Field = field("RESULT_KIB", 0, 16, "Result buffer in KiB.");
pub(crate) const TUPLES: Field =
    field("TUPLES", 16, 8, "Number of type tuples, one word each from word 4 on.");
pub(crate) const GEMM_ALIGN: Field =
    field("ALIGN", 24, 8, "Addresses and strides are multiples of this.");
pub(crate) const TUPLE: [Field; 4] = [
    field("A", 0, 8, "Format of A."),
    field("B", 8, 8, "Format of B."),
    field("ACC", 16, 8, "Format of the accumulator."),
    field("D", 24, 8, "Format of D."),
];

pub(crate) const CLUSTERS: Field = field("CLUSTERS", 0, 8, "Clusters.");
pub(crate) const LANES: Field = field("LANES", 8, 8, "Lanes per cluster.");
pub(crate) const BANKS: Field = field("BANKS", 16, 8, "Hash banks per cluster.");
pub(crate) const WAYS: Field = field("WAYS", 24, 8, "Entries per bucket.");
pub(crate) const ENTRIES: Field = field("ENTRIES_PER_HALF", 0, 24, "Hash table entries per half.");
pub(crate) const INDEX_BITS: Field = field("INDEX_BITS", 24, 8, "Bits of a column index.");
pub(crate) const CACHE_KIB: Field = field("CACHE_KIB", 0, 16, "B cache per cluster in KiB.");
pub(crate) const ROW_SLOTS: Field = field("ROW_SLOTS", 16, 16, "Rows per window.");
pub(crate) const SPGEMM_ALIGN: Field =
    field("ALIGN", 0, 8, "Array addresses are multiples of this.");
pub(crate) const VALUES: Field = field("VALUES", 8, 8, "Bit n set: MODE.VALUE = n is built in.");
pub(crate) const ADDER_LATENCY: Field =
    field("ADDER_LATENCY", 16, 8, "Cycles of the floating-point adder.");
pub(crate) const SEMIRINGS: Field = field(
    "SEMIRINGS",
    0,
    16,
    "Bit n set: MODE.SEMIRING = n is built in. A card without this word has plus-times only.",
);
pub(crate) const JOINS: Field = field(
    "JOINS",
    16,
    8,
    "Bit n set: number n is built in: 0 mask, 1 accumulate, 2 prune; the JOIN registers are there if any is.",
);
pub(crate) const ORDERED: Field = field("ORDERED", 24, 1, "MODE.ORDERED is built in.");
pub(crate) const SEED: Field = field("SEED", 0, 32, "Hash seed after reset.");

pub(crate) const STEPS: Field =
    field("STEPS", 0, 16, "Bit n set: step number n is built in: 0 requantise, 1 leaky, 2 table.");
pub(crate) const RECORDS: Field =
    field("COLUMNS", 0, 32, "Most columns with parameters of their own.");

pub(crate) const STRIDED: Field = field(
    "STRIDED",
    0,
    1,
    "Products at equal distances are built in; the BATCH registers are there.",
);
pub(crate) const LISTED: Field = field("LISTED", 1, 1, "Lists of products are built in.");

pub(crate) const MEMORY_KIB: Field = field("MEMORY_KIB", 0, 8, "Memory of the processor in KiB.");
pub(crate) const TARGET: Field =
    field("TARGET", 8, 8, "Instructions of the processor: 1 is RV32IMC.");
pub(crate) const LOG2_RING: Field =
    field("LOG2_RING", 16, 8, "Log2 of the most entries of a ring.");

/// What an entry of the capability list describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CapabilityId {
    /// Clock rate.
    Clock = 1,
    /// Memory port.
    Memory = 2,
    /// Dense engine.
    Gemm = 3,
    /// Sparse engine.
    Spgemm = 4,
    /// Rings and a processor of the card's own.
    Controller = 5,
    /// Epilogue of the dense engine.
    Epilogue = 6,
    /// Batches of the dense engine.
    Batch = 7,
}

impl CapabilityId {
    /// Upper-case name and the entry's words after the header.
    #[cfg(feature = "std")]
    pub(crate) const TABLE: [(CapabilityId, &'static str, &'static [&'static [Field]]); 7] = [
        (CapabilityId::Clock, "CLOCK", &[&[CLOCK_KHZ]]),
        (CapabilityId::Memory, "MEMORY", &[&[BUS_BYTES, ADDRESS_BITS]]),
        (
            CapabilityId::Gemm,
            "GEMM",
            &[
                &[ROWS, LOG2_K_SPLIT, COLS],
                &[A_KIB, LOG2_INTERLEAVE, B_KIB],
                &[RESULT_KIB, TUPLES, GEMM_ALIGN],
                &TUPLE,
            ],
        ),
        (
            CapabilityId::Spgemm,
            "SPGEMM",
            &[
                &[CLUSTERS, LANES, BANKS, WAYS],
                &[ENTRIES, INDEX_BITS],
                &[CACHE_KIB, ROW_SLOTS],
                &[SPGEMM_ALIGN, VALUES, ADDER_LATENCY],
                &[SEED],
                &[SEMIRINGS, JOINS],
            ],
        ),
        (CapabilityId::Controller, "CONTROLLER", &[&[MEMORY_KIB, TARGET, LOG2_RING]]),
        (CapabilityId::Epilogue, "EPILOGUE", &[&[STEPS], &[RECORDS]]),
        (CapabilityId::Batch, "BATCH", &[&[STRIDED, LISTED]]),
    ];
}
