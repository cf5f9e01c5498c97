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
    /// Values, 4 bytes each.
    pub values: u64,
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
/// | 104..128 | reserved, zero |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpgemmCommand {
    /// Type of the values.
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
        block.reserved(104, SpgemmCommand::BYTES)?;
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
    }
}
