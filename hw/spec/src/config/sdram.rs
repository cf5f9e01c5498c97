//! A memory chip beside a serial card.

use super::keys::{Allowed, Checked, Visitor, choice, key};

/// An SDR SDRAM chip of four banks as the memory of a card with `host = "uart"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdramConfig {
    /// Data pins.
    pub data_bits: u32,
    /// Bits of a row's number.
    pub row_bits: u32,
    /// Bits of a word's number in its row.
    pub column_bits: u32,
    /// The chip's data masks are wired to the card; otherwise they are grounded.
    pub masks: bool,
}

impl Default for SdramConfig {
    fn default() -> Self {
        SdramConfig { data_bits: 16, row_bits: 13, column_bits: 9, masks: true }
    }
}

impl SdramConfig {
    /// Clocks of a card that drives such a chip: a refresh must be a small part of the time between two, and what the chip gives
    /// 6 ns after its edge must be there half a cycle after it.
    pub const CLOCK_MHZ: std::ops::RangeInclusive<u32> = 10..=83;

    /// KiB of the chip.
    pub const fn kib(&self) -> u32 {
        let words = 1u64 << (2 + self.row_bits + self.column_bits);
        (words * self.data_bits as u64 / 8 / 1024) as u32
    }

    pub(super) fn visit(&mut self, v: &mut dyn Visitor) -> Checked {
        v.number(
            key("data_bits", "Data pins of the SDR SDRAM chip, for `host = \"uart\"`"),
            Allowed::PowerOfTwo(16, 32),
            &mut self.data_bits,
        )?;
        v.number(
            key("row_bits", "Bits of a row's number in the chip, which has four banks"),
            Allowed::Range(11, 13),
            &mut self.row_bits,
        )?;
        v.number(
            key("column_bits", "Bits of a word's number in its row"),
            Allowed::Range(8, 10),
            &mut self.column_bits,
        )?;
        choice(
            v,
            key("masks", "What the chip's data masks are joined to on the board"),
            &[("wired", true), ("grounded", false)],
            &mut self.masks,
        )
    }
}
