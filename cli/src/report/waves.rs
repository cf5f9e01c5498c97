//! What a product looks like cycle by cycle: a trace of few signals, sampled at every clock.

use std::path::Path;

use wellen::simple;

use super::ASKED;
use crate::error::Failure;

/// The signals: path in the card, and what each says.
pub(super) const SIGNALS: &[(&str, &str)] = &[
    ("gemm_engine/engine/loader_a/cmd_valid", "a run of A is asked for"),
    ("gemm_engine/engine/loader_b/cmd_valid", "a run of B is asked for"),
    ("gemm_engine/engine/bus/rd_beat", "data from memory"),
    ("gemm_engine/engine/sequencer/operands", "operands enter the array"),
    ("gemm_engine/engine/sequencer/first", "a tile begins"),
    ("gemm_engine/engine/bus/wr_beat", "results to memory"),
];
/// The signal that tells a busy array.
const OPERANDS: usize = 3;
/// Time units of a clock in a trace.
const PERIOD: u64 = 10;

/// Levels of each signal at every clock of the last product.
pub(super) struct Waves {
    pub(super) levels: Vec<Vec<bool>>,
}

impl Waves {
    /// Reads the trace of a product that took so many cycles.
    ///
    /// # Errors
    /// It cannot be read, or lacks a signal.
    pub(super) fn read(path: &Path, cycles: u64) -> Result<Self, Failure> {
        let failed = |why: String| Failure::new(ASKED, format!("{}: {why}", path.display()));
        let mut trace = simple::read(path).map_err(|error| failed(error.to_string()))?;
        let mut found = vec![];
        let hierarchy = trace.hierarchy();
        let top = hierarchy.first_scope().map_or("", |scope| scope.name(hierarchy));
        for (wanted, _) in SIGNALS {
            let mut path: Vec<&str> = std::iter::once(top).chain(wanted.split('/')).collect();
            let name = path.pop().unwrap_or_default();
            let var = hierarchy.lookup_var(&path, name);
            let var = var.ok_or_else(|| failed(format!("no signal {wanted}")))?;
            found.push(hierarchy[var].signal_ref());
        }
        trace.load_signals(&found);
        let times = trace.time_table().to_vec();
        let clocks = times.last().map_or(0, |last| last / PERIOD) as usize;
        let mut levels = vec![];
        for signal in found {
            let signal =
                trace.get_signal(signal).ok_or_else(|| failed("a signal is not there".into()))?;
            let mut bits = vec![false; clocks];
            let (mut level, mut at) = (false, 0);
            for (index, value) in signal.iter_changes() {
                // Values before the edge of clock n stand from 10 n on.
                let clock = (times[index as usize].div_ceil(PERIOD) as usize).min(clocks);
                bits[at..clock.max(at)].fill(level);
                at = clock.max(at);
                level = value.to_bit_string().is_some_and(|bits| bits.contains('1'));
            }
            bits[at..].fill(level);
            levels.push(bits);
        }
        Ok(Self { levels }.trimmed(cycles as usize))
    }

    /// The cycles of the product, which end with its last response; before them the card was tested and reset.
    fn trimmed(self, cycles: usize) -> Self {
        let busy = |at: usize| self.levels.iter().any(|bits| bits[at]);
        let last = (0..self.clocks()).rev().find(|at| busy(*at)).unwrap_or(0);
        let (from, to) = ((last + 1).saturating_sub(cycles + 2), (last + 3).min(self.clocks()));
        Self { levels: self.levels.iter().map(|bits| bits[from..to].to_vec()).collect() }
    }

    pub(super) fn clocks(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// Part of the clocks of each of `count` equal spans in which operands entered the array.
    pub(super) fn utilisation(&self, count: usize) -> Vec<f64> {
        let bits = &self.levels[OPERANDS];
        let span = bits.len().div_ceil(count).max(1);
        let part = |bits: &[bool]| bits.iter().filter(|b| **b).count() as f64 / bits.len() as f64;
        bits.chunks(span).map(part).collect()
    }

    /// The clocks around the first operands, as many as a picture shows.
    pub(super) fn window(&self, clocks: usize) -> (usize, Vec<&[bool]>) {
        let first = self.levels[OPERANDS].iter().position(|bit| *bit).unwrap_or(0);
        let from = first.saturating_sub(clocks / 3);
        let to = (from + clocks).min(self.clocks());
        (from, self.levels.iter().map(|bits| &bits[from..to]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_windows_cover_the_product() {
        let mut levels = vec![vec![false; 100]; SIGNALS.len()];
        levels[0][10] = true;
        levels[OPERANDS][0] = true;
        levels[OPERANDS][40..60].fill(true);
        levels[5][79] = true;
        let waves = Waves { levels }.trimmed(70);
        assert_eq!(waves.clocks(), 74);
        let parts = waves.utilisation(37);
        assert_eq!(parts.iter().filter(|part| **part == 1.0).count(), 10);
        let (from, window) = waves.window(30);
        assert_eq!((from, window[OPERANDS].iter().position(|bit| *bit)), (22, Some(10)));
    }
}
