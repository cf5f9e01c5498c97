//! The sequencer's view of one operand: which block, is it loaded, which rows of it come next.

use super::Scratchpad;
use super::geometry::{Side, plus};
use rtl_gen::{Builder, Sig, all, bit, cat, uint};

/// When the window of one operand moves.
#[derive(Clone, Copy)]
pub(super) struct Moves<'m> {
    pub(super) start: Sig<'m>,
    /// A chunk begins ...
    pub(super) begins: Sig<'m>,
    /// ... after which the window moves on ...
    pub(super) next: Sig<'m>,
    /// ... or, with `next`, back to the first of the block.
    pub(super) wrap: Sig<'m>,
}

/// What the loader of one operand reports.
#[derive(Clone, Copy)]
pub(super) struct Loads<'m> {
    /// One more row of the block being loaded is readable.
    pub(super) row: Sig<'m>,
    /// That block is readable.
    pub(super) block: Sig<'m>,
    /// All blocks stay on chip.
    pub(super) hold: Sig<'m>,
}

/// The block of an operand that the next chunk uses.
pub(super) struct Block<'m> {
    /// The chunk's rows are loaded.
    pub(super) ready: Sig<'m>,
    /// In which half it lies.
    pub(super) half: Sig<'m>,
    /// The chunk being streamed is the last to use its half.
    pub(super) releases: Sig<'m>,
}

impl<'m> Block<'m> {
    /// `restart`: a held operand begins again with its first block.
    pub(super) fn new(
        m: &'m Builder,
        side: Side,
        e: Moves<'m>,
        loads: Loads<'m>,
        last_use: Sig<'m>,
        restart: Sig<'m>,
    ) -> Self {
        let hold = loads.hold;
        let half = m.state("half", bit(), 0);
        let leaves = e.begins & last_use;
        half.update(&[(e.start, m.low()), (leaves, !half.q() & !(hold & restart))]);
        // Blocks loaded and, unless held, not yet begun for the last time.
        let count = m.state("blocks", uint(2), 0);
        let used = leaves & !hold;
        count.update(&[
            (e.start, count.q().lit(0)),
            (loads.block & !used, count.q().inc()),
            (used & !loads.block, count.q().dec()),
        ]);
        let second = hold & half.q();
        let whole = second.mux(count.q().is(2), !count.q().is(0)).named("whole_block");

        // Windows but the last of a block may begin while the block is still being loaded.
        let rows_ty = uint(side.half().ilog2() + 1);
        let window = m.lit(rows_ty, side.window.into());
        let loaded = m.state("rows_loaded", rows_ty, 0);
        let reset = e.start | loads.block;
        loaded.update(&[(reset, loaded.q().lit(0)), (loads.row, loaded.q().inc())]);
        let needed = m.reg_decl("rows_needed", rows_ty);
        needed.update(&[(e.start | (e.next & e.wrap), window), (e.next, plus(needed.q(), window))]);
        let arriving = second.mux(count.q().is(1), count.q().is(0));
        let part = all(&[arriving, !e.wrap, needed.q().le(loaded.q())]).named("part_of_block");

        let releases = m.state("releases", bit(), 0);
        releases.update(&[(e.start, m.low()), (e.begins, last_use & !hold)]);
        Block { ready: whole | part, half: half.q(), releases: releases.q() }
    }
}

/// The read address of one scratchpad: the window of the tile, then rising k. Drives the output ports.
pub(super) fn window<'m>(
    m: &'m Builder,
    side: Side,
    pitch: Sig<'m>,
    half: Sig<'m>,
    e: Moves<'m>,
    streaming: Sig<'m>,
) {
    let word_ty = uint(side.word_bits() - 1);
    let pitch = pitch.resize(word_ty.width());
    let group = m.reg_decl("group", word_ty);
    let next_group = group.q().add_wrap(pitch);
    let back = e.start | (e.next & e.wrap);
    let in_half = |word: Sig<'m>| cat(&[half, word.as_bits()]).as_u();
    let advance = |name: &str, begin: Sig<'m>| {
        let word = m.reg_decl(name, uint(side.word_bits()));
        word.update(&[(e.begins, in_half(begin)), (streaming, word.q().inc())]);
        word.q()
    };
    let word0 = advance("word0_q", group.q());
    m.output("word0", word0);
    if !Scratchpad::straddles(side.window) {
        group.update(&[(back, group.q().lit(0)), (e.next, next_group)]);
        return;
    }
    let phase = m.reg_decl("tile_phase", uint(side.lane_bits()));
    let moved = (phase.q() + phase.q().lit(side.window.into())).named("moved");
    phase.update(&[(back, phase.q().lit(0)), (e.next, moved.trunc(side.lane_bits()))]);
    group.update(&[(back, group.q().lit(0)), (e.next & moved.msb(), next_group)]);
    m.output("word1", advance("word1_q", next_group));
    m.output("phase", m.reg_when("phase_q", e.begins, phase.q()));
}
