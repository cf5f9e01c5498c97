//! Sizes of a dense engine and the widths that follow from them.

use super::Scratchpad;
use crate::pe::{PE_VARIANTS, PeShape, PeVariant};
use rtl_gen::Sig;

/// Bits of M, N and K.
pub const DIM_BITS: u32 = 24;

/// What a dense engine is built from.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// PE rows, 1 to 256.
    pub rows: u32,
    /// PE columns, 1 to 256.
    pub cols: u32,
    /// Which PE.
    pub pe: &'static PeVariant,
    /// Bytes of the A scratchpad, both halves; a power of two.
    pub a_bytes: u32,
    /// Bytes of the B scratchpad, both halves; a power of two.
    pub b_bytes: u32,
    /// Bytes of the result buffer; used up to a power of two of rows.
    pub result_bytes: u32,
    /// Bytes of a bus beat: 8, 16, 32 or 64.
    pub bus_bytes: u32,
    /// Bits of a bus address, 32 to 64.
    pub addr_bits: u32,
}

impl Geometry {
    /// An engine with the default PE, 16 KiB of each operand and a 64-byte bus.
    pub fn new(rows: u32, cols: u32) -> Self {
        let kib = 1024;
        let (a_bytes, b_bytes, result_bytes) = (16 * kib, 16 * kib, 16 * kib);
        let pe = &PE_VARIANTS[0];
        Geometry { rows, cols, pe, a_bytes, b_bytes, result_bytes, bus_bytes: 64, addr_bits: 64 }
    }

    /// Operand and accumulator widths of the PEs.
    pub fn shape(&self) -> PeShape {
        PeShape::INT8
    }

    /// Part of a module name that tells geometries apart.
    pub(super) fn suffix(&self) -> String {
        let Geometry { rows, cols, a_bytes, b_bytes, result_bytes, bus_bytes, addr_bits, .. } =
            self;
        let pe = self.pe.name;
        format!(
            "{rows}x{cols}_{pe}_a{a_bytes}_b{b_bytes}_r{result_bytes}_w{bus_bytes}_x{addr_bits}"
        )
    }

    pub(super) fn a_side(&self) -> Side {
        Side::new(self.rows, self.a_bytes)
    }

    pub(super) fn b_side(&self) -> Side {
        Side::new(self.cols, self.b_bytes)
    }

    /// Most steps of k that fit a half of both scratchpads with one tile in each.
    pub fn max_k_block(&self) -> u32 {
        self.a_side().half().min(self.b_side().half())
    }

    /// Panels are a multiple of this deep: both scratchpads then keep lines whole.
    pub(super) fn pitch_step(&self) -> u32 {
        self.a_side().lanes.max(self.b_side().lanes)
    }

    /// Tiles that fit the result buffer.
    pub fn result_slots(&self) -> u32 {
        self.result_depth() / self.slot_rows()
    }

    /// Words of a result bank (one bank per column).
    pub(super) fn result_depth(&self) -> u32 {
        let words = self.result_bytes / 4 / self.cols.max(1);
        if words == 0 { 0 } else { 1 << words.ilog2() }
    }

    /// Words between tiles in a result bank.
    pub(super) fn slot_rows(&self) -> u32 {
        self.rows.next_power_of_two()
    }

    /// Bits of a block size: rows of an operand, or steps of k, in half a scratchpad.
    pub(super) fn block_bits(&self) -> u32 {
        self.a_side().half().max(self.b_side().half()).ilog2() + 1
    }

    /// Refuses what cannot be built; the text names the key, the value and what is allowed.
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, n) in [("gemm.rows", self.rows), ("gemm.cols", self.cols)] {
            if !(1..=256).contains(&n) {
                return Err(format!("{key} is {n}; an array has 1 to 256"));
            }
        }
        if !self.bus_bytes.is_power_of_two() || !(8..=64).contains(&self.bus_bytes) {
            return Err(format!("bus is {} bytes wide; 8, 16, 32 or 64 are built", self.bus_bytes));
        }
        if !(32..=64).contains(&self.addr_bits) {
            return Err(format!("addresses have {} bits; 32 to 64 are built", self.addr_bits));
        }
        for (key, side, bytes) in [
            ("gemm.a_kib", self.a_side(), self.a_bytes),
            ("gemm.b_kib", self.b_side(), self.b_bytes),
        ] {
            let least = 2 * self.pitch_step() * side.lanes;
            if !bytes.is_power_of_two() || bytes < least || side.half() > 1 << 16 {
                return Err(format!(
                    "{key} is {bytes} bytes; a power of two from {least} is needed"
                ));
            }
        }
        if self.result_slots() < 2 {
            let least = 2 * self.slot_rows() * self.cols * 4;
            let bytes = self.result_bytes;
            return Err(format!("gemm.result_kib is {bytes} bytes; two tiles need {least}"));
        }
        Ok(())
    }
}

/// One operand's side of the engine: rows of A, or columns of B (called rows here: B is kept transposed).
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    /// Rows of a window: PE rows or columns.
    pub(super) window: u32,
    /// Banks, and elements written at once.
    pub(super) lanes: u32,
    /// Words of a bank.
    pub(super) depth: u32,
}

impl Side {
    fn new(window: u32, bytes: u32) -> Self {
        let lanes = Scratchpad::lanes_for(window);
        Side { window, lanes, depth: bytes / lanes }
    }

    /// Words of a bank in one half.
    pub(super) fn half(&self) -> u32 {
        self.depth / 2
    }

    /// Bits of a position within a group of lanes.
    pub(super) fn lane_bits(&self) -> u32 {
        self.lanes.ilog2()
    }

    /// Bits of a word address.
    pub(super) fn word_bits(&self) -> u32 {
        self.depth.ilog2()
    }

    /// Bits of a line address (a line is `lanes` words).
    pub(super) fn line_bits(&self) -> u32 {
        self.word_bits() - self.lane_bits()
    }
}

/// The smaller of two unsigned numbers of any width, `width` bits wide (it must fit).
pub(super) fn min<'m>(a: Sig<'m>, b: Sig<'m>, width: u32) -> Sig<'m> {
    let wide = a.width().max(b.width());
    let (a_wide, b_wide) = (a.zext(wide), b.zext(wide));
    a_wide.lt(b_wide).mux(a.resize(width), b.resize(width))
}

/// `a <= b` for unsigned numbers of any widths.
pub(super) fn at_most<'m>(a: Sig<'m>, b: Sig<'m>) -> Sig<'m> {
    let wide = a.width().max(b.width());
    a.zext(wide).le(b.zext(wide))
}

/// `a - b` in the width of `a`; `b` may be narrower.
pub(super) fn minus<'m>(a: Sig<'m>, b: Sig<'m>) -> Sig<'m> {
    a.sub_wrap(b.resize(a.width()))
}

/// `a + b` in the width of `a`; `b` may be narrower or wider (its high bits do not matter then).
pub(super) fn plus<'m>(a: Sig<'m>, b: Sig<'m>) -> Sig<'m> {
    a.add_wrap(b.resize(a.width()))
}
