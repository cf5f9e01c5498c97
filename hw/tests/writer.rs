//! The row writer against a plain model: random windows, passes, empty rows, stalls, full memory.

use mattock_hw::spgemm::back::RowWriter;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Design, sim::Interpreter};

struct Batch {
    rows: u32,
    whole: bool,
    /// (row slot, column, value), sorted.
    entries: Vec<(u32, u32, u32)>,
}

fn random_batches(rng: &mut StdRng, count: usize) -> Vec<Batch> {
    (0..count)
        .map(|_| {
            let single = rng.random_bool(0.3);
            let rows = if single { 1 } else { rng.random_range(1..=40) };
            let density = rng.random_range(0..8);
            let mut entries = vec![];
            for slot in 0..rows {
                for col in 0..rng.random_range(0..=density * if single { 20 } else { 1 }) {
                    entries.push((slot, col * 3, rng.random()));
                }
            }
            Batch { rows, whole: !single || rng.random_bool(0.5), entries }
        })
        .collect()
}

/// Runs all batches; returns memory words at the three bases, nnz and overflow.
fn run(
    line_words: u32,
    width: u32,
    batches: &[Batch],
    capacity: u32,
    stall: f64,
) -> (Vec<u32>, u64, u64) {
    let shape = RowWriter { line_words, addr_bits: 20, width, row_bits: 8, index_bits: 20 };
    let design = Design::elaborate(&shape).unwrap();
    let mut sim = Interpreter::new(&design).unwrap();
    let mut rng = StdRng::seed_from_u64(9);
    let mut memory = vec![0xdead_beefu32; 3 << 16];
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    for (port, value) in [
        ("ptr_base", 0),
        ("col_base", (1 << 16) / line_words),
        ("val_base", (2 << 16) / line_words),
    ] {
        sim.set(port, value as u64);
    }
    sim.set("capacity", capacity as u64);
    sim.set("start", 1);
    sim.tick();
    sim.set("start", 0);
    let beats: Vec<Option<Vec<(u32, u32, u32)>>> = (batches.iter())
        .flat_map(|b| b.entries.chunks(width as usize).map(|c| Some(c.to_vec())).chain([None]))
        .collect();
    let (mut next_batch, mut next_beat) = (0, 0);
    let entry_bits = 8 + 20 + 32;
    loop {
        assert!(sim.cycle() < 100_000, "the writer hangs");
        let offer_batch = next_batch < batches.len();
        sim.set("batch_valid", offer_batch as u64);
        if offer_batch {
            sim.set("batch_rows", batches[next_batch].rows as u64);
            sim.set("batch_whole", batches[next_batch].whole as u64);
        }
        let offer = next_beat < beats.len() && !rng.random_bool(stall);
        sim.set("in_valid", offer as u64);
        if offer {
            let beat = &beats[next_beat];
            sim.set("in_end", beat.is_none() as u64);
            let entries = beat.as_deref().unwrap_or(&[]);
            sim.set("in_count", entries.len() as u64);
            let mut words = vec![0u32; (width * entry_bits).div_ceil(32) as usize];
            for (i, (slot, col, value)) in entries.iter().enumerate() {
                let bits = (*slot as u64) << 52 | (*col as u64) << 32 | *value as u64;
                for b in 0..entry_bits {
                    let at = i as u32 * entry_bits + b;
                    words[(at / 32) as usize] |= ((bits >> b & 1) as u32) << (at % 32);
                }
            }
            sim.set_words("in_entries", &words);
        }
        sim.set("finish", (next_beat == beats.len()) as u64);
        let take = !rng.random_bool(stall);
        sim.set("w_ready", take as u64);
        if take && sim.get("w_valid") == 1 {
            let (addr, mask) = (sim.get("w_addr") as usize, sim.get("w_mask"));
            let mut line = vec![0u32; line_words as usize];
            sim.get_words("w_data", &mut line);
            for (i, word) in line.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1) {
                assert_eq!(memory[addr * line_words as usize + i], 0xdead_beef, "written twice");
                memory[addr * line_words as usize + i] = *word;
            }
        }
        let (took_batch, took) = (sim.get("batch_ready") == 1, sim.get("in_ready") == 1);
        if next_beat == beats.len() && sim.get("idle") == 1 {
            break;
        }
        next_batch += (offer_batch && took_batch) as usize;
        next_beat += (offer && took) as usize;
        sim.tick();
    }
    (memory, sim.get("nnz"), sim.get("overflow"))
}

#[test]
fn writes_every_entry_and_pointer() {
    for (line_words, width) in [(16, 4), (4, 4), (8, 2), (2, 1), (16, 8)] {
        for stall in [0.0, 0.4] {
            let batches = random_batches(&mut StdRng::seed_from_u64(line_words as u64), 60);
            let (memory, nnz, overflow) = run(line_words, width, &batches, 1 << 16, stall);
            let (mut pointers, mut cols, mut values) = (vec![0u32], vec![], vec![]);
            for batch in &batches {
                for slot in 0..batch.rows {
                    for e in batch.entries.iter().filter(|e| e.0 == slot) {
                        cols.push(e.1);
                        values.push(e.2);
                    }
                    if batch.whole {
                        pointers.push(cols.len() as u32);
                    }
                }
            }
            assert_eq!((nnz, overflow), (cols.len() as u64, 0));
            for (base, want) in [(0, pointers), (1 << 16, cols), (2 << 16, values)] {
                assert_eq!(
                    &memory[base..base + want.len()],
                    &want[..],
                    "line {line_words}, width {width}"
                );
                assert_eq!(memory[base + want.len()], 0xdead_beef, "nothing past the end");
            }
        }
    }
}

#[test]
fn never_writes_past_the_capacity() {
    let batches = random_batches(&mut StdRng::seed_from_u64(4), 30);
    let total: usize = batches.iter().map(|b| b.entries.len()).sum();
    let (memory, nnz, overflow) = run(16, 4, &batches, total as u32 / 2, 0.1);
    assert_eq!(
        (nnz, overflow),
        (total as u64, 1),
        "the count goes on, so that the caller learns the need"
    );
    for base in [1 << 16, 2 << 16] {
        assert!(memory[base + total / 2..base + total + 64].iter().all(|w| *w == 0xdead_beef));
    }
}
