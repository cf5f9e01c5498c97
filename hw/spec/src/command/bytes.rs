//! Little-endian fields at fixed offsets, read and written without `unsafe` or panics.

use crate::regs::ErrorCode;
use core::fmt;

/// Why a ring entry, parameter block or record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The error code of the completion record.
    pub code: ErrorCode,
    /// What goes into its `info`.
    pub info: u32,
}

impl Rejected {
    pub(super) fn length(got: usize) -> Rejected {
        Rejected { code: ErrorCode::BadLength, info: u32::try_from(got).unwrap_or(u32::MAX) }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}: {})", self.code.meaning(), self.code.info(), self.info)
    }
}

impl core::error::Error for Rejected {}

/// A fixed-size block being taken apart; its length was checked once, here.
pub(super) struct Block<'a, const N: usize>(&'a [u8; N]);

impl<'a, const N: usize> Block<'a, N> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Rejected> {
        bytes.try_into().map(Block).map_err(|_| Rejected::length(bytes.len()))
    }

    fn field<const W: usize>(&self, at: usize) -> [u8; W] {
        let mut out = [0; W];
        // Offsets are constants of the layouts below and lie inside the block.
        if let Some(bytes) = self.0.get(at..at + W) {
            out.copy_from_slice(bytes);
        }
        out
    }

    pub(super) fn u8(&self, at: usize) -> u8 {
        self.field::<1>(at)[0]
    }

    pub(super) fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.field(at))
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.field(at))
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.field(at))
    }

    /// Every byte from `from` up to `to` must be zero.
    pub(super) fn reserved(&self, from: usize, to: usize) -> Result<(), Rejected> {
        match self.0.iter().take(to).skip(from).position(|b| *b != 0) {
            Some(i) => Err(Rejected { code: ErrorCode::ReservedBits, info: (from + i) as u32 }),
            None => Ok(()),
        }
    }

    /// Only the bits of `allowed` may be set in the byte at `at`.
    pub(super) fn reserved_bits(&self, at: usize, allowed: u8) -> Result<u8, Rejected> {
        let byte = self.u8(at);
        if byte & !allowed != 0 {
            return Err(Rejected { code: ErrorCode::ReservedBits, info: at as u32 });
        }
        Ok(byte)
    }
}

/// Writes a field; offsets are constants of the layouts and lie inside the block.
pub(super) fn put<const W: usize>(block: &mut [u8], at: usize, field: [u8; W]) {
    if let Some(place) = block.get_mut(at..at + W) {
        place.copy_from_slice(&field);
    }
}
