//! Parameters of a sparse product.

use super::bytes::{Block, Rejected, Source, put};
use crate::regs::ErrorCode;
use crate::regs::ValueType;
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
        MODE::VALUE.put(self.value as u32) | MODE::SEMIRING.put(self.semiring as u32)
    }

    /// The nine addresses in the order of the block and of the registers.
    pub fn addresses(&self) -> [u64; 9] {
        let [a, b, c] = [self.a, self.b, self.c].map(|m| [m.row_pointers, m.columns, m.values]);
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
        let csr = |first: usize| {
            let at = Self::OFFSET_ADDRESSES as usize + 8 * first;
            let address = |i: usize| bytes.wide(at + 8 * i);
            CsrAddresses { row_pointers: address(0), columns: address(1), values: address(2) }
        };
        Ok(SpgemmCommand {
            value,
            semiring,
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
        block.reserved(1, 4)?;
        block.reserved(116, SpgemmCommand::BYTES)?;
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
    }
}
