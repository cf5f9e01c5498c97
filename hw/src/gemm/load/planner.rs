//! Which runs of memory an operand needs, in which order.

use super::{Operand, Run, RunLayout};
use crate::gemm::geometry::{Geometry, Rest, plus};
use rtl_gen::{Builder, Module, Sig, all, bit, cat, uint};

/// Walks the blocks of one operand and emits a bus read and a note for every run.
///
/// Blocks are ordered as the sequencer uses them: rows of A outermost, then columns of B, then chunks of
/// k; an operand that is held on chip is read once, and A once for all columns unless K is chunked.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop` | in | bit | begin; stop after the run on offer |
/// | `base`, `stride` | in | uint | bytes: address of the first element, distance of rows (`along_k`) or steps of k |
/// | `along_k` | in | bit | layout: k is contiguous |
/// | `size` | in | uint | number of an element's size |
/// | `rows`, `other`, `k` | in | uint | rows of this and the other operand, depth |
/// | `block`, `other_block`, `k_block`, `pitch` | in | uint | the [`Plan`](crate::gemm::Plan) |
/// | `again` | in | bit | read again for every block of the other operand |
/// | `free` | in | bit | the sequencer will soon have finished with a half of the scratchpad |
/// | `run_ready`, `run_valid`, `run_note`, `run_addr`, `run_beats` | | | a run: note for the filler, beat-aligned byte address, beats |
/// | `active` | out | bit | runs are still to come |
///
/// One run per cycle; two cycles between blocks.
#[derive(Clone, Copy, Debug)]
pub struct Planner {
    /// The engine's sizes.
    pub geometry: Geometry,
    /// Which operand.
    pub operand: Operand,
}

impl Module for Planner {
    fn name(&self) -> String {
        format!("gemm_planner_{}_{}", self.operand.name(), self.geometry.suffix())
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Walks the blocks of one operand and emits a bus read and a note for every run.");
        let g = &self.geometry;
        let side = self.operand.side(g);
        let block_ty = uint(g.block_bits());
        let dim_ty = uint(g.dim_bits());
        let (start, stop) = (m.input("start", bit()), m.input("stop", bit()));
        let base = m.input("base", uint(g.addr_bits));
        let stride = m.input("stride", uint(g.stride_bits()));
        let along_k = m.input("along_k", bit());
        let size = m.input("size", uint(g.size_bits()));
        let [rows, other, k] = ["rows", "other", "k"].map(|n| m.input(n, dim_ty));
        let [block, other_block, k_block, pitch] =
            ["block", "other_block", "k_block", "pitch"].map(|n| m.input(n, block_ty));
        let (again, free) = (m.input("again", bit()), m.input("free", bit()));
        let run_ready = m.input("run_ready", bit());

        // ---- where in the product: rows, steps of k and rows of the other operand still to do ----
        let rows_left = m.reg_decl("rows_left", dim_ty);
        let k_left = m.reg_decl("k_left", dim_ty);
        let other_left = m.reg_decl("other_left", dim_ty);
        let rows_rest = Rest::of("rows", rows_left.q(), block);
        let k_rest = Rest::of("k", k_left.q(), k_block);
        let other_rest = Rest::of("others", other_left.q(), other_block);
        let (last_rows, last_k) = (rows_rest.last, k_rest.last);
        let last_other = (!again | other_rest.last).named("last_other");

        // ---- states: setup (waits for a free half), run (one line each), advance (next block) ----
        let setup = m.state("setup", bit(), 0);
        let running = m.state("running", bit(), 0);
        let advance = m.state("advance", bit(), 0);
        let halves = m.state("halves_free", uint(2), 2);
        let lines_left = m.reg_decl("lines_left", block_ty);
        let one_line = lines_left.q().is(1).named("one_line");
        let begin_block = (setup.q() & !halves.q().is(0) & !stop).named("begin_block");
        let fire = (running.q() & run_ready).named("fire");
        let end_block = (fire & one_line).named("end_block");
        let finished = all(&[last_rows, last_k, last_other]);
        setup.drive((start | (advance.q() & !finished) | (setup.q() & !begin_block)) & !stop);
        running.drive(begin_block | (running.q() & !end_block & !(stop & fire)));
        advance.drive(end_block & !stop);
        let halves_next = halves.q().add_wrap(free.as_u().zext(2));
        halves.update(&[
            (start, m.lit(uint(2), 2)),
            (m.high(), begin_block.mux(halves_next.dec(), halves_next)),
        ]);

        // ---- addresses, in the smallest elements: of a block's first line along the strided dimension, and how far it is along
        // the contiguous one ----
        let unit = uint(g.addr_bits + g.units(1));
        let in_units = |bytes: Sig<'m>| bytes.shl_k(g.units(1)).resize(unit.width());
        let strided_at = m.reg_decl("strided_at", unit);
        let along_at = m.reg_decl("along_at", unit);
        let line_at = m.reg_decl("line_at", unit);
        line_at.update(&[
            (begin_block, strided_at.q().add_wrap(along_at.q())),
            (fire, line_at.q().add_wrap(in_units(stride))),
        ]);
        let zero = m.lit(unit, 0);
        let step_k = (advance.q() & !last_k).named("step_k");
        let wrap_k = (advance.q() & last_k).named("wrap_k");
        // A repeats its chunks for each block of B before its rows move on; B starts over for each block of A.
        let (step_rows, wrap_rows, step_other) = match self.operand {
            Operand::A => {
                let move_on = wrap_k & last_other;
                (move_on, m.low(), wrap_k & !last_other)
            }
            Operand::B => (wrap_k & !last_rows, wrap_k & last_rows, wrap_k & last_rows),
        };
        let (restart_k, restart_rows) = (start | wrap_k, start | wrap_rows);
        k_left.update(&[(restart_k, k), (step_k, k_rest.rest)]);
        rows_left.update(&[(restart_rows, rows), (step_rows, rows_rest.rest)]);
        // After a block `line_at` is the line after its last: the strided dimension is there already.
        strided_at.update(&[
            (along_k.mux(restart_rows, restart_k), in_units(base)),
            (along_k.mux(step_rows, step_k), line_at.q().sub_wrap(along_at.q())),
        ]);
        let along_block = in_smallest(along_k.mux(k_block, block), size, unit.width());
        along_at.update(&[
            (along_k.mux(restart_k, restart_rows), zero),
            (along_k.mux(step_k, step_rows), along_at.q().add_wrap(along_block)),
        ]);
        let other_restart = match self.operand {
            Operand::A => start | step_rows,
            Operand::B => start,
        };
        other_left.update(&[(other_restart, other), (step_other, other_rest.rest)]);

        // ---- the block's lines ----
        let (n_rows, n_k) = (rows_rest.now.named("n_rows"), k_rest.now.named("n_k"));
        lines_left.update(&[(begin_block, along_k.mux(n_rows, n_k)), (fire, lines_left.q().dec())]);
        let count = m.reg_when("count", begin_block, along_k.mux(n_k, n_rows));

        // ---- where the run goes in the scratchpad ----
        let line_ty = uint(side.line_bits());
        let half = m.state("half", bit(), 0);
        half.update(&[(start, m.low()), (end_block, !half.q())]);
        let cross = m.reg_decl("cross_at", uint(side.lane_bits()));
        let line = m.reg_decl("line", line_ty);
        let group =
            along_k.mux(pitch.shr_k(side.lane_bits()).resize(line_ty.width()), m.lit(line_ty, 1));
        // Along k the next panel of rows is another line, across rows the next `lanes` steps are.
        let panel_ends = cross.q().trunc(side.panel_bits()).is(i128::from(side.panel) - 1);
        let wraps = match side.deep {
            1 => panel_ends,
            _ => along_k.mux(panel_ends, cross.q().is(i128::from(side.lanes) - 1)),
        };
        let half_line = half.q().as_u().zext(line_ty.width()).shl_k(line_ty.width() - 1);
        cross.update(&[(begin_block, cross.q().lit(0)), (fire, cross.q().inc())]);
        line.update(&[
            (begin_block, half_line.trunc(line_ty.width())),
            (fire & wraps, line.q().add_wrap(group)),
        ]);

        // ---- the run ----
        let layout = RunLayout::new(g, self.operand);
        let head = line_at.q().trunc(layout.head);
        let beat_mask = (1 << layout.head) - 1;
        let span_bits = g.span_bits();
        let span = plus(
            plus(in_smallest(count, size, span_bits), head),
            m.lit(uint(span_bits), beat_mask),
        );
        let first_element = head.shr(size);
        let note = layout.pack(Run {
            head: first_element,
            count,
            cross: cross.q(),
            line: line.q(),
            last: one_line,
            keep: g.batch.then(|| m.low()),
        });
        let beat = line_at.q().slice(unit.width() - 1, layout.head);
        m.output("run_valid", running.q());
        m.output("run_note", note);
        m.output("run_addr", cat(&[beat, m.lit(uint(g.bus_bytes.ilog2()), 0)]).as_u());
        m.output("run_beats", span.shr_k(layout.head).resize(g.beats_bits()));
        m.output("active", setup.q() | running.q() | advance.q());
    }
}

/// So many elements, in the smallest.
fn in_smallest<'m>(elements: Sig<'m>, size: Sig<'m>, width: u32) -> Sig<'m> {
    elements.resize(width).shl(size)
}
