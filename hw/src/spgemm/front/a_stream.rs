//! The rows of A as a stream of tokens.

use super::Values;
use super::values::Chosen;
use super::words::WordStream;
use crate::cells::Fifo;
use rtl_gen::{Builder, Module, Sig, all, bit, bits, cat, mux, uint};

/// Empty rows told with one token.
const MOST_SKIPPED: i128 = 127;

/// Reads A row by row from `first_row` and emits one token a cycle: an element of A, or a mark for an
/// empty row. Empty rows before one that is not travel with its tokens as a number and cost nothing.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | pulse, while `idle` |
/// | `first_row`, `rows`, `nnz` | in | uint(32) | first row to read; shape of A |
/// | `passes` | in | uint(9) | how often the first row is emitted, at least 1 |
/// | `ptr_base`, `col_base`, `val_base` | in | uint(`addr_bits`) | line addresses of the three arrays |
/// | `value` | in | bits(4) | type of the values, if one may be less than a word ([`Values`]) |
/// | `every_row` | in | bit | if `joined`, level: tell every empty row with a token of its own; constant while busy |
/// | `flush` | in | bit | level: drop everything; hold until `idle` |
/// | `p_*`, `c_*`, `v_*` | | | line ports (request and answer) of the three arrays |
/// | `token_valid`, `token_ready` | out, in | bit | token stream |
/// | `token_last`, `token_empty` | out | bit | last token of its row; row without elements |
/// | `token_skip` | out | uint(8) | empty rows before this one, the last row and the first one never among them |
/// | `token_k`, `token_a` | out | bits(32) | column and value of the element, widened |
/// | `token_left` | out | uint(32) | elements of the row after this one |
/// | `bad_row` | out | bit | level: a row pointer falls or passes `nnz`; nothing more is read |
/// | `row` | out | uint(32) | the row whose pointers are read next; with `bad_row`, the one at fault |
/// | `idle` | out | bit | nothing queued, nothing outstanding |
#[derive(Clone, Copy, Debug)]
pub struct AStream {
    /// Words a line.
    pub line_words: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
    /// Lines in flight per array.
    pub lines: u32,
    /// Types of values.
    pub values: Values,
    /// Rows of other matrices may join A's, also those that are empty.
    pub joined: bool,
}

impl Module for AStream {
    fn name(&self) -> String {
        let AStream { line_words, addr_bits, lines, values, joined } = self;
        let joined = if *joined { "_j" } else { "" };
        format!("a_stream_l{line_words}_a{addr_bits}_n{lines}{}{joined}", values.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Rows of A as a stream of tokens.");
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        let word = |name: &str| m.input(name, uint(32));
        let (first_row, rows, nnz) = (word("first_row"), word("rows"), word("nnz"));
        let passes = m.input("passes", uint(9));
        let token_ready = m.input("token_ready", bit());
        let stream = |name: &str, prefix: &str, base: &str, values: Values| {
            let shape = WordStream {
                line_words: self.line_words,
                addr_bits: self.addr_bits,
                lines: self.lines,
                values,
            };
            let s = m.inst(name, &shape);
            s.set("flush", flush).set("cmd_base", m.input(base, uint(self.addr_bits)));
            s.set("req_ready", m.input(&format!("{prefix}_req_ready"), bit()));
            s.set("rsp_valid", m.input(&format!("{prefix}_rsp_valid"), bit()));
            s.set("rsp_data", m.input(&format!("{prefix}_rsp_data"), bits(self.line_words * 32)));
            m.output(&format!("{prefix}_req_valid"), s.get("req_valid"));
            m.output(&format!("{prefix}_req_addr"), s.get("req_addr"));
            s
        };
        let pointers = stream("pointers", "p", "ptr_base", Values::WORDS);
        let columns = stream("columns", "c", "col_base", Values::WORDS);
        let values = stream("values", "v", "val_base", self.values);
        Chosen::input(m, self.values).pass(values);

        // Row pointers: rows - first_row + 1 words; the first one only starts the first row.
        let ask = m.state("ask", bit(), 0);
        ask.drive((start | (ask.q() & !pointers.get("cmd_ready"))) & !flush);
        let pointer_count = rows.sub_wrap(first_row).inc();
        pointers
            .set("cmd_valid", ask.q())
            .set("cmd_start", first_row)
            .set("cmd_count", pointer_count);
        let have_begin = m.state("have_begin", bit(), 0);
        let begin = m.reg_decl("row_begin", uint(32));
        let end = pointers.get("out_data").as_u();
        let lengths = m.inst("lengths", &Fifo { width: 41, depth: 16 });
        let repeat = m.state("repeats", uint(9), 0);
        let first = m.state("first", bit(), 0);
        let bad = m.state("bad", bit(), 0);
        let falls = (end.lt(begin.q()) | nnz.lt(end)).named("falls");

        // The runs of columns and values: the first row `passes` times, then the rest in one run.
        let run_free = columns.get("cmd_ready") & values.get("cmd_ready");
        let run_wanted = m.state("run_wanted", bit(), 0);
        let (run_start, run_count) =
            (m.reg_decl("run_start", uint(32)), m.reg_decl("run_count", uint(32)));
        let run_sent = (run_wanted.q() & run_free).named("run_sent");
        let run_room = !run_wanted.q() | run_sent;

        let length = end.sub_wrap(begin.q()).named("length");
        let have_row = (pointers.get("out_valid") & have_begin.q() & !bad.q()).named("have_row");
        let row = (have_row & !falls & lengths.get("in_ready") & (!first.q() | run_room))
            .named("row_ready");
        let last_pass = repeat.q().is(1);
        let row_done = (row & (!first.q() | last_pass)).named("row_done");
        // An empty row is told with the next one.
        let at_row = m.state("at_row", uint(32), 0);
        let skipped = m.state("skipped", uint(8), 0);
        let no_length = length.is(0);
        let skips =
            all(&[no_length, !first.q(), at_row.q().inc().ne(rows), !skipped.q().is(MOST_SKIPPED)]);
        let skips = match self.joined {
            true => skips & !m.input("every_row", bit()),
            false => skips,
        };
        let skips = skips.named("skips");
        skipped.update(&[
            (start | flush, skipped.q().lit(0)),
            (row, mux(skips, skipped.q().inc(), skipped.q().lit(0))),
        ]);
        let rest_due = m.state("rest_due", bit(), 0);
        let rest = (rest_due.q() & run_room).named("rest");
        let rest_start = m.reg_when("rest_start", row_done & first.q(), end);
        let first_run = (row & first.q() & length.ne(length.lit(0))).named("first_run");
        rest_due.drive(((row_done & first.q()) | (rest_due.q() & !rest)) & !flush);
        let rest_count = nnz.sub_wrap(rest_start);
        let rest_any = (rest & rest_count.ne(rest_count.lit(0))).named("rest_any");
        run_wanted.drive((first_run | rest_any | (run_wanted.q() & !run_sent)) & !flush);
        run_start.update(&[(first_run, begin.q()), (rest, rest_start)]);
        run_count.update(&[(first_run, length), (rest, rest_count)]);
        for s in [columns, values] {
            s.set("cmd_valid", run_sent)
                .set("cmd_start", run_start.q())
                .set("cmd_count", run_count.q());
        }

        let take_begin = (pointers.get("out_valid") & !have_begin.q()).named("take_begin");
        have_begin.update(&[(start | flush, m.low()), (take_begin, m.high())]);
        begin.update(&[(take_begin | row_done, end)]);
        first.update(&[(start, m.high()), (flush, m.low()), (row_done, m.low())]);
        repeat.update(&[(start, passes), (row & first.q(), repeat.q().dec())]);
        bad.update(&[(start | flush, m.low()), (have_row & falls, m.high())]);
        // While the rest of the rows is not asked for yet, a second row must wait: rows and elements stay in step.
        pointers.set("out_ready", take_begin | row_done);

        // Tokens: the front row's elements, or one mark when it has none.
        lengths
            .set("in_valid", row & !skips)
            .set("in_data", cat(&[no_length, skipped.q().as_bits(), length.as_bits()]));
        let row_length = lengths.get("out_data").slice(31, 0).as_u();
        let done = m.state("done", uint(32), 0);
        let empty = lengths.get("out_data").bit(40);
        let element = (columns.get("out_valid") & values.get("out_valid")).named("element");
        let valid = (lengths.get("out_valid") & (empty | element) & !flush).named("valid");
        let left = row_length.sub_wrap(done.q()).dec();
        let last = (empty | left.is(0)).named("last");
        let sent = (valid & token_ready).named("sent");
        done.update(&[
            (flush | start, done.q().lit(0)),
            (sent & last, done.q().lit(0)),
            (sent, done.q().inc()),
        ]);
        lengths.set("out_ready", (sent & last) | flush);
        columns.set("out_ready", sent & !empty);
        values.set("out_ready", sent & !empty);

        let parts = [pointers, columns, values].map(|s| s.get("idle"));
        let quiet = rtl_gen::all(&parts) & !lengths.get("out_valid");
        let pending: Sig = ask.q() | run_wanted.q() | rest_due.q();
        at_row.update(&[(start, first_row), (row_done, at_row.q().inc())]);
        m.output("row", at_row.q());
        m.output("token_valid", valid);
        m.output("token_last", last);
        m.output("token_empty", empty);
        m.output("token_skip", lengths.get("out_data").slice(39, 32).as_u());
        m.output("token_k", columns.get("out_data"));
        m.output("token_a", values.get("out_data"));
        m.output("token_left", empty.mux(left.lit(0), left));
        m.output("bad_row", bad.q());
        m.output("idle", quiet & !pending);
    }
}
