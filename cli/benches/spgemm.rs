//! `A * A` on a sparse card for every matrix of a folder, as a Markdown table:
//! `MATTOCK_MATRICES=DIR cargo xtask bench spgemm [CONFIG [TYPE ...]] [--model]`.
//!
//! In Verilator, where every result is checked by `mattock spgemm` itself. On other cards than `MAIN` products of more than
//! `LONG` multiply-adds are left to the cycle model, which has the same cycles and no values; with `--model` all are. A finished matrix leaves its JSON under
//! `target/bench/spgemm/`, named by a hash of the card's Verilog, so that a run that was stopped goes on where it
//! was and changed hardware is measured again. `bound` is the utilisation at which the memory port would never
//! rest, for the bytes the card moved; `bytes/least` holds those against what a row-wise product has to move with such a cache
//! (`mattock_testbench::traffic`; one cluster); `goal` is the one of `GOALS` that applies and whether it is met, or that the bytes are above `GOAL_BYTES`.

use mattock::io::{ReadOptions, read_matrix};
use mattock_spec::CardConfig;
use mattock_testbench::stats::ProductStats;
use mattock_testbench::traffic::{Cache, Traffic};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const MATTOCK: &str = env!("CARGO_BIN_EXE_mattock");

/// Least utilisation of one matrix with a cache of 2 MB or more; with a smaller one; and the least part of `bound`, where
/// that is below 1.
const GOALS: (f64, f64, f64) = (0.90, 0.87, 0.95);
/// Least geometric mean with a cache of 2 MB or more.
const GOAL_MEAN: f64 = 0.96;
/// Most bytes, in parts of the least.
const GOAL_BYTES: f64 = 1.05;
/// Ways of the cache that the least is of.
const BOUND_WAYS: usize = 16;
/// The card on which every matrix runs in Verilator.
const MAIN: &str = "sparse4";
/// Multiply-adds that take Verilator too long elsewhere.
const LONG: u64 = 5_000_000;
/// A cache this large holds what the matrices use again.
const LARGE_CACHE_KIB: u32 = 2048;

fn main() -> ExitCode {
    let Some(folder) = std::env::var_os("MATTOCK_MATRICES") else {
        println!("bench spgemm: set MATTOCK_MATRICES to a folder of matrices; nothing was run");
        return ExitCode::SUCCESS;
    };
    let (flags, args): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let all_in_model = flags.iter().any(|flag| flag == "--model");
    let config = args.first().map_or("sparse4", String::as_str);
    let card = match Card::of(config) {
        Ok(card) => card,
        Err(error) => {
            eprintln!("bench spgemm: {config}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let types: Vec<&str> = match args.get(1..) {
        Some(types) if !types.is_empty() => types.iter().map(String::as_str).collect(),
        _ => vec!["i32", "f32"],
    };
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench").join("spgemm");
    let files = match matrices(Path::new(&folder)) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("bench spgemm: {}: {error}", Path::new(&folder).display());
            return ExitCode::FAILURE;
        }
    };
    println!(
        "| matrix | type | madds | nnz(C) | cycles | utilisation | bound | bytes/madd | bytes/least | windows | spills | hazard stalls | mismatches | goal | simulator |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|");
    let (mut failed, mut logs) = (false, vec![]);
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split('.').next().unwrap_or_default();
        let in_model = all_in_model || (config != MAIN && is_long(file));
        // The model has no values: its cycles are those of every type.
        let kinds = if in_model { &MODEL[..] } else { &types[..] };
        for kind in kinds {
            let kept = store.join(format!("{}-{}-{name}-{kind}.json", card.name, card.hash));
            match measure(file, config, kind, &kept) {
                Ok(row) => {
                    print_row(name, kind, &row, &card, card.least_bytes(file, &row));
                    logs.push(row["utilization"].as_f64().unwrap_or(0.0).ln());
                }
                Err(error) => {
                    failed = true;
                    println!("| {name} | {kind} | {error} |");
                }
            }
        }
    }
    if !logs.is_empty() {
        let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        print!("\nGeometric mean of the utilisation over {} rows: {mean:.3}", logs.len());
        match card.cache_kib >= LARGE_CACHE_KIB {
            true => println!(", goal {GOAL_MEAN}: {}", met(mean >= GOAL_MEAN)),
            false => println!(),
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// In place of a type.
const MODEL: [&str; 1] = ["model"];

/// Whether the square of the matrix has more than `LONG` multiply-adds. One that cannot be read is not long: `mattock spgemm`
/// will say what is wrong with it.
fn is_long(file: &Path) -> bool {
    let Ok(read) = read_matrix(file, &ReadOptions::default()) else { return false };
    let stats = ProductStats::of(&read.matrix, &read.matrix);
    stats.is_ok_and(|stats| stats.products > LONG)
}

/// What a row is judged by.
struct Card {
    name: String,
    hash: String,
    lanes: f64,
    bus_bytes: u32,
    cache_kib: u32,
    clusters: u32,
}

impl Card {
    fn of(config: &str) -> Result<Card, String> {
        let config = match std::fs::read_to_string(config) {
            Ok(text) => CardConfig::from_toml(&text),
            Err(_) => CardConfig::reference(config),
        };
        let config = config.map_err(|e| e.to_string())?;
        let design = mattock_hw::card(&config).map_err(|e| e.to_string())?;
        let mut hash = Sha256::new();
        design.verilog().iter().for_each(|file| hash.update(&file.text));
        let hash = hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
        let engine = config.spgemm.as_ref().ok_or("this card has no sparse engine")?;
        Ok(Card {
            name: config.name.clone(),
            hash,
            lanes: f64::from(engine.lanes * engine.clusters),
            bus_bytes: config.memory.bus_bytes,
            cache_kib: engine.cache_kib,
            clusters: engine.clusters,
        })
    }

    fn bound(&self, madds: f64, bytes: f64) -> f64 {
        (madds * f64::from(self.bus_bytes) / (self.lanes * bytes)).min(1.0)
    }

    /// What the square of the file's matrix has to move, its values of the row's type.
    fn least_bytes(&self, file: &Path, row: &Value) -> Option<f64> {
        let value = match row["types"].as_str().unwrap_or("i32") {
            "i8" => 1,
            "i16" | "f16" | "bf16" => 2,
            _ => 4,
        };
        let a = read_matrix(file, &ReadOptions::default()).ok()?.matrix;
        let bytes = u64::from(self.cache_kib) << 10;
        let cache = Cache { bytes, ways: BOUND_WAYS, line: self.bus_bytes.into() };
        let of_one = || Traffic::of(&a, &a, row["nnz_c"].as_u64().unwrap_or(0), value, cache);
        (self.clusters == 1).then(|| of_one().bytes() as f64)
    }

    fn goal(&self, utilisation: f64, bound: f64, over_least: Option<f64>) -> String {
        if let Some(over) = over_least.filter(|over| *over > GOAL_BYTES) {
            return format!("bytes {over:.2} {}", met(false));
        }
        let (large, small, of_bound) = GOALS;
        let least = if self.cache_kib >= LARGE_CACHE_KIB { large } else { small };
        let least = if bound < 1.0 { least.min(of_bound * bound) } else { least };
        format!("{least:.3} {}", met(utilisation >= least))
    }
}

fn met(yes: bool) -> &'static str {
    if yes { "met" } else { "missed" }
}

/// Matrix files of the folder, smallest first.
fn matrices(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = vec![];
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let known = [".mtx", ".graph", ".triplet", ".txt"];
        if known.iter().any(|end| name.trim_end_matches(".gz").ends_with(end)) {
            files.push((path.metadata()?.len(), path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn measure(file: &Path, config: &str, kind: &str, kept: &Path) -> Result<Value, String> {
    if let Ok(text) = std::fs::read_to_string(kept)
        && let Ok(row) = serde_json::from_str(&text)
    {
        return Ok(row);
    }
    let mut command = Command::new(MATTOCK);
    command.arg("-q");
    if kind == MODEL[0] {
        command.args(["bench", "spgemm"]).arg(file).args(["--config", config, "--model", "--json"]);
    } else {
        command.arg("spgemm").arg(file).args(["--config", config, "--types", kind, "--json"]);
    }
    // Real values are no whole numbers: integers are measured on the pattern.
    if kind == "i32" {
        command.args(["--values", "ones"]);
    }
    let output = command.output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(message.lines().next().unwrap_or("failed without a word").to_string());
    }
    let row: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let written = kept.parent().map_or(Ok(()), std::fs::create_dir_all);
    written.and_then(|()| std::fs::write(kept, text)).map_err(|e| e.to_string())?;
    Ok(row)
}

fn print_row(name: &str, kind: &str, row: &Value, card: &Card, least: Option<f64>) {
    let n = |key: &str| row[key].as_u64().unwrap_or(0);
    // What the model cannot tell stays empty.
    let told = |key: &str| row[key].as_u64().map_or(String::new(), |n| n.to_string());
    let (madds, bytes) = (n("madds").max(1) as f64, n("dram_bytes").max(1) as f64);
    let utilisation = row["utilization"].as_f64().unwrap_or(0.0);
    let bound = card.bound(madds, bytes);
    let over_least = least.map(|least| bytes / least);
    println!(
        "| {name} | {kind} | {} | {} | {} | {utilisation:.3} | {bound:.3} | {:.2} | {} | {} | {} | {} | {} | {} | {} |",
        n("madds"),
        n("nnz_c"),
        n("cycles"),
        bytes / madds,
        over_least.map_or(String::new(), |over| format!("{over:.2}")),
        n("windows"),
        n("spills"),
        told("hazard_stalls"),
        told("mismatches"),
        card.goal(utilisation, bound, over_least),
        row["simulator"].as_str().unwrap_or_default(),
    );
}
