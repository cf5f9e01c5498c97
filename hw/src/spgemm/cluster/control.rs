//! The command's registers, and the blocks that decide what runs when.

use super::super::control::{Expect, Plans, Sequencer, WindowTable};
use super::Cluster;
use super::join::Joins;
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
    /// Number of the type of A's and B's values.
    pub value: Sig<'m>,
    pub seed: Sig<'m>,
    /// Pulse: counters start anew.
    pub clear: Sig<'m>,
    /// Where the part begins: 0 for a whole product.
    pub first_row: Sig<'m>,
    pub first_col: Sig<'m>,
    /// Where its columns end: `cols` for a whole product.
    pub end_col: Sig<'m>,
    /// What joins the product.
    pub joins: Joins<'m>,
    /// Products of an entry are added by rising k, where a command may ask for that.
    pub ordered: Option<Sig<'m>>,
}

impl<'m> Command<'m> {
    pub(super) fn ports(m: &'m Builder, cluster: &Cluster) -> Self {
        let parted = cluster.parted;
        let word = |name: &str| m.input(name, uint(32));
        let (start, cols) = (m.input("start", bit()), word("cols"));
        let of_part =
            |name: &str, whole: Sig<'m>| if parted { m.input(name, whole.ty()) } else { whole };
        let zero = m.lit(uint(32), 0);
        Command {
            start,
            clear: of_part("clear", start),
            first_row: of_part("first_row", zero),
            first_col: of_part("first_col", zero),
            end_col: of_part("end_col", cols),
            flush: m.input("flush", bit()),
            rows: word("rows"),
            inner: word("inner"),
            cols,
            nnz_a: word("nnz_a"),
            nnz_b: word("nnz_b"),
            capacity: word("c_capacity"),
            value: m.input("mode_value", bits(4)),
            seed: m.input("seed", bits(32)),
            joins: Joins::ports(m, cluster),
            ordered: cluster.config.ordered.then(|| m.input("mode_ordered", bit())),
        }
    }
}

impl<'m> Command<'m> {
    /// Sums are floats.
    pub(super) fn float(&self) -> Sig<'m> {
        self.value.bit(0)
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
        let table = m.inst(
            "windows_table",
            &WindowTable {
                lanes: c.lanes,
                open_windows: c.open_windows,
                ordered: cluster.shares(),
            },
        );
        let sequencer = m.inst("sequencer", &Sequencer);
        let plans = m.inst("plans", &Plans { index_bits: c.index_bits });
        let expect = m.inst("expectation", &Expect);
        sequencer.set("start", command.start).set("from_row", command.first_row);
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
