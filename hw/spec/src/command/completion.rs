//! The 128-byte record a card writes when a command ends.

use super::COMPLETION_BYTES;
use super::bytes::{Block, Rejected, put};
use crate::regs::ErrorCode;

/// What a command cost, by its engine's own counters. A command that no engine ran has none of it; an engine leaves at 0
/// what it does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Read data beats times the bus width.
    pub bytes_read: u64,
    /// Write data beats times the bus width.
    pub bytes_written: u64,
    /// Products: that belong to a dense result, or were merged into a sparse one.
    pub products: u64,
    /// Dense: clock cycles from the first operand entering the array to the last result leaving it.
    pub compute_cycles: u64,
    /// Sparse: table halves drained.
    pub windows: u32,
    /// Sparse: products that went through the spill path.
    pub spills: u32,
    /// Sparse: row segments computed again.
    pub restarts: u32,
    /// Sparse: cycles a bank refused a product because its entry was in the adder.
    pub hazard_stalls: u32,
    /// Sparse: line requests the B cache answered itself.
    pub cache_hits: u32,
    /// Sparse: line requests the B cache fetched.
    pub cache_misses: u32,
}

impl Counters {
    /// Where they begin in a record.
    pub const OFFSET: usize = 32;

    /// The counters in the order of the record: names of the engines' register values, the first there is counts, and
    /// bits.
    pub const LAYOUT: [(&[&str], u32); 10] = [
        (&["bytes_read"], 64),
        (&["bytes_written"], 64),
        (&["macs", "products"], 64),
        (&["compute_cycles"], 64),
        (&["windows"], 32),
        (&["spills"], 32),
        (&["restarts"], 32),
        (&["hazard_stalls"], 32),
        (&["cache_hits"], 32),
        (&["cache_misses"], 32),
    ];

    /// Bits of all of them.
    pub const BITS: u32 = 4 * 64 + 6 * 32;
}

/// How a command ended.
///
/// | bytes | field |
/// |---|---|
/// | 0..8 | cookie of the ring entry |
/// | 8..16 | engine clock cycles |
/// | 16..20 | error info |
/// | 20..24 | result: entries of C of a sparse product |
/// | 24 | error code; 0 is success |
/// | 25 | opcode as given, known or not |
/// | 26..28 | queue |
/// | 28..32 | reserved, zero |
/// | 32..88 | [`Counters`], in the order of [`Counters::LAYOUT`] |
/// | 88..127 | reserved, zero |
/// | 127 | bit 0: phase, the other value on each pass of the ring; written last |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Cookie of the ring entry.
    pub cookie: u64,
    /// Engine clock cycles.
    pub cycles: u64,
    /// Outcome.
    pub code: ErrorCode,
    /// Detail of the error.
    pub info: u32,
    /// Entries of C, of a sparse product.
    pub result: u32,
    /// Opcode as given in the ring entry.
    pub opcode: u8,
    /// Queue of the ring entry.
    pub queue: u16,
    /// What the command cost.
    pub counters: Counters,
    /// Differs from the previous pass over this slot of the ring.
    pub phase: bool,
}

/// Where the phase is.
const PHASE: usize = COMPLETION_BYTES - 1;

impl Completion {
    /// Offset of the record's last word, which holds the phase in its bit 24: who waits for a record reads this word,
    /// and what is before it only afterwards.
    pub const LAST_WORD: usize = COMPLETION_BYTES - 4;

    /// The phase that the record's last word tells.
    pub fn phase_of(last_word: u32) -> bool {
        last_word >> 24 & 1 == 1
    }

    /// True when the command did what was asked.
    pub fn is_ok(&self) -> bool {
        self.code == ErrorCode::None
    }

    /// The record's bytes.
    pub fn encode(&self) -> [u8; COMPLETION_BYTES] {
        let mut block = [0; COMPLETION_BYTES];
        put(&mut block, 0, self.cookie.to_le_bytes());
        put(&mut block, 8, self.cycles.to_le_bytes());
        put(&mut block, 16, self.info.to_le_bytes());
        put(&mut block, 20, self.result.to_le_bytes());
        put(&mut block, 24, [self.code as u8, self.opcode]);
        put(&mut block, 26, self.queue.to_le_bytes());
        let c = &self.counters;
        let wide = [c.bytes_read, c.bytes_written, c.products, c.compute_cycles];
        let words =
            [c.windows, c.spills, c.restarts, c.hazard_stalls, c.cache_hits, c.cache_misses];
        let (first, then) = (Counters::OFFSET, Counters::OFFSET + 32);
        wide.iter().zip(0..).for_each(|(v, i)| put(&mut block, first + 8 * i, v.to_le_bytes()));
        words.iter().zip(0..).for_each(|(v, i)| put(&mut block, then + 4 * i, v.to_le_bytes()));
        put(&mut block, PHASE, [u8::from(self.phase)]);
        block
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Not 128 bytes, an unknown error code (`UNSUPPORTED_MODE`, info is the code), or a reserved
    /// bit is set.
    pub fn decode(bytes: &[u8]) -> Result<Completion, Rejected> {
        let block = Block::<[u8], COMPLETION_BYTES>::new(bytes)?;
        for at in (28..32).chain(88..PHASE) {
            block.reserved_bits(at, 0)?;
        }
        let phase = block.reserved_bits(PHASE, 1)?;
        let code = ErrorCode::from_u8(block.u8(24))
            .ok_or(Rejected { code: ErrorCode::UnsupportedMode, info: block.u8(24).into() })?;
        Ok(Completion {
            cookie: block.u64(0),
            cycles: block.u64(8),
            code,
            info: block.u32(16),
            result: block.u32(20),
            opcode: block.u8(25),
            queue: block.u16(26),
            counters: Counters {
                bytes_read: block.u64(32),
                bytes_written: block.u64(40),
                products: block.u64(48),
                compute_cycles: block.u64(56),
                windows: block.u32(64),
                spills: block.u32(68),
                restarts: block.u32(72),
                hazard_stalls: block.u32(76),
                cache_hits: block.u32(80),
                cache_misses: block.u32(84),
            },
            phase: phase == 1,
        })
    }
}
