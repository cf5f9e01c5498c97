//! A stream of words, or of values packed in them, from memory, prefetched by lines.

use super::Values;
use super::values::Chosen;
use crate::cells::{BlockFifo, Fifo};
use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, cat, index_width, uint};

/// Reads runs of consecutive words, or values, and delivers them in order, one a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `cmd_valid`, `cmd_ready` | in, out | bit | a run; runs queue, so that the next starts without a gap |
/// | `cmd_base` | in | uint(`addr_bits`) | line address of word 0 |
/// | `cmd_start`, `cmd_count` | in | uint(32), uint(32) | first value and number of values, at least 1 |
/// | `value` | in | bits(4) | type of the values, if one may be less than a word ([`Values`]); constant while not `idle` |
/// | `flush` | in | bit | level: drop everything; hold until `idle` |
/// | `req_valid`, `req_ready`, `req_addr` | out, in, out | bit, bit, uint | line requests |
/// | `rsp_valid`, `rsp_data` | in | bit, bits | answers, in order, always taken |
/// | `out_valid`, `out_ready`, `out_data` | out, in, out | bit, bit, bits(32) | values, widened; words when there is nothing to choose |
/// | `idle` | out | bit | nothing queued, nothing outstanding |
///
/// `lines` lines are requested ahead, which hides a latency of `lines * line_words` cycles at
/// the full rate; of packed values so many times more.
#[derive(Clone, Copy, Debug)]
pub struct WordStream {
    /// Words a line; a power of two.
    pub line_words: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
    /// Lines in flight or buffered; a power of two.
    pub lines: u32,
    /// Types of values.
    pub values: Values,
}

impl Module for WordStream {
    fn name(&self) -> String {
        let WordStream { line_words, addr_bits, lines, values } = self;
        format!("word_stream_l{line_words}_a{addr_bits}_n{lines}{}", values.suffix())
    }

    fn check(&self) -> Result<(), String> {
        if self.line_words.is_power_of_two() && self.line_words >= 2 {
            Ok(())
        } else {
            Err(format!("line_words {} is not a power of two from 2", self.line_words))
        }
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Stream of 32-bit words from memory, prefetched by lines.");
        let (word_bits, line_bits) = (self.line_words.trailing_zeros(), self.line_words * 32);
        let (cmd_valid, base) =
            (m.input("cmd_valid", bit()), m.input("cmd_base", uint(self.addr_bits)));
        let (start, count) = (m.input("cmd_start", uint(32)), m.input("cmd_count", uint(32)));
        let flush = m.input("flush", bit());
        let req_ready = m.input("req_ready", bit());
        let (rsp_valid, rsp_data) =
            (m.input("rsp_valid", bit()), m.input("rsp_data", bits(line_bits)));
        let out_ready = m.input("out_ready", bit());
        let values = Chosen::input(m, self.values);
        let place_bits = values.place_bits();
        let (next_run, next_line) = (m.forward("next_run", bit()), m.forward("next_line", bit()));

        // Request side: the lines of one run after another, as far as there is room for answers.
        let active = m.state("active", bit(), 0);
        let line_type = uint(32 - word_bits);
        let (line, last_line) = (m.reg_decl("line", line_type), m.reg_decl("last_line", line_type));
        let run_base = m.reg_decl("run_base", uint(self.addr_bits));
        let counter = uint(index_width(self.lines + 1));
        let credit = m.state("credit", counter, self.lines as i128);
        let outstanding = m.state("outstanding", counter, 0);
        let offset_bits = word_bits + place_bits;
        let runs = m.inst("runs", &Fifo { width: 32 + offset_bits, depth: 4 });
        let cmd_ready = (!active.q() & runs.get("in_ready") & !flush).named("cmd_free");
        let take = (cmd_valid & cmd_ready).named("take");
        let request = (active.q() & credit.q().ne(credit.q().lit(0)) & !flush).named("request");
        let issued = (request & req_ready).named("issued");
        let last_value = start.add_wrap(count).dec().named("last_word");
        let line_of = |value: Sig<'m>| {
            values.by_packing(|p| value.shr_k(word_bits + p).zext(line_type.width()))
        };
        active.drive(take | (active.q() & !(issued & line.q().eq(last_line.q())) & !flush));
        line.update(&[(take, line_of(start)), (issued, line.q().inc())]);
        last_line.drive_when(take, line_of(last_value));
        run_base.drive_when(take, base);
        runs.set("in_valid", take)
            .set("in_data", cat(&[values.place(start, offset_bits).as_bits(), count.as_bits()]));
        runs.set("out_ready", next_run.sig() | flush);

        // Lines wait here; a credit guarantees room.
        let buffer = m.inst("buffer", &BlockFifo { width: line_bits, depth: self.lines });
        buffer
            .set("in_valid", rsp_valid)
            .set("in_data", rsp_data)
            .set("out_ready", next_line.sig() | flush);
        let popped = (buffer.get("out_valid") & (next_line.sig() | flush)).named("popped");
        m.assert("room_for_answers", !rsp_valid | buffer.get("in_ready"));
        credit
            .update(&[(popped & !issued, credit.q().inc()), (issued & !popped, credit.q().dec())]);
        outstanding.update(&[
            (issued & !rsp_valid, outstanding.q().inc()),
            (rsp_valid & !issued, outstanding.q().dec()),
        ]);

        // Word side: walks the front line, one word a cycle into the output register.
        let walking = m.state("walking", bit(), 0);
        let (offset, left) =
            (m.reg_decl("offset", uint(offset_bits)), m.reg_decl("left", uint(32)));
        let out_valid = m.state("out_valid_q", bit(), 0);
        let room = (!out_valid.q() | out_ready).named("room");
        let step = all(&[walking.q(), buffer.get("out_valid"), room, !flush]).named("step");
        let last = left.q().is(1);
        // Places from a value to the next.
        let stride = values.by_packing(|p| m.lit(uint(offset_bits), 1 << (place_bits - p)));
        let next = offset.q().add_wrap(stride);
        next_line.assign(step & (last | next.is(0)));
        next_run.assign(runs.get("out_valid") & (!walking.q() | (step & last)));
        let run = runs.get("out_data");
        walking.drive((next_run.sig() | (walking.q() & !(step & last))) & !flush);
        offset.update(&[(next_run.sig(), run.slice(31 + offset_bits, 32).as_u()), (step, next)]);
        left.update(&[(next_run.sig(), run.slice(31, 0).as_u()), (step, left.q().dec())]);
        let word = buffer.get("out_data").dyn_lane(offset.q().shr_k(place_bits), 32);
        out_valid.drive((step | (out_valid.q() & !out_ready)) & !flush);
        let out = m.reg_when("out", step, word);
        let out = match place_bits {
            0 => out,
            bits => values.widen(out, m.reg_when("out_place", step, offset.q().trunc(bits))),
        };

        let empty = buffer.get("count").eq(buffer.get("count").lit(0));
        let waiting = any(&[active.q(), runs.get("out_valid"), walking.q(), out_valid.q()]);
        m.output("cmd_ready", cmd_ready);
        m.output("req_valid", request);
        m.output("req_addr", run_base.q().add_wrap(line.q().resize(self.addr_bits)));
        m.output("out_valid", out_valid.q());
        m.output("out_data", out);
        m.output("idle", !waiting & outstanding.q().is(0) & empty);
    }
}
