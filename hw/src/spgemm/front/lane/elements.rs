//! Lines in, elements out: the range of columns, and the wait for the window.

use super::super::Values;
use super::super::values::Chosen;
use super::ring::meta_bits;
use crate::cells::priority;
use rtl_gen::{
    Builder, Module, Reg, Sig, all, any, bit, bits, case, cat, index_width, one_hot_mux, uint,
};

/// Takes lines apart, drops elements outside their window's range and holds back those of closed windows.
///
/// Ports `out_*`, `lo_*`, `hi_*`, `open_*`, `chunk_done*`, `flush`, `lane` as [`super::LaneFetch`], `line_*` as
/// [`super::LineRing`]; `idle` says that no element is held.
///
/// Stages: line register, compared register (behind a comparison of each word), element register (behind the word
/// multiplexers), output register (behind the widening of the value). A line costs a cycle for each wanted element. One that
/// has none costs one cycle, or nothing where it waits for two cycles behind a line whose elements leave: a pass over a
/// part of a row's columns hardly pays for the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements {
    pub line_words: u32,
    pub index_bits: u32,
    pub row_bits: u32,
    pub values: Values,
    pub a_bits: u32,
    /// With these, whether a chunk is spread travels above its row slot.
    pub share_bits: u32,
}

/// A stage that holds one element, or the end of a chunk whose last line has none.
struct Stage<'m> {
    valid: Reg<'m>,
    /// It ends its chunk; it is no element.
    marks: Sig<'m>,
    travels: Sig<'m>,
    column: Sig<'m>,
    /// The value, or in front of the widening the word it lies in.
    value: Sig<'m>,
}

impl<'m> Stage<'m> {
    fn new(m: &'m Builder, name: &str, load: Sig<'m>, from: [Sig<'m>; 4]) -> Self {
        m.scope(name, || {
            let [marks, travels, column, value] = from;
            Stage {
                valid: m.state("valid", bit(), 0),
                marks: m.reg_when("marks", load, marks),
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
        let Elements { line_words, index_bits, row_bits, values, a_bits, share_bits } = self;
        let joined = if *a_bits > 32 { "_j" } else { "" };
        let shared = if *share_bits > 0 { format!("_o{share_bits}") } else { String::new() };
        let suffix = values.suffix();
        format!("lane_elements_l{line_words}_i{index_bits}_r{row_bits}{suffix}{joined}{shared}")
    }

    fn build<'m>(&self, m: &'m Builder) {
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
        let names = 2 + u32::from(self.share_bits > 0) + self.row_bits + self.a_bits;
        let take = m.forward("take_line", bit());
        let words = |name: &str| m.input(&format!("line_{name}"), bits(32 * self.line_words));
        let columns = m.reg_when("raw_columns", take.sig(), words("columns"));
        let values = m.reg_when("raw_values", take.sig(), words("values"));
        let meta = m.input("line_meta", bits(meta_bits(names - 2, self.line_words, self.values)));
        let meta = m.reg_when("raw_meta", take.sig(), meta);
        let position = index_width(self.line_words);
        let raw = m.state("raw", bit(), 0);

        // Compared register: which words are wanted. Columns rise, so they stand side by side.
        let compared = m.forward("compared_free", bit());
        let dropped = m.forward("dropped", bit());
        let leaves_raw = (compared.sig() | dropped.sig()).named("raw_leaves");
        let line_ready = (!raw.q() | leaves_raw).named("line_free");
        m.output("line_ready", line_ready);
        take.assign(m.input("line_valid", bit()) & line_ready);
        raw.drive((take.sig() | (raw.q() & !leaves_raw)) & !flush);
        let load = (raw.q() & compared.sig()).named("load");
        let kind = Chosen::input(m, self.values);
        let packing = kind.place_bits();
        let raw_travels = meta.slice(meta.width() - 1, 2 * position + 1 + packing);
        let (first, end) =
            (meta.slice(2 * position - 1, position).as_u(), meta.trunc(position).as_u());
        let (low, high) = (choose(seq(raw_travels), &lo), choose(seq(raw_travels), &hi));
        let shared = self.share_bits > 0;
        let lane =
            shared.then(|| (m.input("lane", bits(self.share_bits)), raw_travels.bit(names - 3)));
        let wanted: Vec<Sig> = (0..self.line_words)
            .map(|i| {
                let column = columns.lane(i, 32).trunc(self.index_bits).as_u();
                let place = first.lit(i as i128);
                let inside = place.ge(first) & place.le(end);
                let mine = lane.map(|(lane, spread)| !spread | self.share(column).eq(lane));
                let wanted = inside & column.ge(low) & column.zext(self.index_bits + 1).lt(high);
                mine.map_or(wanted, |mine| wanted & mine)
            })
            .collect();
        let left = m.state("left", bits(self.line_words), 0);
        let held = m.state("held", bit(), 0);
        let columns = m.reg_when("columns", load, columns);
        let values = m.reg_when("values", load, values);
        let travels = m.reg_when("travels", load, raw_travels);
        let raw_last = meta.bit(2 * position);
        let last_line = m.state("last_line", bit(), 0);
        // A line of which no word is wanted, known once it has waited for a cycle.
        let raw_hollow = m.reg_reset("raw_hollow", !(line_ready | any(&wanted) | flush), 0);

        // The first word left leaves; a line without any passes on no more than the end of its chunk.
        let flags: Vec<Sig> = (0..self.line_words).map(|i| left.q().bit(i)).collect();
        let pick = priority(&flags);
        let after: Vec<Sig> =
            flags.iter().zip(&pick).map(|(&flag, &picked)| flag & !picked).collect();
        let some = left.q().red_or();
        let at_end = !any(&after);
        let element_free = m.forward("element_free", bit());
        let emit = (held.q() & (some | last_line.q())).named("emit");
        let step = (emit & element_free.sig()).named("step");
        let finish = (held.q() & at_end & (!emit | element_free.sig())).named("finish");
        compared.assign(!held.q() | finish);
        held.drive((load | (held.q() & !finish)) & !flush);
        let reversed = |flags: &[Sig<'m>]| cat(&flags.iter().rev().copied().collect::<Vec<_>>());
        left.update(&[(load, reversed(&wanted)), (step, reversed(&after))]);
        let word = |line: Sig<'m>, pick: &[Sig<'m>]| {
            let arms: Vec<_> =
                pick.iter().enumerate().map(|(i, &p)| (p, line.lane(i as u32, 32))).collect();
            one_hot_mux(&arms)
        };
        let packed = (packing > 0).then(|| {
            let part = meta.slice(2 * position + packing, 2 * position + 1).as_u();
            Packed::new(m, kind, &pick, part, load)
        });
        let of_values = packed.as_ref().map_or(&pick, |packed| &packed.words);

        // Element register.
        let element = Stage::new(
            m,
            "element",
            step,
            [
                cat(&[last_line.q() & at_end, !some]),
                travels,
                word(columns, &pick).trunc(self.index_bits),
                word(values, of_values),
            ],
        );
        let out_free = m.forward("out_free", bit());
        element_free.assign(!element.valid.q() | out_free.sig());
        let moves = (element.valid.q() & out_free.sig()).named("moves");
        element.valid.drive((step | (element.valid.q() & !out_free.sig())) & !flush);

        let value = match packed {
            Some(packed) => {
                kind.widen(element.value, m.reg_when("element_place", step, packed.place))
            }
            None => element.value,
        };

        // Output register.
        let out =
            Stage::new(m, "result", moves, [element.marks, element.travels, element.column, value]);
        let (last, hollow) = (out.marks.bit(1), out.marks.bit(0));
        let may_leave = choose(out.seq(), &open) & !flush;
        let leaves = (out.valid.q() & (hollow | (may_leave & out_ready))).named("leaves");
        out_free.assign(!out.valid.q() | leaves);
        out.valid.drive((moves | (out.valid.q() & !leaves)) & !flush);

        m.output("out_valid", out.valid.q() & !hollow & may_leave);
        m.output("out_seq", out.seq());
        m.output("out_row", out.travels.slice(self.row_bits + self.a_bits - 1, self.a_bits));
        m.output("out_a", out.travels.trunc(self.a_bits));
        m.output("out_col", out.column);
        m.output("out_b", out.value);
        // A line without any goes while words of the line before are left. The end of its chunk goes with the last of
        // them, or at once if they are another chunk's.
        let ended = (leaves & last & !flush).named("ended");
        let within = !last_line.q();
        let may_go = any(&[!raw_last, within, !ended]);
        dropped.assign(all(&[raw.q(), raw_hollow, !compared.sig(), may_go, !flush]));
        let ends = (dropped.sig() & raw_last).named("dropped_end");
        last_line.update(&[(load, raw_last), (ends, m.high())]);
        m.output("chunk_done", m.reg_reset("chunk_done_q", ended | (ends & !within), 0));
        m.output(
            "chunk_done_seq",
            m.reg("chunk_done_seq_q", ended.mux(out.seq(), seq(raw_travels))),
        );
        m.output("held_back", out.valid.q() & !hollow & !may_leave);
        m.output("idle", !any(&[raw.q(), held.q(), element.valid.q(), out.valid.q()]));
    }
}

impl Elements {
    /// As [`super::LaneFetch::share`].
    fn share<'m>(&self, column: Sig<'m>) -> Sig<'m> {
        let bits = self.share_bits;
        let part = |n: u32| column.shr_k(n * bits).resize(bits).as_bits();
        part(0) ^ part(1) ^ part(2)
    }
}

/// Where the value of a picked column lies in a line of packed values.
struct Packed<'m> {
    /// Which word, one hot.
    words: Vec<Sig<'m>>,
    /// Where in the word.
    place: Sig<'m>,
}

impl<'m> Packed<'m> {
    /// A line of columns goes with a `part` of a line of values, taken with `load`: column i of L of part q with
    /// value q * L + i.
    fn new(
        m: &'m Builder,
        kind: Chosen<'m>,
        pick: &[Sig<'m>],
        part: Sig<'m>,
        load: Sig<'m>,
    ) -> Self {
        let (columns, places) = (pick.len() as u32, kind.place_bits());
        let mut words = vec![vec![]; pick.len()];
        let mut place = vec![vec![]; places as usize];
        for packing in kind.packings() {
            for q in 0..1 << packing {
                let mine = match packing {
                    0 => kind.packs(0),
                    p => kind.packs(p) & part.trunc(p).is(q.into()),
                };
                let mine = m.reg_when(&format!("part_{packing}_{q}"), load, mine);
                let value = |i: u32| q * columns + i;
                for (word, of) in words.iter_mut().enumerate() {
                    let here = (0..columns).filter(|&i| value(i) >> packing == word as u32);
                    let here: Vec<Sig> = here.map(|i| pick[i as usize]).collect();
                    of.extend((!here.is_empty()).then(|| mine & any(&here)));
                }
                for (bit, of) in place.iter_mut().enumerate() {
                    let at = |i: u32| value(i) << (places - packing);
                    let here = (0..columns).filter(|&i| at(i) >> bit & 1 == 1);
                    let here: Vec<Sig> = here.map(|i| pick[i as usize]).collect();
                    of.extend((!here.is_empty()).then(|| mine & any(&here)));
                }
            }
        }
        let either = |of: &Vec<Sig<'m>>| any(of);
        let place: Vec<Sig> = place.iter().rev().map(either).collect();
        Packed { words: words.iter().map(either).collect(), place: cat(&place).as_u() }
    }
}

/// The value of a window.
fn choose<'m>(seq: Sig<'m>, values: &[Sig<'m>]) -> Sig<'m> {
    let arms: Vec<(i128, Sig)> = (0..3).map(|s| (s as i128, values[s])).collect();
    case(seq, &arms, values[3])
}
