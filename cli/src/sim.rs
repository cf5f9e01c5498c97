//! `mattock sim`: a card simulated and checked by itself: identity, capabilities, register traffic.
//!
//! ```text
//! $ mattock sim --config tiny --cycles 10000 --trace tiny.fst
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mattock_spec::regs::{Access, Capabilities, MAPS, RegMap};
use mattock_testbench::sim::SimCard;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rtl_gen::Design;
use rtl_gen::ir::Target;
use serde::Serialize;

use crate::arguments::whole;
use crate::card::{CardOptions, Chosen};
use crate::design::{elaborate, elaborate_bench};
use crate::error::Failure;
use crate::output::{Output, grouped, table};
use crate::progress::Progress;
use crate::simulation::{MemoryArgs, SimulatorKind, attach, card_simulator};

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    card: CardOptions,
    /// Clock cycles to run at least
    #[arg(long, default_value_t = 10_000, value_parser = whole::<u64>, allow_negative_numbers = true)]
    cycles: u64,
    /// Names the random register traffic
    #[arg(long, default_value_t = 1, value_parser = whole::<u64>, allow_negative_numbers = true)]
    seed: u64,
    /// Record every signal in this FST file
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// List the modules of the card, and simulate nothing
    #[arg(long)]
    list: bool,
    /// What simulates the card
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

#[derive(Serialize)]
struct Listing {
    config: String,
    top: String,
    modules: Vec<Module>,
}

#[derive(Serialize)]
struct Module {
    name: String,
    instances: u64,
    registers: usize,
    memories: usize,
    lines: usize,
}

#[derive(Serialize)]
struct Report {
    config: String,
    simulator: &'static str,
    cycles: u64,
    reads: u64,
    writes: u64,
    mismatches: u64,
    first_mismatch: Option<String>,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let chosen = options.card.choose("sim")?;
    if options.list {
        let design = elaborate(&chosen, output)?;
        let listing = Listing::of(&chosen, &design);
        output.result(&listing, || listing.page());
        return Ok(ExitCode::SUCCESS);
    }
    let design = elaborate_bench(&chosen, output)?;
    let simulator =
        card_simulator(&chosen, &design, options.simulator, options.trace.as_deref(), output)?;
    let mut check = Check {
        card: attach(&chosen, simulator, 0, &MemoryArgs::default())?,
        random: ChaCha8Rng::seed_from_u64(options.seed),
        written: BTreeMap::new(),
        report: Report {
            config: chosen.origin.clone(),
            simulator: options.simulator.name(),
            cycles: 0,
            reads: 0,
            writes: 0,
            mismatches: 0,
            first_mismatch: None,
        },
    };
    let progress = Progress::start(output, format!("running {} cycles", options.cycles));
    check.identity(&chosen)?;
    check.traffic(&chosen, options.cycles)?;
    drop(progress);
    let report = check.report;
    output.result(&report, || report.page());
    Ok(if report.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Listing {
    fn of(chosen: &Chosen, design: &Design) -> Self {
        // Children come before their parents, so the top's count is known first when going back.
        let mut counts: BTreeMap<&str, u64> = BTreeMap::from([(design.top().name.as_str(), 1)]);
        for module in design.modules.iter().rev() {
            let times = counts.get(module.name.as_str()).copied().unwrap_or(0);
            for inst in &module.insts {
                if matches!(inst.target, Target::Module(_)) {
                    *counts.entry(inst.module.as_str()).or_default() += times;
                }
            }
        }
        let lines = design.verilog();
        let modules = design.modules.iter().zip(&lines).map(|(module, file)| Module {
            name: module.name.clone(),
            instances: counts.get(module.name.as_str()).copied().unwrap_or(0),
            registers: module.regs.len(),
            memories: module.mems.len(),
            lines: file.text.lines().count(),
        });
        Self {
            config: chosen.origin.clone(),
            top: design.top().name.clone(),
            modules: modules.collect(),
        }
    }

    fn page(&self) -> String {
        let heads = ["module", "instances", "registers", "memories", "lines of Verilog"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.modules.iter().rev().map(|module| {
            let numbers = [module.registers, module.memories, module.lines];
            let mut row = vec![module.name.clone(), module.instances.to_string()];
            row.extend(numbers.map(|number| number.to_string()));
            row
        }));
        table(&rows, &[1, 2, 3, 4])
    }
}

impl Report {
    fn page(&self) -> String {
        let mut rows = vec![
            vec!["card".to_owned(), format!("sim:{} ({})", self.config, self.simulator)],
            vec!["cycles".to_owned(), grouped(self.cycles)],
            vec!["accesses".to_owned(), format!("{} reads, {} writes", self.reads, self.writes)],
            vec!["mismatches".to_owned(), self.mismatches.to_string()],
        ];
        rows.extend(self.first_mismatch.iter().map(|text| vec!["first".to_owned(), text.clone()]));
        table(&rows, &[])
    }
}

/// A card under random register traffic, beside a model of its registers.
struct Check {
    card: SimCard,
    random: ChaCha8Rng,
    /// What read-write registers hold.
    written: BTreeMap<u32, u32>,
    report: Report,
}

impl Check {
    fn read(&mut self, offset: u32) -> Result<u32, Failure> {
        self.report.reads += 1;
        self.card.read_register(offset).map_err(|error| Failure::new("sim", error))
    }

    fn expect(&mut self, what: &str, want: u32, got: u32) {
        if want != got {
            self.report.mismatches += 1;
            let text = || format!("{what}: expected {want:#010x}, read {got:#010x}");
            self.report.first_mismatch.get_or_insert_with(text);
        }
    }

    /// The card says of itself what its configuration says.
    fn identity(&mut self, chosen: &Chosen) -> Result<(), Failure> {
        let mut broken = None;
        let parsed = Capabilities::parse(|offset| {
            self.read(offset).unwrap_or_else(|error| {
                broken.get_or_insert(error);
                u32::MAX
            })
        });
        if let Some(error) = broken {
            return Err(error);
        }
        let caps = parsed.map_err(|error| Failure::new("sim", error))?;
        let (want, got) = (chosen.config.digest(), caps.digest);
        self.expect("configuration digest, low half", want as u32, got as u32);
        self.expect("configuration digest, high half", (want >> 32) as u32, (got >> 32) as u32);
        let engines = [
            ("GEMM engine", chosen.config.gemm.is_some(), caps.gemm.is_some()),
            ("SpGEMM engine", chosen.config.spgemm.is_some(), caps.spgemm.is_some()),
        ];
        for (what, want, got) in engines {
            self.expect(what, want.into(), got.into());
        }
        Ok(())
    }

    /// Random reads and writes, idle cycles between them, until the clock has run long enough. No
    /// engine is started and nothing is reset: those registers are left alone.
    fn traffic(&mut self, chosen: &Chosen, cycles: u64) -> Result<(), Failure> {
        let maps: Vec<&RegMap> = MAPS
            .iter()
            .filter(|map| match map.name {
                "gemm" => chosen.config.gemm.is_some(),
                "epilogue" => chosen.config.gemm.iter().any(|g| !g.epilogue.is_empty()),
                "batch" => chosen.config.gemm.iter().any(|g| g.batch),
                "join" => chosen.config.spgemm.iter().any(|s| !s.joins.is_empty()),
                "spgemm" => chosen.config.spgemm.is_some(),
                // Their registers start things.
                "queue" | "controller" => false,
                _ => true,
            })
            .collect();
        let regs: Vec<_> =
            maps.iter().flat_map(|map| map.regs).filter(|reg| reg.access == Access::Rw).collect();
        // Every register once, so that a short run checks them all, then at random.
        let there = chosen.config.memory.address_bits;
        for reg in &regs {
            self.write(reg.address(), reg.mask(there))?;
        }
        for reg in &regs {
            self.read_back(reg.name, reg.address())?;
        }
        while self.card.cycle() < cycles {
            let reg = regs[self.random.random_range(0..regs.len())];
            match self.random.random_range(0..3) {
                0 => self.write(reg.address(), reg.mask(there))?,
                1 => self.read_back(reg.name, reg.address())?,
                _ => {
                    let pause = self.random.random_range(1..20);
                    self.card.run(pause).map_err(|error| Failure::new("sim", error))?;
                }
            }
        }
        self.report.cycles = self.card.cycle();
        Ok(())
    }

    fn write(&mut self, address: u32, mask: u32) -> Result<(), Failure> {
        let value: u32 = self.random.random();
        self.report.writes += 1;
        self.written.insert(address, value & mask);
        let written = self.card.write_register(address, value, 0b1111);
        written.map_err(|error| Failure::new("sim", error))
    }

    fn read_back(&mut self, name: &str, address: u32) -> Result<(), Failure> {
        let got = self.read(address)?;
        if let Some(&want) = self.written.get(&address) {
            self.expect(&format!("{name} at {address:#06x}"), want, got);
        }
        Ok(())
    }
}
