//! Lines in, elements out: the range of columns, and the wait for the window.

use super::ring::meta_bits;
use rtl_gen::{Builder, Module, Reg, Sig, bit, bits, case, index_width, uint};

/// Takes lines apart, drops elements outside their window's range and holds back those of closed windows.
///
/// Ports `out_*`, `lo_*`, `hi_*`, `open_*`, `chunk_done*`, `flush` as [`super::LaneFetch`], `line_*` as
/// [`super::LineRing`]; `idle` says that no element is held.
///
/// Stages: line register, element register (behind the word multiplexers), output register (behind the comparisons).
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements {
    pub line_words: u32,
    pub index_bits: u32,
    pub row_bits: u32,
}

/// A stage that holds one element: what travels with it, and whether it ends its chunk.
struct Stage<'m> {
    valid: Reg<'m>,
    last: Sig<'m>,
    travels: Sig<'m>,
    column: Sig<'m>,
    value: Sig<'m>,
}

impl<'m> Stage<'m> {
    fn new(m: &'m Builder, name: &str, load: Sig<'m>, from: [Sig<'m>; 4]) -> Self {
        m.scope(name, || {
            let [last, travels, column, value] = from;
            Stage {
                valid: m.state("valid", bit(), 0),
                last: m.reg_when("last", load, last),
                travels: m.reg_when("travels", load, travels),
                column: m.reg_when("column", load, column),
                value: m.reg_when("value", load, value),
            }
        })
    }

    fn seq(&self) -> Sig<'m> {
        seq(self.travels)
    }
}

fn seq<'m>(travels: Sig<'m>) -> Sig<'m> {
    let top = travels.width() - 1;
    travels.slice(top, top - 1)
}

impl Module for Elements {
    fn name(&self) -> String {
        let Elements { line_words, index_bits, row_bits } = self;
        format!("lane_elements_l{line_words}_i{index_bits}_r{row_bits}")
    }

    fn build(&self, m: &Builder) {
        m.doc("Elements of lines, inside their window's range, once the window is open.");
        let flush = m.input("flush", bit());
        let of = |name: &str, ty| -> Vec<Sig> {
            (0..4).map(|s| m.input(&format!("{name}_{s}"), ty)).collect()
        };
        let lo = of("lo", uint(self.index_bits));
        let hi = of("hi", uint(self.index_bits + 1));
        let open = of("open", bit());
        let out_ready = m.input("out_ready", bit());

        // Line register.
        let take = m.forward("take_line", bit());
        let word = |name: &str| {
            m.reg_when(
                name,
                take.sig(),
                m.input(&format!("line_{name}"), bits(32 * self.line_words)),
            )
        };
        let (columns, values) = (word("columns"), word("values"));
        let meta = m.input("line_meta", bits(meta_bits(self.row_bits, self.line_words)));
        let position = index_width(self.line_words);
        let names = 2 + self.row_bits + 32;
        let travels =
            m.reg_when("travels", take.sig(), meta.slice(meta.width() - 1, 2 * position + 1));
        let last_line = m.reg_when("last_line", take.sig(), meta.bit(2 * position));
        let end = m.reg_when("end_index", take.sig(), meta.trunc(position).as_u());
        let index = m.reg_decl("index", uint(position));
        let held = m.state("held", bit(), 0);

        let element_free = m.forward("element_free", bit());
        let drop_line = m.forward("drop_line", bit());
        let at_end = index.q().eq(end);
        // A killed line is gone at once; only the end of its chunk passes on.
        let emit = (held.q() & (!drop_line.sig() | last_line)).named("emit");
        let step = (emit & element_free.sig()).named("step");
        let finish = held.q() & (drop_line.sig() | at_end) & (!emit | element_free.sig());
        let finish = finish.named("finish");
        let line_valid = m.input("line_valid", bit());
        let line_ready = (!held.q() | finish).named("line_free");
        m.output("line_ready", line_ready);
        take.assign(line_valid & line_ready);
        held.drive((take.sig() | (held.q() & !finish)) & !flush);
        // Columns rise: when the last one is below the range, only the last one is still looked at.
        let first = meta.slice(2 * position - 1, position).as_u();
        let last_column = columns.dyn_lane(end, 32).trunc(self.index_bits).as_u();
        let below = last_column.lt(choose(seq(travels), &lo)).named("below");
        index.update(&[(take.sig(), first), (step, below.mux(end, index.q().inc()))]);

        // Element register.
        let element = Stage::new(
            m,
            "element",
            step,
            [
                last_line & (at_end | drop_line.sig()),
                travels,
                columns.dyn_lane(index.q(), 32).trunc(self.index_bits),
                values.dyn_lane(index.q(), 32),
            ],
        );
        let out_free = m.forward("out_free", bit());
        element_free.assign(!element.valid.q() | out_free.sig());
        let moves = (element.valid.q() & out_free.sig()).named("moves");
        element.valid.drive((step | (element.valid.q() & !out_free.sig())) & !flush);

        // Output register.
        let out = Stage::new(
            m,
            "result",
            moves,
            [element.last, element.travels, element.column, element.value],
        );
        let col = element.column.as_u();
        let over = col.zext(self.index_bits + 1).ge(choose(element.seq(), &hi));
        let under = col.lt(choose(element.seq(), &lo));
        let over = m.reg_when("over", moves, over);
        let under = m.reg_when("under", moves, under);

        // From the first column past the range on, everything up to the end of the chunk is dropped.
        let killing = m.state("killing", bit(), 0);
        let kill = (killing.q() | (out.valid.q() & over)).named("kill");
        let dropped = kill | under;
        let may_leave = choose(out.seq(), &open) & !flush;
        let leaves = (out.valid.q() & (dropped | (may_leave & out_ready))).named("leaves");
        out_free.assign(!out.valid.q() | leaves);
        out.valid.drive((moves | (out.valid.q() & !leaves)) & !flush);
        killing.drive(kill & !(leaves & out.last) & !flush);
        let ends_ahead = (out.valid.q() & out.last) | (element.valid.q() & element.last);
        drop_line.assign(kill & !ends_ahead);

        m.output("out_valid", out.valid.q() & !dropped & may_leave);
        m.output("out_seq", out.seq());
        m.output("out_row", out.travels.slice(names - 3, 32));
        m.output("out_a", out.travels.trunc(32));
        m.output("out_col", out.column);
        m.output("out_b", out.value);
        m.output("chunk_done", m.reg_reset("chunk_done_q", leaves & out.last & !flush, 0));
        m.output("chunk_done_seq", m.reg("chunk_done_seq_q", out.seq()));
        m.output("idle", !(held.q() | element.valid.q() | out.valid.q()));
    }
}

/// The value of a window.
fn choose<'m>(seq: Sig<'m>, values: &[Sig<'m>]) -> Sig<'m> {
    let arms: Vec<(i128, Sig)> = (0..3).map(|s| (s as i128, values[s])).collect();
    case(seq, &arms, values[3])
}
