//! From operands to merged entries: lanes into the merge core, and the plans of rows in ranges.

use super::super::merge::{Algebra, MergeCore};
use super::control::{Command, Control};
use super::front::Front;
use super::{Cluster, ROW_BITS};
use crate::float::leading_zeros;
use mattock_spec::config::HashKind;
use rtl_gen::{Builder, Instance, Sig, all, bits, cat};

impl Cluster {
    pub(super) fn merge_core<'m>(
        &self,
        m: &'m Builder,
        command: &Command<'m>,
        control: &Control<'m>,
        front: &Front<'m>,
    ) -> Instance<'m> {
        let c = &self.config;
        let Control { table, sequencer, plans, .. } = *control;
        let Front { feed, dispatcher, lanes: fetch, .. } = front;
        let seq = |port: &str| control.seq(port);
        let core = m.inst(
            "core",
            &MergeCore {
                lanes: c.lanes,
                banks: c.banks,
                ways: c.ways,
                entries_per_half: c.entries_per_half,
                hash: c.hash,
                index_bits: c.index_bits,
                row_bits: ROW_BITS,
                look_ahead: c.look_ahead,
                adder_latency: c.adder_latency,
                sorter_width: c.sorter_width,
                algebra: Algebra::of(&c.semirings),
                joins: self.joined(),
                masks: self.masks(),
                ordered: c.ordered,
            },
        );
        core.set("is_float", command.float()).set("seed", command.seed);
        if c.hash == HashKind::HighBits {
            let (lead, _) = leading_zeros(m, command.cols.as_u().zext(32).dec());
            core.set("lead", m.reg("lead", lead));
        }
        if let Some(ordered) = command.ordered {
            core.set("ordered", ordered);
        }
        if c.semirings.len() > 1 {
            core.set("semiring", m.input("mode_semiring", bits(4)));
        }
        if self.masks() {
            core.set("mask", command.joins.mask).set("complement", command.joins.complement);
        }
        for (l, lane) in fetch.iter().enumerate() {
            self.send(command, (l, *lane), core);
        }
        for port in ["drain_start", "drain_half", "drain_discard"] {
            core.set(port, seq(port));
        }
        let both =
            |name: &str| cat(&[core.get(&format!("{name}_1")), core.get(&format!("{name}_0"))]);
        table.set("busy", both("busy")).set("overflow", both("overflow"));
        plans.set("first_col", command.first_col).set("end_col", command.end_col);
        plans.set("reset", command.start).set("abort", seq("flush"));
        plans.set("plan", feed.get("plan")).set("parts", feed.get("plan_parts"));
        for port in ["redo", "split", "done", "left"] {
            plans.set(port, seq(port));
        }
        plans.set("stack", table.get("stack")).set("pass", table.get("pass").trunc(6));
        plans.set("forget", seq("restart")).set("open_pass", feed.get("open_pass"));
        plans.set("retire", seq("retire") & table.get("ranged"));
        plans.set("retire_stack", table.get("stack"));
        sequencer.set("plan_busy", plans.get("busy"));
        let idles: Vec<Sig> = fetch.iter().map(|l| l.get("idle")).collect();
        let quiet = all(&[
            feed.get("idle"),
            dispatcher.get("idle"),
            all(&idles),
            !core.get("busy_0"),
            !core.get("busy_1"),
        ]);
        sequencer.set("quiet", quiet.named("quiet"));
        core
    }
}
