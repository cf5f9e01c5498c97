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
    /// Words of a group of rows.
    pitch: i64,
    elements: HashMap<(i64, i64), u8>,
}

impl Bench {
    fn new(rows: u32, depth: u32, pitch: i64) -> Bench {
        let pad = Scratchpad { rows, width: 8, depth };
        let design = Design::elaborate(&pad).expect("elaborates");
        let mut sim = Interpreter::new(&design).expect("simulates");
        sim.set("wr_valid", 0);
        sim.set("rd_valid", 0);
        let lanes = i64::from(Scratchpad::lanes_for(rows));
        Bench { pad, sim, lanes, pitch, elements: HashMap::new() }
    }

    /// Writes `data[j]` where it is present, at (row, k + j) or (row + j, k).
    fn write(&mut self, along_k: bool, row: i64, k: i64, data: &[Option<u8>]) {
        let (lanes, pitch) = (self.lanes, self.pitch);
        let (start, other) = if along_k { (k, row) } else { (row, k) };
        let (line0, step) = match along_k {
            true => ((row.div_euclid(lanes) * pitch) / lanes + k.div_euclid(lanes), 1),
            false => (row.div_euclid(lanes) * pitch / lanes + k / lanes, pitch / lanes),
        };
        let lane = |j: usize| u64::from(data[j].unwrap_or(0xee)) << (8 * j);
        let value = (0..data.len()).fold(0, |v, j| v | lane(j));
        let mask = (0..data.len()).fold(0, |v, j| v | u64::from(data[j].is_some()) << j);
        for (port, value) in [
            ("wr_valid", 1),
            ("wr_along_k", along_k.into()),
            ("wr_data", value),
            ("wr_mask", mask),
            ("wr_phase", start.rem_euclid(lanes) as u64),
            ("wr_cross", other.rem_euclid(lanes) as u64),
            ("wr_line0", line0 as u64),
            ("wr_line1", (line0 + step) as u64),
        ] {
            self.sim.set(port, value);
        }
        self.sim.tick();
        self.sim.set("wr_valid", 0);
        for (j, value) in data.iter().enumerate() {
            let at = if along_k { (row, k + j as i64) } else { (row + j as i64, k) };
            value.map(|v| self.elements.insert(at, v));
        }
    }

    /// The window of rows from `row` on at `k`.
    fn read(&mut self, row: i64, k: i64) -> Vec<u8> {
        let word = row / self.lanes * self.pitch + k;
        self.sim.set("rd_valid", 1);
        self.sim.set("rd_word0", word as u64);
        if Scratchpad::straddles(self.pad.rows) {
            self.sim.set("rd_word1", (word + self.pitch) as u64);
            self.sim.set("rd_phase", (row % self.lanes) as u64);
        }
        self.sim.tick();
        self.sim.set("rd_valid", 0);
        (1..Scratchpad::READ_LATENCY).for_each(|_| self.sim.tick());
        let data = self.sim.get("rd_data");
        (0..self.pad.rows).map(|i| (data >> (8 * i)) as u8).collect()
    }
}

#[test]
fn runs_in_both_directions_become_windows() {
    for rows in [1, 2, 3, 4, 5, 7, 8] {
        let mut rng = StdRng::seed_from_u64(rows.into());
        let (pitch, groups) = (16, 3);
        let mut bench = Bench::new(rows, 64, pitch);
        let lanes = bench.lanes;
        let all_rows = groups * lanes;
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
            bench.write(along_k, row, k, &data);
        }
        (0..Scratchpad::WRITE_LATENCY).for_each(|_| bench.sim.tick());
        for _ in 0..400 {
            let row = match Scratchpad::straddles(rows) {
                true => rng.random_range(0..=all_rows - i64::from(rows)),
                false => rng.random_range(0..groups) * lanes,
            };
            let k = rng.random_range(0..pitch);
            let window = bench.read(row, k);
            for (i, value) in window.iter().enumerate() {
                if let Some(want) = bench.elements.get(&(row + i as i64, k)) {
                    assert_eq!(value, want, "row {row} + {i}, k {k}, windows of {rows}");
                }
            }
        }
    }
}

#[test]
fn idle_reads_are_zero() {
    let mut bench = Bench::new(4, 16, 4);
    (0..5).for_each(|_| bench.sim.tick());
    assert_eq!(bench.sim.get("rd_data"), 0);
}

#[test]
fn refuses_a_depth_that_is_no_power_of_two() {
    let pad = Scratchpad { rows: 4, width: 8, depth: 24 };
    let text = pad.check().expect_err("refused");
    assert_eq!(text, "scratchpad depth 24 is no power of two from 8");
}
