//! Proofs about the hardware's cells (`docs/formal.md`): the harnesses of [`mattock_hw::formal`], by yosys and ABC.
//!
//! A run of a minute or two is part of `cargo xtask test`; `cargo xtask test formal` (`MATTOCK_FORMAL=full`) goes further where a
//! proof has a bound. Both print a table. `MATTOCK_FORMAL_ONLY=bank` asks only of harnesses with that in their name.

mod checker;
mod mutations;

use checker::{Model, Question, Verdict};
use mattock_hw::formal::{Bound, Proof, proofs};
use mattock_toolbox::Toolbox;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::ir::{Direction, Timing};
use rtl_gen::{Design, Interpreter, Type};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn full() -> bool {
    std::env::var("MATTOCK_FORMAL").is_ok_and(|size| size == "full")
}

/// Runs `work` for 0 to `count`, on all cores; results in order.
fn on_all_cores<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let take = || {
        let claim = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < count);
        std::iter::from_fn(claim).map(|i| (i, work(i))).collect::<Vec<_>>()
    };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(take)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Asks one question of every harness and prints a line for each; every answer must be as `wanted`.
fn ask_all(question: Question, bound: fn(&Proof) -> Bound, wanted: fn(Verdict) -> bool) {
    let toolbox = Toolbox::open();
    // Not below /tmp, which the WebAssembly build of yosys does not see.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let only = std::env::var("MATTOCK_FORMAL_ONLY").unwrap_or_default();
    let mut proofs = proofs();
    proofs.retain(|proof| proof.harness.name().contains(&only));
    let models = on_all_cores(proofs.len(), |i| {
        let keep = |_: &str, text: &str| text.to_owned();
        Model::new(&toolbox, &folder.path().join(i.to_string()), &proofs[i], question, keep)
    });
    let jobs: Vec<(usize, usize)> = (models.iter().enumerate())
        .flat_map(|(i, model)| (0..model.properties.len()).map(move |p| (i, p)))
        .collect();
    let verdicts = on_all_cores(jobs.len(), |job| {
        let (i, p) = jobs[job];
        let start = Instant::now();
        (models[i].check(&toolbox, p, bound(&proofs[i])), start.elapsed())
    });
    let mut wrong = vec![];
    println!("{:<28} {:>10} {:<14} {:>8}", "harness", "properties", "bound", "seconds");
    for (i, (proof, model)) in proofs.iter().zip(&models).enumerate() {
        let of = || jobs.iter().zip(&verdicts).filter(|((harness, _), _)| *harness == i);
        let time: Duration = of().map(|(_, (_, time))| *time).sum();
        let bound = match bound(proof) {
            Bound::Unbounded => "none".to_owned(),
            Bound::Cycles(cycles) => format!("{cycles} cycles"),
        };
        let (name, count) = (proof.harness.name(), model.properties.len());
        assert!(count > 0, "{name} has nothing to ask");
        println!("{name:<28} {count:>10} {bound:<14} {:>8.1}", time.as_secs_f64());
        for ((_, p), (verdict, _)) in of().filter(|(_, (verdict, _))| !wanted(*verdict)) {
            wrong.push(format!("{name}: {}: {verdict:?}", model.properties[*p]));
        }
    }
    assert!(wrong.is_empty(), "{question:?}:\n{}", wrong.join("\n"));
}

#[test]
fn every_assertion_holds() {
    let bound = |proof: &Proof| if full() { proof.long } else { proof.bound };
    ask_all(Question::Assertions, bound, |verdict| !matches!(verdict, Verdict::Reached(_)));
}

/// Else an assertion might hold of nothing.
#[test]
fn every_cover_point_is_reached() {
    let bound = |proof: &Proof| Bound::Cycles(proof.covered);
    ask_all(Question::Covers, bound, |verdict| matches!(verdict, Verdict::Reached(_)));
}

/// The harnesses under another simulator of the same hardware, with random inputs: no assertion fails here either.
#[test]
fn harnesses_hold_in_the_interpreter() {
    for proof in proofs() {
        let design = Design::elaborate(proof.harness.as_ref()).unwrap_or_else(|e| panic!("{e}"));
        let top = design.top();
        let inputs = || {
            top.ports.iter().filter(|p| {
                p.direction == Direction::Input && !matches!(p.ty, Type::Clock | Type::Reset)
            })
        };
        let resets = || top.ports.iter().filter(|p| p.ty == Type::Reset);
        for seed in 0..8 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut random = |width: u32| rng.random::<u64>() & ((1 << width) - 1);
            let mut sim = Interpreter::new(&design).unwrap();
            inputs().for_each(|p| sim.set(&*p.name, random(p.ty.width())));
            resets().for_each(|p| sim.set(&*p.name, 1));
            (0..3).for_each(|_| sim.tick());
            resets().for_each(|p| sim.set(&*p.name, 0));
            for _ in 0..1000 {
                for port in inputs().filter(|p| p.timing != Timing::Static) {
                    sim.set(&*port.name, random(port.ty.width()));
                }
                sim.tick();
                assert_eq!(sim.failure(), None, "{}, seed {seed}", top.name);
            }
        }
    }
}
