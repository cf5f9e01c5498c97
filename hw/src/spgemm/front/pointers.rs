//! Start and length of the row of B behind each element of A.

use super::join::Source;
use crate::cells::{BlockFifo, Fifo, Skid, priority};
use rtl_gen::{
    Builder, MemSpec, Module, Sig, all, any, bit, bits, cat, index_width, mux, one_hot_mux, uint,
};

/// Looks up `B_ptr[k]` and `B_ptr[k + 1]` for every token through the cache, many at a time, and
/// passes the tokens on in order.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | tokens of [`super::AStream`]; `in_ready` is a register |
/// | `in_last`, `in_empty`, `in_k`, `in_a`, `in_left`, `in_skip` | in | | see there |
/// | `inner`, `nnz` | in | uint(32) | rows and entries of B |
/// | `ptr_base` | in | uint(`addr_bits`) | line address of the row pointers of B |
/// | `in_source`, `out_source` | in, out | bits(2) | if `joined`: the [`Source`] whose row `k` is |
/// | `{mask,addend}_ptr_base`, `nnz_{mask,addend}` | in | | if `joined`: the same of those matrices |
/// | `flush` | in | bit | level: drop everything; hold until `idle` |
/// | `req_valid`, `req_ready`, `req_addr`, `req_tag` | | bit, bit, uint, bits | cache requests; registers |
/// | `rsp_valid`, `rsp_tag`, `rsp_data` | in | bit, bits, bits | answers in any order |
/// | `out_valid`, `out_ready` | out, in | bit | tokens with their row of B |
/// | `out_last`, `out_a`, `out_left`, `out_skip` | out | | as they came in |
/// | `out_start`, `out_length` | out | uint(32) | elements of B; length 0 for an empty row |
/// | `bad_column`, `bad_pointer` | out | bit | level: column of A not below `inner`; row pointer of B falls or passes `nnz`. Nothing leaves any more |
/// | `bad_k` | out | uint(32) | with `bad_pointer`: the row of B |
/// | `bad_source` | out | bits(2) | if `joined`, with `bad_pointer`: or of that matrix |
/// | `idle` | out | bit | nothing held, nothing outstanding |
///
/// A ring of lines stands between the tokens and the cache: a token whose line is among the last `RECENT` asked for shares
/// it, so that neighbouring rows of B cost one request. One token a cycle; two cycles when both pointers lie in new lines.
/// Latency through an idle block: 9 cycles and the cache's. Registers stand on both sides of the look-up: `in_ready`
/// and the request do not follow each other or `req_ready` within a cycle.
///
/// Why a line may be replaced: a token that came when `n` was the newest line uses none older than `n - RECENT`, and
/// neither does any later token. So once the token has read its pointers, all lines before that are free.
#[derive(Clone, Copy, Debug)]
pub struct PointerFetch {
    /// Words a line.
    pub line_words: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
    /// Lines on their way or still to be read from; a power of two from 16. Twice as many tokens wait for them.
    pub depth: u32,
    /// Bits of a cache tag; `log2(depth)` of them are used.
    pub tag_bits: u32,
    /// Rows of other matrices than B come too.
    pub joined: bool,
}

/// Lines that later tokens may share.
const RECENT: u32 = 8;
/// Tokens with their pointers that wait for the planner.
const OUT: u32 = 16;

/// Which line holds a word, if any of the last ones does.
struct Found<'m> {
    here: Sig<'m>,
    slot: Sig<'m>,
}

impl Module for PointerFetch {
    fn name(&self) -> String {
        let PointerFetch { line_words, addr_bits, depth, tag_bits, joined } = self;
        let joined = if *joined { "_j" } else { "" };
        format!("pointer_fetch_l{line_words}_a{addr_bits}_d{depth}_t{tag_bits}{joined}")
    }

    fn check(&self) -> Result<(), String> {
        if !self.depth.is_power_of_two() || self.depth < 2 * RECENT {
            return Err(format!(
                "pointer lines {} is not a power of two from {}",
                self.depth,
                2 * RECENT
            ));
        }
        let need = index_width(self.depth);
        if self.tag_bits < need {
            return Err(format!(
                "tag_bits {} is less than the {need} that {} lines need",
                self.tag_bits, self.depth
            ));
        }
        Ok(())
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Row pointers of B for a stream of elements of A.");
        let (word_bits, slot_bits) = (self.line_words.trailing_zeros(), index_width(self.depth));
        let source_bits = if self.joined { Source::BITS } else { 0 };
        let arrivals = m.inst("arrivals", &Skid { width: 106 + source_bits });
        let source = self.joined.then(|| m.input("in_source", bits(Source::BITS)));
        let fields = [
            m.input("in_last", bit()),
            m.input("in_empty", bit()),
            m.input("in_k", bits(32)),
            m.input("in_a", bits(32)),
            m.input("in_left", uint(32)).as_bits(),
            m.input("in_skip", uint(8)).as_bits(),
        ];
        let fields: Vec<Sig> = source.into_iter().chain(fields).collect();
        arrivals.set("in_valid", m.input("in_valid", bit())).set("in_data", cat(&fields));
        let (in_valid, token) = (arrivals.get("out_valid"), arrivals.get("out_data"));
        let source = self.joined.then(|| token.slice(105 + source_bits, 106));
        let (last, empty) = (token.bit(105), token.bit(104));
        let (k, a) = (token.slice(103, 72).as_u(), token.slice(71, 40));
        let (left, skip) = (token.slice(39, 8), token.slice(7, 0));
        let (inner, nnz) = (m.input("inner", uint(32)), m.input("nnz", uint(32)));
        let (base, flush) = (m.input("ptr_base", uint(self.addr_bits)), m.input("flush", bit()));
        let others = |port: &dyn Fn(&str) -> String, bits: u32| -> Vec<Sig> {
            let joined = Source::JOINED.iter().filter(|_| self.joined);
            joined.map(|(_, name)| m.input(&port(name), uint(bits))).collect()
        };
        let bases = others(&|name| format!("{name}_ptr_base"), self.addr_bits);
        let counts = others(&|name| format!("nnz_{name}"), 32);
        // Of which matrix: B's where no other joins.
        let choose = |source: Option<Sig<'m>>, of_b: Sig<'m>, others: &[Sig<'m>]| {
            source.map_or(of_b, |source| Source::choose(source, of_b, others))
        };
        let requests = m.inst("requests", &Skid { width: self.addr_bits + slot_bits });
        requests.set("out_ready", m.input("req_ready", bit()));
        let (rsp_valid, rsp_tag) =
            (m.input("rsp_valid", bit()), m.input("rsp_tag", bits(self.tag_bits)));
        let rsp_data = m.input("rsp_data", bits(self.line_words * 32));
        let out_ready = m.input("out_ready", bit());
        let clear = m.forward("clear", bit());

        // The ring: lines are counted modulo twice its size; the last ones are known by address.
        let count_ty = uint(slot_bits + 1);
        let (next, oldest) =
            (m.state("next_line", count_ty, 0), m.state("oldest_line", count_ty, 0));
        let ring_room = next.q().sub_wrap(oldest.q()).lt(next.q().lit(self.depth as i128));
        // Known lines are those of a matrix.
        let line_ty = uint(32 - word_bits + source_bits);
        let asked = m.forward("asked", bit());
        let line = k.shr_k(word_bits).as_bits();
        let line = cat(&source.into_iter().chain([line]).collect::<Vec<_>>()).as_u();
        let offset = k.trunc(word_bits);
        let straddles = offset.is(self.line_words as i128 - 1);
        let after = line.inc();
        let recent: Vec<_> = (0..RECENT)
            .map(|i| {
                (
                    m.state(&format!("known_{i}"), bit(), 0),
                    m.reg_decl(&format!("recent_{i}"), line_ty),
                )
            })
            .collect();
        let find = |wanted: Sig<'m>| {
            let same: Vec<Sig> =
                recent.iter().map(|(known, at)| known.q() & at.q().eq(wanted)).collect();
            let arms: Vec<_> = (priority(&same).into_iter().enumerate())
                .map(|(i, hit)| {
                    (hit, next.q().sub_wrap(next.q().lit(i as i128 + 1)).trunc(slot_bits))
                })
                .collect();
            Found { here: any(&same), slot: one_hot_mux(&arms) }
        };
        let (first, second) = (find(line), find(after));
        let missing = mux(first.here, after, line);

        // A token enters once its lines are there or asked for; it asks for one a cycle.
        let of_b = source.map_or(m.high(), |source| source.as_u().is(Source::B as i128));
        let beyond = all(&[!empty, !k.lt(inner), of_b]).named("beyond");
        let tokens = m.inst(
            "tokens",
            &BlockFifo { width: 106 + 3 * slot_bits + 1 + source_bits, depth: 2 * self.depth },
        );
        let room = (tokens.get("in_ready") & !flush).named("room");
        let needs = all(&[in_valid, !empty, !beyond, room]).named("needs");
        let lacks = !first.here | (straddles & !second.here);
        let wanted = all(&[needs, lacks, ring_room]).named("wanted");
        asked.assign(wanted & requests.get("in_ready"));
        let asked = asked.sig();
        // What is asked for in this cycle counts.
        let complete = !lacks | (asked & (!first.here ^ (straddles & !second.here)));
        let accept = (in_valid & room & (empty | (!beyond & complete))).named("accept");
        next.update(&[(clear.sig(), next.q().lit(0)), (asked, next.q().inc())]);
        for i in 0..RECENT as usize {
            let (known, at) = recent[i];
            let (before, address) = match i {
                0 => (m.high(), missing),
                _ => (recent[i - 1].0.q(), recent[i - 1].1.q()),
            };
            known.update(&[(clear.sig(), m.low()), (asked, before)]);
            at.drive_when(asked, address);
        }
        let new = next.q().trunc(slot_bits);
        let first_slot = mux(first.here, first.slot, new);
        let second_slot = mux(second.here, second.slot, new);
        let newest = mux(asked, next.q(), next.q().dec());
        let token = [
            newest.as_bits(),
            second_slot.as_bits(),
            first_slot.as_bits(),
            skip,
            k.as_bits(),
            last,
            empty,
            a,
            left,
        ];
        let token = cat(&source.into_iter().chain(token).collect::<Vec<_>>());
        arrivals.set("out_ready", accept | flush);
        let missing_line = missing.trunc(32 - word_bits).resize(self.addr_bits);
        let address = choose(source, base, &bases).add_wrap(missing_line);
        requests.set("in_valid", wanted).set("in_data", cat(&[new.as_bits(), address.as_bits()]));
        tokens.set("in_valid", accept).set("in_data", token);

        // Answers.
        let slot = rsp_tag.trunc(slot_bits).as_u();
        let here = m.state("here", bits(self.depth), 0);
        let mask = |slot: Sig<'m>| m.lit(bits(self.depth), 1).shl(slot);
        here.drive((here.q() | rsp_valid.gate(mask(slot))) & !asked.gate(mask(new)));
        let lines = m.mem("lines", MemSpec::block(self.depth, rsp_data.width()));
        lines.write(slot, rsp_data, rsp_valid);
        // The second pointer of a token that straddles is the first word of its line.
        let firsts = m.mem("firsts", MemSpec::distributed(self.depth, 32));
        firsts.write(slot, rsp_data.trunc(32), rsp_valid);

        // The oldest token reads its lines: RAM, line register, words, then out.
        let out = m.inst("out", &Fifo { width: 138 + source_bits, depth: OUT });
        let held = out.get("count");
        let front = tokens.get("out_data");
        let front_empty = front.bit(64);
        let (one, two) = (106, 106 + slot_bits);
        let front_first = front.slice(two - 1, one).as_u();
        let front_second = front.slice(two + slot_bits - 1, two).as_u();
        let front_offset = front.slice(66 + word_bits - 1, 66).as_u();
        let front_straddles = front_offset.is(self.line_words as i128 - 1);
        let is_here = |slot: Sig<'m>| here.q().shr(slot).bit(0);
        let found = is_here(front_first) & (!front_straddles | is_here(front_second));
        let out_room = held.lt(held.lit((OUT - 6) as i128));
        let read =
            all(&[tokens.get("out_valid"), front_empty | found, out_room, !flush]).named("read");
        tokens.set("out_ready", read | clear.sig());
        let newest = front.slice(two + 2 * slot_bits, two + slot_bits).as_u();
        let front_source =
            self.joined.then(|| front.slice(front.width() - 1, front.width() - source_bits));
        let bound = newest.sub_wrap(newest.lit(RECENT as i128));
        // Before the ring has turned once, and behind a token of no lines, there is nothing to give back.
        let forward = !bound.sub_wrap(oldest.q()).as_bits().msb();
        oldest.update(&[(clear.sig(), oldest.q().lit(0)), (read & !front_empty & forward, bound)]);
        let data_1 = lines.read("line_1", front_first, read);
        let mut valid = m.reg_reset("valid_1", read, 0);
        let note = [front.trunc(106)].into_iter();
        let note = cat(&front_source.into_iter().chain(note).collect::<Vec<_>>());
        let mut note = m.reg("note_1", note);
        let mut after_line =
            m.reg("first_of_next_1", firsts.read_async("first_of_next", front_second));
        let data = m.reg("line_2", data_1);
        valid = m.reg_reset("valid_2", valid & !flush, 0);
        note = m.reg("note_2", note);
        after_line = m.reg("first_of_next_2", after_line);
        let at = note.slice(66 + word_bits - 1, 66).as_u();
        let straddles = at.is(self.line_words as i128 - 1);
        let begin = m.reg("begin_3", data.dyn_lane(at, 32)).as_u();
        let end = m.reg("end_3", mux(straddles, after_line, data.dyn_lane(at.inc(), 32))).as_u();
        let busy_2 = valid;
        valid = m.reg_reset("valid_3", valid & !flush, 0);
        note = m.reg("note_3", note);
        let none = note.bit(64);
        let source = self.joined.then(|| note.slice(105 + source_bits, 106));
        let nnz = choose(source, nnz, &counts);

        let length = mux(none, m.lit(uint(32), 0), end.sub_wrap(begin));
        let broken = all(&[valid, !none, end.lt(begin) | nnz.lt(end)]).named("broken");
        let bad_pointer = m.state("bad_pointer_q", bit(), 0);
        let bad_column = m.state("bad_column_q", bit(), 0);
        let bad = bad_pointer.q() | bad_column.q();
        bad_pointer.update(&[(flush, m.low()), (broken, m.high())]);
        bad_column.update(&[(flush, m.low()), (in_valid & room & beyond, m.high())]);
        let bad_k = m.reg_when("bad_k_q", broken & !bad_pointer.q(), note.slice(97, 66).as_u());
        let (skip, last) = (note.slice(105, 98), note.bit(65));
        let result = cat(&[skip, last, note.slice(63, 0), begin.as_bits(), length.as_bits()]);
        let result = source.into_iter().chain([result.zext(138)]).collect::<Vec<_>>();
        out.set("in_valid", all(&[valid, !broken, !bad, !flush])).set("in_data", cat(&result));
        if let Some(source) = source {
            let first = broken & !bad_pointer.q();
            m.output("bad_source", m.reg_when("bad_source_q", first, source));
        }
        out.set("out_ready", out_ready | flush);

        let open = m.state("open_requests", uint(slot_bits + 1), 0);
        open.update(&[(asked & !rsp_valid, open.q().inc()), (rsp_valid & !asked, open.q().dec())]);
        // Nothing held, nothing asked for: what is known of lines ends with it, since memory may change.
        // The queue shows a token only two cycles after it came.
        let queued = tokens.get("out_valid") | m.reg_reset("accepted", accept, 0);
        let nothing = !any(&[in_valid, queued, valid, busy_2]);
        clear.assign(open.q().is(0) & !rsp_valid & (flush | nothing));

        let result = out.get("out_data");
        let request = requests.get("out_data");
        m.output("in_ready", arrivals.get("in_ready"));
        m.output("req_valid", requests.get("out_valid"));
        m.output("req_addr", request.trunc(self.addr_bits).as_u());
        let tag = request.slice(request.width() - 1, self.addr_bits);
        m.output("req_tag", tag.zext(self.tag_bits));
        m.output("out_valid", out.get("out_valid"));
        if self.joined {
            m.output("out_source", result.slice(137 + source_bits, 138));
        }
        m.output("out_skip", result.slice(136, 129).as_u());
        m.output("out_last", result.bit(128));
        m.output("out_a", result.slice(127, 96));
        m.output("out_left", result.slice(95, 64).as_u());
        m.output("out_start", result.slice(63, 32).as_u());
        m.output("out_length", result.slice(31, 0).as_u());
        m.output("bad_column", bad_column.q());
        m.output("bad_pointer", bad_pointer.q());
        m.output("bad_k", bad_k);
        let waiting = [in_valid, queued, valid, busy_2, out.get("out_valid")];
        m.output("idle", open.q().is(0) & !any(&waiting));
    }
}
