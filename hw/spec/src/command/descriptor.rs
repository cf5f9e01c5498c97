//! The 64-byte entry of a submission ring.

use super::bytes::{Block, Rejected, Source, put};
use super::{DESCRIPTOR_BYTES, MAX_PARAMETER_BYTES, PARAMETER_ALIGN};
use crate::regs::ErrorCode;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// Nothing; it completes at once. No parameter block.
    Nop = 1,
    /// Dense product.
    Gemm = 2,
    /// Sparse product.
    Spgemm = 3,
}

impl Opcode {
    /// Every opcode. 0 is none, so that an entry of zeroed memory is refused.
    pub const ALL: [Opcode; 3] = [Opcode::Nop, Opcode::Gemm, Opcode::Spgemm];

    /// The opcode of a number.
    pub fn from_u8(number: u8) -> Option<Opcode> {
        // Straight-line code, which is quick on the card.
        match number {
            1 => Some(Opcode::Nop),
            2 => Some(Opcode::Gemm),
            3 => Some(Opcode::Spgemm),
            _ => None,
        }
    }
}

/// A ring entry.
///
/// | bytes | field |
/// |---|---|
/// | 0 | opcode |
/// | 1 | flags: bit 0 asks for an interrupt at completion |
/// | 2..4 | queue |
/// | 4..8 | length of the parameter block in bytes |
/// | 8..16 | cookie, returned in the completion |
/// | 16..24 | bus address of the parameter block, a multiple of 64 |
/// | 24..32 | deadline in engine clock cycles from the start; 0 is none |
/// | 32..64 | reserved, zero |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What to do.
    pub opcode: Opcode,
    /// Raise an interrupt when the command ends.
    pub interrupt: bool,
    /// Queue the entry belongs to.
    pub queue: u16,
    /// Returned in the completion.
    pub cookie: u64,
    /// Bus address of the parameter block.
    pub parameters: u64,
    /// Length of the parameter block in bytes.
    pub parameter_bytes: u32,
    /// Clock cycles the command may run; 0 is no limit.
    pub deadline: u64,
}

impl Descriptor {
    /// The entry's bytes.
    pub fn encode(&self) -> [u8; DESCRIPTOR_BYTES] {
        let mut block = [0; DESCRIPTOR_BYTES];
        put(&mut block, 0, [self.opcode as u8, u8::from(self.interrupt)]);
        put(&mut block, 2, self.queue.to_le_bytes());
        put(&mut block, 4, self.parameter_bytes.to_le_bytes());
        put(&mut block, 8, self.cookie.to_le_bytes());
        put(&mut block, 16, self.parameters.to_le_bytes());
        put(&mut block, 24, self.deadline.to_le_bytes());
        block
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// Not 64 bytes, unknown opcode, reserved bits set, or a parameter block that is longer than
    /// 512 bytes or not 64-byte aligned.
    pub fn decode(bytes: &[u8]) -> Result<Descriptor, Rejected> {
        Self::read(bytes)
    }

    /// As [`decode`](Self::decode), from wherever the entry lies.
    ///
    /// # Errors
    /// As there.
    pub fn read<S: Source + ?Sized>(bytes: &S) -> Result<Descriptor, Rejected> {
        let block = Block::<S, DESCRIPTOR_BYTES>::new(bytes)?;
        let number = block.u8(0);
        let opcode = Opcode::from_u8(number)
            .ok_or(Rejected { code: ErrorCode::BadOpcode, info: number.into() })?;
        let flags = block.reserved_bits(1, 1)?;
        block.reserved(32, 64)?;
        let entry = Descriptor {
            opcode,
            interrupt: flags & 1 == 1,
            queue: block.u16(2),
            cookie: block.u64(8),
            parameters: block.u64(16),
            parameter_bytes: block.u32(4),
            deadline: block.u64(24),
        };
        if entry.parameter_bytes as usize > MAX_PARAMETER_BYTES {
            return Err(Rejected { code: ErrorCode::BadLength, info: entry.parameter_bytes });
        }
        if entry.parameters & (PARAMETER_ALIGN - 1) != 0 {
            return Err(Rejected { code: ErrorCode::BadAddress, info: 16 });
        }
        Ok(entry)
    }

    /// The cookie of an entry that may be refused, so that its completion can name it.
    pub fn cookie_of(bytes: &[u8]) -> u64 {
        Block::<[u8], DESCRIPTOR_BYTES>::new(bytes).map_or(0, |block| block.u64(8))
    }
}
