//! Loading an operand: two-dimensional strided reads, unpacked into the scratchpad.
//!
//! [`Planner`] walks the blocks of a command and emits one *run* per line of memory (a row of a
//! k-contiguous operand, a step of k of the other layout): a bus command and, beside it, a note for
//! [`Filler`], which cuts the beats that come back into pieces of `lanes` elements. A run may begin at any
//! element; the misalignment disappears in the scratchpad's rotation.

mod filler;
mod loader;
mod planner;

pub use filler::Filler;
pub use loader::Loader;
pub use planner::Planner;

use super::Scratchpad;
use super::geometry::{Geometry, Side};
use rtl_gen::{Sig, cat};

/// Which operand a loader serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// Rows of A.
    A,
    /// Columns of B, called rows in the loader: B is kept transposed.
    B,
}

impl Operand {
    pub(super) fn side(self, g: &Geometry) -> Side {
        match self {
            Operand::A => g.a_side(),
            Operand::B => g.b_side(),
        }
    }

    pub(super) fn pad(self, g: &Geometry) -> Scratchpad {
        match self {
            Operand::A => g.a_pad(),
            Operand::B => g.b_pad(),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Operand::A => "a",
            Operand::B => "b",
        }
    }
}

/// Widths of a run's note: first element in its first beat, elements, position in the other
/// dimension mod lanes, scratchpad line, last of its block; with batches, whether its last beat is kept for the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunLayout {
    pub(super) head: u32,
    pub(super) count: u32,
    pub(super) cross: u32,
    pub(super) line: u32,
    /// Whether a run may leave its last beat to the next one: on cards with batches.
    pub(super) shares: bool,
}

/// The note as signals.
#[derive(Clone, Copy)]
pub(super) struct Run<'m> {
    pub(super) head: Sig<'m>,
    pub(super) count: Sig<'m>,
    pub(super) cross: Sig<'m>,
    pub(super) line: Sig<'m>,
    pub(super) last: Sig<'m>,
    /// The last beat is also the next run's first.
    pub(super) keep: Option<Sig<'m>>,
}

impl RunLayout {
    pub(super) fn new(g: &Geometry, operand: Operand) -> Self {
        let side = operand.side(g);
        // Counted in the smallest elements.
        let head = g.units(g.bus_bytes);
        let (cross, line) = (side.lane_bits(), side.line_bits());
        RunLayout { head, count: g.block_bits(), cross, line, shares: g.batch }
    }

    /// Bits of the packed note.
    pub(super) fn width(self) -> u32 {
        self.head + self.count + self.cross + self.line + 1 + u32::from(self.shares)
    }

    pub(super) fn pack<'m>(self, run: Run<'m>) -> Sig<'m> {
        let mut fields: Vec<Sig> = run.keep.filter(|_| self.shares).into_iter().collect();
        fields.extend([run.head.as_bits(), run.count.as_bits(), run.cross.as_bits()]);
        fields.extend([run.line.as_bits(), run.last]);
        cat(&fields)
    }

    pub(super) fn unpack<'m>(self, note: Sig<'m>) -> Run<'m> {
        let mut low = 0;
        let mut field = |width: u32| {
            low += width;
            note.slice(low - 1, low - width)
        };
        let last = field(1);
        let line = field(self.line).as_u();
        let cross = field(self.cross).as_u();
        let count = field(self.count).as_u();
        let head = field(self.head).as_u();
        let keep = self.shares.then(|| field(1));
        Run { head, count, cross, line, last, keep }
    }
}
