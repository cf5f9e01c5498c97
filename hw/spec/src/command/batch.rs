//! Parameters of many dense products in one command.

use super::bytes::{Block, Rejected, Source, put};
use super::gemm::{GemmBlock, GemmCommand};
use crate::regs::ErrorCode;
use crate::regs::batch::MANY;

/// Many dense products of one shape, on a card built for it.
///
/// | bytes | field |
/// |---|---|
/// | 0..64 | the first product, as a [`GemmCommand`]; in a list's command without its addresses, which are zero |
/// | 64..68 | laid out as the register `BATCH.MANY` |
/// | 68..72 | products |
/// | 72..84 | bytes from one A, B and D to the next; zero with a list |
/// | 84..88 | reserved, zero |
/// | 88..96 | address of the list, a multiple of 64; zero without |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GemmBatch {
    /// What all products share, and the addresses of the first.
    pub product: GemmCommand,
    /// How many.
    pub products: u32,
    /// Where the others lie.
    pub place: BatchPlace,
}

/// Where the products of a batch lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchPlace {
    /// Bytes from one A, B and D to the next.
    Strided([u32; 3]),
    /// Bus address of a list of [`BatchEntry`].
    Listed(u64),
}

impl Default for BatchPlace {
    fn default() -> Self {
        BatchPlace::Strided([0; 3])
    }
}

/// An entry of a batch's list: where the matrices of a product lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BatchEntry {
    /// Bus address of A.
    pub a: u64,
    /// Bus address of B.
    pub b: u64,
    /// Bus address of D.
    pub d: u64,
}

impl BatchEntry {
    /// Bytes of an entry.
    pub const BYTES: u32 = 32;
    /// Addresses of lists are multiples of this.
    pub const LIST_ALIGN: u32 = 64;
    /// Byte offset of A's address.
    pub const OFFSET_A: u32 = 0;
    /// Byte offset of B's address.
    pub const OFFSET_B: u32 = 8;
    /// Byte offset of D's address.
    pub const OFFSET_D: u32 = 16;
    /// Byte offset of eight bytes that are zero.
    pub const OFFSET_RESERVED: u32 = 24;

    /// The entry's bytes.
    pub fn encode(&self) -> [u8; Self::BYTES as usize] {
        let mut bytes = [0; Self::BYTES as usize];
        let fields = [(Self::OFFSET_A, self.a), (Self::OFFSET_B, self.b), (Self::OFFSET_D, self.d)];
        for (at, address) in fields {
            put(&mut bytes, at as usize, address.to_le_bytes());
        }
        bytes
    }
}

impl GemmBatch {
    /// Bytes of the parameter block.
    pub const BYTES: usize = 96;

    /// Byte offset of the word for `BATCH.MANY`, from where on the block is laid out as the registers of `BATCH`.
    pub const OFFSET_MANY: u32 = 64;
    /// Byte offset of the distances of A, B and D, for `BAD_ADDRESS`.
    pub const OFFSET_NEXT: u32 = 72;
    /// Byte offset of the list's address, for `BAD_ADDRESS`.
    pub const OFFSET_LIST: u32 = 88;

    /// The word for `BATCH.MANY`.
    pub fn many(&self) -> u32 {
        let listed = matches!(self.place, BatchPlace::Listed(_));
        MANY::ENABLE.put(1) | MANY::LISTED.put(listed.into())
    }

    /// The block's bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut block = [0; Self::BYTES];
        put(&mut block, 0, self.product.encode());
        put(&mut block, Self::OFFSET_MANY as usize, self.many().to_le_bytes());
        put(&mut block, Self::OFFSET_MANY as usize + 4, self.products.to_le_bytes());
        match self.place {
            BatchPlace::Strided(next) => {
                for (i, bytes) in next.into_iter().enumerate() {
                    put(&mut block, Self::OFFSET_NEXT as usize + 4 * i, bytes.to_le_bytes());
                }
            }
            BatchPlace::Listed(list) => {
                put(&mut block, Self::OFFSET_LIST as usize, list.to_le_bytes());
            }
        }
        block
    }

    /// Reads a parameter block.
    ///
    /// # Errors
    /// Not 96 bytes, or a reserved bit is set.
    pub fn decode(bytes: &[u8]) -> Result<GemmBatch, Rejected> {
        let block = BatchBlock::check(bytes)?;
        let place = match block.is_listed() {
            true => BatchPlace::Listed(block.list()),
            false => BatchPlace::Strided([0, 1, 2].map(|i| block.next(i))),
        };
        let product = bytes.get(..GemmCommand::BYTES).unwrap_or_default();
        Ok(GemmBatch { product: GemmCommand::decode(product)?, products: block.products(), place })
    }
}

/// A parameter block of a batch where it lies, its reserved bits checked.
#[derive(Debug)]
pub struct BatchBlock<'a, S: ?Sized> {
    /// What all products share.
    pub product: GemmBlock<'a, S>,
    source: &'a S,
}

impl<'a, S: Source + ?Sized> BatchBlock<'a, S> {
    /// Checks what can be known without a card.
    ///
    /// # Errors
    /// Not 96 bytes, or a reserved bit is set.
    pub fn check(source: &'a S) -> Result<Self, Rejected> {
        let block = Block::<S, { GemmBatch::BYTES }>::new(source)?;
        let many = GemmBatch::OFFSET_MANY as usize;
        let known = MANY::ENABLE.mask() | MANY::LISTED.mask();
        let word = block.u32(many);
        if word & !known != 0 || MANY::ENABLE.get(word) == 0 {
            return Err(Rejected { code: ErrorCode::ReservedBits, info: GemmBatch::OFFSET_MANY });
        }
        block.reserved(84, 88)?;
        match MANY::LISTED.get(word) {
            1 => {
                for at in [GemmCommand::OFFSET_A, GemmCommand::OFFSET_B, GemmCommand::OFFSET_D] {
                    block.reserved(at as usize, at as usize + 8)?;
                }
                block.reserved(GemmBatch::OFFSET_NEXT as usize, 84)?;
            }
            _ => block.reserved(GemmBatch::OFFSET_LIST as usize, GemmBatch::BYTES)?,
        }
        Ok(BatchBlock { product: GemmBlock::check_fields(source)?, source })
    }

    /// The word for `BATCH.MANY`.
    pub fn many(&self) -> u32 {
        self.source.word(GemmBatch::OFFSET_MANY as usize)
    }

    /// Addresses come from a list.
    pub fn is_listed(&self) -> bool {
        MANY::LISTED.get(self.many()) == 1
    }

    /// How many products.
    pub fn products(&self) -> u32 {
        self.source.word(GemmBatch::OFFSET_MANY as usize + 4)
    }

    /// Bytes from one A (0), B (1) or D (2) to the next.
    pub fn next(&self, matrix: usize) -> u32 {
        self.source.word(GemmBatch::OFFSET_NEXT as usize + 4 * matrix)
    }

    /// Where the list is.
    pub fn list(&self) -> u64 {
        self.source.wide(GemmBatch::OFFSET_LIST as usize)
    }
}
