//! A rate-one merge sorter.

use super::{Entry, MergeStage, stages_for};
use rtl_gen::{Builder, Module, bit, bits};

/// Sorts batches of up to `entries` entries, one beat a cycle, with one comparator per stage.
///
/// Ports as [`MergeStage`]; the output of a batch is one sorted run. Latency about the length of the
/// batch; the next batch follows without a gap.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Most entries of a batch.
    pub entries: u32,
    /// Shape of an entry.
    pub entry: Entry,
}

impl Module for Chain {
    fn name(&self) -> String {
        format!("sort_chain_n{}_{}", self.entries, self.entry.tag())
    }

    fn build(&self, m: &Builder) {
        m.doc("Rate-one merge sorter: a chain of merge stages.");
        let mut valid = m.input("in_valid", bit());
        let (mut end, mut entry) =
            (m.input("in_end", bit()), m.input("in_entry", bits(self.entry.width())));
        let out_ready = m.input("out_ready", bit());
        let mut readies = vec![];
        let mut before: Option<rtl_gen::Instance> = None;
        for i in 0..stages_for(self.entries) {
            let stage =
                m.inst(&format!("stage_{i}"), &MergeStage { run: 1 << i, entry: self.entry });
            stage.set("in_valid", valid).set("in_end", end).set("in_entry", entry);
            readies.push(stage.get("in_ready"));
            if let Some(before) = before {
                before.set("out_ready", stage.get("in_ready"));
            }
            (valid, end, entry) =
                (stage.get("out_valid"), stage.get("out_end"), stage.get("out_entry"));
            before = Some(stage);
        }
        if let Some(last) = before {
            last.set("out_ready", out_ready);
        }
        m.output("in_ready", readies[0]);
        m.output("out_valid", valid);
        m.output("out_end", end);
        m.output("out_entry", entry);
    }
}
