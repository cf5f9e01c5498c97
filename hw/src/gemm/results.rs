//! The result buffer: takes C results per cycle as the array drains.

use super::geometry::Geometry;
use rtl_gen::{Builder, MemSpec, Module, Sig, bit, bits, cat, uint};

/// One bank per column, written skewed as the results leave; a ring of tiles, read row by row.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | the next tile goes to slot 0 |
/// | `drains` | in | bit | with the array's `first`: the tile that leaves is to be kept |
/// | `split` | in | uint | only with `k_split` > 1: log2 of the groups that share the rows; a tile has as many rows fewer |
/// | `result` | in | bits(C * 32) | of the array, or of the [`Epilogue`](super::Epilogue) behind it |
/// | `through` | in | bit | only with an epilogue: it is the latter, as many cycles later |
/// | `tile_done` | out | bit | one cycle: the oldest tile not yet reported can be read |
/// | `last_column` | out | bit | a result of the last column is at `result` |
/// | `rd_enable`, `rd_word` | in | bit, uint | read row `rd_word` (slot, row in the tile) |
/// | `rd_data` | out | bits(C * 32) | that row a cycle later; holds while `rd_enable` is 0 |
///
/// C results per cycle without stall; the sequencer keeps `drains` at least R cycles apart and within
/// the slots that are free.
#[derive(Clone, Copy, Debug)]
pub struct Results {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl Module for Results {
    fn name(&self) -> String {
        format!("gemm_results_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Result buffer: one bank per column, written skewed as the array drains.");
        let g = &self.geometry;
        let result_bits = 32;
        let (start, drains) = (m.input("start", bit()), m.input("drains", bit()));
        let result = m.input("result", bits(g.cols * result_bits)).lanes(result_bits);
        let word_ty = uint(g.result_depth().ilog2());
        let rd_enable = m.input("rd_enable", bit());
        let rd_word = m.input("rd_word", word_ty);

        let leaves =
            (1..=g.array_latency()).fold(drains, |d, i| m.reg_reset(&format!("drains_{i}"), d, 0));
        let arrives = match g.epilogue() {
            None => leaves,
            Some(epilogue) => {
                let later = (1..=epilogue.latency())
                    .fold(leaves, |d, i| m.reg_reset(&format!("passes_{i}"), d, 0));
                m.input("through", bit()).mux(later, leaves)
            }
        };
        let arrives = arrives.named("arrives");
        let Leaving { row_now, valid, last_row } = leaving(m, g, arrives);
        let slot = m.state("slot", uint(g.result_slots().ilog2()), 0);
        slot.update(&[(start, slot.q().lit(0)), (last_row, slot.q().inc())]);
        let word = match g.slot_rows() {
            1 => slot.q(),
            _ => cat(&[slot.q(), row_now]).as_u(),
        };

        // In a skewed array column c is one cycle behind column c - 1.
        let (mut valid_c, mut word_c, mut last_c) = (valid, word, last_row);
        let mut rows: Vec<Sig> = vec![];
        for (c, value) in result.iter().enumerate() {
            if c > 0 && g.column_skew() > 0 {
                valid_c = m.reg_reset(&format!("valid_{c}"), valid_c, 0);
                word_c = m.reg(&format!("word_{c}"), word_c);
                last_c = m.reg_reset(&format!("last_row_{c}"), last_c, 0);
            }
            let bank = m.mem(&format!("bank_{c}"), MemSpec::block(g.result_depth(), result_bits));
            bank.write(word_c, *value, valid_c);
            rows.push(bank.read(&format!("read_{c}"), rd_word, rd_enable));
        }
        rows.reverse();
        m.output("rd_data", cat(&rows));
        m.output("last_column", valid_c);
        m.output("tile_done", m.reg_reset("tile_done_q", last_c, 0));
    }
}

/// Which row of a tile leaves.
#[derive(Clone, Copy)]
pub(super) struct Leaving<'m> {
    pub(super) row_now: Sig<'m>,
    pub(super) valid: Sig<'m>,
    /// It is the tile's last.
    pub(super) last_row: Sig<'m>,
}

/// Counts the rows of tiles; `arrives` marks row 0 of one, at column 0. Declares the input `split` where rows are cut.
pub(super) fn leaving<'m>(m: &'m Builder, g: &Geometry, arrives: Sig<'m>) -> Leaving<'m> {
    // Row R - 1 of a tile may be directly before row 0 of the next.
    let row_ty = uint(g.slot_rows().ilog2().max(1));
    let row = m.state("row", row_ty, 0);
    let busy = m.state("busy", bit(), 0);
    let row_now = arrives.mux(row.q().lit(0), row.q()).named("row_now");
    let valid = (arrives | busy.q()).named("valid");
    let last = m.lit(row_ty, i128::from(g.rows) - 1);
    let last = match g.k_split {
        1 => last,
        _ => last.shr(m.input("split", uint(g.split_bits()))),
    };
    let last_row = (valid & row_now.eq(last)).named("last_row");
    busy.drive(valid & !last_row);
    row.drive(row_now.inc());
    Leaving { row_now, valid, last_row }
}
