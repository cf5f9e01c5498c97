//! The reads of one operand of a batch.

use crate::gemm::geometry::{Geometry, at_most, plus};
use crate::gemm::load::{Operand, Run, RunLayout};
use rtl_gen::{Builder, Module, all, bit, cat, uint};

/// Emits the notes and bus reads of one operand of product after product, as a [`Planner`](crate::gemm::Planner) does for one.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop` | in | bit | begin; stop after the product begun |
/// | `products` | in | uint(32) | how many, at least 1 |
/// | `base`, `there`, `take` | | | of [`Bases`](super::Bases) |
/// | `stride`, `along_k`, `size`, `rows`, `k`, `pitch` | in | | as of the planner |
/// | `slot` | in | uint | steps of a slot of the scratchpad |
/// | `free` | in | bit | the sequencer has finished with a slot |
/// | `run_valid`, `run_ready`, `run_note` | | | a line: its note for the filler |
/// | `run_reads` | out | bit | a bus read goes with it |
/// | `run_addr`, `run_beats` | out | uint | that read: beat-aligned byte address, beats |
/// | `active` | out | bit | runs are still to come |
///
/// One line a cycle, no pause between products. Where a line begins in the beat that the one before ended in, or in the next, and
/// there are fewer than [`LINES`](Self::LINES) of them, one read brings all lines of a product.
#[derive(Clone, Copy, Debug)]
pub struct ProductReads {
    /// The engine's sizes.
    pub geometry: Geometry,
    /// Which operand.
    pub operand: Operand,
}

impl ProductReads {
    /// Lines that one read brings, and one more.
    pub const LINES: u32 = 256;
}

impl Module for ProductReads {
    fn name(&self) -> String {
        format!("gemm_product_reads_{}_{}", self.operand.name(), self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Emits the bus reads and notes of one operand of product after product.");
        let g = &self.geometry;
        let side = self.operand.side(g);
        let block_ty = uint(g.block_bits());
        let (start, stop) = (m.input("start", bit()), m.input("stop", bit()));
        let base = m.input("base", uint(g.addr_bits));
        let there = m.input("there", bit());
        let stride = m.input("stride", uint(g.stride_bits()));
        let along_k = m.input("along_k", bit());
        let size = m.input("size", uint(g.size_bits()));
        let [rows, k] = ["rows", "k"].map(|n| m.input(n, uint(g.dim_bits())));
        let (pitch, slot) = (m.input("pitch", block_ty), m.input("slot", block_ty));
        let (free, run_ready) = (m.input("free", bit()), m.input("run_ready", bit()));

        // ---- the command's lines: settled before `start` ----
        let layout = RunLayout::new(g, self.operand);
        let lines = m.reg("lines", along_k.mux(rows, k).resize(block_ty.width()));
        let count = m.reg("count", along_k.mux(k, rows).resize(block_ty.width()));
        let short = Self::LINES.ilog2();
        // Nibbles: of a line, and from one to the next where that is a beat at most.
        let span = uint((layout.count + g.sizes().len() as u32).max(short + layout.head + 1) + 2);
        let length = m.reg("length", count.resize(span.width()).shl(size));
        let gap = m.reg("gap", stride.trunc(layout.head).shl_k(1));
        let beside = at_most(stride, m.lit(uint(32), g.bus_bytes.into()));
        let few = match block_ty.width() > short {
            true => lines.slice(block_ty.width() - 1, short).is(0),
            false => m.high(),
        };
        let in_turn = at_most(length, gap);
        let packed = m.reg("one_read", all(&[beside, few, in_turn]));
        let before_last = lines.dec().resize(short);
        let reach = m.reg("reach", (gap * before_last).named("reach_now"));
        let extent = m.reg("extent", packed.mux(plus(length, reach), length));

        // ---- product after product, line after line ----
        let running = m.state("running", bit(), 0);
        let first = m.state("first", bit(), 1);
        let left = m.reg_decl("products_left", uint(32));
        let lines_left = m.reg_decl("lines_left", block_ty);
        let room = m.reg_decl("room", uint(g.block_bits() + 1));
        let has_room = at_most(slot, room.q()).named("has_room");
        let ready = !first.q() | (there & has_room);
        let valid = (running.q() & ready).named("run_there");
        let fire = (valid & run_ready).named("fire");
        let last_line = lines_left.q().is(1).named("last_line");
        let end = (fire & last_line).named("end_of_product");
        let last_product = left.q().is(1).named("last_product");
        first.update(&[(start, m.high()), (fire, last_line)]);
        lines_left.update(&[(start | end, lines), (fire, lines_left.q().dec())]);
        left.update(&[(start, m.input("products", uint(32))), (end, left.q().dec())]);
        // The beats of a product begun all come: so must its notes.
        let given_up = stop & (end | (first.q() & !valid));
        running.update(&[(start, m.high()), ((end & last_product) | given_up, m.low())]);
        let begin = (fire & first.q()).named("begin_product");
        let freed = plus(room.q(), free.gate(slot));
        let all_free = m.lit(room.q().ty(), i128::from(side.half_steps()) * 2);
        let reserved = begin.gate(slot).resize(room.q().width());
        room.update(&[(start, all_free), (m.high(), freed.sub_wrap(reserved))]);
        m.output("take", end);

        // ---- addresses, in nibbles ----
        let nibbles = uint(g.addr_bits + 1);
        let line_at = m.reg_decl("line_at", nibbles);
        let now = first.q().mux(base.shl_k(1), line_at.q()).named("line_now");
        line_at.drive_when(fire, now.add_wrap(stride.shl_k(1).resize(nibbles.width())));

        // ---- where the line goes in the scratchpad ----
        let line_ty = uint(side.line_bits());
        let slot_line = m.reg_decl("slot_line", line_ty);
        let slot_lines = slot.shr_k(side.lane_bits()).resize(line_ty.width());
        slot_line
            .update(&[(start, slot_line.q().lit(0)), (end, slot_line.q().add_wrap(slot_lines))]);
        let cross_at = m.reg_decl("cross_at", uint(side.lane_bits()));
        let cross = first.q().mux(cross_at.q().lit(0), cross_at.q());
        let line_in = m.reg_decl("line_in", line_ty);
        let line = first.q().mux(slot_line.q(), line_in.q());
        let group =
            along_k.mux(pitch.shr_k(side.lane_bits()).resize(line_ty.width()), m.lit(line_ty, 1));
        let panel_ends = cross.trunc(side.panel_bits()).is(i128::from(side.panel) - 1);
        let wraps = match side.deep {
            1 => panel_ends,
            _ => along_k.mux(panel_ends, cross.is(i128::from(side.lanes) - 1)),
        };
        cross_at.drive_when(fire, cross.inc());
        line_in.drive_when(fire, wraps.mux(line.add_wrap(group), line));

        // ---- the run ----
        let head = now.trunc(layout.head);
        let beat_of = |offset| plus(offset, head).shr_k(layout.head);
        let ends_in = beat_of(length.dec());
        let next_in = beat_of(gap.resize(span.width()));
        let keep = all(&[packed, !last_line, ends_in.eq(next_in)]).named("keep");
        let note = layout.pack(Run {
            head: head.shr(size),
            count,
            cross,
            line,
            last: last_line,
            keep: Some(keep),
        });
        let beats = beat_of(plus(extent, m.lit(span, 2 * i128::from(g.bus_bytes) - 1)));
        let beat = now.slice(g.addr_bits, layout.head);
        m.output("run_valid", valid);
        m.output("run_note", note);
        m.output("run_reads", !packed | first.q());
        m.output("run_addr", cat(&[beat, m.lit(uint(layout.head - 1), 0)]).as_u());
        m.output("run_beats", beats.resize(g.beats_bits()));
        m.output("active", running.q());
    }
}
