//! Sparse products of narrow values on a simulated card, judged by NumPy, ml_dtypes and SciPy: nobody marks his own homework.

use mattock::io::{ReadOptions, read_matrix};
use mattock::sparse::{SparseValue, SpgemmOptions};
use mattock::{Context, ContextOptions, Csr, bf16, f16};
use mattock_spec::CardConfig;
use mattock_spec::regs::ValueType;
use mattock_testbench::matrix_path;
use mattock_testbench::rmat::Rmat;
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A judge's library is not there.
const NO_LIBRARY: i32 = 3;

fn store<T: Copy>(path: &Path, m: &Csr<T>, bits: impl Fn(T) -> u32) {
    let sizes = [m.rows() as u64, m.cols() as u64, m.nnz() as u64];
    let mut bytes: Vec<u8> =
        sizes.iter().chain(m.row_ptr()).flat_map(|word| word.to_le_bytes()).collect();
    let words = m.col_idx().iter().copied().chain(m.values().iter().map(|&v| bits(v)));
    bytes.extend(words.flat_map(u32::to_le_bytes));
    fs::write(path, bytes).unwrap();
}

/// Any 16 bits.
fn codes<T>(m: &Csr<T>, seed: u32) -> Csr<u16> {
    let mut next = seed;
    m.map(|_| {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (next >> 16) as u16
    })
}

struct Jobs<'a> {
    folder: &'a Path,
    card: Context,
    lines: Vec<String>,
}

impl Jobs<'_> {
    /// Multiplies matrices of such values; `of` and `code` lead from codes to values and back.
    fn add<T: SparseValue>(
        &mut self,
        [a, b]: [&Csr<u16>; 2],
        of: impl Fn(u16) -> T,
        code: impl Fn(T) -> u32,
        bits: impl Fn(T::Sum) -> u32,
    ) {
        let (a, b) = (a.map(|&c| of(c)), b.map(|&c| of(c)));
        let (c, _) = self.card.spgemm(&a, &b, &SpgemmOptions::default()).unwrap();
        let name = self.lines.len().to_string();
        let path = |part| self.folder.join(format!("{name}.{part}"));
        store(&path("a"), &a, &code);
        store(&path("b"), &b, &code);
        store(&path("c"), &c, bits);
        let line = serde_json::json!({ "name": name, "type": T::TYPE.format().name() });
        self.lines.push(line.to_string());
    }
}

#[test]
fn products_of_narrow_values_agree_with_scipy() {
    let Ok(python) = mattock_toolbox::Toolbox::open().python() else {
        eprintln!("SKIPPED: no Python environment (`cargo xtask setup`)");
        return;
    };
    let mut config = CardConfig::reference("small").unwrap();
    config.gemm = None;
    config.spgemm.as_mut().unwrap().values = ValueType::ALL.to_vec();
    let mut options = SimOptions::new(SimulatorKind::Interpreter, "unused");
    options.memory.bytes = 1 << 20;
    let device = open_device(&config, &options).unwrap_or_else(|e| panic!("{e}"));
    let card = device.context(ContextOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut jobs = Jobs { folder: folder.path(), card, lines: vec![] };
    let karate = read_matrix(matrix_path("karate"), &ReadOptions::default()).unwrap().matrix;
    let rmat = Rmat::new(7, 6, 3).generate();
    for (a, b) in [(codes(&karate, 1), codes(&karate, 2)), (codes(&rmat, 3), codes(&rmat, 4))] {
        let pair = [&a, &b];
        jobs.add(pair, |c| c as i8, |v| u32::from(v as u8), |v| v as u32);
        jobs.add(pair, |c| c as i16, |v| u32::from(v as u16), |v| v as u32);
        // Finite numbers, one in 32 of them subnormal.
        let finite = |c: u16| f16::from_bits(if c >> 10 & 31 == 31 { c ^ 0x4000 } else { c });
        jobs.add(pair, finite, |v: f16| v.to_bits().into(), f32::to_bits);
        // Exponents from -16 to 15: sums of such numbers cannot overflow.
        let middle = |c: u16| bf16::from_bits(c & 0x807f | (111 + (c >> 7 & 31)) << 7);
        jobs.add(pair, middle, |v: bf16| v.to_bits().into(), f32::to_bits);
    }
    fs::write(folder.path().join("jobs.jsonl"), jobs.lines.join("\n")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oracles/value_types.py");
    let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    if run.status.code() == Some(NO_LIBRARY) {
        eprintln!("SKIPPED: SciPy or ml_dtypes is not in the Python environment");
        return;
    }
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(text.lines().count(), jobs.lines.len(), "jobs judged");
    for line in text.lines() {
        println!("{line}");
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(answer["mismatches"] == 0 && answer["entries"].as_u64() > Some(100), "{line}");
    }
}
