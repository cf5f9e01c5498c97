//! Sorted entries to C in memory.

use super::Packer;
use crate::cells::{Fifo, round_robin};
use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, cat, index_width, one_hot_mux, uint};

/// Writes columns, values and row pointers of C as lines, batch after batch.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | pulse: begin a new C; the bases below stay |
/// | `ptr_base`, `col_base`, `val_base` | in | uint(`addr_bits`) | line addresses of the three arrays |
/// | `capacity` | in | uint(32) | entries there is room for |
/// | `batch_valid`, `batch_ready` | in, out | bit | one per batch, in order |
/// | `batch_rows`, `batch_whole` | in | uint(9), bit | rows of the window; no further pass over its last row follows |
/// | `in_valid`, `in_ready` | in, out | bit | beats of [`super::Sorter`] |
/// | `in_end`, `in_count`, `in_entries` | in | | end mark, entries, `{row slot, column, value}` each |
/// | `finish` | in | bit | level: no batch follows; write what is left |
/// | `w_valid`, `w_ready`, `w_addr`, `w_mask`, `w_data` | | | lines to memory |
/// | `nnz` | out | uint(32) | entries so far, also past the capacity |
/// | `overflow` | out | bit | level: more entries than `capacity`; none of those is written |
/// | `row_done`, `row_number`, `row_entries` | out | bit, uint(32) x 2 | pulse: row `row_number` is known, and how many entries it has; registers |
/// | `rows_done` | out | uint(32) | rows whose pointer is known |
/// | `idle` | out | bit | nothing held |
///
/// One beat a cycle, plus one cycle for each row beyond the first that ends within a beat.
#[derive(Clone, Copy, Debug)]
pub struct RowWriter {
    /// Words a line.
    pub line_words: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
    /// Entries of a beat.
    pub width: u32,
    /// Bits of a row slot.
    pub row_bits: u32,
    /// Bits of a column.
    pub index_bits: u32,
}

impl Module for RowWriter {
    fn name(&self) -> String {
        let RowWriter { line_words, addr_bits, width, row_bits, index_bits } = self;
        format!("row_writer_l{line_words}_a{addr_bits}_w{width}_r{row_bits}_c{index_bits}")
    }

    fn build(&self, m: &Builder) {
        m.doc("Writes columns, values and row pointers of C.");
        let (start, finish) = (m.input("start", bit()), m.input("finish", bit()));
        let capacity = m.input("capacity", uint(32));
        let batch_valid = m.input("batch_valid", bit());
        let (batch_rows, batch_whole) =
            (m.input("batch_rows", uint(9)), m.input("batch_whole", bit()));
        let (in_valid, in_end) = (m.input("in_valid", bit()), m.input("in_end", bit()));
        let in_count = m.input("in_count", uint(index_width(self.width + 1)));
        let entry_bits = self.row_bits + self.index_bits + 32;
        let entries = m.input("in_entries", bits(self.width * entry_bits)).lanes(entry_bits);
        let w_ready = m.input("w_ready", bit());

        let batches = m.inst("batches", &Fifo { width: 10, depth: 4 });
        batches
            .set("in_valid", batch_valid)
            .set("in_data", cat(&[batch_whole, batch_rows.as_bits()]));
        let rows = batches.get("out_data").slice(8, 0).as_u();
        let whole = batches.get("out_data").bit(9);

        // Rows end where the slot of an entry passes the current one; each end yields one pointer.
        let row = m.state("row", uint(9), 0);
        let position = m.state("position", uint(32), 0);
        let present: Vec<Sig> =
            (0..self.width).map(|i| in_count.lit(i as i128).lt(in_count)).collect();
        let slots: Vec<Sig> = entries
            .iter()
            .map(|e| e.slice(entry_bits - 1, self.index_bits + 32).as_u().resize(9))
            .collect();
        let same: Vec<Sig> =
            (0..self.width as usize).map(|i| present[i] & !row.q().lt(slots[i])).collect();
        let last = one_hot_mux(
            &(0..self.width as usize)
                .map(|i| (in_count.is(i as i128 + 1), slots[i]))
                .collect::<Vec<_>>(),
        )
        .named("last_slot");
        let before = same.iter().fold(m.lit(uint(32), 0), |n, s| n.add_wrap(s.as_u().zext(32)));
        let next_row = row.q().inc();
        let have = (in_valid & batches.get("out_valid")).named("have");
        let at_end = (have & in_end).named("at_end");
        let steps = at_end.mux(whole & row.q().lt(rows), have & row.q().lt(last)).named("steps");
        let over = at_end.mux(!whole | !next_row.lt(rows), !next_row.lt(last)).named("over");

        let pack = |name: &str, base: &str, words: u32| {
            let shape = Packer { line_words: self.line_words, words, addr_bits: self.addr_bits };
            let packer = m.inst(name, &shape);
            packer.set("start", start).set("base", m.input(base, uint(self.addr_bits)));
            packer
        };
        let pointers = pack("pointers", "ptr_base", 1);
        let columns = pack("columns", "col_base", self.width);
        let values = pack("values", "val_base", self.width);
        let pointer_room = pointers.get("in_ready");
        let entry_room = columns.get("in_ready") & values.get("in_ready");

        // The pointer of row 0 goes out first.
        let first_due = m.state("first_due", bit(), 0);
        first_due.update(&[(start, m.high()), (pointer_room, m.low())]);
        let step = all(&[steps, pointer_room, !first_due.q(), at_end | entry_room]).named("step");
        let free = all(&[have, !steps, at_end | entry_room]).named("free");
        let take = (free | (step & over)).named("take");
        let take_entries = (take & !in_end).named("take_entries");
        let end_position = position.q().add_wrap(in_count.resize(32));
        let overflow = m.state("overflow_q", bit(), 0);
        let too_many = (overflow.q() | capacity.lt(end_position)).named("too_many");
        row.update(&[(start | (take & in_end), row.q().lit(0)), (step, next_row)]);
        position.update(&[(start, position.q().lit(0)), (take_entries, end_position)]);
        overflow.update(&[(start, m.low()), (take_entries & too_many, m.high())]);
        batches.set("out_ready", take & in_end);
        let rows_done = m.state("rows_done_q", uint(32), 0);
        rows_done.update(&[(start, rows_done.q().lit(0)), (step, rows_done.q().inc())]);

        let pointer = at_end.mux(position.q(), position.q().add_wrap(before));
        let row_began = m.state("row_began", uint(32), 0);
        row_began.update(&[(start, row_began.q().lit(0)), (step, pointer)]);
        pointers.set("in_valid", first_due.q() | step).set("in_count", m.lit(uint(1), 1));
        pointers.set("in_data", first_due.q().mux(m.lit(bits(32), 0), pointer.as_bits()));
        let field = |hi: u32, lo: u32| {
            let parts: Vec<Sig> = entries.iter().rev().map(|e| e.slice(hi, lo).zext(32)).collect();
            cat(&parts)
        };
        let write = (take_entries & !too_many).named("write");
        columns
            .set("in_valid", write)
            .set("in_count", in_count)
            .set("in_data", field(self.index_bits + 31, 32));
        values.set("in_valid", write).set("in_count", in_count).set("in_data", field(31, 0));

        // Lines of the three arrays share the way to memory.
        let packers = [pointers, columns, values];
        let requests = packers.map(|p| p.get("out_valid"));
        let grants = round_robin(m, "lines", &requests, w_ready);
        let quiet =
            (finish & !in_valid & !batches.get("out_valid") & !first_due.q()).named("quiet");
        for (packer, grant) in packers.iter().zip(&grants) {
            packer.set("out_ready", *grant & w_ready).set("flush", quiet);
        }
        let pick = |port: &str| {
            let arms: Vec<_> =
                grants.iter().zip(&packers).map(|(g, p)| (*g, p.get(port))).collect();
            one_hot_mux(&arms)
        };
        m.output("batch_ready", batches.get("in_ready"));
        m.output("in_ready", take);
        m.output("w_valid", any(&requests));
        m.output("w_addr", pick("out_addr"));
        m.output("w_mask", pick("out_mask"));
        m.output("w_data", pick("out_data"));
        m.output("nnz", position.q());
        m.output("overflow", overflow.q());
        m.output("row_done", m.reg_reset("row_done_q", step, 0));
        m.output("row_entries", m.reg("row_entries_q", pointer.sub_wrap(row_began.q())));
        m.output("row_number", m.reg("row_number_q", rows_done.q()));
        m.output("rows_done", rows_done.q());
        let idle = packers.map(|p| p.get("idle"));
        m.output("idle", all(&idle) & !batches.get("out_valid") & !first_due.q());
    }
}
