//! A rate-one merge sorter.

use super::Beat;
use super::stage::MergeStage;
use rtl_gen::index_width;

/// Sorts batches, one beat a cycle.
#[derive(Debug)]
pub(super) struct Chain {
    stages: Vec<MergeStage>,
}

impl Chain {
    pub(super) fn new(entries: u32) -> Self {
        let stages = if entries <= 1 { 1 } else { index_width(entries) };
        Chain { stages: (0..stages).map(|i| MergeStage::new(1 << i)).collect() }
    }

    pub(super) fn ready(&self, offered: Option<Beat>) -> bool {
        self.stages[0].ready(offered)
    }

    pub(super) fn out(&self) -> Option<Beat> {
        self.stages.last().and_then(MergeStage::out)
    }

    pub(super) fn tick(&mut self, offered: Option<Beat>, out_ready: bool) {
        // From the last stage on: each sees what the one before it offers before that moves.
        let mut ready = out_ready;
        for n in (0..self.stages.len()).rev() {
            let before = if n == 0 { offered } else { self.stages[n - 1].out() };
            let stage = &mut self.stages[n];
            let takes = stage.ready(before);
            if before.is_some() || !stage.is_empty() {
                stage.tick(before, ready);
            }
            ready = takes;
        }
    }
}
