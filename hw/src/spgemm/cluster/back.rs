//! From merged entries to sorted rows: drain, sorter, row writer.

use super::super::back::{Entry, RowWriter, Sorter};
use super::control::{Command, Control};
use super::{Cluster, ROW_BITS};
use rtl_gen::{Builder, Instance, Sig, all, any, bit, cat, mux, uint};

/// How many entries a row took in the table.
struct Learned<'m> {
    pulse: Sig<'m>,
    row: Sig<'m>,
    entries: Sig<'m>,
}

impl<'m> Learned<'m> {
    /// This one where `mine`, else the other.
    fn or(self, mine: Sig<'m>, other: Learned<'m>) -> Learned<'m> {
        Learned {
            pulse: mine.mux(self.pulse, other.pulse),
            row: mux(mine, self.row, other.row),
            entries: mux(mine, self.entries, other.entries),
        }
    }
}

impl Cluster {
    /// Counts the entries that leave the table, whether wanted or not; told when a row that has its windows to itself has left.
    /// `whole`: no further pass over the row follows. `drain`: it begins, goes on, has ended. `taken`: an entry of each stream.
    fn counted<'m>(
        &self,
        m: &'m Builder,
        table: Instance<'m>,
        (clear, whole): (Sig<'m>, Sig<'m>),
        (begins, goes_on, ended): (Sig<'m>, Sig<'m>, Sig<'m>),
        taken: &[Sig<'m>],
    ) -> Learned<'m> {
        let keep = |name: &str, value| m.reg_when(name, begins, value);
        let (single, whole) =
            (keep("of_one_row", table.get("single")), keep("of_last_pass", whole));
        let row = keep("of_row", table.get("row"));
        let now =
            taken.iter().fold(m.lit(uint(32), 0), |sum, flag| sum.add_wrap(flag.as_u().zext(32)));
        let entries = m.state("entries_of_row", uint(32), 0);
        entries.update(&[
            (clear | (ended & whole), entries.q().lit(0)),
            (goes_on, entries.q().add_wrap(now)),
        ]);
        Learned { pulse: ended & whole & single, row, entries: entries.q() }
    }

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
        let (mut marks, mut taken) = (vec![], vec![]);
        for g in 0..c.sorter_width {
            let port = |name: &str| format!("d{g}_{name}");
            // The end mark of the batch follows its last entry on every stream.
            let mark = m.state(&format!("mark_{g}"), bit(), 0);
            let ready = sorter.get(&port("ready"));
            mark.update(&[(drain_ends, m.high()), (mark.q() & ready, m.low())]);
            let valid = core.get(&port("valid"));
            // What does not leave is taken all the same.
            let (leaves, takes) = match self.leaves(command, core, g) {
                Some(leaves) => (valid & leaves, ready | !leaves),
                None => (valid, ready),
            };
            sorter.set(&port("valid"), leaves | mark.q()).set(&port("end"), mark.q());
            let fields = [core.get(&port("row")), core.get(&port("col")), core.get(&port("value"))];
            sorter.set(&port("entry"), cat(&fields));
            core.set(&port("ready"), takes & !mark.q());
            marks.push(mark.q());
            taken.push(valid & takes);
        }
        // One stream's entries stand for all: the hash spreads them.
        plans.set("sample", all(&[taken[0], draining.q(), table.get("single")]));
        plans.set("sample_col", core.get("d0_col").as_u());
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
        let whole = !table.get("ranged") | plans.get("last");
        writer.set("batch_whole", whole);
        let rows = Learned {
            pulse: writer.get("row_done"),
            row: writer.get("row_number").add_wrap(command.first_row),
            entries: writer.get("row_entries"),
        };
        let rows = if self.filters() {
            // What leaves is not what the table had to hold: that is counted, of rows that have it to themselves.
            let filtered = command.joins.mask | command.joins.prune;
            let drain = (drain_begins, draining.q(), drain_ends);
            let counted = self.counted(m, table, (command.clear, whole), drain, &taken);
            counted.or(filtered, rows)
        } else {
            rows
        };
        expect.set("learn", rows.pulse).set("learn_row", rows.row);
        expect.set("learn_entries", rows.entries);
        sequencer.set("batch_ready", writer.get("batch_ready"));
        for field in ["valid", "end", "count", "entries"] {
            writer.set(&format!("in_{field}"), sorter.get(&format!("out_{field}")));
        }
        sorter.set("out_ready", writer.get("in_ready"));
        writer
    }
}
