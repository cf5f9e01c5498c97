//! The sorter against `sort`: random batches of every size, back to back, with stalls.

use mattock_hw::spgemm::back::{Entry, Sorter};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::{Design, sim::Interpreter};
use std::collections::VecDeque;

const ENTRY: Entry = Entry { key_bits: 24, value_bits: 16 };

/// Feeds all batches and returns the sorted ones with the cycles taken.
fn run(
    width: u32,
    entries: u32,
    batches: &[Vec<u64>],
    stall: f64,
    seed: u64,
) -> (Vec<Vec<u64>>, u64) {
    let design = Design::elaborate(&Sorter { width, entries, entry: ENTRY }).unwrap();
    let mut sim = Interpreter::new(&design).unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut queues: Vec<VecDeque<Option<u64>>> = vec![VecDeque::new(); width as usize];
    for batch in batches {
        for (i, e) in batch.iter().enumerate() {
            queues[i % width as usize].push_back(Some(*e));
        }
        queues.iter_mut().for_each(|q| q.push_back(None));
    }
    sim.set("rst", 1);
    sim.tick();
    sim.set("rst", 0);
    let (mut out, mut current) = (vec![], vec![]);
    while out.len() < batches.len() {
        assert!(sim.cycle() < 200_000, "the sorter hangs");
        let offered: Vec<bool> =
            queues.iter().map(|q| !q.is_empty() && !rng.random_bool(stall)).collect();
        for (g, q) in queues.iter().enumerate() {
            sim.set(format!("d{g}_valid").as_str(), offered[g] as u64);
            let front = q.front().copied().flatten();
            sim.set(format!("d{g}_end").as_str(), front.is_none() as u64);
            sim.set(format!("d{g}_entry").as_str(), front.unwrap_or(0));
        }
        let take = !rng.random_bool(stall);
        sim.set("out_ready", take as u64);
        for (g, q) in queues.iter_mut().enumerate() {
            if offered[g] && sim.get(format!("d{g}_ready").as_str()) == 1 {
                q.pop_front();
            }
        }
        if take && sim.get("out_valid") == 1 {
            if sim.get("out_end") == 1 {
                out.push(std::mem::take(&mut current));
            } else {
                let mut words = vec![0u32; (width * ENTRY.width()).div_ceil(32) as usize];
                sim.get_words("out_entries", &mut words);
                let bits = |i: u32| (words[(i / 32) as usize] >> (i % 32) & 1) as u64;
                for e in 0..sim.get("out_count") as u32 {
                    current
                        .push((0..ENTRY.width()).map(|b| bits(e * ENTRY.width() + b) << b).sum());
                }
            }
        }
        sim.tick();
        assert!(sim.failure().is_none(), "{:?}", sim.failure());
    }
    (out, sim.cycle())
}

fn random_batches(rng: &mut StdRng, count: usize, most: usize) -> Vec<Vec<u64>> {
    let mut keys = std::collections::BTreeSet::new();
    (0..count)
        .map(|_| {
            let n = rng.random_range(0..=most);
            keys.clear();
            while keys.len() < n {
                keys.insert(rng.random_range(0..1u64 << 24));
            }
            let mut batch: Vec<u64> =
                keys.iter().map(|k| k << 16 | rng.random_range(0..1 << 16)).collect();
            // Any order in; the table delivers hash order.
            for i in (1..batch.len()).rev() {
                batch.swap(i, rng.random_range(0..=i));
            }
            batch
        })
        .collect()
}

#[test]
fn sorts_every_batch() {
    for (width, entries) in [(1, 16), (2, 32), (4, 16), (4, 64), (8, 8)] {
        for stall in [0.0, 0.3] {
            let mut rng = StdRng::seed_from_u64(width as u64 * 7 + entries as u64);
            let most = (width * entries) as usize;
            let mut batches = random_batches(&mut rng, 40, most);
            batches.extend((0..4).map(|_| vec![]));
            batches.extend((1..6).map(|n| (0..n).rev().map(|k| k << 16).collect()));
            let (got, _) = run(width, entries, &batches, stall, 3);
            for (batch, got) in batches.iter().zip(&got) {
                let mut want = batch.clone();
                want.sort_unstable();
                assert_eq!(got, &want, "width {width}, entries {entries}, stall {stall}");
            }
        }
    }
}

#[test]
fn keeps_the_full_rate() {
    let mut rng = StdRng::seed_from_u64(5);
    let batches: Vec<Vec<u64>> =
        (0..60).map(|_| random_batches(&mut rng, 1, 800).remove(0)).collect();
    let entries: usize = batches.iter().map(Vec::len).sum();
    let (_, cycles) = run(4, 256, &batches, 0.0, 1);
    let rate = entries as f64 / cycles as f64;
    println!("sorter: {entries} entries in {cycles} cycles, {rate:.2} of 4 a cycle");
    assert!(rate > 3.3, "{rate}");
}
