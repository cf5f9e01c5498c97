//! The reference model over every semiring against SuiteSparse:GraphBLAS: nobody marks his own homework.

use mattock::Csr;
use mattock::io::{ReadOptions, read_matrix};
use mattock_spec::semiring::{SEMIRINGS, Semiring};
use mattock_testbench::reference::{self, Mask, spgemm_over};
use mattock_testbench::rmat::Rmat;
use mattock_testbench::{MATRICES, matrix_path};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The judge's library is not there.
const NO_LIBRARY: i32 = 3;

fn store<T: Copy>(path: &Path, m: &Csr<T>, bits: fn(T) -> u32) {
    let sizes = [m.rows() as u64, m.cols() as u64, m.nnz() as u64];
    let mut bytes: Vec<u8> =
        sizes.iter().chain(m.row_ptr()).flat_map(|word| word.to_le_bytes()).collect();
    let words = m.col_idx().iter().copied().chain(m.values().iter().map(|&v| bits(v)));
    bytes.extend(words.flat_map(u32::to_le_bytes));
    fs::write(path, bytes).unwrap();
}

/// Whole numbers of both signs, zero among them: sums of floats are exact in any order.
fn whole<T>(m: &Csr<T>, seed: u32) -> Csr<i32> {
    let mut next = seed;
    m.map(|_| {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (next >> 28) as i32 - 8
    })
}

struct Jobs<'a> {
    folder: &'a Path,
    lines: Vec<String>,
}

impl Jobs<'_> {
    /// A product, which may be added to a matrix, of which a mask may leave a part: a matrix, and (complement, by value).
    fn add(
        &mut self,
        a: &Csr<i32>,
        b: &Csr<i32>,
        semiring: Semiring,
        mask: Option<(&Csr<i32>, (bool, bool))>,
        onto: Option<&Csr<i32>>,
    ) {
        let kind_of_mask = match mask {
            None => "",
            Some((_, (false, false))) => "structure",
            Some((_, (true, false))) => "not structure",
            Some((_, (false, true))) => "value",
            Some((_, (true, true))) => "not value",
        };
        let name = |kind: &str| format!("{}_{kind}", self.lines.len());
        let path = |kind: &str, part| self.folder.join(format!("{}.{part}", name(kind)));
        let line = |kind: &str| {
            let name = name(kind);
            serde_json::json!({
                "name": name, "semiring": semiring.name(), "type": kind, "mask": kind_of_mask,
                "onto": onto.is_some(),
            })
            .to_string()
        };
        let wanted = mask.map(|(m, (complement, by_value))| Mask::new(m, complement, by_value));
        let m = mask.map_or(a, |mask| mask.0);
        let c = spgemm_over(a, b, semiring).unwrap();
        let c = onto.map_or(c.clone(), |onto| reference::onto(onto, &c, semiring));
        let c = wanted.as_ref().map_or_else(|| c.clone(), |mask| mask.apply(&c));
        let o = onto.unwrap_or(a);
        for (part, matrix) in [("a", a), ("b", b), ("m", m), ("o", o), ("c", &c)] {
            store(&path("i32", part), matrix, |v| v as u32);
        }
        let (a, b) = (a.map(|&v| v as f32), b.map(|&v| v as f32));
        let m = m.map(|&v| v as f32);
        let c = spgemm_over(&a, &b, semiring).unwrap();
        let o = o.map(|&v| v as f32);
        let c = onto.map_or(c.clone(), |_| reference::onto(&o, &c, semiring));
        let c = wanted.as_ref().map_or_else(|| c.clone(), |mask| mask.apply(&c));
        for (part, matrix) in [("a", &a), ("b", &b), ("m", &m), ("o", &o), ("c", &c)] {
            store(&path("f32", part), matrix, f32::to_bits);
        }
        let lines = [line("i32"), line("f32")];
        self.lines.extend(lines);
    }
}

#[test]
fn every_semiring_agrees_with_graphblas() {
    let Ok(python) = mattock_toolbox::Toolbox::open().python() else {
        eprintln!("SKIPPED: no Python environment (`cargo xtask setup`)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut jobs = Jobs { folder: folder.path(), lines: vec![] };
    let read = |name| read_matrix(matrix_path(name), &ReadOptions::default()).unwrap().matrix;
    let mut pairs: Vec<(Csr<i32>, Csr<i32>)> =
        MATRICES.iter().map(|name| read(name)).map(|m| (whole(&m, 1), whole(&m, 2))).collect();
    let (a, b) = (Rmat::new(8, 8, 3).generate(), Rmat::new(8, 8, 4).generate());
    pairs.push((whole(&a, 3), whole(&b, 4)));
    for (a, b) in &pairs {
        SEMIRINGS.iter().for_each(|&semiring| jobs.add(a, b, semiring, None, None));
    }
    let (a, b) = &pairs[pairs.len() - 1];
    let m = whole(&Rmat::new(8, 16, 5).generate(), 5);
    for semiring in [Semiring::PlusTimes, Semiring::PlusPair, Semiring::MinPlus] {
        for mask in [(false, false), (true, false), (false, true), (true, true)] {
            jobs.add(a, b, semiring, Some((&m, mask)), None);
        }
    }
    // Sums onto a matrix, of truth values over or, of ones over any.
    let o = whole(&Rmat::new(8, 16, 6).generate(), 6);
    for &semiring in SEMIRINGS {
        let o = match semiring {
            Semiring::OrAnd => o.map(|&v| i32::from(v > 0)),
            Semiring::AnyPair => o.pattern(1),
            _ => o.clone(),
        };
        for mask in [None, Some((&m, (false, true))), Some((&m, (true, false)))] {
            jobs.add(a, b, semiring, mask, Some(&o));
        }
    }
    fs::write(folder.path().join("jobs.jsonl"), jobs.lines.join("\n")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oracles/semirings.py");
    let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    if run.status.code() == Some(NO_LIBRARY) {
        eprintln!("SKIPPED: GraphBLAS is not in the Python environment (`cargo xtask setup`)");
        return;
    }
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(text.lines().count(), jobs.lines.len(), "jobs judged");
    let (mut entries, mut wrong) = (0, 0);
    for line in text.lines() {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        if answer["mismatches"] != 0 {
            eprintln!("{line}");
        }
        entries += answer["entries"].as_u64().unwrap();
        wrong += answer["mismatches"].as_u64().unwrap();
    }
    println!("{} products, {entries} entries, {wrong} mismatches", jobs.lines.len());
    assert!(wrong == 0 && entries > 0, "GraphBLAS disagrees");
}
