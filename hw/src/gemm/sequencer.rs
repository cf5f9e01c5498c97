//! Which step enters the array in every cycle.

use super::Scratchpad;
use super::geometry::{Geometry, Side, min, plus};
use super::walk::{Walk, WalkInputs, walk};
use super::window::{Block, Loads, Moves, Pace, Slots, window};
use rtl_gen::{Builder, Module, Sig, all, bit, cat, uint};

/// Streams the tiles of a command from the scratchpads into the array, one step per cycle.
///
/// A tile (or chunk) begins when its rows are loaded (its first step, where rows arrive together: it then follows the
/// loader), a result slot is free and the tile before has had its R cycles; with these given the next tile follows without a bubble. When nothing follows, a flush
/// drains the last tile.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop` | in | bit | begin; drop the tiles not yet begun |
/// | `m` .. `pitch`, `hold_a`, `hold_b` | in | | the command and its [`Plan`](super::Plan) |
/// | `chunked` | in | bit | K is cut |
/// | `empty_k` | in | bit | K is 0: one step of zeros per tile |
/// | `ready_a`, `ready_b` | in | bit | the operand is on chip already, nothing to wait for |
/// | `split` | in | uint | log2 of the groups of rows with steps of k of their own; only with `k_split` > 1 |
/// | `along_k_a`, `along_k_b` | in | bit | lines are rows, otherwise steps of k |
/// | `line_filled_a`, `line_filled_b` | in | bit | one more line of the block being loaded is readable |
/// | `filled_a`, `filled_b` | in | bit | that block is readable |
/// | `free_a`, `free_b` | out | bit | a half of the scratchpad may be loaded again |
/// | `free_soon_a`, `free_soon_b` | out | bit | one will be, and nothing more has to be loaded for that |
/// | `products`, `batch`, `a_slot`, `b_slot` | in | | only on cards with batches: how many follow one another, and in which slots they lie |
/// | `go_ahead` | in | bit | parameters are there; only with an epilogue |
/// | `array_ready` | in | bit | the array takes steps; only where their pace depends on the data |
/// | `turn` | out | bit | at the array: a step may be there; only where one takes several cycles |
/// | `slot_free` | in | bit | the store unit has finished with a result slot |
/// | `slots_empty` | out | bit | waiting for a result slot |
/// | `rd_valid`, `rd_keep`, `a_*`, `b_*` | out | | the read sides of the two [`Scratchpad`]s |
/// | `first`, `drains` | out | bit | at the array with the step's data: start sums; a real tile leaves |
/// | `operands` | out | bit | at the array: this cycle carries a step |
/// | `macs` | out | uint | products that belong to the result, since `start` |
/// | `active` | out | bit | tiles are still to come or to be drained |
#[derive(Clone, Copy, Debug)]
pub struct Sequencer {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl Module for Sequencer {
    fn name(&self) -> String {
        format!("gemm_sequencer_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Streams tiles from the scratchpads into the array, one step per cycle.");
        let g = &self.geometry;
        let block_ty = uint(g.block_bits());
        let inputs = WalkInputs::ports(m, g, true);
        let flag = |name: &str| m.input(name, bit());
        let pitch = m.input("pitch", block_ty);
        // Steps of k a cycle, log2: of groups of rows, or always those of deep PEs.
        let groups = (g.k_split > 1).then(|| m.input("split", uint(g.split_bits())));
        let deep = || m.lit(uint(g.split_bits()), g.depth.ilog2().into());
        let split = groups.or_else(|| (g.depth > 1).then(deep));
        let (along_k_a, along_k_b) = (flag("along_k_a"), flag("along_k_b"));
        let (hold_a, hold_b) = (flag("hold_a"), flag("hold_b"));
        let empty_k = flag("empty_k");
        let (ready_a, ready_b) = (flag("ready_a"), flag("ready_b"));
        let (line_a, line_b) = (flag("line_filled_a"), flag("line_filled_b"));
        let (filled_a, filled_b) = (flag("filled_a"), flag("filled_b"));
        let slot_free = flag("slot_free");
        let (start, stop) = (inputs.start, inputs.stop);
        let k_block = inputs.chunks.map_or(inputs.m_block, |chunks| chunks.1);

        let begin = m.forward("begin_chunk", bit());
        let w = walk(m, g, inputs, begin.sig());
        let begins = begin.sig();

        // ---- operands: is the window loaded, where does it lie, is this its block's last use ----
        let cuts_k = flag("chunked");
        let end_of_block = w.last_row_tile & w.last_col_tile;
        let end_of_rows = end_of_block & w.last_cols;
        let next_rows = (begins & w.last_k).named("next_rows");
        let next_cols = (next_rows & w.last_row_tile).named("next_cols");
        let rows = Moves { start, begins, next: next_rows, wrap: w.last_row_tile };
        let cols = Moves { start, begins, next: next_cols, wrap: w.last_col_tile };
        let step = m.forward("step", bit());
        let pace = Pace { step: step.sig(), split };
        let batch = g.batch.then(|| flag("batch"));
        let slots = |name: &str, side: Side| {
            batch.map(|batch| Slots {
                batch,
                size: m.input(name, block_ty),
                most: 2 * side.half_steps() / g.pitch_step(),
            })
        };
        let a = m.scope("a", || {
            let (along_k, on_chip) = (along_k_a, ready_a);
            let loads = Loads { along_k, on_chip, line: line_a, block: filled_a, hold: hold_a };
            let (side, last_use) = (g.a_side(), cuts_k | end_of_rows);
            Block::new(m, side, rows, loads, pace, last_use, m.low(), slots("slot", side))
        });
        let b = m.scope("b", || {
            let (along_k, on_chip) = (along_k_b, ready_b);
            let loads = Loads { along_k, on_chip, line: line_b, block: filled_b, hold: hold_b };
            Block::new(
                m,
                g.b_side(),
                cols,
                loads,
                pace,
                cuts_k | end_of_block,
                w.last_cols & w.last_k,
                slots("slot", g.b_side()),
            )
        });

        // ---- result slots ----
        let slots_ty = uint(g.result_slots().ilog2() + 1);
        let slots = m.state("slots", slots_ty, 0);
        let takes_slot = (begins & w.first_chunk).named("takes_slot");
        slots.update(&[
            (start, m.lit(slots_ty, g.result_slots().into())),
            (takes_slot & !slot_free, slots.q().dec()),
            (slot_free & !takes_slot, slots.q().inc()),
        ]);
        let no_slot = (w.first_chunk & slots.q().is(0)).named("no_slot");

        // ---- two `first` of tiles are at least R cycles apart, or the rows of a group ----
        let gap_ty = uint(g.rows.ilog2() + 1);
        let apart = m.lit(gap_ty, g.rows.into());
        let apart = groups.map_or(apart, |s| apart.shr(s)).dec();
        let gap = m.state("gap", gap_ty, 0);
        let gap_over = gap.q().is(0).named("gap_over");
        gap.update(&[(takes_slot, apart), (!gap_over, gap.q().dec())]);

        // ---- begin a chunk, stream it ----
        let steps_left = m.state("steps_left", block_ty, 0);
        let streaming = (!steps_left.q().is(0)).named("streaming");
        // What stops must not wait for lines that no longer come.
        let takes = g.is_paced().then(|| flag("array_ready"));
        // Where a step takes several cycles it comes with the first of a turn, what goes before it with the last of the one before.
        let turns = (g.interleave() > 1).then(|| {
            let ty = uint(g.interleave().ilog2());
            let at = m.state("turn_at", ty, 0);
            at.drive(at.q().inc());
            [at.q().is(0), at.q().is(i128::from(g.interleave()) - 1)]
        });
        let with_array = |mut conditions: Vec<_>| {
            conditions.extend(takes);
            conditions.extend(turns.map(|[_, last]| last));
            all(&conditions)
        };
        let mut steps_when = vec![streaming, (a.step_ready & b.step_ready) | stop];
        steps_when.extend(takes);
        steps_when.extend(turns.map(|[first, _]| first));
        step.assign(all(&steps_when));
        let step = step.sig();
        let final_step = steps_left.q().is(1).named("final_step");
        let last_step = (step & final_step).named("last_step");
        let there = a.ready & b.ready;
        let may_drain = !w.first_chunk | gap_over;
        let mut begins_when =
            vec![w.active, !stop, !streaming | last_step, there, may_drain, !no_slot];
        begins_when.extend(g.lane.map(|_| flag("go_ahead")));
        begin.assign(with_array(begins_when));
        let depth = w.depth.unwrap_or(k_block).resize(block_ty.width()).named("depth");
        let steps = split.map_or(depth, |split| steps_of(m, g, depth, split));
        steps_left.update(&[(begins, steps), (step, steps_left.q().dec())]);

        // Blocks are asked for a memory latency before their halves are free, once for each half. The beats wait on
        // the bus, so what the chunk in hand still needs must not be behind them.
        let near = steps_left.q().le(m.lit(block_ty, g.read_ahead().into()));
        let told = m.state("told", bit(), 0);
        let soon = all(&[streaming, near, a.complete, b.complete, !told.q()]).named("free_soon");
        told.update(&[(begins, m.low()), (soon, m.high())]);

        // A finished tile stays in the accumulators until the next `first`; with none at hand, flush.
        let pending = m.state("pending", bit(), 0);
        let complete = m.state("complete", bit(), 0);
        let idle = !streaming & !begins;
        let flush =
            with_array(vec![idle, pending.q(), complete.q() | stop, gap_over]).named("flush");
        complete.update(&[(begins, w.last_k), (flush, m.low())]);
        pending.update(&[(takes_slot, m.high()), (flush, m.low())]);
        let first = m.reg_reset("first_step", takes_slot | flush, 0);
        let drains = m.reg_reset("first_drains", (takes_slot & pending.q()) | flush, 0);

        // ---- scratchpad addresses ----
        m.scope("a", || window(m, g.a_side(), pitch, a.place, rows, pace));
        m.scope("b", || window(m, g.b_side(), pitch, b.place, cols, pace));

        // ---- outputs ----
        let to_array = |name: &str, flag| {
            (1..=Scratchpad::READ_LATENCY)
                .fold(flag, |f, i| m.reg_reset(&format!("{name}_{i}"), f, 0))
        };
        m.output("rd_valid", step & !empty_k);
        if let Some(split) = split {
            let tail = m.reg_when("tail", begins, kept(m, g, depth, split));
            m.output("rd_keep", final_step.mux(tail, m.lit(tail.ty(), (1 << g.steps()) - 1)));
        }
        if let Some([now, _]) = turns {
            m.output("turn", to_array("turn_now", now));
        }
        m.output("first", to_array("first_at", first));
        m.output("drains", to_array("drains_at", drains));
        m.output("operands", to_array("operands_at", step));
        m.output("free_a", a.releases & last_step);
        m.output("free_b", b.releases & last_step);
        m.output("free_soon_a", a.releases & soon);
        m.output("free_soon_b", b.releases & soon);
        m.output("slots_empty", w.active & no_slot);
        m.output("active", w.active | streaming | pending.q());
        m.output("macs", macs(m, g, &w, start, (begins & !empty_k).gate(depth)));
    }
}

/// Steps of the array for `depth` steps of k: that many divided by the groups, rounded up.
fn steps_of<'m>(m: &'m Builder, g: &Geometry, depth: Sig<'m>, split: Sig<'m>) -> Sig<'m> {
    let ty = uint(depth.width() + 1);
    let mut steps = depth;
    for cut in 1..=g.steps().ilog2() {
        let rounded = plus(depth.zext(ty.width()), m.lit(ty, (1 << cut) - 1)).shr_k(cut);
        steps = split.is(cut.into()).mux(rounded.resize(depth.width()), steps);
    }
    steps
}

/// Which steps of k of a chunk's last step of the array are there: of every group while the depth divides.
fn kept<'m>(m: &'m Builder, g: &Geometry, depth: Sig<'m>, split: Sig<'m>) -> Sig<'m> {
    let flags: Vec<Sig> = (0..g.steps())
        .rev()
        .map(|group| {
            (1..=g.steps().ilog2()).fold(m.high(), |on, cut| {
                let rest = depth.trunc(cut);
                let place = m.lit(rest.ty(), (group & ((1 << cut) - 1)).into());
                split.is(cut.into()).mux(rest.is(0) | place.lt(rest), on)
            })
        })
        .collect();
    cat(&flags)
}

/// Products that belong to the result: rows times columns of the tile, times steps.
fn macs<'m>(m: &'m Builder, g: &Geometry, w: &Walk<'m>, start: Sig<'m>, steps: Sig<'m>) -> Sig<'m> {
    m.scope("macs", || {
        let bits = |n: u32| n.ilog2() + 1;
        let in_tile = |left: Sig<'m>, n: u32| min(left, m.lit(uint(bits(n)), n.into()), bits(n));
        let rows = m.reg("rows", in_tile(w.m_left, g.rows));
        let cols = m.reg("cols", in_tile(w.n_left, g.cols));
        let steps_2 = m.delay("steps", steps, 2);
        let area = m.reg("area_q", (rows * cols).named("area"));
        let products = m.reg("products_q", (area * steps_2).named("products"));
        let total = m.state("total", uint(g.count_bits()), 0);
        total.drive(start.mux(total.q().lit(0), plus(total.q(), products)));
        total.q()
    })
}
