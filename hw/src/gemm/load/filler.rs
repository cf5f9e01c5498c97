//! Beats of memory into runs of the scratchpad.

use super::{Operand, RunLayout};
use crate::gemm::Scratchpad;
use crate::gemm::geometry::{Geometry, minus, plus};
use rtl_gen::{Builder, Module, Sig, all, bit, bits, case, cat, uint};

/// Cuts the beats of each run into pieces of `lanes` elements, widens them to those of the scratchpad, and writes it.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop` | in | bit | both halves of the scratchpad are free; they count as free from now on |
/// | `free` | in | bit | the last step of a half has been asked for |
/// | `along_k`, `size`, `pitch` | in | | of the command, stable while it runs |
/// | `run_valid`, `run_note`, `run_ready` | | | notes of the planner, in order |
/// | `beat_valid`, `beat_data`, `beat_ready` | | | the beats of those runs, in order |
/// | `wr_*` | out | | the write side of `Scratchpad` |
/// | `row_filled` | out | bit | one cycle: the next row of the block is readable; without `along_k`, the next step of k |
/// | `filled` | out | bit | one cycle: the block is readable |
/// | `batch` | in | bit | blocks are asked for when there is room, so that their beats never wait; only on cards with batches |
/// | `active` | out | bit | a run is in hand |
///
/// One piece per cycle, no gap between beats or runs; a piece is `lanes` elements, or a beat's worth when
/// that is less. Two cycles from a beat to the scratchpad port. Beats of a block may come before its half is free: they wait.
#[derive(Clone, Copy, Debug)]
pub struct Filler {
    /// The engine's sizes.
    pub geometry: Geometry,
    /// Which operand.
    pub operand: Operand,
}

/// One element size: elements per beat, per piece, and pieces per beat.
struct Cut {
    bits: u32,
    piece: u32,
    pieces: u32,
}

impl Cut {
    fn new(g: &Geometry, lanes: u32, bits: u32) -> Cut {
        let beat = g.bus_bytes * 8 / bits;
        let piece = beat.min(lanes);
        Cut { bits, piece, pieces: beat / piece }
    }

    /// Piece `index` of a beat as `lanes` elements of `bits` bits (the lanes past a short piece are never written).
    fn select<'m>(
        &self,
        m: &'m Builder,
        beat: Sig<'m>,
        index: Sig<'m>,
        lanes: u32,
        bits: u32,
    ) -> Sig<'m> {
        let width = self.piece * self.bits;
        let piece = if self.pieces == 1 {
            beat
        } else {
            beat.dyn_lane(index.trunc(self.pieces.ilog2()), width)
        };
        let extended: Vec<Sig> = (0..lanes)
            .rev()
            .map(|j| match j < self.piece {
                true => piece.lane(j, self.bits).as_s().resize(bits).as_bits(),
                false => m.lit(rtl_gen::bits(bits), 0),
            })
            .collect();
        cat(&extended)
    }
}

impl Module for Filler {
    fn name(&self) -> String {
        format!("gemm_filler_{}_{}", self.operand.name(), self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Cuts beats into pieces of a run, unpacks them and writes the scratchpad.");
        let g = &self.geometry;
        let side = self.operand.side(g);
        let lanes = side.lanes;
        let layout = RunLayout::new(g, self.operand);
        let (start, stop, free) =
            (m.input("start", bit()), m.input("stop", bit()), m.input("free", bit()));
        let along_k = m.input("along_k", bit());
        let size = m.input("size", uint(g.size_bits()));
        let pitch = m.input("pitch", uint(g.block_bits()));
        let run_valid = m.input("run_valid", bit());
        let run = layout.unpack(m.input("run_note", bits(layout.width())));
        let beat_valid = m.input("beat_valid", bit());
        let beat = m.input("beat_data", bits(g.bus_bytes * 8));

        let cuts: Vec<Cut> = g.sizes().iter().map(|bits| Cut::new(g, lanes, *bits)).collect();
        // Elements counted from the first of the piece in hand: before `lead` and from `left` on not of the run.
        let left_ty = uint(layout.count + 1);
        let index_bits = cuts[0].pieces.ilog2().max(1);
        let fresh = m.state("fresh", bit(), 1);
        let lead = m.reg_decl("lead", uint(side.lane_bits()));
        let left = m.reg_decl("left", left_ty);
        let index = m.reg_decl("index", uint(index_bits));
        let phase = m.reg_decl("phase", uint(side.lane_bits()));
        let line0 = m.reg_decl("line0", uint(side.line_bits()));
        let line1 = m.reg_decl("line1", uint(side.line_bits()));

        // ---- the first piece of a run starts where its head lies ----
        let start_index = by_size(size, &cuts, |cut| {
            let some = run.head.width() > cut.piece.ilog2() && cut.pieces > 1;
            sized(m, index_bits, some.then(|| run.head.shr_k(cut.piece.ilog2())))
        });
        let start_lead = by_size(size, &cuts, |cut| {
            let places = cut.piece.ilog2().min(run.head.width());
            sized(m, side.lane_bits(), (cut.piece > 1).then(|| run.head.trunc(places)))
        });
        let unit = along_k.mux(
            m.lit(uint(side.line_bits()), 1),
            pitch.shr_k(side.panel_bits()).resize(side.line_bits()),
        );
        let misaligned = !start_lead.is(0);
        let first = fresh.q();
        let lead_now = first.mux(start_lead, lead.q()).named("lead_now");
        let left_now = first.mux(plus(run.count.zext(left_ty.width()), start_lead), left.q());
        let left_now = left_now.named("left_now");
        let index_now = first.mux(start_index, index.q()).named("index_now");
        let phase_now =
            first.mux(minus(start_lead.lit(0), start_lead), phase.q()).named("phase_now");
        // Elements before the wrap of the phase lie in line 0, the others in line 1.
        let line0_now = first.mux(run.line, line0.q());
        let line1_now = first.mux(misaligned.mux(run.line, run.line.add_wrap(unit)), line1.q());

        // ---- one piece ----
        let halves = m.state("halves_free", uint(2), 2);
        let has_half = !halves.q().is(0) | stop;
        let has_room = if g.batch { has_half | m.input("batch", bit()) } else { has_half };
        let go = all(&[run_valid, beat_valid, has_room]).named("go");
        let piece = by_size(size, &cuts, |cut| m.lit(left_ty, cut.piece.into()));
        let run_ends = left_now.le(piece).named("run_ends");
        let last_index =
            by_size(size, &cuts, |cut| m.lit(uint(index_bits), i128::from(cut.pieces) - 1));
        let last_piece = index_now.eq(last_index);
        let beat_ends = match run.keep {
            None => run_ends | last_piece,
            Some(keep) => run_ends.mux(!keep, last_piece),
        };
        let run_done = (go & run_ends).named("run_done");
        let block_done = (run_done & run.last).named("block_done");
        // What was asked for last must have been read before it is written over.
        let freed = (0..Scratchpad::READ_LATENCY)
            .fold(free, |f, i| m.reg_reset(&format!("free_{i}"), f, 0));
        halves.update(&[
            (start, m.lit(uint(2), 2)),
            (freed & !block_done, halves.q().inc()),
            (block_done & !freed, halves.q().dec()),
        ]);
        fresh.drive_when(go, run_ends);
        lead.drive_when(go, lead.q().lit(0));
        left.drive_when(go, minus(left_now, piece));
        index.drive_when(go, beat_ends.mux(index_now.lit(0), index_now.inc()));
        let moved = phase_now + piece.resize(side.lane_bits() + 1).trunc(side.lane_bits());
        // A full piece moves by exactly one group of lanes, a short one only when its phase wraps.
        let full = by_size(size, &cuts, |cut| flag(m, cut.piece == lanes));
        let wraps = full | moved.msb();
        phase.drive_when(go, moved.trunc(side.lane_bits()));
        line0.drive_when(go, wraps.mux(line1_now, line0_now));
        line1.drive_when(go, wraps.mux(line1_now.add_wrap(unit), line1_now));

        let mask: Vec<Sig> = (0..lanes)
            .rev()
            .map(|j| {
                let in_piece = by_size(size, &cuts, |cut| flag(m, j < cut.piece));
                let from = lead_now.le(m.lit(uint(side.lane_bits()), j.into()));
                let until = m.lit(left_ty, j.into()).lt(left_now);
                in_piece & from & until
            })
            .collect();
        let data =
            by_size(size, &cuts, |cut| cut.select(m, beat, index_now, lanes, g.element_bits()));

        m.output("run_ready", run_done);
        m.output("beat_ready", go & beat_ends);
        m.output("active", run_valid);
        m.output("wr_valid", m.reg_reset("wr_valid_q", go, 0));
        m.output("wr_data", m.reg("wr_data_q", data));
        m.output("wr_mask", m.reg("wr_mask_q", cat(&mask)));
        m.output("wr_phase", m.reg("wr_phase_q", phase_now));
        m.output("wr_cross", m.reg("wr_cross_q", run.cross));
        m.output("wr_line0", m.reg("wr_line0_q", line0_now));
        m.output("wr_line1", m.reg("wr_line1_q", line1_now));
        let written = self.operand.pad(g).write_latency();
        let once_written = |name: &str, event| {
            (0..=written).fold(event, |f, i| m.reg_reset(&format!("{name}_{i}"), f, 0))
        };
        m.output("row_filled", once_written("row_filled_after", run_done));
        m.output("filled", once_written("filled_after", block_done));
    }
}

/// The value for the element size in force.
fn by_size<'m>(size: Sig<'m>, cuts: &[Cut], value: impl Fn(&Cut) -> Sig<'m>) -> Sig<'m> {
    let arms: Vec<_> = (0..).zip(cuts.iter().map(value)).collect();
    case(size, &arms[1..], arms[0].1)
}

/// A number of `width` bits; `None` is 0.
fn sized<'m>(m: &'m Builder, width: u32, value: Option<Sig<'m>>) -> Sig<'m> {
    value.map_or(m.lit(uint(width), 0), |value| value.resize(width))
}

fn flag(m: &Builder, value: bool) -> Sig<'_> {
    if value { m.high() } else { m.low() }
}
