//! How a product is cut into blocks that fit the scratchpads.

use super::geometry::{Geometry, Side, at_most, minus, plus};
use rtl_gen::{Builder, Module, Sig, all, bit, case, uint};

/// Finds the block sizes of a command.
///
/// A block holds as many rows (a multiple of the window) of an operand as half its scratchpad takes,
/// `k_block` steps of k deep. When all of K fits one tile's half, `k_block` = K; otherwise the product is
/// *chunked*: blocks of one tile, K in chunks that accumulate in the array. A chunk is loaded while the one before
/// is used, so chunks are as few as fit and equal, but for whole beats. B that does not stay is read in
/// blocks of a beat's columns: that moves no more bytes, and the first one is there sooner.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | sizes are valid; hold them until `done` |
/// | `m`, `n`, `k` | in | uint | the product, each at least 1 |
/// | `b_size` | in | uint | which of the sizes of elements B has |
/// | `done` | out | bit | one cycle: the outputs are valid until the next `start` |
/// | `k_block`, `pitch` | out | uint | steps of k in a block; that rounded up to whole lines |
/// | `m_block`, `n_block` | out | uint | rows of A and columns of B in a block |
/// | `chunked` | out | bit | K is cut |
/// | `hold_a`, `hold_b` | out | bit | the whole operand fits: at most two blocks, a half each |
/// | `one_block` | out | bit | both operands are one block; only on cards with batches |
/// | `slot_a`, `slot_b` | out | uint | steps that hold that block, a power of two; only there |
/// | `split` | out | uint | log2 of the groups of rows with steps of k of their own; only with `k_split` > 1 |
///
/// Takes a cycle per window of rows in a block; chunked, at most a cycle per [`chunk_step`](Geometry::chunk_step)
/// by which a chunk falls short of half a scratchpad.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl Module for Plan {
    fn name(&self) -> String {
        format!("gemm_plan_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Cuts a product into blocks that fit half a scratchpad each.");
        let g = &self.geometry;
        let (width, dim_ty) = (g.block_bits(), uint(g.dim_bits()));
        let start = m.input("start", bit());
        let dim = |name: &str| m.input(name, dim_ty);
        let (rows, cols, k) = (dim("m"), dim("n"), dim("k"));

        let most = m.lit(dim_ty, g.max_k_block().into());
        let chunked = m.reg("chunked_q", k.gt(most));
        // `pitch` follows `k` by a cycle.
        let begin = m.reg_reset("begin_sizes", start, 0);
        let (chunk, cut) = m.scope("k", || chunk_steps(m, g, k, begin, chunked));
        let k_block = m.reg("k_block_q", k.gt(most).mux(chunk, k.trunc(width)));
        let step = g.pitch_step().ilog2();
        let lines = plus(k_block, m.lit(uint(width), i128::from(g.pitch_step()) - 1)).shr_k(step);
        let pitch = lines.shl_k(step).named("pitch_words");

        let busy = m.state("busy", bit(), 0);
        let shared = Shared { begin, busy: busy.q(), chunked, pitch };
        let (m_block, m_steps, m_done) =
            m.scope("m", || block_rows(m, g.a_side(), rows, width, shared));
        let (n_block, n_steps, n_done) =
            m.scope("n", || block_rows(m, g.b_side(), cols, width, shared));
        let finished = all(&[busy.q(), m_done, n_done, cut]).named("finished");
        busy.drive((begin | busy.q()) & !finished);

        m.output("done", m.reg_reset("done_q", finished, 0));
        m.output("k_block", k_block);
        m.output("pitch", pitch);
        m.output("chunked", chunked);
        m.output("m_block", m_block);
        // Two halves: two blocks of all of K, or one tile of K in two chunks.
        let two_chunks = at_most(k, m.lit(uint(g.dim_bits() + 1), i128::from(g.max_k_block()) * 2));
        let [fits_a, fits_b] = [(rows, m_block), (cols, n_block)].map(|(total, block)| {
            chunked.mux(at_most(total, block) & two_chunks, at_most(total, block.shl_k(1)))
        });
        m.output("hold_a", m.reg("hold_a_q", fits_a));
        m.output("hold_b", m.reg("hold_b_q", fits_b));
        let streamed = |bits| m.lit(uint(width), g.streamed_cols(bits).into());
        let sizes = (0..).zip(g.sizes());
        let sizes: Vec<_> = sizes.map(|(size, bits)| (size, streamed(bits))).collect();
        let streamed = case(m.input("b_size", uint(g.size_bits())), &sizes[1..], sizes[0].1);
        let short = fits_b | at_most(n_block, streamed);
        m.output("n_block", m.reg("n_block_q", short.mux(n_block, streamed)));
        if g.batch {
            let whole = all(&[!chunked, at_most(rows, m_block), at_most(cols, n_block)]);
            m.output("one_block", m.reg("one_block_q", whole));
            for (name, side, steps) in [("a", g.a_side(), m_steps), ("b", g.b_side(), n_steps)] {
                let sizes = g.pitch_step().ilog2()..=side.half_steps().ilog2();
                let size = |log: u32| m.lit(uint(width), 1 << log);
                let slot = sizes.rev().fold(size(side.half_steps().ilog2()), |slot, log| {
                    at_most(steps, size(log)).mux(size(log), slot)
                });
                m.output(&format!("slot_{name}"), m.reg(&format!("slot_{name}_q"), slot));
            }
        }
        if g.k_split > 1 {
            // The most groups that leave each as many rows as the product has.
            let fits: Vec<Sig> = (1..=g.k_split.ilog2())
                .map(|cut| at_most(rows, m.lit(dim_ty, (g.rows >> cut).into())))
                .collect();
            let none = m.lit(uint(g.split_bits()), 0);
            let split =
                (1..).zip(&fits).fold(none, |best, (cut, fit)| fit.mux(none.lit(cut), best));
            m.output("split", m.reg("split_q", split));
        }
    }
}

#[derive(Clone, Copy)]
struct Shared<'m> {
    begin: Sig<'m>,
    busy: Sig<'m>,
    chunked: Sig<'m>,
    pitch: Sig<'m>,
}

/// Steps of k of a chunk when K is cut into as few as fit, and whether that stands.
///
/// With K and the longest chunk in units of [`Geometry::chunk_step`], `n` chunks of the longest have `slack` units more
/// than K; every `n` of them make each chunk a unit shorter.
fn chunk_steps<'m>(
    m: &'m Builder,
    g: &Geometry,
    k: Sig<'m>,
    begin: Sig<'m>,
    chunked: Sig<'m>,
) -> (Sig<'m>, Sig<'m>) {
    let unit = g.chunk_step().ilog2();
    let longest = g.max_k_block().ilog2();
    let dim_bits = g.dim_bits();
    let round_up = |value: Sig<'m>, bits: u32| {
        plus(value.zext(dim_bits + 1), m.lit(uint(dim_bits + 1), (1 << bits) - 1)).shr_k(bits)
    };
    let width = g.block_bits();
    let most = m.lit(uint(width), g.max_k_block().into());
    if unit == longest {
        return (most, m.high());
    }
    let chunks = round_up(k, longest).resize(dim_bits);
    let units = round_up(k, unit).resize(dim_bits);
    let slack = m.reg_decl("slack", uint(longest - unit));
    let steps = m.reg_decl("steps", uint(width));
    let shorter = (chunked & at_most(chunks, slack.q())).named("shorter");
    let spare = slack.q().lit(0).sub_wrap(units.trunc(longest - unit));
    slack.update(&[(begin, spare), (shorter, minus(slack.q(), chunks))]);
    let step = m.lit(uint(width), g.chunk_step().into());
    steps.update(&[(begin, most), (shorter, minus(steps.q(), step))]);
    (steps.q(), !begin & !shorter)
}

/// Adds windows until all rows are in or half the scratchpad is full: rows of a block, the steps they take, and whether it stands.
fn block_rows<'m>(
    m: &'m Builder,
    side: Side,
    total: Sig<'m>,
    width: u32,
    shared: Shared<'m>,
) -> (Sig<'m>, Sig<'m>, Sig<'m>) {
    let constant = |value: u32| m.lit(uint(width), value.into());
    let (window, panel, half) =
        (constant(side.window), constant(side.panel), constant(side.half_steps()));
    // Rows decided; rows that the panels reserved so far can hold; steps they take.
    let rows = m.reg_decl("rows", uint(width));
    let room = m.reg_decl("room", uint(width));
    let used = m.reg_decl("used", uint(width));
    let more_rows = rows.q() + window;
    let more_used = used.q() + shared.pitch;
    let enough = at_most(total, rows.q()) | shared.chunked;
    let fits = at_most(more_rows, room.q()).named("fits");
    let can_reserve = at_most(more_used, half);
    let done = (enough | (!fits & !can_reserve)).named("done");
    let step = (shared.busy & !done).named("step");
    rows.update(&[(shared.begin, window), (step & fits, more_rows.trunc(width))]);
    room.update(&[(shared.begin, panel), (step & !fits, plus(room.q(), panel))]);
    used.update(&[(shared.begin, shared.pitch), (step & !fits, more_used.trunc(width))]);
    (rows.q(), used.q(), done)
}
