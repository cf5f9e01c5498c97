//! A lane's fetch: from chunks of rows of B to one product's operands a cycle.

mod elements;
mod ring;
#[cfg(test)]
mod tests;

use super::Values;
use super::values::Chosen;
use elements::Elements;
use ring::LineRing;
use rtl_gen::{Builder, Module, bit, bits, cat, index_width, uint};

/// Most elements of a chunk.
pub const CHUNK: u32 = 64;

/// Fetches the elements of chunks through the cache and emits them in order, ready to multiply.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `chunk_valid`, `chunk_ready` | in, out | bit | chunk offered, taken |
/// | `chunk_seq`, `chunk_row`, `chunk_a` | in | bits(2), bits(`row_bits`), bits(`a_bits`) | window, row slot, element of A: travel with every element |
/// | `chunk_start`, `chunk_length` | in | uint(32), uint(7) | first element of B and how many, 1 to 64; columns rise inside a chunk |
/// | `value` | in | bits(4) | type of the values of B, if one may be less than a word ([`Values`]); constant while not `idle` |
/// | `col_base`, `val_base` | in | uint(`addr_bits`) | line addresses of the arrays of B; constant while not `idle` |
/// | `{mask,addend}_{col,val}_base` | in | uint(`addr_bits`) | with 34 bits of `a`: the same of the matrices that join, where the upper two, a [`Source`](super::Source), name one |
/// | `lo_{s}`, `hi_{s}` | in | uint(`index_bits`), uint(`index_bits + 1`) | columns wanted of window `s`: `lo <= column < hi`; constant while it has chunks here |
/// | `chunk_spread` | in | bit | if `share_bits`: only columns of this lane's class are wanted |
/// | `lane` | in | bits(`share_bits`) | its number; constant |
/// | `open_{s}` | in | bit | elements of window `s` may leave |
/// | `req_valid`, `req_ready`, `req_addr`, `req_tag` | out, in | | a line of the cache; registers |
/// | `rsp_valid`, `rsp_tag`, `rsp_data` | in | | its answers, in any order; always accepted |
/// | `out_valid`, `out_ready` | out, in | bit | element offered, taken |
/// | `out_seq`, `out_half`, `out_row`, `out_col`, `out_a`, `out_b` | out | bits 2, 1, `row_bits`, `index_bits`, `a_bits`, 32 | `out_half` is bit 0 of `out_seq`, `out_b` is widened; registers |
/// | `chunk_done`, `chunk_done_seq` | out | bit, bits(2) | pulse, once a chunk: the cycle after its last element was taken or dropped; a chunk without wanted elements may come before those ahead of it |
/// | `held_back` | out | bit | an element waits for its window to open |
/// | `queued` | out | uint | elements of accepted chunks whose line has not reached the element register |
/// | `flush` | in | bit | pulse or level: drop everything, answers under way included; nothing enters or leaves meanwhile |
/// | `idle` | out | bit | nothing queued, no answer under way |
///
/// Dropped chunks give no `chunk_done`: whoever flushes starts its counts anew. After a flush, chunks are taken again once the
/// answers under way have come.
///
/// Throughput: one element a cycle, without a gap between lines and chunks; one line of columns and one of values asked for
/// in two cycles, and in one where the line of columns before has asked for the values too. A line costs a cycle for each element inside the range, and one when it has none.
/// Latency through an idle lane: 10 cycles and the cache's.
#[derive(Clone, Copy, Debug)]
pub struct LaneFetch {
    /// Lines of columns (and as many of values) under way or waiting; a power of two from 2.
    pub slots: u32,
    /// Chunks waiting to be asked for; a power of two from 2.
    pub chunks: u32,
    /// 32-bit words of a line; a power of two from 2.
    pub line_words: u32,
    /// Bits of a column index, at most 32.
    pub index_bits: u32,
    /// Bits of a row slot.
    pub row_bits: u32,
    /// Bits of a cache tag; at least one more than an index of a slot.
    pub tag_bits: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
    /// Types of values.
    pub values: Values,
    /// Bits of `a`: 32, or 34 where other matrices join B.
    pub a_bits: u32,
    /// Bits of a lane's number, where lanes may share the columns of a chunk by [`share`](Self::share); else 0.
    pub share_bits: u32,
}

impl LaneFetch {
    /// Width of `queued`.
    pub fn queued_bits(&self) -> u32 {
        self.ring().queued_bits()
    }

    /// The lane, of `1 << bits`, that takes a column of a chunk that is spread: each group of columns as wide as there are
    /// lanes is dealt out in another order, so that regular matrices do not meet in one lane.
    pub fn share(column: u32, bits: u32) -> u32 {
        (column ^ column >> bits ^ column >> (2 * bits)) & ((1 << bits) - 1)
    }

    /// What travels above the row slot.
    fn tag_of_row(&self) -> u32 {
        u32::from(self.share_bits > 0)
    }

    fn ring(&self) -> LineRing {
        LineRing {
            slots: self.slots,
            chunks: self.chunks,
            line_words: self.line_words,
            row_bits: self.row_bits + self.tag_of_row(),
            tag_bits: self.tag_bits,
            addr_bits: self.addr_bits,
            values: self.values,
            a_bits: self.a_bits,
        }
    }
}

impl Module for LaneFetch {
    fn name(&self) -> String {
        let shared = match self.share_bits {
            0 => String::new(),
            bits => format!("_o{bits}"),
        };
        format!("lane_fetch_i{}_{}{shared}", self.index_bits, self.ring().shape())
    }

    fn check(&self) -> Result<(), String> {
        for (name, value) in
            [("slots", self.slots), ("chunks", self.chunks), ("line_words", self.line_words)]
        {
            if !value.is_power_of_two() || value < 2 {
                return Err(format!("lane: {name} is {value}; a power of two from 2"));
            }
        }
        if !(1..=32).contains(&self.index_bits) {
            return Err(format!("lane: index_bits is {}; 1 to 32", self.index_bits));
        }
        let least = index_width(self.slots) + 1;
        if self.tag_bits < least {
            return Err(format!(
                "lane: tag_bits is {}; {} slots need {least}",
                self.tag_bits, self.slots
            ));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Lane fetch: chunks of rows of B in, one element a cycle out.");
        let flush = m.input("flush", bit());
        let elements = Elements {
            line_words: self.line_words,
            index_bits: self.index_bits,
            row_bits: self.row_bits,
            share_bits: self.share_bits,
            values: self.values,
            a_bits: self.a_bits,
        };
        let ring = m.inst("ring", &self.ring()).set("flush", flush);
        let elements = m.inst("elements", &elements).set("flush", flush);
        let values = Chosen::input(m, self.values);
        values.pass(ring);
        values.pass(elements);

        for (name, ty) in [
            ("chunk_valid", bit()),
            ("chunk_seq", bits(2)),
            ("chunk_a", bits(self.a_bits)),
            ("chunk_start", uint(32)),
            ("chunk_length", uint(7)),
            ("col_base", uint(self.addr_bits)),
            ("val_base", uint(self.addr_bits)),
            ("req_ready", bit()),
            ("rsp_valid", bit()),
            ("rsp_tag", bits(self.tag_bits)),
            ("rsp_data", bits(32 * self.line_words)),
        ] {
            ring.set(name, m.input(name, ty));
        }
        let row = m.input("chunk_row", bits(self.row_bits));
        if self.share_bits > 0 {
            elements.set("lane", m.input("lane", bits(self.share_bits)));
            ring.set("chunk_row", cat(&[m.input("chunk_spread", bit()), row]));
        } else {
            ring.set("chunk_row", row);
        }
        for name in self.ring().joined_bases() {
            ring.set(&name, m.input(&name, uint(self.addr_bits)));
        }
        for name in ["chunk_ready", "req_valid", "req_addr", "req_tag", "queued"] {
            m.output(name, ring.get(name));
        }
        for name in ["valid", "meta", "columns", "values"] {
            elements.set(&format!("line_{name}"), ring.get(&format!("line_{name}")));
        }
        ring.set("line_ready", elements.get("line_ready"));

        for s in 0..4 {
            for (name, ty) in
                [("lo", uint(self.index_bits)), ("hi", uint(self.index_bits + 1)), ("open", bit())]
            {
                let name = format!("{name}_{s}");
                elements.set(&name, m.input(&name, ty));
            }
        }
        elements.set("out_ready", m.input("out_ready", bit()));
        for name in ["valid", "seq", "row", "col", "a", "b"] {
            m.output(&format!("out_{name}"), elements.get(&format!("out_{name}")));
        }
        m.output("out_half", elements.get("out_seq").bit(0));
        m.output("chunk_done", elements.get("chunk_done"));
        m.output("chunk_done_seq", elements.get("chunk_done_seq"));
        m.output("held_back", elements.get("held_back"));
        m.output("idle", ring.get("idle") & elements.get("idle"));
    }
}
