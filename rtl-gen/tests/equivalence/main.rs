//! Interpreter = Verilator = Icarus on seeded random graphs over all operators, registers and memories.
//!
//! The default run takes 2,000 graphs, 500 to a Verilated model; `MATTOCK_DAGS=20000 cargo test -p rtl-gen
//! --test equivalence` takes more. The first failing graph can be seen alone with `MATTOCK_DAG=<seed>`.

mod dag;
mod icarus;
#[path = "../common/verilated.rs"]
mod verilated;

use dag::Dags;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::Design;
use rtl_gen::ir::Direction;
use rtl_gen::sim::{Interpreter, PortId, Simulator};
use std::ops::Range;
use verilated::Verilated;

const CYCLES: usize = 40;
/// Cycles of reset: unknown values pass through one memory or register a cycle.
const RESET: usize = 8;
const PER_MODEL: u64 = 500;

#[test]
fn random_graphs_agree() {
    let number = |name: &str| std::env::var(name).ok().map(|v| v.parse::<u64>().expect(name));
    if let Some(seed) = number("MATTOCK_DAG") {
        let design = Design::elaborate(&dag::Dag { seed }).unwrap_or_else(|e| panic!("{e}"));
        println!("{}", design.verilog_text());
        return compare(seed..seed + 1);
    }
    let count = number("MATTOCK_DAGS").unwrap_or(2000);
    let blocks: Vec<Range<u64>> = (0..count.div_ceil(PER_MODEL))
        .map(|i| i * PER_MODEL..((i + 1) * PER_MODEL).min(count))
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(seeds) =
                    blocks.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    compare(seeds.clone());
                }
            });
        }
    });
}

fn compare(seeds: Range<u64>) {
    let design =
        Design::elaborate(&Dags { seeds: seeds.clone() }).unwrap_or_else(|e| panic!("{e}"));
    let vectors = vectors(&design, seeds.start);
    let dir = tempfile::tempdir().unwrap();
    let icarus = icarus::run(&design, &vectors, dir.path());
    let interpreter = run(&mut Interpreter::new(&design).unwrap(), &design, &vectors);
    let verilator = run(&mut Verilated::new(&design), &design, &vectors);
    let names: Vec<&str> =
        icarus::data_ports(&design, Direction::Output).map(|p| p.name.as_str()).collect();
    let mut wrong = vec![];
    for cycle in 0..CYCLES {
        // Before the reset has been seen, registers hold what they like.
        for (i, name) in names.iter().enumerate().filter(|_| cycle > RESET) {
            let all = [&interpreter[cycle][i], &verilator[cycle][i], &icarus[cycle][i]];
            if all.iter().any(|v| v != &all[0]) && wrong.iter().all(|w: &String| !w.contains(name))
            {
                let [a, b, c] = all;
                wrong.push(format!(
                    "{name} at cycle {cycle}:\n  interpreter {a}\n  verilator   {b}\n  icarus      {c}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} graphs differ\n{}",
        wrong.len(),
        names.len(),
        wrong.join("\n")
    );
}

/// Per cycle and input, words. Reset is high first and seldom later.
fn vectors(design: &Design, seed: u64) -> Vec<Vec<Vec<u32>>> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x76ec);
    let mut vector = |cycle: usize| {
        let mut value = |port: &rtl_gen::ir::Port| {
            if port.ty == rtl_gen::Type::Reset {
                return vec![(cycle < RESET || rng.random_bool(0.05)) as u32];
            }
            let width = port.ty.width();
            let mut words: Vec<u32> = (0..width.div_ceil(32)).map(|_| rng.random()).collect();
            match rng.random_range(0..8) {
                0 => words.fill(0),
                1 => words.fill(u32::MAX),
                2 => {
                    words.fill(0);
                    words[0] = rng.random_range(0..4);
                }
                3 => {
                    // The least number and its neighbour.
                    words.fill(0);
                    words[(width as usize - 1) / 32] = 1 << ((width - 1) % 32);
                    words[0] |= rng.random_range(0..2);
                }
                _ => {}
            }
            if !width.is_multiple_of(32) {
                *words.last_mut().unwrap() &= (1 << (width % 32)) - 1;
            }
            words
        };
        icarus::data_ports(design, Direction::Input).map(&mut value).collect()
    };
    (0..CYCLES).map(&mut vector).collect()
}

fn run(sim: &mut dyn Simulator, design: &Design, vectors: &[Vec<Vec<u32>>]) -> Vec<Vec<String>> {
    let handles = |direction| -> Vec<PortId> {
        icarus::data_ports(design, direction).map(|p| sim.port(&p.name)).collect()
    };
    let (inputs, outputs) = (handles(Direction::Input), handles(Direction::Output));
    let mut all = vec![];
    for vector in vectors {
        for (port, words) in inputs.iter().zip(vector) {
            sim.set_words(*port, words);
        }
        let mut row = vec![];
        for &port in &outputs {
            let width = sim.width(port);
            let mut words = vec![0; width.div_ceil(32) as usize];
            sim.get_words(port, &mut words);
            let text: String = words.iter().rev().map(|w| format!("{w:08x}")).collect();
            row.push(text[text.len() - width.div_ceil(4) as usize..].to_string());
        }
        sim.tick();
        all.push(row);
    }
    all
}
