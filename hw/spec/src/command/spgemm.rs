//! Parameters of a sparse product.

use super::bytes::{Block, Rejected, Source, put};
use crate::regs::ErrorCode;
use crate::regs::ValueType;
use crate::regs::join::STEPS;
use crate::regs::spgemm::MODE;
use crate::semiring::Semiring;

/// Bus addresses of the three arrays of a split CSR matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CsrAddresses {
    /// Row pointers, u32, one more than rows.
    pub row_pointers: u64,
    /// Column indices, u32.
    pub columns: u64,
    /// Values: those of factors packed, 1, 2 or 4 bytes each; those of a result 4 bytes each.
    pub values: u64,
}

impl CsrAddresses {
    /// The three in the order of blocks and registers.
    pub fn array(self) -> [u64; 3] {
        [self.row_pointers, self.columns, self.values]
    }

    /// Those that begin at byte `at` of a block.
    fn at(block: &[u8], at: usize) -> Self {
        let address = |i: usize| block.wide(at + 8 * i);
        CsrAddresses { row_pointers: address(0), columns: address(1), values: address(2) }
    }
}

/// A part of a sparse product: some of its rows, and of those the products in some columns. A cluster works on it.
///
/// A table of parts is an array of 32-byte entries in memory, 8 words each, in the order of the fields; the last word is
/// reserved, zero. What a part leaves in memory is a matrix of its own: `end_row - first_row + 1` row pointers that
/// begin with 0, and columns and values, all at its offsets in the arrays of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpgemmPart {
    /// Its first row.
    pub first_row: u32,
    /// Behind its last row.
    pub end_row: u32,
    /// Its first column.
    pub first_col: u32,
    /// Behind its last column.
    pub end_col: u32,
    /// Where its row pointers begin in the array of C's, in words; a multiple of the alignment, like the next.
    pub pointer_offset: u32,
    /// Where its columns and values begin in the arrays of C's, in entries.
    pub entry_offset: u32,
    /// Entries that have room there.
    pub capacity: u32,
}

impl SpgemmPart {
    /// Bytes of an entry of the table.
    pub const BYTES: usize = 32;

    /// The entry's bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut entry = [0; Self::BYTES];
        let words = [
            self.first_row,
            self.end_row,
            self.first_col,
            self.end_col,
            self.pointer_offset,
            self.entry_offset,
            self.capacity,
        ];
        for (i, word) in words.into_iter().enumerate() {
            put(&mut entry, 4 * i, word.to_le_bytes());
        }
        entry
    }
}

/// A sparse product `C = A * B`.
///
/// | bytes | field |
/// |---|---|
/// | 0..4 | mode, laid out as the register `SPGEMM.MODE` |
/// | 4..16 | rows, inner, cols |
/// | 16..28 | entries of A, entries of B, capacity of C |
/// | 28..32 | hash seed |
/// | 32..104 | addresses of A's row pointers, columns, values, then B's, then C's |
/// | 104..112 | address of the table of parts |
/// | 112..116 | parts in it |
/// | 116..128 | reserved, zero |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpgemmCommand {
    /// Type of the values of A and B.
    pub value: ValueType,
    /// What stands for multiplication and addition.
    pub semiring: Semiring,
    /// Products of an entry are added by rising k.
    pub ordered: bool,
    /// Rows of A and C.
    pub rows: u32,
    /// Columns of A, rows of B.
    pub inner: u32,
    /// Columns of B and C.
    pub cols: u32,
    /// Entries of A.
    pub nnz_a: u32,
    /// Entries of B.
    pub nnz_b: u32,
    /// Entries C's arrays can hold.
    pub c_capacity: u32,
    /// Hash seed.
    pub seed: u32,
    /// Where A lies.
    pub a: CsrAddresses,
    /// Where B lies.
    pub b: CsrAddresses,
    /// Where C goes.
    pub c: CsrAddresses,
    /// Where the table of [parts](SpgemmPart) lies; 0 without parts.
    pub part_table: u64,
    /// Parts that the clusters share; 0 when one cluster works on the whole.
    pub parts: u32,
}

impl SpgemmCommand {
    /// Bytes of the parameter block.
    pub const BYTES: usize = 128;

    /// Byte offset of `cols`, for `BAD_SHAPE`.
    pub const OFFSET_COLS: u32 = 12;
    /// Byte offset of `nnz_a`, for `BAD_SHAPE`.
    pub const OFFSET_NNZ_A: u32 = 16;
    /// Byte offset of `nnz_b`, for `BAD_SHAPE`.
    pub const OFFSET_NNZ_B: u32 = 20;
    /// Byte offset of the first of the nine addresses, 8 bytes each, for `BAD_ADDRESS`.
    pub const OFFSET_ADDRESSES: u32 = 32;
    /// Byte offset of the address of the table of parts.
    pub const OFFSET_PART_TABLE: u32 = 104;
    /// Byte offset of the number of parts, for `BAD_SHAPE`.
    pub const OFFSET_PARTS: u32 = 112;

    /// The word for `SPGEMM.MODE`.
    pub fn mode(&self) -> u32 {
        MODE::VALUE.put(self.value as u32)
            | MODE::SEMIRING.put(self.semiring as u32)
            | MODE::ORDERED.put(self.ordered.into())
    }

    /// The nine addresses in the order of the block and of the registers.
    pub fn addresses(&self) -> [u64; 9] {
        let [a, b, c] = [self.a, self.b, self.c].map(CsrAddresses::array);
        [a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]]
    }

    /// The block's bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut block = [0; Self::BYTES];
        let words = [
            self.mode(),
            self.rows,
            self.inner,
            self.cols,
            self.nnz_a,
            self.nnz_b,
            self.c_capacity,
            self.seed,
        ];
        for (i, word) in words.into_iter().enumerate() {
            put(&mut block, 4 * i, word.to_le_bytes());
        }
        for (i, address) in self.addresses().into_iter().enumerate() {
            put(&mut block, Self::OFFSET_ADDRESSES as usize + 8 * i, address.to_le_bytes());
        }
        put(&mut block, Self::OFFSET_PART_TABLE as usize, self.part_table.to_le_bytes());
        put(&mut block, Self::OFFSET_PARTS as usize, self.parts.to_le_bytes());
        block
    }

    /// Reads a parameter block.
    ///
    /// # Errors
    /// Not 128 bytes, an unknown value type or semiring, or a reserved bit is set.
    pub fn decode(bytes: &[u8]) -> Result<SpgemmCommand, Rejected> {
        let block = SpgemmBlock::check(bytes)?;
        let mode = block.mode();
        let unknown = Rejected { code: ErrorCode::UnsupportedMode, info: mode };
        let value = ValueType::from_u8(MODE::VALUE.get(mode) as u8).ok_or(unknown)?;
        let semiring = Semiring::from_u8(MODE::SEMIRING.get(mode) as u8).ok_or(unknown)?;
        let csr =
            |first: usize| CsrAddresses::at(bytes, Self::OFFSET_ADDRESSES as usize + 8 * first);
        Ok(SpgemmCommand {
            value,
            semiring,
            ordered: MODE::ORDERED.get(mode) == 1,
            rows: block.rows(),
            inner: block.inner(),
            cols: block.cols(),
            nnz_a: block.nnz_a(),
            nnz_b: block.nnz_b(),
            c_capacity: block.c_capacity(),
            seed: block.seed(),
            a: csr(0),
            b: csr(3),
            c: csr(6),
            part_table: bytes.wide(Self::OFFSET_PART_TABLE as usize),
            parts: block.parts(),
        })
    }
}

/// A parameter block where it lies, its reserved bits checked: what the command logic reads.
#[derive(Debug)]
pub struct SpgemmBlock<'a, S: ?Sized>(&'a S);

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident $at:literal)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> u32 {
            self.0.word($at)
        }
    )*};
}

impl<'a, S: Source + ?Sized> SpgemmBlock<'a, S> {
    /// Checks what can be known without a card.
    ///
    /// # Errors
    /// Not 128 bytes, or a reserved bit is set.
    #[inline(always)]
    pub fn check(source: &'a S) -> Result<Self, Rejected> {
        let block = Block::<S, { SpgemmCommand::BYTES }>::new(source)?;
        block.reserved_bits(0, (MODE::VALUE.mask() | MODE::SEMIRING.mask()) as u8)?;
        if source.may_be_ordered() {
            block.reserved_bits(1, (MODE::ORDERED.mask() >> 8) as u8)?;
            block.reserved(2, 4)?;
        } else {
            block.reserved(1, 4)?;
        }
        block.reserved(116, SpgemmCommand::BYTES)?;
        Ok(SpgemmBlock(source))
    }

    /// As [`check`](Self::check), of a block of a [`JoinedProduct`].
    ///
    /// # Errors
    /// Not 192 bytes, or a reserved bit is set.
    pub fn check_joined(source: &'a S) -> Result<Self, Rejected> {
        let block = Block::<S, { JoinedProduct::BYTES }>::new(source)?;
        block.reserved_bits(0, (MODE::VALUE.mask() | MODE::SEMIRING.mask()) as u8)?;
        block.reserved_bits(1, (MODE::ORDERED.mask() >> 8) as u8)?;
        block.reserved(2, 4)?;
        block.reserved(116, SpgemmCommand::BYTES)?;
        let at = JoinedProduct::OFFSET_STEPS as usize;
        let known = STEPS.fields.iter().fold(0, |mask, field| mask | field.mask());
        block.reserved_bits(at, known as u8)?;
        block.reserved(at + 1, at + 4)?;
        block.reserved(at + 12, at + 16)?;
        Ok(SpgemmBlock(source))
    }

    /// Where the block is read from.
    pub fn source(&self) -> &'a S {
        self.0
    }

    words! {
        /// The word for `SPGEMM.MODE`.
        mode 0
        /// Rows of A and C.
        rows 4
        /// Columns of A, rows of B.
        inner 8
        /// Columns of B and C.
        cols 12
        /// Entries of A.
        nnz_a 16
        /// Entries of B.
        nnz_b 20
        /// Entries C's arrays can hold.
        c_capacity 24
        /// Hash seed.
        seed 28
        /// Parts that the clusters share.
        parts 112
        /// The word for `JOIN.STEPS`, of a [`JoinedProduct`].
        join_steps 128
        /// Entries of the mask.
        nnz_mask 132
        /// Entries of the addend.
        nnz_addend 136
    }
}

/// A sparse product that more matrices join, `D = C0 (+) A * B at the entries of M`, on a card built for it: C of the product is D.
///
/// | bytes | field |
/// |---|---|
/// | 0..128 | the product, as a [`SpgemmCommand`] |
/// | 128..132 | steps, laid out as the register `JOIN.STEPS`, at least one |
/// | 132..140 | entries of the mask, of the addend |
/// | 140..144 | reserved, zero |
/// | 144..192 | addresses of the mask's row pointers, columns, values, then the addend's |
///
/// What belongs to a step that is not done means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinedProduct {
    /// What would be done without the rest.
    pub product: SpgemmCommand,
    /// The word for `JOIN.STEPS`.
    pub steps: u32,
    /// Entries of the mask.
    pub nnz_mask: u32,
    /// Entries of the addend.
    pub nnz_addend: u32,
    /// Where the mask lies.
    pub mask: CsrAddresses,
    /// Where the addend, C0, lies.
    pub addend: CsrAddresses,
}

impl JoinedProduct {
    /// Bytes of the parameter block.
    pub const BYTES: usize = 192;

    /// Byte offset of the steps, from where on the block is laid out as the registers of `JOIN`.
    pub const OFFSET_STEPS: u32 = 128;
    /// Byte offset of the mask's entries, for `BAD_SHAPE`.
    pub const OFFSET_NNZ_MASK: u32 = 132;
    /// Byte offset of the addend's entries, for `BAD_SHAPE`.
    pub const OFFSET_NNZ_ADDEND: u32 = 136;
    /// Byte offset of the first of the mask's addresses, for `BAD_ADDRESS`.
    pub const OFFSET_MASK: u32 = 144;
    /// Byte offset of the first of the addend's addresses, for `BAD_ADDRESS`.
    pub const OFFSET_ADDEND: u32 = 168;

    /// The block's bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut block = [0; Self::BYTES];
        put(&mut block, 0, self.product.encode());
        for (i, word) in [self.steps, self.nnz_mask, self.nnz_addend].into_iter().enumerate() {
            put(&mut block, Self::OFFSET_STEPS as usize + 4 * i, word.to_le_bytes());
        }
        let [mask, addend] = [self.mask, self.addend].map(CsrAddresses::array);
        for (i, address) in mask.into_iter().chain(addend).enumerate() {
            put(&mut block, Self::OFFSET_MASK as usize + 8 * i, address.to_le_bytes());
        }
        block
    }

    /// Reads a parameter block.
    ///
    /// # Errors
    /// Not 192 bytes, a reserved bit, an unknown value type or semiring, or no step.
    pub fn decode(bytes: &[u8]) -> Result<JoinedProduct, Rejected> {
        let block = SpgemmBlock::check_joined(bytes)?;
        let product = bytes.get(..SpgemmCommand::BYTES).unwrap_or_default();
        if block.join_steps() == 0 {
            return Err(Rejected { code: ErrorCode::UnsupportedMode, info: 0 });
        }
        Ok(JoinedProduct {
            product: SpgemmCommand::decode(product)?,
            steps: block.join_steps(),
            nnz_mask: block.nnz_mask(),
            nnz_addend: block.nnz_addend(),
            mask: CsrAddresses::at(bytes, Self::OFFSET_MASK as usize),
            addend: CsrAddresses::at(bytes, Self::OFFSET_ADDEND as usize),
        })
    }
}
