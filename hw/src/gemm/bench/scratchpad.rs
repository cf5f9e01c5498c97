//! The scratchpad against a map of elements: runs in both directions, windows anywhere.

use crate::gemm::Scratchpad;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter, Module};
use std::collections::HashMap;

struct Bench {
    pad: Scratchpad,
    sim: Interpreter,
    lanes: i64,
    /// Rows of a panel.
    panel: i64,
    /// Steps of a panel.
    pitch: i64,
    elements: HashMap<(i64, i64), u8>,
}

impl Bench {
    fn new(pad: Scratchpad, pitch: i64) -> Bench {
        let design = Design::elaborate(&pad).expect("elaborates");
        let mut sim = Interpreter::new(&design).expect("simulates");
        sim.set("wr_valid", 0);
        sim.set("rd_valid", 0);
        let panel = i64::from(Scratchpad::panel_for(pad.rows));
        let lanes = panel * i64::from(pad.deep);
        if pad.deep > 1 {
            sim.set("wr_panel_lines", (pitch / lanes) as u64);
            (0..pad.deep).for_each(|_| sim.tick());
        }
        if pad.deep.max(pad.split) > 1 {
            sim.set("rd_keep", u64::MAX >> (64 - pad.deep.max(pad.split)));
        }
        Bench { pad, sim, lanes, panel, pitch, elements: HashMap::new() }
    }

    /// Writes `data[j]` where it is present, at (row, k + j) or (row + j, k).
    fn write(&mut self, along_k: bool, row: i64, k: i64, data: &[Option<u8>]) {
        let (lanes, panel, pitch) = (self.lanes, self.panel, self.pitch);
        let panel_lines = pitch / lanes;
        // Along k the row is told by its place in `deep` panels, across rows k by its place in `lanes` steps.
        let (start, other) = if along_k { (k, row) } else { (row, k) };
        let (line0, line1) = match along_k {
            true => {
                let first = row / panel * panel_lines;
                (first + k.div_euclid(lanes), first + k.div_euclid(lanes) + 1)
            }
            false => {
                let group = |row: i64| row.div_euclid(lanes) * lanes / panel * panel_lines;
                (group(row) + k / lanes, group(row + lanes) + k / lanes)
            }
        };
        let words: Vec<u32> = (data.chunks(4))
            .map(|c| c.iter().rev().fold(0, |v, x| v << 8 | u32::from(x.unwrap_or(0xee))))
            .collect();
        let mask: Vec<u32> = (data.chunks(32))
            .map(|c| c.iter().rev().fold(0, |v, x| v << 1 | u32::from(x.is_some())))
            .collect();
        let (wr_data, wr_mask) = (self.sim.port("wr_data"), self.sim.port("wr_mask"));
        self.sim.set_words(wr_data, &words);
        self.sim.set_words(wr_mask, &mask);
        for (port, value) in [
            ("wr_valid", 1),
            ("wr_along_k", along_k.into()),
            ("wr_phase", start.rem_euclid(lanes) as u64),
            ("wr_cross", other.rem_euclid(lanes) as u64),
            ("wr_line0", line0 as u64),
            ("wr_line1", line1 as u64),
        ] {
            self.sim.set(port, value);
        }
        self.sim.tick();
        self.sim.set("wr_valid", 0);
        // The direction is that of the command: it does not change while a run is on its way.
        (1..self.pad.write_latency()).for_each(|_| self.sim.tick());
        for (j, value) in data.iter().enumerate() {
            let at = if along_k { (row, k + j as i64) } else { (row + j as i64, k) };
            value.map(|v| self.elements.insert(at, v));
        }
    }

    /// The windows of rows from `row` on at `k` and the steps after it, up to the end of the word.
    fn read(&mut self, row: i64, k: i64, split: u32) -> Vec<u8> {
        let panel = row / self.panel;
        let word = panel * self.pitch + k;
        self.sim.set("rd_valid", 1);
        self.sim.set("rd_word0", word as u64);
        if self.pad.deep > 1 {
            self.sim.set("rd_panel", (panel % i64::from(self.pad.deep)) as u64);
        }
        if self.pad.split > 1 {
            self.sim.set("rd_split", split.into());
        }
        if Scratchpad::straddles(self.pad.rows) {
            self.sim.set("rd_word1", (word + self.pitch) as u64);
            self.sim.set("rd_phase", (row % self.panel) as u64);
        }
        self.sim.tick();
        self.sim.set("rd_valid", 0);
        (1..Scratchpad::READ_LATENCY).for_each(|_| self.sim.tick());
        let port = self.sim.port("rd_data");
        let elements = self.pad.rows * self.pad.deep;
        let mut words = vec![0; elements.div_ceil(4) as usize];
        self.sim.get_words(port, &mut words);
        (0..elements as usize).map(|i| (words[i / 4] >> (8 * (i % 4))) as u8).collect()
    }

    fn check(&mut self, got: u8, row: i64, k: i64) {
        if let Some(want) = self.elements.get(&(row, k)) {
            assert_eq!(got, *want, "row {row}, k {k} of {:?}", self.pad);
        }
    }

    /// 400 runs anywhere, then 400 windows.
    fn exercise(&mut self, groups: i64) {
        let mut rng = StdRng::seed_from_u64(self.pad.rows.into());
        let (pad, lanes, pitch) = (self.pad, self.lanes, self.pitch);
        let all_rows = groups * self.panel;
        for _ in 0..400 {
            let along_k = rng.random();
            let (row, k) = (rng.random_range(0..all_rows), rng.random_range(0..pitch));
            // The first piece of a run may begin before the run does.
            let (row, k) = match along_k {
                true => (row, k - rng.random_range(0..lanes)),
                false => (row - rng.random_range(0..lanes), k),
            };
            let data: Vec<Option<u8>> = (0..lanes)
                .map(|j| {
                    let (i, l) = if along_k { (row, k + j) } else { (row + j, k) };
                    let inside = (0..all_rows).contains(&i) && (0..pitch).contains(&l);
                    (inside && rng.random_bool(0.8)).then(|| rng.random())
                })
                .collect();
            self.write(along_k, row, k, &data);
        }
        let rows = i64::from(pad.rows);
        for _ in 0..400 {
            let row = match Scratchpad::straddles(pad.rows) {
                true => rng.random_range(0..=all_rows - rows),
                false => rng.random_range(0..groups) * self.panel,
            };
            let split = rng.random_range(0..=pad.split.ilog2());
            let k = rng.random_range(0..pitch) >> split << split;
            let window = self.read(row, k, split);
            for (i, value) in window.iter().enumerate() {
                let (i, step) = (i as i64 % rows, i as i64 / rows);
                let (part, rows_read) = (i / (rows >> split), rows >> split);
                let turned = (0..split).fold(0, |r, bit| r << 1 | (part >> bit & 1));
                // Steps past the end of the word belong to no one.
                let end = (k / i64::from(pad.deep) + 1) * i64::from(pad.deep);
                if k + step < end {
                    self.check(*value, row + i % rows_read, k + step + turned);
                }
            }
        }
    }
}

fn plain(rows: u32, depth: u32) -> Scratchpad {
    Scratchpad { rows, width: 8, depth, deep: 1, split: 1 }
}

#[test]
fn runs_in_both_directions_become_windows() {
    for rows in [1, 2, 3, 4, 5, 7, 8] {
        Bench::new(plain(rows, 64), 16).exercise(3);
    }
}

#[test]
fn several_steps_of_k_in_a_word() {
    for (rows, deep) in [(2, 2), (4, 4), (3, 4), (8, 2), (5, 8), (16, 8)] {
        let pad = Scratchpad { deep, ..plain(rows, 256) };
        let lanes = i64::from(Scratchpad::panel_for(rows) * deep);
        Bench::new(pad, 2 * lanes).exercise(5);
    }
}

#[test]
fn windows_cut_by_steps_of_k() {
    for (rows, split) in [(2, 2), (4, 4), (8, 2), (16, 8)] {
        Bench::new(Scratchpad { split, ..plain(rows, 128) }, 2 * i64::from(rows)).exercise(3);
    }
}

#[test]
fn idle_reads_are_zero() {
    let mut bench = Bench::new(plain(4, 16), 4);
    (0..5).for_each(|_| bench.sim.tick());
    assert_eq!(bench.sim.get("rd_data"), 0);
}

#[test]
fn refuses_a_depth_that_is_no_power_of_two() {
    let text = plain(4, 24).check().expect_err("refused");
    assert_eq!(text, "scratchpad depth 24 is no power of two from 8");
}
