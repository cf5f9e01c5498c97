//! NumPy and ONNX Runtime read the files, quantise and multiply for themselves.

use super::{Context, floats, integers, matrix};
use mattock::quant::{Matrix, OutlierPlace, Outliers, Quantizer, Wide};
use rand::{SeedableRng, rngs::StdRng};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A judge's library is not there.
const NO_LIBRARY: i32 = 3;

fn store(path: &Path, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(path, bytes).unwrap();
}

struct Jobs<'a> {
    folder: &'a Path,
    cards: [Context; 2],
    lines: Vec<String>,
}

impl Jobs<'_> {
    fn add(&mut self, how: Quantizer, check: &str, weights: &Matrix, inputs: &Matrix) {
        let coded = how.quantize(weights, Some(inputs)).unwrap();
        let [card, beside] = &self.cards;
        let loaded = card.load_quantized(coded.clone(), inputs.rows()).unwrap();
        let place = OutlierPlace::Card(beside);
        let (d, _) = card.gemm_quantized(inputs, &loaded, place).unwrap();
        let name = self.lines.len().to_string();
        let path = |part: &str| self.folder.join(format!("{name}.{part}"));
        fs::write(path("npz"), coded.to_bytes().unwrap()).unwrap();
        store(&path("w"), weights.values());
        store(&path("x"), inputs.values());
        store(&path("v"), &coded.values());
        store(&path("d"), &d);
        let line = serde_json::json!({ "name": name, "m": inputs.rows(), "check": check });
        self.lines.push(line.to_string());
    }
}

#[test]
fn files_and_products_agree_with_numpy_and_onnxruntime() {
    let Ok(python) = mattock_toolbox::Toolbox::open().python() else {
        eprintln!("SKIPPED: no Python environment (`cargo xtask setup`)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut jobs = Jobs { folder: folder.path(), cards: [integers(), floats()], lines: vec![] };
    let mut rng = StdRng::seed_from_u64(3);
    let columns = Quantizer::columns(3, Wide { bits: 8, share: 0.4 });
    for k in [32, 64, 71] {
        let (weights, inputs) = (matrix(&mut rng, k, 13), matrix(&mut rng, 5, k));
        let mut add = |how, check| jobs.add(how, check, &weights, &inputs);
        for bits in 2..=8 {
            // ONNX has codes of 8 bits and a clamp.
            add(Quantizer::rtn(bits), "codes");
        }
        add(Quantizer::groups(8, 8), "blocks");
        if k % 32 == 0 {
            add(Quantizer::groups(4, 16).zero_points(), "nbits");
            add(Quantizer::groups(4, 32).zero_points(), "nbits");
        }
        add(Quantizer::groups(4, 16), "product");
        add(Quantizer::rtn(3).scaled_by_activations(), "product");
        add(Quantizer::outliers(8, Outliers::Share(0.1)), "product");
        add(Quantizer::outliers(5, Outliers::Share(0.2)).grouped(7).zero_points(), "product");
        add(columns, "product");
        add(columns.grouped(9).zero_points().scaled_by_activations(), "product");
    }
    fs::write(folder.path().join("jobs.jsonl"), jobs.lines.join("\n")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oracles/quantized.py");
    let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    if run.status.code() == Some(NO_LIBRARY) {
        eprintln!("SKIPPED: ONNX Runtime is not in the Python environment");
        return;
    }
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(text.lines().count(), jobs.lines.len(), "jobs judged");
    for line in text.lines() {
        println!("{line}");
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(answer["mismatches"] == 0 && answer["compared"].as_u64() > Some(350), "{line}");
    }
}
