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

/// What a ring entry, parameter block or record is read from: bytes of a host, or words in the card's own processor.
pub trait Source {
    /// Bytes there are.
    fn bytes(&self) -> usize;

    /// The little-endian word at byte `at`, a multiple of 4; 0 past the end.
    fn word(&self, at: usize) -> u32;

    /// The eight bytes at `at`.
    fn wide(&self, at: usize) -> u64 {
        u64::from(self.word(at)) | u64::from(self.word(at + 4)) << 32
    }

    /// Whether the bytes of a run of whole words are all zero.
    fn is_zero(&self, from: usize, to: usize) -> bool {
        (from..to).step_by(4).all(|at| self.word(at) == 0)
    }

    /// For a block of a dense product, what is known of it without looking at its words: that its reserved words are
    /// zero, and that no dimension and no stride is 2^16 or more, addresses and strides are multiples of
    /// `mask` + 1, and the upper halves of addresses are below `high`. False where it is not known.
    fn is_plain_dense(&self, _mask: u32, _high: u32) -> bool {
        false
    }

    /// For a block of a dense product: its reserved words are known to be zero.
    fn is_clean_dense(&self) -> bool {
        false
    }

    /// Whether a dense product may have an epilogue. The program of a card's own processor has no room for one.
    fn may_have_epilogue(&self) -> bool {
        false
    }

    /// Whether a command may be many dense products. The program of a card's own processor has no room for them.
    fn may_be_batch(&self) -> bool {
        false
    }

    /// Whether more matrices may join a sparse product. The program of a card's own processor has no room for them.
    fn may_be_joined(&self) -> bool {
        false
    }

    /// Whether a sparse product may ask for sums in order. The program of a card's own processor does not know of it.
    fn may_be_ordered(&self) -> bool {
        false
    }

    /// The first byte from `from` on that is not zero; `from` itself where there is no room to look for it.
    fn first_set(&self, from: usize) -> usize {
        let is_set = |at: &usize| self.word(at & !3) >> (8 * (at & 3)) & 0xff != 0;
        (from..self.bytes()).find(is_set).unwrap_or(from)
    }
}

impl Source for [u8] {
    fn bytes(&self) -> usize {
        self.len()
    }

    fn word(&self, at: usize) -> u32 {
        let mut word = [0; 4];
        if let Some(bytes) = self.get(at..at + 4) {
            word.copy_from_slice(bytes);
        }
        u32::from_le_bytes(word)
    }

    fn may_have_epilogue(&self) -> bool {
        true
    }

    fn may_be_joined(&self) -> bool {
        true
    }

    fn may_be_ordered(&self) -> bool {
        true
    }

    fn may_be_batch(&self) -> bool {
        true
    }
}

/// A fixed-size block being taken apart; its length was checked once, here. Offsets are constants of the layouts and lie
/// inside the block.
pub(super) struct Block<'a, S: ?Sized, const N: usize>(&'a S);

impl<'a, S: Source + ?Sized, const N: usize> Block<'a, S, N> {
    pub(super) fn new(source: &'a S) -> Result<Self, Rejected> {
        if source.bytes() == N { Ok(Block(source)) } else { Err(Rejected::length(source.bytes())) }
    }

    #[inline(always)]
    pub(super) fn u8(&self, at: usize) -> u8 {
        (self.u32(at & !3) >> (8 * (at & 3))) as u8
    }

    /// At an even offset.
    #[inline(always)]
    pub(super) fn u16(&self, at: usize) -> u16 {
        (self.u32(at & !3) >> (8 * (at & 3))) as u16
    }

    #[inline(always)]
    pub(super) fn u32(&self, at: usize) -> u32 {
        self.0.word(at)
    }

    #[inline(always)]
    pub(super) fn u64(&self, at: usize) -> u64 {
        self.0.wide(at)
    }

    /// Every byte from `from` up to `to`, the end of a word, must be zero.
    #[inline(always)]
    pub(super) fn reserved(&self, from: usize, to: usize) -> Result<(), Rejected> {
        let first = from.next_multiple_of(4);
        // Less than a word in front of whole ones; on the card every branch here is known when it is compiled.
        let head = first == from || self.u32(from & !3) >> (8 * (from & 3)) == 0;
        if head && (first == to || self.0.is_zero(first, to)) {
            return Ok(());
        }
        Err(Rejected { code: ErrorCode::ReservedBits, info: self.0.first_set(from) as u32 })
    }

    /// Only the bits of `allowed` may be set in the byte at `at`.
    #[inline(always)]
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
