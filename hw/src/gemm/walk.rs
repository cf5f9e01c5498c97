//! The order of tiles, common to the sequencer and the store unit.

use super::geometry::{Geometry, Rest, at_most, minus};
use rtl_gen::{Builder, Sig, bit, uint};

/// Position in the nest of loops: blocks of rows of A, blocks of columns of B, tiles of columns in the
/// block, tiles of rows in the block, chunks of k. Valid while `active`; moves on with `next`.
#[derive(Clone, Copy)]
pub(super) struct Walk<'m> {
    /// A tile (chunk) is at hand.
    pub(super) active: Sig<'m>,
    /// Rows of A from this tile on.
    pub(super) m_left: Sig<'m>,
    /// Columns of B from this tile on.
    pub(super) n_left: Sig<'m>,
    /// Steps of k of this chunk, where there are chunks.
    pub(super) depth: Option<Sig<'m>>,
    /// First chunk of the tile.
    pub(super) first_chunk: Sig<'m>,
    /// Last chunk of the tile.
    pub(super) last_k: Sig<'m>,
    /// Last tile of rows in the block.
    pub(super) last_row_tile: Sig<'m>,
    /// Last tile of columns in the block.
    pub(super) last_col_tile: Sig<'m>,
    /// No further columns (of use with `last_col_tile`).
    pub(super) last_cols: Sig<'m>,
    /// With `next`: the next tile is the first of another product, where there can be several.
    pub(super) to_product: Option<Sig<'m>>,
}

/// What the walk needs to know of a command.
#[derive(Clone, Copy)]
pub(super) struct WalkInputs<'m> {
    pub(super) start: Sig<'m>,
    pub(super) stop: Sig<'m>,
    pub(super) m: Sig<'m>,
    pub(super) n: Sig<'m>,
    pub(super) m_block: Sig<'m>,
    pub(super) n_block: Sig<'m>,
    /// `k` and `k_block`; without them every tile is one chunk.
    pub(super) chunks: Option<(Sig<'m>, Sig<'m>)>,
    /// Products of the command, one after the other; without it there is one.
    pub(super) products: Option<Sig<'m>>,
}

impl<'m> WalkInputs<'m> {
    /// Declares the input ports of a module that walks.
    pub(super) fn ports(m: &'m Builder, g: &Geometry, with_chunks: bool) -> Self {
        let flag = |name: &str| m.input(name, bit());
        let dim = |name: &str| m.input(name, uint(g.dim_bits()));
        let block = |name: &str| m.input(name, uint(g.block_bits()));
        WalkInputs {
            start: flag("start"),
            stop: flag("stop"),
            m: dim("m"),
            n: dim("n"),
            m_block: block("m_block"),
            n_block: block("n_block"),
            chunks: with_chunks.then(|| (dim("k"), block("k_block"))),
            products: g.batch.then(|| m.input("products", uint(32))),
        }
    }
}

/// Draws the loop counters; `next` moves on.
pub(super) fn walk<'m>(m: &'m Builder, g: &Geometry, i: WalkInputs<'m>, next: Sig<'m>) -> Walk<'m> {
    let dim = uint(g.dim_bits());
    let (rows, cols) = (m.lit(dim, g.rows.into()), m.lit(dim, g.cols.into()));
    let active = m.state("active_q", bit(), 0);
    let m_left = m.reg_decl("m_left", dim);
    let n_left = m.reg_decl("n_left", dim);
    // Rows left when the block of A began, to which every tile of columns returns.
    let m_left_block = m.reg_decl("m_left_block", dim);
    let m_room = m.reg_decl("m_room", i.m_block.ty());
    let n_room = m.reg_decl("n_room", i.n_block.ty());

    let last_rows = at_most(m_left.q(), rows).named("last_rows");
    let last_cols = at_most(n_left.q(), cols).named("last_cols");
    let last_row_tile = (last_rows | at_most(m_room.q(), rows)).named("last_row_tile");
    let last_col_tile = (last_cols | at_most(n_room.q(), cols)).named("last_col_tile");
    let (depth, first_chunk, last_k) = match i.chunks {
        Some((k, k_block)) => {
            let k_left = m.reg_decl("k_left", dim);
            let first_chunk = m.reg_decl("first_chunk", bit());
            let rest = Rest::of("k", k_left.q(), k_block);
            k_left.update(&[(i.start | (next & rest.last), k), (next, rest.rest)]);
            first_chunk.update(&[(i.start | next, i.start | rest.last)]);
            (Some(rest.now), first_chunk.q(), rest.last)
        }
        None => (None, m.high(), m.high()),
    };

    let tile_done = (next & last_k).named("tile_over");
    let next_row_tile = (tile_done & !last_row_tile).named("next_row_tile");
    let next_col_tile = (tile_done & last_row_tile & !last_col_tile).named("next_col_tile");
    let block_done = (tile_done & last_row_tile & last_col_tile).named("block_done");
    let next_col_block = (block_done & !last_cols).named("next_col_block");
    let next_row_block = (block_done & last_cols & !last_rows).named("next_row_block");
    let product_done = (block_done & last_cols & last_rows).named("product_done");
    let (finished, to_product) = match i.products {
        None => (product_done, None),
        Some(products) => {
            let left = m.reg_decl("products_left", uint(32));
            left.update(&[(i.start, products), (product_done, left.q().dec())]);
            let last = left.q().is(1).named("last_product");
            (product_done & last, Some((product_done & !last).named("to_product")))
        }
    };
    let begin = to_product.map_or(i.start, |to_product| i.start | to_product);

    let m_more = minus(m_left.q(), rows);
    m_left.update(&[
        (begin, i.m),
        (next_row_tile | next_row_block, m_more),
        (next_col_tile | next_col_block, m_left_block.q()),
    ]);
    m_left_block.update(&[(begin, i.m), (next_row_block, m_more)]);
    m_room.update(&[
        (i.start | next_col_tile | block_done, i.m_block),
        (next_row_tile, minus(m_room.q(), rows)),
    ]);
    n_left.update(&[
        (begin | next_row_block, i.n),
        (next_col_tile | next_col_block, minus(n_left.q(), cols)),
    ]);
    n_room.update(&[(i.start | block_done, i.n_block), (next_col_tile, minus(n_room.q(), cols))]);
    active.drive((i.start | (active.q() & !finished)) & !i.stop);
    Walk {
        active: active.q(),
        m_left: m_left.q(),
        n_left: n_left.q(),
        depth,
        first_chunk,
        last_k,
        last_row_tile,
        last_col_tile,
        last_cols,
        to_product,
    }
}
