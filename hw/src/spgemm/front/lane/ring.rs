//! Chunks in, their lines out in order: requests run ahead, answers come in any order.

use super::super::Values;
use super::super::join::Source;
use super::super::values::Chosen;
use super::CHUNK;
use crate::cells::{Fifo, Skid};
use rtl_gen::{Builder, Forward, MemSpec, Module, Sig, bit, bits, cat, index_width, uint};

/// Ring of lines: cuts chunks into lines, asks for the columns and the values of each, and hands the lines on in order.
///
/// Ports as [`super::LaneFetch`], and
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `line_valid`, `line_ready` | out, in | bit | a line is complete; taken |
/// | `line_columns`, `line_values` | out | bits | its words; RAM outputs |
/// | `line_meta` | out | bits([`meta_bits`]) | `{seq, row, a, part of the line of values, last of its chunk, first, final index in the line}` |
///
/// A line of packed values serves two or four lines of columns. It is asked for and stored once for those of a chunk: the output of
/// the RAM of values stays while the others are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineRing {
    pub slots: u32,
    pub chunks: u32,
    pub line_words: u32,
    pub row_bits: u32,
    pub tag_bits: u32,
    pub addr_bits: u32,
    pub values: Values,
    pub a_bits: u32,
}

/// Width of what travels with a line; `names`: bits of row slot and `a`.
pub(super) fn meta_bits(names: u32, line_words: u32, values: Values) -> u32 {
    2 + names + values.packing() + 1 + 2 * index_width(line_words)
}

impl LineRing {
    pub(super) fn shape(&self) -> String {
        let LineRing { slots, chunks, line_words, row_bits, tag_bits, addr_bits, values, a_bits } =
            self;
        let (suffix, joined) = (values.suffix(), if *a_bits > 32 { "_j" } else { "" });
        format!(
            "s{slots}_q{chunks}_l{line_words}_r{row_bits}_t{tag_bits}_a{addr_bits}{suffix}{joined}"
        )
    }

    /// Names of the inputs for arrays of the matrices that join.
    pub(super) fn joined_bases(&self) -> Vec<String> {
        let arrays = ["col", "val"].into_iter().filter(|_| self.a_bits > 32);
        let named = |array| Source::JOINED.map(|(_, name)| format!("{name}_{array}_base"));
        arrays.flat_map(named).collect()
    }

    pub(super) fn queued_bits(&self) -> u32 {
        index_width(CHUNK * (self.chunks + 1) + self.line_words * (self.slots + 1) + 1)
    }
}

impl Module for LineRing {
    fn name(&self) -> String {
        format!("line_ring_{}", self.shape())
    }

    fn build(&self, m: &Builder) {
        m.doc("Lines of chunks, asked for ahead and handed on in order.");
        let flush = m.input("flush", bit());
        let flushing = m.state("flushing", bit(), 0);
        let stop = (flush | flushing.q()).named("stop");

        // The skid keeps the cache's arbiters off this module's logic.
        let requests = m.inst("requests", &Skid { width: self.tag_bits + self.addr_bits });
        requests.set("out_ready", m.input("req_ready", bit()));
        let request = requests.get("out_data");
        m.output("req_valid", requests.get("out_valid"));
        m.output("req_tag", request.slice(request.width() - 1, self.addr_bits));
        m.output("req_addr", request.trunc(self.addr_bits).as_u());

        // A slot is taken with the request for its columns and given back when its line is read.
        let slot = uint(index_width(self.slots));
        let (head, tail) = (m.state("head", slot, 0), m.state("tail", slot, 0));
        let used = m.state("used", uint(index_width(self.slots + 1)), 0);
        let slot_free = !used.q().is(self.slots as i128);
        let cut = self.cut(m, stop, requests.get("in_ready"), slot_free);
        let tag = cat(&[tail.q().as_bits(), cut.values]).zext(self.tag_bits);
        requests.set("in_valid", cut.wants).set("in_data", cat(&[tag, cut.addr.as_bits()]));
        let new = (cut.asked & !cut.values).named("new_slot");

        let shares = cut.shared.map(|shared| {
            let shares = m.mem("shares", MemSpec::distributed(self.slots, 1));
            shares.write(tail.q(), shared, new);
            shares.read_async("shares_at_head", head.q())
        });
        let (here, open) = self.answers(m, stop, cut.asked, shares, head.q());
        let handed = m.state("line_valid_q", bit(), 0);
        let line_ready = m.input("line_ready", bit());
        let read = (here.complete & (!handed.q() | line_ready) & !stop).named("read");
        here.read.assign(read);
        handed.drive((read | (handed.q() & !line_ready)) & !stop);
        m.output("line_valid", handed.q());
        let nothing = used.q().lit(0);
        tail.update(&[(stop, tail.q().lit(0)), (cut.complete, tail.q().inc())]);
        head.update(&[(stop, head.q().lit(0)), (read, head.q().inc())]);
        used.update(&[
            (stop, nothing),
            (new & !read, used.q().inc()),
            (read & !new, used.q().dec()),
        ]);

        let meta = m.mem("meta", MemSpec::distributed(self.slots, cut.meta.width()));
        meta.write(tail.q(), cut.meta, new);
        let meta = meta.read("meta_read", head.q(), read);
        m.output("line_meta", meta);

        let position = index_width(self.line_words);
        let (first, end) = (meta.slice(2 * position - 1, position), meta.trunc(position));
        let wide = self.queued_bits();
        let leaving = end.as_u().sub_wrap(first.as_u()).zext(wide).inc();
        let leaving = (handed.q() & line_ready).gate(leaving);
        let queued = m.state("queued_q", uint(wide), 0);
        let arriving = cut.accepted.zext(wide);
        let now = queued.q().add_wrap(arriving).sub_wrap(leaving);
        queued.drive(stop.mux(queued.q().lit(0), now));
        m.output("queued", queued.q());

        let empty = !cut.busy & used.q().is(0) & !handed.q() & open.is(0);
        flushing.update(&[(flush, m.high()), (empty, m.low())]);
        m.output("idle", empty);
    }
}

/// The line being asked for.
struct Cut<'m> {
    /// It wants to be asked for: its values if `values`, else its columns.
    wants: Sig<'m>,
    values: Sig<'m>,
    addr: Sig<'m>,
    /// The request was taken.
    asked: Sig<'m>,
    /// Its values are those that the line before has asked for; where that is possible.
    shared: Option<Sig<'m>>,
    /// All it needs is asked for.
    complete: Sig<'m>,
    meta: Sig<'m>,
    /// Elements accepted this cycle.
    accepted: Sig<'m>,
    /// A chunk is here.
    busy: Sig<'m>,
}

/// Which lines are complete.
struct Here<'m> {
    /// The line at the head is.
    complete: Sig<'m>,
    /// It is read and forgotten.
    read: Forward<'m>,
}

impl LineRing {
    /// Queue of chunks, and the cut of the oldest into lines.
    fn cut<'m>(
        &self,
        m: &'m Builder,
        stop: Sig<'m>,
        taken: Sig<'m>,
        slot_free: Sig<'m>,
    ) -> Cut<'m> {
        let names = 2 + self.row_bits + self.a_bits;
        let queue = m.inst("queue", &Fifo { width: names + 32 + 7, depth: self.chunks });
        let offered = m.input("chunk_valid", bit()) & !stop;
        let length = m.input("chunk_length", uint(7));
        let beat = [
            m.input("chunk_seq", bits(2)),
            m.input("chunk_row", bits(self.row_bits)),
            m.input("chunk_a", bits(self.a_bits)),
            m.input("chunk_start", uint(32)).as_bits(),
            length.as_bits(),
        ];
        queue.set("in_valid", offered).set("in_data", cat(&beat));
        m.output("chunk_ready", queue.get("in_ready") & !stop);
        let accepted = (offered & queue.get("in_ready")).gate(length);

        let valid = m.state("cut_valid", bit(), 0);
        let values = m.state("values", bit(), 0);
        let (at, left) = (m.reg_decl("at", uint(32)), m.reg_decl("left", uint(7)));
        let position = index_width(self.line_words);
        let offset = at.q().trunc(position);
        let room = m.lit(uint(7), self.line_words as i128).sub_wrap(offset.zext(7));
        let last = left.q().le(room).named("last");
        let end = offset.zext(7).add_wrap(left.q()).dec().trunc(position);
        let end = last.mux(end, end.lit(self.line_words as i128 - 1));
        let wants = (valid.q() & (values.q() | slot_free) & !stop).named("wants");
        let asked = (wants & taken).named("asked");
        let line = at.q().shr_k(position);
        let kind = Chosen::input(m, self.values);
        let packing = kind.place_bits();
        // The first line of a chunk finds nothing asked for, whichever part of a line of values it needs.
        let fresh = (packing > 0).then(|| m.state("fresh", bit(), 0));
        let shared = fresh.map(|fresh| {
            let inside = |p| if p == 0 { m.low() } else { line.trunc(p).as_bits().red_or() };
            (kind.by_packing(inside) & !fresh.q()).named("shared")
        });
        let (complete, values_next) = match shared {
            Some(shared) => (values.q() | shared, !values.q() & !shared),
            None => (values.q(), !values.q()),
        };
        let next_line = (asked & complete).named("next_line");
        let done = (next_line & last).named("done");
        values.update(&[(stop, m.low()), (asked, values_next)]);

        let take = ((!valid.q() | done) & queue.get("out_valid")).named("take");
        queue.set("out_ready", !valid.q() | done | stop);
        let chunk = queue.get("out_data");
        valid.update(&[(stop, m.low()), (take, m.high()), (done, m.low())]);
        let travels = m.reg_when("travels", take, chunk.slice(names + 38, 39));
        let after = cat(&[line.inc().as_bits(), m.lit(bits(position), 0)]).as_u();
        at.update(&[(take, chunk.slice(38, 7).as_u()), (next_line, after)]);
        left.update(&[(take, chunk.trunc(7).as_u()), (next_line, left.q().sub_wrap(room))]);
        if let Some(fresh) = fresh {
            fresh.update(&[(take, m.high()), (next_line, m.low())]);
        }

        let (columns_at, values_at) =
            (m.input("col_base", uint(self.addr_bits)), m.input("val_base", uint(self.addr_bits)));
        let bases =
            self.joined_bases().into_iter().map(|name| m.input(&name, uint(self.addr_bits)));
        let bases: Vec<Sig> = bases.collect();
        let (columns_at, values_at) = match bases.split_at(bases.len() / 2) {
            ([], _) => (columns_at, values_at),
            (columns, values) => {
                let source = travels.slice(self.a_bits - 1, 32);
                let of = |of_b, others| Source::choose(source, of_b, others);
                (of(columns_at, columns), of(values_at, values))
            }
        };
        let line_of_values = kind.by_packing(|p| line.shr_k(p).zext(line.width()));
        let line_there = match packing {
            0 => line,
            _ => values.q().mux(line_of_values, line),
        };
        let addr = values.q().mux(values_at, columns_at);
        let addr = addr.add_wrap(line_there.resize(self.addr_bits));
        let part = (packing > 0).then(|| line.trunc(packing).as_bits());
        let meta: Vec<Sig> = [travels]
            .into_iter()
            .chain(part)
            .chain([last, offset.as_bits(), end.as_bits()])
            .collect();
        let meta = cat(&meta);
        let busy = valid.q() | queue.get("out_valid");
        Cut {
            wants,
            values: values.q(),
            addr,
            asked,
            shared,
            complete: next_line,
            meta,
            accepted,
            busy,
        }
    }

    /// Stores answers by slot. Returns what is complete, and the number of open requests. When the line at the head `shares`
    /// its values with the one before, they are in the RAM's output and stay there.
    fn answers<'m>(
        &self,
        m: &'m Builder,
        stop: Sig<'m>,
        asked: Sig<'m>,
        shares: Option<Sig<'m>>,
        head: Sig<'m>,
    ) -> (Here<'m>, Sig<'m>) {
        let (rsp, tag) = (m.input("rsp_valid", bit()), m.input("rsp_tag", bits(self.tag_bits)));
        let line = m.input("rsp_data", bits(32 * self.line_words));
        let slot = tag.slice(index_width(self.slots), 1).as_u();
        let open = m.state("open_requests", uint(index_width(2 * self.slots + 1)), 0);
        open.update(&[(asked & !rsp, open.q().inc()), (rsp & !asked, open.q().dec())]);
        m.assert("answer_was_asked_for", !rsp | !open.q().is(0));

        let read = m.forward("line_read", bit());
        let complete = ["columns", "values"].map(|name| {
            let values = tag.bit(0);
            let mine = rsp & if name == "values" { values } else { !values };
            let here = m.state(&format!("{name}_here"), bits(self.slots), 0);
            let (none, one) = (here.q().lit(0), here.q().lit(1));
            let came = mine.mux(one.shl(slot), none);
            let gone = read.sig().mux(one.shl(head), none);
            // While stopping, answers under way belong to nobody.
            here.drive(stop.mux(none, (here.q() | came) & !gone));
            let store = m.mem(&format!("{name}_store"), MemSpec::block(self.slots, line.width()));
            store.write(slot, line, mine);
            let there = here.q().dyn_lane(head, 1);
            let (from_store, there) = match shares {
                Some(shares) if name == "values" => (read.sig() & !shares, there | shares),
                _ => (read.sig(), there),
            };
            let line = store.read(&format!("{name}_read"), head, from_store);
            m.output(&format!("line_{name}"), line);
            there
        });
        (Here { complete: complete[0] & complete[1], read }, open.q())
    }
}
