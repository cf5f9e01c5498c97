//! The 32-byte record a card writes when a command ends.

use super::COMPLETION_BYTES;
use super::bytes::{Block, Rejected, put};
use crate::regs::ErrorCode;

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
/// | 28..31 | reserved, zero |
/// | 31 | bit 0: phase, the other value on each pass of the ring; written last |
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
    /// Differs from the previous pass over this slot of the ring.
    pub phase: bool,
}

impl Completion {
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
        put(&mut block, 31, [u8::from(self.phase)]);
        block
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Not 32 bytes, an unknown error code (`UNSUPPORTED_MODE`, info is the code), or a reserved
    /// bit is set.
    pub fn decode(bytes: &[u8]) -> Result<Completion, Rejected> {
        let block = Block::<[u8], COMPLETION_BYTES>::new(bytes)?;
        for at in 28..31 {
            block.reserved_bits(at, 0)?;
        }
        let phase = block.reserved_bits(31, 1)?;
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
            phase: phase == 1,
        })
    }
}
