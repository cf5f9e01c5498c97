//! Start and length of the row of B behind each element of A.

use crate::cells::Skid;
use rtl_gen::{Builder, MemSpec, Module, Sig, all, any, bit, bits, cat, index_width, uint};

/// Looks up `B_ptr[k]` and `B_ptr[k + 1]` for every token through the cache, many at a time, and
/// passes the tokens on in order.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | tokens of [`super::AStream`] |
/// | `in_last`, `in_empty`, `in_k`, `in_a`, `in_left` | in | | see there |
/// | `inner`, `nnz` | in | uint(32) | rows and entries of B |
/// | `ptr_base` | in | uint(`addr_bits`) | line address of the row pointers of B |
/// | `flush` | in | bit | level: drop everything; hold until `idle` |
/// | `req_valid`, `req_ready`, `req_addr`, `req_tag` | | bit, bit, uint, bits | cache requests |
/// | `rsp_valid`, `rsp_tag`, `rsp_data` | in | bit, bits, bits | answers in any order |
/// | `out_valid`, `out_ready` | out, in | bit | tokens with their row of B |
/// | `out_last`, `out_a`, `out_left` | out | | as they came in |
/// | `out_start`, `out_length` | out | uint(32) | elements of B; length 0 for an empty row |
/// | `bad_column`, `bad_pointer` | out | bit | level: column of A not below `inner`; row pointer of B falls or passes `nnz`. Nothing leaves any more |
/// | `bad_k` | out | uint(32) | with `bad_pointer`: the row of B |
/// | `idle` | out | bit | nothing held, nothing outstanding |
///
/// One token a cycle, two where `k` is the last word of a line; `depth` look-ups in flight.
#[derive(Clone, Copy, Debug)]
pub struct PointerFetch {
    /// Words a line.
    pub line_words: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
    /// Look-ups in flight; a power of two.
    pub depth: u32,
    /// Bits of a cache tag; `log2(depth) + 1` of them are used.
    pub tag_bits: u32,
}

impl Module for PointerFetch {
    fn name(&self) -> String {
        let PointerFetch { line_words, addr_bits, depth, tag_bits } = self;
        format!("pointer_fetch_l{line_words}_a{addr_bits}_d{depth}_t{tag_bits}")
    }

    fn check(&self) -> Result<(), String> {
        let need = index_width(self.depth) + 1;
        if self.tag_bits < need {
            return Err(format!(
                "tag_bits {} is less than the {need} that {} look-ups need",
                self.tag_bits, self.depth
            ));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Row pointers of B for a stream of elements of A.");
        let (word_bits, slot_bits) = (self.line_words.trailing_zeros(), index_width(self.depth));
        let in_valid = m.input("in_valid", bit());
        let (last, empty) = (m.input("in_last", bit()), m.input("in_empty", bit()));
        let (k, a) = (m.input("in_k", bits(32)).as_u(), m.input("in_a", bits(32)));
        let left = m.input("in_left", uint(32));
        let (inner, nnz) = (m.input("inner", uint(32)), m.input("nnz", uint(32)));
        let (base, flush) = (m.input("ptr_base", uint(self.addr_bits)), m.input("flush", bit()));
        let req_ready = m.input("req_ready", bit());
        let (rsp_valid, rsp_tag) =
            (m.input("rsp_valid", bit()), m.input("rsp_tag", bits(self.tag_bits)));
        let rsp_data = m.input("rsp_data", bits(self.line_words * 32));
        let out_ready = m.input("out_ready", bit());

        // Reorder buffer: a slot per token, freed in order.
        let (head, tail) =
            (m.state("head", uint(slot_bits), 0), m.state("tail", uint(slot_bits), 0));
        let held = m.state("held", uint(index_width(self.depth + 1)), 0);
        let (starts_done, ends_done) = (
            m.state("starts_done", bits(self.depth), 0),
            m.state("ends_done", bits(self.depth), 0),
        );

        // Requests: the line of k, then the next one when k + 1 lies there.
        let second = m.state("second", bit(), 0);
        let offset = k.trunc(word_bits);
        let straddles = offset.is(self.line_words as i128 - 1);
        let beyond = (!empty & !k.lt(inner)).named("beyond");
        let room = (!held.q().is(self.depth as i128) & !flush).named("room");
        let wanted = all(&[in_valid, room, !empty, !beyond]).named("wanted");
        let asked = (wanted & req_ready).named("asked");
        let accept =
            (in_valid & room & (empty | (asked & (!straddles | second.q())))).named("accept");
        second.update(&[(flush | accept, m.low()), (asked, straddles)]);
        let line = k.shr_k(word_bits).resize(self.addr_bits);
        let line = base.add_wrap(line).add_wrap(second.q().as_u().zext(self.addr_bits));
        let tag = cat(&[second.q(), tail.q().as_bits()]);

        // Answers: cut out the two words, one cycle later store them.
        let offsets = m.mem("offsets", MemSpec::distributed(self.depth, word_bits));
        offsets.write(tail.q(), offset.as_bits(), wanted);
        let slot = rsp_tag.slice(slot_bits - 1, 0).as_u();
        let at = offsets.read_async("answer_offset", slot).as_u();
        let is_second = rsp_tag.bit(slot_bits);
        let start_word = m.reg("start_word", rsp_data.dyn_lane(at, 32));
        let end_at = is_second.mux(at.lit(0), at.inc());
        let end_word = m.reg("end_word", rsp_data.dyn_lane(end_at, 32));
        let answer = m.reg_reset("answer", rsp_valid, 0);
        let answer_slot = m.reg("answer_slot", slot);
        let has_start = m.reg("has_start", !is_second);
        let has_end = m.reg("has_end", is_second | !at.is(self.line_words as i128 - 1));
        let starts = m.mem("starts", MemSpec::distributed(self.depth, 32));
        let ends = m.mem("ends", MemSpec::distributed(self.depth, 32));
        let (set_start, set_end) =
            ((answer & has_start).named("set_start"), (answer & has_end).named("set_end"));
        starts.write(answer_slot, start_word, set_start);
        ends.write(answer_slot, end_word, set_end);
        let rest = m.mem("rest", MemSpec::distributed(self.depth, 98));
        rest.write(tail.q(), cat(&[k.as_bits(), last, empty, a, left.as_bits()]), accept);

        // Output: the oldest token once both words are there, through a skid buffer.
        let out = m.inst("out", &Skid { width: 130 });
        let front = rest.read_async("front", head.q());
        let front_empty = front.bit(64);
        let begin = starts.read_async("b_begin", head.q()).as_u();
        let end = ends.read_async("b_end", head.q()).as_u();
        let found = (starts_done.q() & ends_done.q()).shr(head.q()).bit(0);
        let ready = (held.q().ne(held.q().lit(0)) & (front_empty | found) & !flush).named("ready");
        let length = front_empty.mux(m.lit(uint(32), 0), end.sub_wrap(begin));
        let broken = (ready & !front_empty & (end.lt(begin) | nnz.lt(end))).named("broken");
        let bad_pointer = m.state("bad_pointer_q", bit(), 0);
        let bad_column = m.state("bad_column_q", bit(), 0);
        let bad = bad_pointer.q() | bad_column.q();
        let move_on = all(&[ready, out.get("in_ready"), !broken, !bad]).named("move_on");
        bad_pointer.update(&[(flush, m.low()), (broken, m.high())]);
        bad_column.update(&[(flush, m.low()), (in_valid & room & beyond, m.high())]);
        let bad_k = m.reg_when("bad_k_q", broken & !bad_pointer.q(), front.slice(97, 66).as_u());
        out.set("in_valid", ready & !broken & !bad);
        out.set(
            "in_data",
            cat(&[front.bit(65), front.slice(63, 0), begin.as_bits(), length.as_bits()]).zext(130),
        );
        out.set("out_ready", out_ready | flush);

        let (up, down) = (accept & !move_on, move_on & !accept);
        let asked_count = m.state("asked_count", uint(slot_bits + 2), 0);
        let answered = rsp_valid;
        let clear = (flush & asked_count.q().is(0) & !answer).named("clear");
        asked_count.update(&[
            (asked & !answered, asked_count.q().inc()),
            (answered & !asked, asked_count.q().dec()),
        ]);
        held.update(&[(clear, held.q().lit(0)), (up, held.q().inc()), (down, held.q().dec())]);
        tail.update(&[(clear, tail.q().lit(0)), (accept, tail.q().inc())]);
        head.update(&[(clear, head.q().lit(0)), (move_on, head.q().inc())]);
        let freed = move_on.gate(slot_mask(m, head.q(), self.depth));
        starts_done.drive(clear.mux(
            starts_done.q().lit(0),
            (starts_done.q() | set_start.gate(slot_mask(m, answer_slot, self.depth))) & !freed,
        ));
        ends_done.drive(clear.mux(
            ends_done.q().lit(0),
            (ends_done.q() | set_end.gate(slot_mask(m, answer_slot, self.depth))) & !freed,
        ));

        let result = out.get("out_data");
        m.output("in_ready", accept);
        m.output("req_valid", wanted);
        m.output("req_addr", line);
        m.output("req_tag", tag.zext(self.tag_bits));
        m.output("out_valid", out.get("out_valid"));
        m.output("out_last", result.bit(128));
        m.output("out_a", result.slice(127, 96));
        m.output("out_left", result.slice(95, 64).as_u());
        m.output("out_start", result.slice(63, 32).as_u());
        m.output("out_length", result.slice(31, 0).as_u());
        m.output("bad_column", bad_column.q());
        m.output("bad_pointer", bad_pointer.q());
        m.output("bad_k", bad_k);
        m.output(
            "idle",
            held.q().is(0) & asked_count.q().is(0) & !any(&[answer, out.get("out_valid")]),
        );
    }
}

/// One-hot mask of a slot.
fn slot_mask<'m>(m: &'m Builder, slot: Sig<'m>, depth: u32) -> Sig<'m> {
    m.lit(bits(depth), 1).shl(slot)
}
