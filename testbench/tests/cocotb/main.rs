//! The buses of the reference cards against cocotbext-axi on Icarus: neither masters, memories nor simulator are ours.
//!
//! Registers, products and error responses under random back-pressure, in `testbench/cocotb/card.py`. Two small cards
//! belong to `cargo xtask test`; `cargo xtask test cocotb` runs all reference cards (`MATTOCK_COCOTB=full`, or the name of
//! one). Cards without an AXI port, and those that cannot be generated yet, are named and left out.

mod job;

use job::Job;
use mattock_spec::CardConfig;
use mattock_spec::config::{Control, HostPort, MemoryConfig, REFERENCE_NAMES};
use mattock_toolbox::Toolbox;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// What `MATTOCK_COCOTB` asks for.
enum Choice {
    /// The smallest card of each kind of port, of which Icarus makes short work: a cluster, and an array with a processor.
    Short,
    /// All reference cards.
    Full,
    /// One of them.
    One(String),
}

impl Choice {
    fn of_environment() -> Self {
        match std::env::var("MATTOCK_COCOTB") {
            Ok(name) if name == "full" => Choice::Full,
            Ok(name) if !name.is_empty() => Choice::One(name),
            _ => Choice::Short,
        }
    }

    fn cards(&self) -> Vec<CardConfig> {
        let reference = |name: &str| CardConfig::reference(name).unwrap_or_else(|e| panic!("{e}"));
        match self {
            Choice::Short => vec![reference("sparse2"), ringed()],
            Choice::Full => REFERENCE_NAMES.iter().map(|name| reference(name)).collect(),
            Choice::One(name) => vec![reference(name)],
        }
    }
}

/// The smallest array with a processor of its own.
fn ringed() -> CardConfig {
    let tiny = CardConfig::reference("tiny").unwrap().on_axi();
    let memory = MemoryConfig { address_bits: 40, ..tiny.memory };
    CardConfig { control: Control::Riscv, name: "tiny_riscv".into(), memory, ..tiny }
}

/// Past the test runner, which keeps what passing tests print to itself.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn every_card_passes() {
    let toolbox = Toolbox::open();
    let tools = toolbox.python().and_then(|python| Ok((python, toolbox.iverilog()?)));
    let (python, iverilog) = match tools {
        Ok(tools) => tools,
        Err(missing) => return tell(&format!("SKIPPED: cocotbext-axi was NOT run: {missing}")),
    };
    let probe =
        Command::new(&python).args(["-c", "import cocotb_tools.runner, cocotbext.axi"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return tell(
            "SKIPPED: cocotbext-axi was NOT run: cocotb and cocotbext-axi are not in the Python environment",
        );
    }
    let mut ran = 0;
    for config in Choice::of_environment().cards() {
        let name = &config.name;
        if config.host != HostPort::Axi {
            tell(&format!("{name}: no AXI port, its serial port has tests of its own"));
            continue;
        }
        match mattock_hw::card(&config) {
            Err(error) => tell(&format!("{name}: cannot be generated: {error}")),
            Ok(design) => {
                let folder = tempfile::tempdir().unwrap();
                Job::write(&config, &design, folder.path());
                run(name, &python, iverilog.get_program().as_ref(), folder.path());
                ran += 1;
            }
        }
    }
    assert!(ran > 0, "no card was checked");
}

/// Runs the checks on one card, and prints what they counted.
fn run(name: &str, python: &Path, iverilog: &Path, folder: &Path) {
    let start = Instant::now();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cocotb/run.py");
    let mut command = Command::new(python);
    if let Some(beside) = iverilog.parent() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(beside.to_owned()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
    }
    let output = command.arg(script).arg(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let counts: Vec<&str> =
        text.lines().filter_map(|l| l.split_once("COUNTS ")).map(|c| c.1).collect();
    tell(&format!("{name}: {} ({:.0} s)", counts.join("; "), start.elapsed().as_secs_f64()));
    let whole = || format!("{name}:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && counts.len() == 3, "{}", whole());
}
