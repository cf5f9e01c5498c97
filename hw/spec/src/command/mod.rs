//! Commands byte for byte: ring entries, parameter blocks, completion records.
//!
//! A driver writes a 64-byte [`Descriptor`] into the submission ring; it points to a parameter block
//! ([`GemmCommand`], [`GemmBatch`], [`SpgemmCommand`] or [`JoinedProduct`]) of at most [`MAX_PARAMETER_BYTES`], 64-byte aligned. The
//! card owns both from the doorbell until it has written the [`Completion`]. All numbers are
//! little-endian. Decoding refuses wrong lengths, unknown opcodes and any reserved bit that is set,
//! so that the bits can get a meaning later.

mod batch;
mod bytes;
mod completion;
mod descriptor;
mod gemm;
mod spgemm;

pub use batch::{BatchBlock, BatchEntry, BatchPlace, GemmBatch};
pub use bytes::{Rejected, Source};
pub use completion::{Completion, Counters};
pub use descriptor::{Descriptor, Opcode};
pub use gemm::{GemmBlock, GemmCommand};
pub use spgemm::{CsrAddresses, JoinedProduct, SpgemmBlock, SpgemmCommand, SpgemmPart};

/// Bytes of a ring entry.
pub const DESCRIPTOR_BYTES: usize = 64;
/// Bytes of a completion record.
pub const COMPLETION_BYTES: usize = 128;
/// Most bytes a parameter block of any opcode may have.
pub const MAX_PARAMETER_BYTES: usize = 512;
/// Parameter blocks begin at multiples of this.
pub const PARAMETER_ALIGN: u64 = 64;

/// A parameter block, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Does nothing and completes.
    Nop,
    /// A dense product.
    Gemm(GemmCommand),
    /// Many dense products.
    Batch(GemmBatch),
    /// A sparse product.
    Spgemm(SpgemmCommand),
    /// A sparse product that more matrices join.
    Joined(JoinedProduct),
}

impl Command {
    /// The opcode a descriptor gives for this command.
    pub fn opcode(&self) -> Opcode {
        match self {
            Command::Nop => Opcode::Nop,
            Command::Gemm(_) | Command::Batch(_) => Opcode::Gemm,
            Command::Spgemm(_) | Command::Joined(_) => Opcode::Spgemm,
        }
    }

    /// Decodes the parameter block of a descriptor with this opcode.
    ///
    /// # Errors
    /// Wrong length or a reserved bit that is set.
    pub fn decode(opcode: Opcode, block: &[u8]) -> Result<Command, Rejected> {
        match opcode {
            Opcode::Nop if block.is_empty() => Ok(Command::Nop),
            Opcode::Nop => Err(Rejected::length(block.len())),
            Opcode::Gemm if block.len() == GemmBatch::BYTES => {
                GemmBatch::decode(block).map(Command::Batch)
            }
            Opcode::Gemm => GemmCommand::decode(block).map(Command::Gemm),
            Opcode::Spgemm if block.len() == JoinedProduct::BYTES => {
                JoinedProduct::decode(block).map(Command::Joined)
            }
            Opcode::Spgemm => SpgemmCommand::decode(block).map(Command::Spgemm),
        }
    }
}
