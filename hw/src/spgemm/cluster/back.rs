//! From merged entries to sorted rows: drain, sorter, row writer.

use super::super::back::{Entry, RowWriter, Sorter};
use super::control::{Command, Control};
use super::{Cluster, ROW_BITS};
use rtl_gen::{Builder, Instance, all, any, bit, cat};

impl Cluster {
    pub(super) fn back<'m>(
        &self,
        m: &'m Builder,
        command: &Command<'m>,
        control: &Control<'m>,
        core: Instance<'m>,
    ) -> Instance<'m> {
        let c = &self.config;
        let Control { table, sequencer, plans, expect } = *control;
        let seq = |port: &str| control.seq(port);
        let entry = Entry { key_bits: ROW_BITS + c.index_bits, value_bits: 32 };
        let entries = c.entries_per_half / c.sorter_width;
        let sorter = m.inst("sorter", &Sorter { width: c.sorter_width, entries, entry });
        let draining = m.state("draining", bit(), 0);
        let drain_begins = (seq("drain_start") & !seq("drain_discard")).named("drain_begins");
        let drain_ends =
            (draining.q() & !core.get("drain_busy") & !m.reg("just_begun", drain_begins))
                .named("drain_ends");
        draining.update(&[(drain_begins, m.high()), (drain_ends, m.low())]);
        // One stream's entries stand for all: the hash spreads them.
        let taken = core.get("d0_valid") & sorter.get("d0_ready");
        plans.set("sample", all(&[taken, draining.q(), table.get("single")]));
        plans.set("sample_col", core.get("d0_col").as_u());
        let mut marks = vec![];
        for g in 0..c.sorter_width {
            let port = |name: &str| format!("d{g}_{name}");
            // The end mark of the batch follows its last entry on every stream.
            let mark = m.state(&format!("mark_{g}"), bit(), 0);
            let ready = sorter.get(&port("ready"));
            mark.update(&[(drain_ends, m.high()), (mark.q() & ready, m.low())]);
            sorter
                .set(&port("valid"), core.get(&port("valid")) | mark.q())
                .set(&port("end"), mark.q());
            let fields = [core.get(&port("row")), core.get(&port("col")), core.get(&port("value"))];
            sorter.set(&port("entry"), cat(&fields));
            core.set(&port("ready"), ready & !mark.q());
            marks.push(mark.q());
        }
        let drain_busy = any(&[core.get("drain_busy"), draining.q(), any(&marks)]);
        sequencer.set("drain_busy", drain_busy.named("drain_busy"));
        let shape = RowWriter {
            line_words: self.line_words(),
            addr_bits: self.addr_bits(),
            width: c.sorter_width,
            row_bits: ROW_BITS,
            index_bits: c.index_bits,
        };
        let writer = m.inst("writer", &shape);
        writer.set("start", command.start).set("finish", seq("finish"));
        writer.set("capacity", command.capacity);
        for (to, from) in [("ptr_base", "c_ptr"), ("col_base", "c_col"), ("val_base", "c_val")] {
            writer.set(to, self.base(m, from));
        }
        writer.set("batch_valid", seq("batch_valid")).set("batch_rows", table.get("rows"));
        writer.set("batch_whole", !table.get("ranged") | plans.get("last"));
        expect.set("learn", writer.get("row_done")).set("learn_entries", writer.get("row_entries"));
        expect.set("learn_row", writer.get("row_number").add_wrap(command.first_row));
        sequencer.set("batch_ready", writer.get("batch_ready"));
        for field in ["valid", "end", "count", "entries"] {
            writer.set(&format!("in_{field}"), sorter.get(&format!("out_{field}")));
        }
        sorter.set("out_ready", writer.get("in_ready"));
        writer
    }
}
