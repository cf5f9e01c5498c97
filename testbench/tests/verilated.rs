//! A Verilated design behaves as the interpreter's, port by port and cycle by cycle.

use std::path::Path;

use mattock_testbench::sim::Verilated;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rtl_gen::sim::Simulator;
use rtl_gen::{Builder, Design, Interpreter, Module, bit, bits, uint};
use verilator_rs::Toolchain;

/// A sum with enable beside a path without registers, narrow and wide.
#[derive(Debug)]
struct Adder;

impl Module for Adder {
    fn name(&self) -> String {
        "adder".into()
    }

    fn build(&self, m: &Builder) {
        let (enable, wide) = (m.input("enable", bit()), m.input("wide", bits(100)));
        let a = m.input("a", uint(33));
        let sum = m.state("sum_q", uint(33), 0);
        sum.drive_when(enable, sum.q().add_wrap(a));
        m.output("sum", sum.q());
        m.output("next", sum.q().add_wrap(a));
        m.output("kept", m.reg("wide_q", wide));
        m.output("passed", !wide);
    }
}

fn design() -> Design {
    Design::elaborate(&Adder).unwrap()
}

fn cache() -> &'static Path {
    Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated"))
}

#[test]
fn lock_step_with_the_interpreter() {
    let mut model = Verilated::new(&design(), &Toolchain::find().unwrap(), cache()).unwrap();
    let mut interpreter = Interpreter::new(&design()).unwrap();
    let simulators: [&mut dyn Simulator; 2] = [&mut model, &mut interpreter];
    let answers = simulators.map(|sim| {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut answers = Vec::new();
        for cycle in 0..500 {
            sim.set(sim.port("rst"), u64::from(cycle < 2));
            for name in ["enable", "a"] {
                // Bits past the width of a port are dropped.
                sim.set(sim.port(name), random.random());
            }
            let wide: [u32; 4] = random.random();
            sim.set_words(sim.port("wide"), &wide);
            for round in 0..2 {
                for name in ["sum", "next"] {
                    answers.push(sim.get(sim.port(name)));
                }
                for name in ["kept", "passed"] {
                    let mut words = [0; 5];
                    sim.get_words(sim.port(name), &mut words);
                    answers.extend(words.map(u64::from));
                    answers.push(sim.get(sim.port(name)));
                }
                // Outputs are read again right after the edge, before any input changes.
                if round == 0 {
                    sim.tick();
                }
            }
        }
        assert_eq!(sim.failure(), None);
        answers
    });
    // Before the first edge the registers hold what each simulator likes.
    let per_cycle = answers[0].len() / 500;
    let differ = (per_cycle..answers[0].len()).find(|&i| answers[0][i] != answers[1][i]);
    assert_eq!(differ.map(|i| (i / per_cycle, i % per_cycle)), None, "(cycle, value)");
}

#[test]
fn a_trace_has_every_cycle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adder.fst");
    let tools = Toolchain::find().unwrap();
    let mut model = Verilated::traced(&design(), &tools, cache(), &path).unwrap();
    let [enable, a] = ["enable", "a"].map(|name| model.port(name));
    model.set(enable, 1);
    model.set(a, 3);
    for _ in 0..10 {
        model.tick();
    }
    assert_eq!(model.failure(), None);
    drop(model);
    let waves = wellen::simple::read(&path).unwrap();
    assert_eq!(waves.time_table().len(), 20);
}
