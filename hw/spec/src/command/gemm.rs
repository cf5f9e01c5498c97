//! Parameters of a dense product.

use super::bytes::{Block, Rejected, Source, put};
use crate::format::Rounding;
use crate::regs::ErrorCode;
use crate::regs::Field;
use crate::regs::epilogue::STEPS;
use crate::regs::gemm::MODE;

/// A dense product `D = A * B`.
///
/// | bytes | field |
/// |---|---|
/// | 0..4 | mode, laid out as the register `GEMM.MODE` |
/// | 4..16 | M, N, K |
/// | 16..24, 24..28 | address of A, bytes between its rows (columns) |
/// | 32..40, 40..44 | address of B, stride |
/// | 48..56, 56..60 | address of D, stride |
/// | 28..32, 44..48 | address of the epilogue's parameters, low and high half |
/// | 60..64 | steps of the epilogue, laid out as the register `EPILOGUE.STEPS`; without, all three are zero |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GemmCommand {
    /// Index into the card's tuple list.
    pub tuple: u8,
    /// A lies column by column.
    pub a_col_major: bool,
    /// B lies column by column.
    pub b_col_major: bool,
    /// D is written column by column.
    pub d_col_major: bool,
    /// How float results are rounded.
    pub rounding: Rounding,
    /// Infinite float results become the largest finite number.
    pub saturate: bool,
    /// Read A from memory; otherwise it is still in the scratchpad.
    pub load_a: bool,
    /// Read B from memory.
    pub load_b: bool,
    /// Multiply.
    pub compute: bool,
    /// Write D to memory; otherwise it stays in the result buffer.
    pub store: bool,
    /// Rows of A and D.
    pub m: u32,
    /// Columns of B and D.
    pub n: u32,
    /// Columns of A, rows of B.
    pub k: u32,
    /// Bus address of A.
    pub a: u64,
    /// Bytes from one row of A (column, when `a_col_major`) to the next.
    pub a_stride: u32,
    /// Bus address of B.
    pub b: u64,
    /// Bytes from one row of B (column, when `b_col_major`) to the next.
    pub b_stride: u32,
    /// Bus address of D.
    pub d: u64,
    /// Bytes from one row of D (column, when `d_col_major`) to the next.
    pub d_stride: u32,
    /// Bus address of the [epilogue](crate::epilogue)'s parameters.
    pub epilogue: u64,
    /// What the epilogue does; 0 when sums are stored as they are.
    pub epilogue_steps: u32,
}

impl GemmCommand {
    /// Bytes of the parameter block.
    pub const BYTES: usize = 64;

    /// Byte offset of K, for `BAD_SHAPE`.
    pub const OFFSET_K: u32 = 12;
    /// Byte offset of A's address and stride, for `BAD_ADDRESS`.
    pub const OFFSET_A: u32 = 16;
    /// Byte offset of B's address and stride, for `BAD_ADDRESS`.
    pub const OFFSET_B: u32 = 32;
    /// Byte offset of D's address and stride, for `BAD_ADDRESS`.
    pub const OFFSET_D: u32 = 48;
    /// Byte offset of the low half of the epilogue's address, for `BAD_ADDRESS`.
    pub const OFFSET_EPILOGUE: u32 = 28;
    /// Byte offset of the high half.
    pub const OFFSET_EPILOGUE_HIGH: u32 = 44;
    /// Byte offset of the epilogue's steps.
    pub const OFFSET_STEPS: u32 = 60;

    /// The word for `GEMM.MODE`.
    pub fn mode(&self) -> u32 {
        MODE::TUPLE.put(self.tuple.into())
            | MODE::A_COL_MAJOR.put(self.a_col_major.into())
            | MODE::B_COL_MAJOR.put(self.b_col_major.into())
            | MODE::D_COL_MAJOR.put(self.d_col_major.into())
            | MODE::ROUNDING.put(self.rounding.wire_code())
            | MODE::SATURATE.put(self.saturate.into())
            | MODE::LOAD_A.put(self.load_a.into())
            | MODE::LOAD_B.put(self.load_b.into())
            | MODE::COMPUTE.put(self.compute.into())
            | MODE::STORE.put(self.store.into())
    }

    /// The block's bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut block = [0; Self::BYTES];
        put(&mut block, 0, self.mode().to_le_bytes());
        put(&mut block, 4, self.m.to_le_bytes());
        put(&mut block, 8, self.n.to_le_bytes());
        put(&mut block, 12, self.k.to_le_bytes());
        for (at, address, stride) in [
            (Self::OFFSET_A, self.a, self.a_stride),
            (Self::OFFSET_B, self.b, self.b_stride),
            (Self::OFFSET_D, self.d, self.d_stride),
        ] {
            put(&mut block, at as usize, address.to_le_bytes());
            put(&mut block, at as usize + 8, stride.to_le_bytes());
        }
        for (at, word) in [
            (Self::OFFSET_EPILOGUE, self.epilogue as u32),
            (Self::OFFSET_EPILOGUE_HIGH, (self.epilogue >> 32) as u32),
            (Self::OFFSET_STEPS, self.epilogue_steps),
        ] {
            put(&mut block, at as usize, word.to_le_bytes());
        }
        block
    }

    /// Reads a parameter block.
    ///
    /// # Errors
    /// Not 64 bytes, or a reserved bit is set.
    pub fn decode(bytes: &[u8]) -> Result<GemmCommand, Rejected> {
        let block = GemmBlock::check(bytes)?;
        let mode = block.mode();
        let flag = |field: Field| field.get(mode) == 1;
        let no_such_rounding = Rejected { code: ErrorCode::UnsupportedMode, info: mode };
        let [(a, a_stride), (b, b_stride), (d, d_stride)] =
            [Self::OFFSET_A, Self::OFFSET_B, Self::OFFSET_D].map(|at| block.operand(at));
        Ok(GemmCommand {
            tuple: MODE::TUPLE.get(mode) as u8,
            a_col_major: flag(MODE::A_COL_MAJOR),
            b_col_major: flag(MODE::B_COL_MAJOR),
            d_col_major: flag(MODE::D_COL_MAJOR),
            rounding: Rounding::from_wire_code(MODE::ROUNDING.get(mode)).ok_or(no_such_rounding)?,
            saturate: flag(MODE::SATURATE),
            load_a: flag(MODE::LOAD_A),
            load_b: flag(MODE::LOAD_B),
            compute: flag(MODE::COMPUTE),
            store: flag(MODE::STORE),
            m: block.m(),
            n: block.n(),
            k: block.k(),
            a,
            a_stride,
            b,
            b_stride,
            d,
            d_stride,
            epilogue: block.epilogue(),
            epilogue_steps: block.epilogue_steps(),
        })
    }
}

/// A parameter block where it lies, its reserved bits checked: what the command logic reads.
#[derive(Debug)]
pub struct GemmBlock<'a, S: ?Sized>(&'a S);

impl<'a, S: Source + ?Sized> GemmBlock<'a, S> {
    /// Checks what can be known without a card.
    ///
    /// # Errors
    /// Not 64 bytes, a reserved bit is set, or there is no such rounding.
    #[inline(always)]
    pub fn check(source: &'a S) -> Result<Self, Rejected> {
        let block = Block::<S, { GemmCommand::BYTES }>::new(source)?;
        Self::fields(source, &block)
    }

    /// As [`check`](Self::check), of the first bytes of a [`GemmBatch`](super::GemmBatch).
    pub(super) fn check_fields(source: &'a S) -> Result<Self, Rejected> {
        let block = Block::<S, { super::GemmBatch::BYTES }>::new(source)?;
        Self::fields(source, &block)
    }

    #[inline(always)]
    fn fields<const N: usize>(source: &'a S, block: &Block<'a, S, N>) -> Result<Self, Rejected> {
        block.reserved_bits(1, 0x7f)?;
        block.reserved_bits(2, 0x0f)?;
        block.reserved(3, 4)?;
        let steps = if source.may_have_epilogue() { block.u32(60) } else { 0 };
        if steps != 0 {
            let known = STEPS.fields.iter().fold(0, |mask, field| mask | field.mask());
            if steps & !known != 0 || STEPS::ENABLE.get(steps) == 0 {
                return Err(Rejected { code: ErrorCode::ReservedBits, info: 60 });
            }
        } else if !source.is_clean_dense() {
            block.reserved(28, 32)?;
            block.reserved(44, 48)?;
            block.reserved(60, 64)?;
        }
        let block = GemmBlock(source);
        if MODE::ROUNDING.get(block.mode()) >= Rounding::ALL.len() as u32 {
            return Err(Rejected { code: ErrorCode::UnsupportedMode, info: block.mode() });
        }
        Ok(block)
    }

    /// Where the block is read from.
    pub fn source(&self) -> &'a S {
        self.0
    }

    /// The word for `GEMM.MODE`.
    pub fn mode(&self) -> u32 {
        self.0.word(0)
    }

    /// Rows of A and D.
    pub fn m(&self) -> u32 {
        self.0.word(4)
    }

    /// Columns of B and D.
    pub fn n(&self) -> u32 {
        self.0.word(8)
    }

    /// Columns of A, rows of B.
    pub fn k(&self) -> u32 {
        self.0.word(12)
    }

    /// Steps of the epilogue, 0 for none.
    pub fn epilogue_steps(&self) -> u32 {
        if self.0.may_have_epilogue() { self.0.word(60) } else { 0 }
    }

    /// Address of its parameters.
    pub fn epilogue(&self) -> u64 {
        u64::from(self.0.word(28)) | u64::from(self.0.word(44)) << 32
    }

    /// Address and stride of the operand at that offset.
    pub fn operand(&self, at: u32) -> (u64, u32) {
        let at = at as usize;
        (self.0.wide(at), self.0.word(at + 8))
    }
}
