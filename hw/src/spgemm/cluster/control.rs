//! The command's registers, and the blocks that decide what runs when.

use super::super::control::{Expect, Plans, Sequencer, WindowTable};
use super::Cluster;
use rtl_gen::{Builder, Instance, Sig, bit, bits, uint};

/// The command: registers of the SPGEMM block, stable while it runs.
pub(super) struct Command<'m> {
    pub start: Sig<'m>,
    pub flush: Sig<'m>,
    pub rows: Sig<'m>,
    pub inner: Sig<'m>,
    pub cols: Sig<'m>,
    pub nnz_a: Sig<'m>,
    pub nnz_b: Sig<'m>,
    pub capacity: Sig<'m>,
    pub float: Sig<'m>,
    pub seed: Sig<'m>,
}

impl<'m> Command<'m> {
    pub(super) fn ports(m: &'m Builder) -> Self {
        let word = |name: &str| m.input(name, uint(32));
        Command {
            start: m.input("start", bit()),
            flush: m.input("flush", bit()),
            rows: word("rows"),
            inner: word("inner"),
            cols: word("cols"),
            nnz_a: word("nnz_a"),
            nnz_b: word("nnz_b"),
            capacity: word("c_capacity"),
            float: m.input("mode_value", bits(4)).bit(0),
            seed: m.input("seed", bits(32)),
        }
    }
}

/// What every other part of the cluster asks or tells.
pub(super) struct Control<'m> {
    pub table: Instance<'m>,
    pub sequencer: Instance<'m>,
    pub plans: Instance<'m>,
    pub expect: Instance<'m>,
}

impl<'m> Control<'m> {
    pub(super) fn new(m: &'m Builder, cluster: &Cluster, command: &Command<'m>) -> Self {
        let c = &cluster.config;
        let table = m.inst("windows_table", &WindowTable { lanes: c.lanes });
        let sequencer = m.inst("sequencer", &Sequencer);
        let plans = m.inst("plans", &Plans { index_bits: c.index_bits });
        let expect = m.inst("expectation", &Expect);
        sequencer.set("start", command.start);
        for (to, from) in [
            ("w_complete", "complete"),
            ("w_bad", "bad"),
            ("w_none", "none"),
            ("w_single", "single"),
            ("w_ended", "ended"),
            ("w_oldest", "oldest"),
            ("w_row", "row"),
            ("w_rows", "rows"),
            ("w_reals", "reals"),
            ("w_ranged", "ranged"),
        ] {
            sequencer.set(to, table.get(from));
        }
        table.set("restart", sequencer.get("restart")).set("retire", sequencer.get("retire"));
        Control { table, sequencer, plans, expect }
    }

    /// An output of the sequencer.
    pub(super) fn seq(&self, port: &str) -> Sig<'m> {
        self.sequencer.get(port)
    }
}
