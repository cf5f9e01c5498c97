//! The dense reference model against libraries it did not write.
//!
//! A short run is part of `cargo xtask test`; `cargo xtask test numerics` runs the long form (`MATTOCK_NUMERICS=full`): all
//! codes of all pairs of at most 8 bits and more than ten million dot products. Both print a table.

mod card;
mod chain;
mod jobs;
mod suites;

use jobs::{Jobs, Size};
use std::collections::BTreeMap;
use std::process::Command;

#[derive(Default)]
struct Row {
    judge: String,
    pairs: std::collections::BTreeSet<String>,
    modes: std::collections::BTreeSet<String>,
    dots: u64,
    mismatches: u64,
}

#[test]
fn every_mode_agrees_with_its_judges() {
    let size = Size::of_environment();
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let (dots, mismatches) = chain::check(size.pick(100_000, 2_000_000));
    let chain = rows.entry("fp-chain".into()).or_default();
    (chain.dots, chain.mismatches, chain.judge) =
        (dots, mismatches, "rustc_apfloat, this CPU".into());
    let names = ["f32", "bf16", "f16", "e5m2", "e4m3"];
    chain.pairs =
        names.iter().flat_map(|a| names.iter().map(move |b| format!("{a},{b}"))).collect();
    chain.modes = ["rne", "rz", "ru", "rd", "rna"].map(String::from).into();

    if let Ok(python) = mattock_toolbox::Toolbox::open().python() {
        let folder = tempfile::tempdir().unwrap();
        let mut jobs = Jobs::new(folder.path(), size);
        suites::exact_exhaustive(&mut jobs);
        suites::exact_sums(&mut jobs);
        suites::int_sums(&mut jobs);
        suites::onnx(&mut jobs);
        card::onnx(&mut jobs);
        suites::requant(&mut jobs);
        suites::blocks(&mut jobs);
        suites::combine(&mut jobs);
        suites::tensor_core(&mut jobs);
        jobs.finish();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oracles/numerics.py");
        let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        for line in String::from_utf8(run.stdout).unwrap().lines() {
            add(&mut rows, line);
        }
    } else {
        eprintln!("SKIPPED: no Python environment (`cargo xtask setup`); only fp-chain was judged");
    }
    print(&rows);
    assert!(rows.values().all(|row| row.mismatches == 0), "a judge disagrees");
}

fn add(rows: &mut BTreeMap<String, Row>, line: &str) {
    let answer: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| answer[key].as_str().unwrap().to_owned();
    let row = rows.entry(text("suite")).or_default();
    row.judge = text("judge");
    row.pairs.insert(text("pair"));
    row.modes
        .extend(answer["modes"].as_array().unwrap().iter().map(|m| m.as_str().unwrap().to_owned()));
    row.dots += answer["dots"].as_u64().unwrap();
    let wrong = answer["mismatches"].as_u64().unwrap();
    if wrong > 0 {
        eprintln!("{line}");
    }
    row.mismatches += wrong;
}

fn print(rows: &BTreeMap<String, Row>) {
    println!(
        "{:<28} {:<26} {:>5} {:>5} {:>12} {:>10}",
        "suite", "judged by", "pairs", "modes", "dot products", "mismatches"
    );
    let (mut dots, mut mismatches) = (0, 0);
    let mut pairs = std::collections::BTreeSet::new();
    let mut modes = std::collections::BTreeSet::new();
    for (suite, row) in rows {
        let Row { judge, dots: d, mismatches: m, .. } = row;
        println!(
            "{suite:<28} {judge:<26} {:>5} {:>5} {d:>12} {m:>10}",
            row.pairs.len(),
            row.modes.len()
        );
        (dots, mismatches) = (dots + d, mismatches + m);
        pairs.extend(&row.pairs);
        modes.extend(row.modes.iter());
    }
    println!(
        "{} pairs, {} modes, {dots} dot products, {mismatches} mismatches",
        pairs.len(),
        modes.len()
    );
}
