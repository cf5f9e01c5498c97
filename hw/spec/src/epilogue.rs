//! What a card may do to integer sums on their way to memory, and how its parameters lie there.
//!
//! A command names a block of parameters, at a multiple of 64 bytes:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | zero point, added after scaling |
//! | 4..8, 8..12 | limits after that, with `LOW` and `HIGH` |
//! | 12..16 | slope below the zero point, binary32, with `LEAKY` |
//! | 16..20, 20..24 | factor and shift of all sums, without `COLUMNS` |
//! | 24..64 | reserved, zero |
//! | 64..576 | with `TABLE`: 256 numbers of 16 bits with sign |
//! | then | with `COLUMNS`: 16 bytes for each column: bias, factor, shift, zero |
//!
//! A factor is a multiplier of 31 bits that stands for `multiplier * 2^(shift - 31)`, or a binary32 number with the rounding
//! `half even`. A table is indexed by the low 8 bits of the value after the limits, which is first saturated to i8, or to u8
//! where D has no sign. Columns are those of the array: with a column-major D they are D's rows.

use crate::regs::Field;
use crate::regs::epilogue::STEPS;

/// Something the epilogue of a card can be built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EpilogueStep {
    /// Bias, scale in three roundings, zero point, limits, saturating cast.
    Requantise = 0,
    /// A slope for values below the zero point.
    Leaky = 1,
    /// A function given by its 256 values.
    Table = 2,
}

impl EpilogueStep {
    /// Every step by its name in a configuration, in the order of their numbers.
    pub const NAMES: &[(&str, EpilogueStep)] = &[
        ("requantise", EpilogueStep::Requantise),
        ("leaky", EpilogueStep::Leaky),
        ("table", EpilogueStep::Table),
    ];

    /// Bytes of a block's header.
    pub const HEADER_BYTES: u32 = 64;
    /// Bytes of a table: 256 numbers of 16 bits.
    pub const TABLE_BYTES: u32 = 512;
    /// Bytes of a column's record.
    pub const RECORD_BYTES: u32 = 16;
    /// Records a card holds for each column of its array.
    pub const RECORDS: u32 = 512;

    /// Name in configurations.
    pub fn name(self) -> &'static str {
        EpilogueStep::NAMES.iter().find(|(_, step)| *step == self).map_or("", |(name, _)| name)
    }
}

/// What a card with an epilogue says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EpilogueCaps {
    /// Bit n set: step number n is built in.
    pub steps: u32,
    /// Most columns that have parameters of their own.
    pub columns: u32,
}

impl EpilogueCaps {
    /// Whether the card has this step.
    pub fn has(&self, step: EpilogueStep) -> bool {
        self.steps >> step as u32 & 1 == 1
    }

    /// The bits of `EPILOGUE.STEPS` that mean something to the card.
    pub fn mask(&self) -> u32 {
        let without = |step, field: Field| if self.has(step) { 0 } else { field.mask() };
        let lacks = without(EpilogueStep::Leaky, STEPS::LEAKY);
        let lacks = lacks | without(EpilogueStep::Table, STEPS::TABLE);
        let all = STEPS.fields.iter().fold(0, |mask, field| mask | field.mask());
        if self.has(EpilogueStep::Requantise) { all & !lacks } else { 0 }
    }

    /// Bytes of a block of parameters with these steps, for so many columns.
    pub fn block_bytes(steps: u32, columns: u32) -> u64 {
        let records = if STEPS::COLUMNS.get(steps) == 1 { columns } else { 0 };
        let bytes = u64::from(EpilogueStep::RECORD_BYTES) * u64::from(records);
        let table = STEPS::TABLE.get(steps) * EpilogueStep::TABLE_BYTES;
        u64::from(EpilogueStep::HEADER_BYTES + table) + bytes
    }
}
