//! The sequencer's view of one operand: which block, is it loaded, which rows of it come next.

use super::Scratchpad;
use super::geometry::{Side, bits_for, minus, plus};
use rtl_gen::{Builder, Sig, any, bit, bits, cat, uint};

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

/// The pace of the chunk that is streamed.
#[derive(Clone, Copy)]
pub(super) struct Pace<'m> {
    /// A step is taken.
    pub(super) step: Sig<'m>,
    /// log2 of the steps of k in it; `None` is 0.
    pub(super) split: Option<Sig<'m>>,
}

/// What the loader of one operand reports.
#[derive(Clone, Copy)]
pub(super) struct Loads<'m> {
    /// Lines are rows; otherwise steps of k.
    pub(super) along_k: Sig<'m>,
    /// The operand is on chip already.
    pub(super) on_chip: Sig<'m>,
    /// One more line of the block being loaded is readable.
    pub(super) line: Sig<'m>,
    /// That block is readable.
    pub(super) block: Sig<'m>,
    /// All blocks stay on chip.
    pub(super) hold: Sig<'m>,
}

/// Where a block lies in its scratchpad.
#[derive(Clone, Copy)]
pub(super) enum Place<'m> {
    /// In one of two halves: which.
    Half(Sig<'m>),
    /// In a slot: the step at which it begins.
    Slot(Sig<'m>),
}

/// The slots of a scratchpad, in a command of many products; otherwise it has two halves.
#[derive(Clone, Copy)]
pub(super) struct Slots<'m> {
    /// The command has many products.
    pub(super) batch: Sig<'m>,
    /// Steps of a slot, a power of two.
    pub(super) size: Sig<'m>,
    /// Most of them.
    pub(super) most: u32,
}

/// The block of an operand that the next chunk uses.
pub(super) struct Block<'m> {
    /// The chunk can begin: its rows are loaded, or its first step.
    pub(super) ready: Sig<'m>,
    /// The next step of the chunk being streamed is loaded.
    pub(super) step_ready: Sig<'m>,
    /// All of the chunk being streamed is loaded.
    pub(super) complete: Sig<'m>,
    /// Where it lies.
    pub(super) place: Place<'m>,
    /// The chunk being streamed is the last to use its half.
    pub(super) releases: Sig<'m>,
}

impl<'m> Block<'m> {
    /// `restart`: a held operand begins again with its first block.
    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of a sequencer that an operand depends on"
    )]
    pub(super) fn new(
        m: &'m Builder,
        side: Side,
        e: Moves<'m>,
        loads: Loads<'m>,
        pace: Pace<'m>,
        last_use: Sig<'m>,
        restart: Sig<'m>,
        slots: Option<Slots<'m>>,
    ) -> Self {
        let hold = loads.hold;
        let half = m.state("half", bit(), 0);
        let leaves = e.begins & last_use;
        let other_half = !half.q() & !(hold & restart);
        half.update(&[(e.start, m.low()), (leaves, other_half)]);
        let in_half = |half: Sig<'m>| cat(&[half, m.lit(bits(side.step_bits() - 1), 0)]).as_u();
        let place = match slots {
            None => Place::Half(half.q()),
            Some(Slots { batch, size, .. }) => {
                let at = m.reg_decl("slot_at", uint(side.step_bits()));
                let next = plus(at.q(), size);
                at.update(&[
                    (e.start, at.q().lit(0)),
                    (leaves, batch.mux(next, in_half(other_half))),
                ]);
                Place::Slot(at.q())
            }
        };
        // Blocks loaded and, unless held, not yet begun for the last time. A block whose last use begins
        // before it is complete is owed: it will not be counted.
        let most = slots.map_or(2, |slots| slots.most.max(2));
        let count = m.state("blocks", uint(bits_for(most)), 0);
        let owed = m.state("owed", bit(), 0);
        let used = leaves & !hold;
        let early = (used & count.q().is(0) & !loads.block).named("used_early");
        let counted = loads.block & !owed.q();
        count.update(&[
            (e.start, count.q().lit(0)),
            (counted & !used, count.q().inc()),
            (used & !early & !counted, count.q().dec()),
        ]);
        owed.update(&[(e.start | loads.block, m.low()), (early, m.high())]);
        let second = hold & half.q();
        let whole = second.mux(count.q().is(2), !count.q().is(0)).named("whole_block");
        let arriving = second.mux(count.q().is(1), count.q().is(0)) & !owed.q();

        // Windows but the last of a block may begin while further rows of it are loaded.
        let lines_ty = uint(side.half_steps().ilog2() + 1);
        let window = m.lit(lines_ty, side.window.into());
        let loaded = m.state("lines_loaded", lines_ty, 0);
        let reset = e.start | loads.block;
        loaded.update(&[(reset, loaded.q().lit(0)), (loads.line, loaded.q().inc())]);
        let needed = m.reg_decl("rows_needed", lines_ty);
        needed.update(&[(e.start | (e.next & e.wrap), window), (e.next, plus(needed.q(), window))]);
        let rows_there = !e.wrap & needed.q().le(loaded.q());

        // Where lines are steps, a chunk follows them: `ahead` are loaded and not yet streamed.
        let steps = |count: Sig<'m>| !pace.split.map_or(count, |s| count.shr(s)).is(0);
        let part = arriving & loads.along_k.mux(rows_there, steps(loaded.q()));
        let partial = m.state("partial", bit(), 0);
        let complete = any(&[whole, loads.on_chip, loads.along_k, loads.block]);
        partial.update(&[(e.start, m.low()), (e.begins, !complete), (loads.block, m.low())]);
        let one = m.lit(lines_ty, 1);
        let taken = pace.split.map_or(one, |s| one.shl(s).resize(lines_ty.width()));
        let ahead = m.reg_decl("lines_ahead", lines_ty);
        let before = e.begins.mux(loaded.q(), minus(ahead.q(), pace.step.gate(taken)));
        ahead.drive(before.add_wrap(loads.line.as_u().zext(lines_ty.width())));
        let step_ready = !partial.q() | steps(ahead.q());

        let releases = m.state("releases", bit(), 0);
        releases.update(&[(e.start, m.low()), (e.begins, last_use & !hold)]);
        let ready = any(&[whole, part.named("part_of_block"), loads.on_chip]);
        let releases = releases.q();
        Block { ready, step_ready, complete: !partial.q(), place, releases }
    }
}

/// The read address of one scratchpad: the window of the tile, then rising k. Drives the output ports.
pub(super) fn window<'m>(
    m: &'m Builder,
    side: Side,
    pitch: Sig<'m>,
    place: Place<'m>,
    e: Moves<'m>,
    pace: Pace<'m>,
) {
    let word_ty = uint(side.step_bits() - 1);
    let pitch = pitch.resize(word_ty.width());
    let group = m.reg_decl("group", word_ty);
    let next_group = group.q().add_wrap(pitch);
    let back = e.start | (e.next & e.wrap);
    let in_block = |word: Sig<'m>| match place {
        Place::Half(half) => cat(&[half, word.as_bits()]).as_u(),
        // A block's steps are fewer than those of its slot, which begins at a multiple of them.
        Place::Slot(at) => at | word.zext(at.width()),
    };
    let advance = |name: &str, begin: Sig<'m>| {
        let word = m.reg_decl(name, uint(side.step_bits()));
        let next = match pace.split {
            None => word.q().inc(),
            Some(split) => plus(word.q(), m.lit(uint(1), 1).zext(word.q().width()).shl(split)),
        };
        word.update(&[(e.begins, in_block(begin)), (pace.step, next)]);
        word.q()
    };
    let word0 = advance("word0_q", group.q());
    m.output("word0", word0);
    let count_panels = |next: Sig<'m>| {
        if side.deep > 1 {
            let panel = m.reg_decl("panel_at", uint(side.deep.ilog2()));
            panel.update(&[(back, panel.q().lit(0)), (next, panel.q().inc())]);
            m.output("panel", m.reg_when("panel_q", e.begins, panel.q()));
        }
    };
    if !Scratchpad::straddles(side.window) {
        group.update(&[(back, group.q().lit(0)), (e.next, next_group)]);
        count_panels(e.next);
        return;
    }
    let phase = m.reg_decl("tile_phase", uint(side.panel_bits()));
    let moved = (phase.q() + phase.q().lit(side.window.into())).named("moved");
    phase.update(&[(back, phase.q().lit(0)), (e.next, moved.trunc(side.panel_bits()))]);
    group.update(&[(back, group.q().lit(0)), (e.next & moved.msb(), next_group)]);
    count_panels(e.next & moved.msb());
    m.output("word1", advance("word1_q", next_group));
    m.output("phase", m.reg_when("phase_q", e.begins, phase.q()));
}
