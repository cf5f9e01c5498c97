//! `A * A` on one sparse cluster in Verilator for every matrix of a folder, as a Markdown table:
//! `MATTOCK_MATRICES=DIR cargo xtask bench spgemm [CONFIG [TYPE ...]]`.
//!
//! Every result is checked by `mattock spgemm` itself. A finished matrix leaves its JSON under
//! `target/bench/spgemm/`, so that a run that was stopped goes on where it was; remove the folder to
//! measure again.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const MATTOCK: &str = env!("CARGO_BIN_EXE_mattock");

fn main() -> ExitCode {
    let Some(folder) = std::env::var_os("MATTOCK_MATRICES") else {
        println!("bench spgemm: set MATTOCK_MATRICES to a folder of matrices; nothing was run");
        return ExitCode::SUCCESS;
    };
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let config = args.first().map_or("sparse4", String::as_str);
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
        "| matrix | type | madds | nnz(C) | cycles | utilisation | bytes/madd | windows | spills | hazard stalls | mismatches |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let (mut failed, mut logs) = (false, vec![]);
    for (file, kind) in files.iter().flat_map(|f| types.iter().map(move |t| (f, *t))) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split('.').next().unwrap_or_default();
        match measure(file, config, kind, &store.join(format!("{config}-{name}-{kind}.json"))) {
            Ok(row) => {
                print_row(name, kind, &row);
                logs.push(row["utilization"].as_f64().unwrap_or(0.0).ln());
            }
            Err(error) => {
                failed = true;
                println!("| {name} | {kind} | {error} |");
            }
        }
    }
    if !logs.is_empty() {
        let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        println!("\nGeometric mean of the utilisation over {} rows: {mean:.3}", logs.len());
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
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
    command.args(["-q", "spgemm"]).arg(file).args(["--config", config, "--types", kind, "--json"]);
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

fn print_row(name: &str, kind: &str, row: &Value) {
    let n = |key: &str| row[key].as_u64().unwrap_or(0);
    println!(
        "| {name} | {kind} | {} | {} | {} | {:.3} | {:.2} | {} | {} | {} | {} |",
        n("madds"),
        n("nnz_c"),
        n("cycles"),
        row["utilization"].as_f64().unwrap_or(0.0),
        n("dram_bytes") as f64 / n("madds").max(1) as f64,
        n("windows"),
        n("spills"),
        n("hazard_stalls"),
        n("mismatches"),
    );
}
