//! Rows of other matrices than B that join the products of a row: a mask's and an addend's.

use rtl_gen::{Builder, Module, Sig, all, bit, bits, mux, uint};

/// Which matrix an element, or the row a token stands for, is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// The second operand of the product.
    B = 0,
    /// What says which entries are wanted.
    Mask = 1,
    /// What the products are added to.
    Addend = 2,
}

impl Source {
    /// Bits of its number.
    pub const BITS: u32 = 2;

    /// Those that join products, with the names of their inputs.
    pub(crate) const JOINED: [(Source, &str); 2] =
        [(Source::Mask, "mask"), (Source::Addend, "addend")];

    /// The value of this source's matrix: `of_b`, or what the same array or number of another matrix is.
    pub(crate) fn choose<'m>(source: Sig<'m>, of_b: Sig<'m>, others: &[Sig<'m>]) -> Sig<'m> {
        Source::JOINED.iter().zip(others).fold(of_b, |chosen, ((joined, _), &other)| {
            source.as_u().is(*joined as i128).mux(other, chosen)
        })
    }
}

/// Puts a token for the row of each matrix that joins in front of a row's tokens.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `first_row`, `passes` | in | bit, uint(32), uint(9) | as [`super::AStream`] |
/// | `flush` | in | bit | level: forget everything |
/// | `mask`, `accumulate` | in | bit | which matrices join; constant while busy |
/// | `in_*` | | | tokens of [`super::AStream`], told every empty row when the addend joins |
/// | `out_*` | | | tokens, and `out_source`, bits(2): the [`Source`] whose row `out_k` is |
///
/// No latency. A token more a row for each matrix that joins, one a cycle; rows without elements cost nothing with a mask alone, and with
/// an addend its token takes the place of theirs.
#[derive(Clone, Copy, Debug)]
pub struct JoinRows;

impl Module for JoinRows {
    fn name(&self) -> String {
        "join_rows".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("Tokens of the rows that join a row's products.");
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        let (mask, accumulate) = (m.input("mask", bit()), m.input("accumulate", bit()));
        let (valid, last, empty) =
            (m.input("in_valid", bit()), m.input("in_last", bit()), m.input("in_empty", bit()));
        let (k, left) = (m.input("in_k", bits(32)), m.input("in_left", uint(32)));
        let (a, skip) = (m.input("in_a", bits(32)), m.input("in_skip", uint(8)));
        let out_ready = m.input("out_ready", bit());

        // Which row this is; the first one may come several times.
        let next_row = m.state("next_row", uint(32), 0);
        let passes = m.state("passes_left", uint(9), 1);
        let row = next_row.q().add_wrap(skip.zext(32)).named("row");

        let (masked, added) = (m.state("masked", bit(), 0), m.state("added", bit(), 0));
        let masks = all(&[mask, !masked.q(), !empty | accumulate]).named("masks");
        let adds = (!masks & accumulate & !added.q()).named("adds");
        let joins = masks | adds;
        // The addend's token of an empty row is its last.
        let ends = mux(joins, adds & empty, last).named("ends");
        let sent = (valid & out_ready).named("sent");
        let row_ends = (sent & ends).named("row_ends");
        masked.update(&[(start | flush | row_ends, m.low()), (sent & masks, m.high())]);
        added.update(&[(start | flush | row_ends, m.low()), (sent & adds, m.high())]);
        let again = !passes.q().is(1);
        passes.update(&[(start, m.input("passes", uint(9))), (row_ends & again, passes.q().dec())]);
        next_row.update(&[(start, m.input("first_row", uint(32))), (row_ends & !again, row.inc())]);

        let elements = mux(empty, left.lit(0), left.inc());
        let behind = mux(masks & accumulate, elements.inc(), elements);
        m.output("in_ready", out_ready & (!joins | ends));
        m.output("out_valid", valid);
        m.output("out_last", ends);
        m.output("out_empty", empty & !joins);
        m.output("out_k", mux(joins, row.as_bits(), k));
        m.output("out_a", a);
        m.output("out_left", mux(joins, behind, left));
        m.output("out_skip", skip);
        let of = |source: Source| m.lit(bits(Source::BITS), source as i128);
        let source = mux(masks, of(Source::Mask), mux(adds, of(Source::Addend), of(Source::B)));
        m.output("out_source", source);
    }
}

/// The length of a token's row, 0 in a row of C of which the mask wants nothing: its products are never formed.
///
/// `skips` is level: there is a mask and no complement. The mask's token comes before the others of its row. `moves` is a
/// pulse: the token is taken.
pub(super) fn wanted_length<'m>(
    m: &'m Builder,
    (source, length): (Sig<'m>, Sig<'m>),
    skips: Sig<'m>,
    (moves, flush): (Sig<'m>, Sig<'m>),
) -> Sig<'m> {
    let of_mask = source.as_u().is(Source::Mask as i128);
    let nothing = m.state("nothing_wanted", bit(), 0);
    nothing.update(&[(flush, m.low()), (moves & of_mask, length.is(0) & skips)]);
    mux(nothing.q() & !of_mask, length.lit(0), length)
}
