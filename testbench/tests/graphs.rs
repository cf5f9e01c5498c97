//! Graph algorithms on a simulated card against the reference models, and those against networkx.

use mattock::io::{ReadOptions, read_matrix};
use mattock::sparse::Triplets;
use mattock::{ContextOptions, Csr};
use mattock_spec::CardConfig;
use mattock_testbench::matrix_path;
use mattock_testbench::reference::graph;
use mattock_testbench::rmat::Rmat;
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::process::Command;

/// Crossings of a town: a grid with some streets missing, some one-way, of lengths 1 to 9.
fn town(side: usize, seed: u64) -> Csr<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut streets = Triplets::new();
    for at in 0..side * side {
        let right = (at % side + 1 < side).then_some(at + 1);
        let down = (at / side + 1 < side).then_some(at + side);
        for next in [right, down].into_iter().flatten() {
            let length = f64::from(rng.random_range(1..10));
            let ways = rng.random_range(0..10);
            if ways > 0 {
                streets.push(at as u32, next as u32, length);
            }
            if ways > 1 {
                streets.push(next as u32, at as u32, length);
            }
        }
    }
    streets.into_csr(side * side, side * side, |a, _| *a).unwrap()
}

/// Towns, a friendship graph, and graphs with negative edges, with and without a negative cycle.
fn graphs() -> Vec<(&'static str, Csr<f64>)> {
    let karate = read_matrix(matrix_path("karate"), &ReadOptions::default()).unwrap().matrix;
    let mut next = 5u32;
    let mut length = move |low: i32| {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from((next >> 28) as i32 + low)
    };
    let rmat = Rmat::new(6, 4, 9).generate().map(|_| length(1));
    let chain: Vec<f64> = (0..29).map(|i| f64::from(i % 7 - 4)).collect();
    let columns = (1..30).collect();
    let chain = Csr::new(30, 30, (0..30).chain([29]).collect(), columns, chain).unwrap();
    let ring = Csr::new(4, 4, vec![0, 1, 2, 3, 4], vec![1, 2, 3, 0], vec![3.0, -2.0, 1.0, -3.0]);
    vec![
        ("town", town(8, 1)),
        ("karate", karate.pattern(1.0)),
        ("rmat", rmat),
        ("chain", chain),
        ("ring", ring.unwrap()),
    ]
}

#[test]
fn the_references_agree_with_networkx() {
    let Ok(python) = mattock_toolbox::Toolbox::open().python() else {
        eprintln!("SKIPPED: no Python environment (`cargo xtask setup`)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let jobs: Vec<String> = (graphs().iter())
        .map(|(name, m)| {
            let edges: Vec<_> = m.entries().map(|(row, col, &length)| (row, col, length)).collect();
            let finite = |d: f64| d.is_finite().then_some(d);
            let distances =
                graph::shortest_paths(m).map(|all| all.into_iter().map(finite).collect::<Vec<_>>());
            let job = serde_json::json!({
                "name": name, "vertices": m.rows(), "edges": edges, "source": 1,
                "triangles": graph::triangles(m), "truss": graph::k_truss(m, 4), "levels": graph::bfs_levels(m, 1),
                "distances": distances,
            });
            job.to_string()
        })
        .collect();
    std::fs::write(folder.path().join("jobs.jsonl"), jobs.join("\n")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oracles/graphs.py");
    let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    if run.status.code() == Some(3) {
        eprintln!("SKIPPED: networkx is not in the Python environment (`cargo xtask setup`)");
        return;
    }
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(text.lines().count(), jobs.len());
    for line in text.lines() {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["mismatches"], 0, "{line}");
    }
}

#[test]
fn the_card_agrees_with_the_references() {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let mut options = SimOptions::new(SimulatorKind::Interpreter, cache);
    options.memory.bytes = 1 << 19;
    let config = CardConfig::reference("small").unwrap();
    let card = open_device(&config, &options).unwrap().context(ContextOptions::default()).unwrap();
    let mut list = graphs();
    list[0].1 = town(4, 2);
    for (name, m) in &list {
        assert_eq!(card.triangles(m).unwrap().0, graph::triangles(m), "{name}");
        assert_eq!(card.bfs_levels(m, 1).unwrap().0, graph::bfs_levels(m, 1), "{name}");
        let (truss, _) = card.k_truss(m, 4).unwrap();
        let once = truss.entries().map(|(row, col, _)| (row as u32, col)).filter(|(u, v)| u < v);
        assert!(once.eq(graph::k_truss(m, 4)), "{name}");
        assert_eq!(truss, truss.transpose().unwrap(), "{name}");
        if m.rows() > 40 {
            continue; // minutes in the interpreter
        }
        let whole = m.to_i32().unwrap();
        let (all, got) = (graph::shortest_paths(m), card.shortest_paths(&whole));
        match all {
            Some(all) => {
                let (got, stats) = got.unwrap();
                assert!(stats.commands > 1, "{name}");
                let mut dense = vec![f64::INFINITY; all.len()];
                got.entries()
                    .for_each(|(row, col, &d)| dense[row * m.rows() + col as usize] = d.into());
                assert_eq!(dense, all, "{name}");
            }
            None => {
                let text = got.unwrap_err().to_string();
                assert!(text.contains("a cycle of negative length through vertex"), "{text}");
            }
        }
    }
    let wide = Csr::<f64>::empty(2, 3).unwrap();
    let text = card.triangles(&wide).unwrap_err().to_string();
    assert_eq!(text, "argument 1 is bad: it is 2 x 3, a graph is square");
    let text = card.k_truss(&list[4].1, 2).unwrap_err().to_string();
    assert_eq!(text, "argument 2 is bad: it is 2, at least 3: all edges are a 2-truss");
    let text = card.bfs_levels(&list[4].1, 4).unwrap_err().to_string();
    assert_eq!(text, "argument 2 is bad: it is vertex 4, the graph has 4, from 0");
}
