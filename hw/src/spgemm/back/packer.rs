//! Packing words into lines.

use crate::cells::Fifo;
use rtl_gen::{Builder, Module, Sig, all, bit, bits, cat, index_width, uint};

/// Collects up to `words` words a cycle into full lines at consecutive addresses.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `base` | in | bit, uint(`addr_bits`) | pulse: begin at this line address; `base` stays |
/// | `in_valid`, `in_ready` | in, out | bit | words |
/// | `in_count`, `in_data` | in | uint, bits | how many, word 0 first |
/// | `flush` | in | bit | pulse, with `in_ready` 1 and nothing offered: emit the last, partial line |
/// | `out_valid`, `out_ready` | out, in | bit | lines |
/// | `out_addr`, `out_mask`, `out_data` | out | uint, bits, bits | line address, words to write, line |
///
/// One beat a cycle; latency 2 for the beat that completes a line.
#[derive(Clone, Copy, Debug)]
pub struct Packer {
    /// Words a line; a power of two.
    pub line_words: u32,
    /// Most words a beat; at most a line.
    pub words: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
}

impl Module for Packer {
    fn name(&self) -> String {
        format!("packer_l{}_n{}_a{}", self.line_words, self.words, self.addr_bits)
    }

    fn check(&self) -> Result<(), String> {
        if self.words >= 1 && self.words <= self.line_words && self.line_words.is_power_of_two() {
            Ok(())
        } else {
            Err(format!(
                "{} words a beat do not fit lines of {} words",
                self.words, self.line_words
            ))
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Packs words into lines.");
        let (n, lw) = (self.words, self.line_words);
        let line_bits = lw * 32;
        let (start, base) = (m.input("start", bit()), m.input("base", uint(self.addr_bits)));
        // A register in front: who sends decides late in the cycle.
        let room = m.state("room", bit(), 1);
        let came = (m.input("in_valid", bit()) & room.q()).named("came");
        let accept = m.reg_reset("in_valid_q", came, 0);
        let count = m.reg("in_count_q", m.input("in_count", uint(index_width(n + 1))));
        let words = m.reg("in_data_q", m.input("in_data", bits(n * 32))).lanes(32);
        let flush = m.input("flush", bit());
        let out_ready = m.input("out_ready", bit());

        let fill = m.state("fill", uint(index_width(lw)), 0);
        let partial = m.state("partial", bits(line_bits), 0);
        let line = m.state("line", uint(self.addr_bits), 0);
        let lines = m.inst("lines", &Fifo { width: line_bits + lw + self.addr_bits, depth: 8 });
        // A line more may be on its way from each: this cycle, the register, the register of `room`.
        room.drive(lines.get("count").lt(lines.get("count").lit(8 - 3)));
        m.assert("line_has_room", lines.get("in_ready") | !accept);

        // Words past the count are zeros, so that lines can be put together by OR.
        let kept: Vec<Sig> = (words.iter().enumerate())
            .map(|(i, w)| count.lit(i as i128).lt(count).gate(*w))
            .rev()
            .collect();
        let wide = (lw + n) * 32;
        let bit_shift = cat(&[fill.q().as_bits(), m.lit(bits(5), 0)]).as_u();
        let merged =
            (cat(&kept).zext(wide).shl(bit_shift) | partial.q().zext(wide)).named("merged");
        let total = fill.q().zext(index_width(lw) + 2).add_wrap(count.resize(index_width(lw) + 2));
        let full = (accept & !total.lt(total.lit(lw as i128))).named("full");
        let rest = all(&[flush, !accept, lines.get("in_ready"), fill.q().ne(fill.q().lit(0))])
            .named("rest");
        fill.update(&[(start | rest, fill.q().lit(0)), (accept, total.trunc(index_width(lw)))]);
        let upper = merged.slice(wide - 1, line_bits).zext(line_bits);
        partial.update(&[
            (start | rest, partial.q().lit(0)),
            (accept, full.mux(upper, merged.slice(line_bits - 1, 0))),
        ]);
        line.update(&[(start, base), (full | rest, line.q().inc())]);
        let used: Vec<Sig> =
            (0..lw).map(|i| full | fill.q().lit(i as i128).lt(fill.q())).rev().collect();
        let data = full.mux(merged.slice(line_bits - 1, 0), partial.q());
        lines
            .set("in_valid", full | rest)
            .set("in_data", cat(&[line.q().as_bits(), cat(&used), data]));
        lines.set("out_ready", out_ready);

        let out = lines.get("out_data");
        m.output("in_ready", room.q());
        m.output("out_valid", lines.get("out_valid"));
        m.output("out_addr", out.slice(line_bits + lw + self.addr_bits - 1, line_bits + lw).as_u());
        m.output("out_mask", out.slice(line_bits + lw - 1, line_bits));
        m.output("out_data", out.slice(line_bits - 1, 0));
        m.output("idle", all(&[!lines.get("out_valid"), !accept, fill.q().is(0)]));
    }
}
