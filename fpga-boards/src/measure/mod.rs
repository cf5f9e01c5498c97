//! Area and clock rate of a module by itself, away from any board.
//!
//! The module sits in a harness of registers (`harness.rs`), so that the clock rate found is its own; cells of the
//! harness are not counted. Each distinct module is mapped once (`-noflatten`), and without wide multiplexers
//! (`-nowidelut`), which make counts of LUTs incomparable. ECP5 is an LFE5U-85F, package CABGA756, speed grade 6:
//! LUT = LUT4 + 2 CCU2C + 6 DPR16X4. For UltraScale+ there is synthesis only, LUT = LUT1 to LUT6 without pairing.
//!
//! Runs are kept by a hash of the tool, its version, its arguments (the placer's seed among them) and what it reads.

mod harness;
mod paths;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mattock_toolbox::Toolbox;

use crate::Port;
use crate::build::BuildError;
use crate::flow::Step;
use crate::flow::ecp5::SYNTHESIS;
use crate::flow::yosys;
use crate::report::{Cells, CriticalPath, TimedClock, Timing};
use crate::steps::{self, file, write_if_changed};

pub use paths::Path as LogicPath;

const DEVICE: [&str; 5] = ["--85k", "--package", "CABGA756", "--speed", "6"];
const HARNESS: &str = "timing_harness.v";

/// What a module is mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Lattice ECP5.
    Ecp5,
    /// AMD UltraScale+: synthesis only.
    UltrascalePlus,
    /// AMD UltraScale+ without DSP blocks.
    UltrascalePlusLuts,
}

impl Mapping {
    /// The yosys command, without its `-top`.
    pub fn synthesis(self) -> &'static str {
        match self {
            Self::Ecp5 => "synth_lattice -family ecp5 -noflatten -nowidelut",
            Self::UltrascalePlus => "synth_xilinx -family xcup -noiopad -noclkbuf",
            Self::UltrascalePlusLuts => "synth_xilinx -family xcup -noiopad -noclkbuf -nodsp",
        }
    }

    /// Name of the part or family.
    pub fn part(self) -> &'static str {
        match self {
            Self::Ecp5 => "LFE5U-85F CABGA756 speed grade 6",
            Self::UltrascalePlus | Self::UltrascalePlusLuts => "UltraScale+",
        }
    }
}

/// A module to be measured, and where.
#[derive(Clone, Debug)]
pub struct Study {
    mapping: Mapping,
    folder: PathBuf,
    verilog: Vec<String>,
}

/// A clock, and whether the path that limits it says anything about the module.
#[derive(Clone, Debug, serde::Serialize)]
pub struct StudiedClock {
    /// The clock.
    #[serde(flatten)]
    pub clock: TimedClock,
    /// Neither end of the slowest path is in the module.
    pub in_harness: bool,
}

/// The ports of module `top` of some Verilog files, as yosys reads them, in a work folder.
///
/// # Errors
/// yosys is missing or does not understand a file; a port is neither input nor output.
pub fn ports(
    toolbox: &Toolbox,
    top: &str,
    files: &[(String, String)],
    folder: &Path,
) -> Result<Vec<Port>, BuildError> {
    let names = write_all(folder, files)?;
    // Without `-check`: cells of ECP5 have no module here.
    let script = format!(
        "read_verilog {}; hierarchy -top {top}; tee -q -o ports.txt portlist {top}",
        names.join(" ")
    );
    let step = yosys("ports", script, names, vec!["ports.txt"]);
    steps::run(&step, toolbox, folder, &mut |_, _| ())?;
    let path = folder.join("ports.txt");
    let text = fs::read_to_string(&path).map_err(file(&path))?;
    harness::parse_ports(&text).map_err(|detail| {
        crate::report::FormatError { path: path.display().to_string(), detail }.into()
    })
}

/// Cells of every module of a design, its children not counted, as it is mapped for ECP5 boards.
///
/// # Errors
/// yosys is missing or fails.
pub fn modules<T>(
    toolbox: &Toolbox,
    (top, files): (&str, &[(String, String)]),
    folder: &Path,
    mut tell: impl FnMut(&Step, bool) -> T,
) -> Result<BTreeMap<String, Cells>, BuildError> {
    let names = write_all(folder, files)?;
    let script = format!(
        "read_verilog {}; {SYNTHESIS} -top {top}; tee -q -o modules.json stat -json",
        names.join(" ")
    );
    let step = yosys("synthesis of modules", script, names, vec!["modules.json"]);
    steps::run(&step, toolbox, folder, &mut tell)?;
    Ok(Cells::read_modules(&folder.join("modules.json"))?)
}

impl Study {
    /// Writes the files of module `top` and its harness to a folder. Without `clocks` its clocks are the inputs named `clk`, `clk_*` or `*_clk`.
    ///
    /// # Errors
    /// A module without clock or without output, or a folder that cannot be written.
    pub fn new(
        mapping: Mapping,
        (top, ports): (&str, &[Port]),
        files: &[(String, String)],
        clocks: &[String],
        folder: &Path,
    ) -> Result<Self, BuildError> {
        let text = harness::verilog(top, ports, clocks)
            .map_err(|why| BuildError::Harness { top: top.to_owned(), why })?;
        let mut verilog = write_all(folder, files)?;
        write_if_changed(&folder.join(HARNESS), &text)?;
        verilog.push(HARNESS.to_owned());
        Ok(Self { mapping, folder: folder.to_owned(), verilog })
    }

    /// The synthesis as a step.
    fn synthesis(&self) -> Step {
        let script = format!(
            "read_verilog {}; {} -top {}; flatten; clean -purge; \
             tee -q -o cells.json stat -json c:*{}.*; write_json netlist.json",
            self.verilog.join(" "),
            self.mapping.synthesis(),
            harness::NAME,
            harness::INSTANCE
        );
        yosys("synthesis", script, self.verilog.clone(), vec!["cells.json", "netlist.json"])
    }

    /// Maps the module and counts its cells. `tell` is told, as the step begins, whether it was found done.
    ///
    /// # Errors
    /// yosys is missing or fails.
    pub fn cells<T>(
        &self,
        toolbox: &Toolbox,
        mut tell: impl FnMut(&Step, bool) -> T,
    ) -> Result<Cells, BuildError> {
        steps::run(&self.synthesis(), toolbox, &self.folder, &mut tell)?;
        Ok(Cells::read(&self.folder.join("cells.json"))?)
    }

    /// The longest paths between registers of the mapped module after [`cells`](Self::cells), on ECP5, at most `count`.
    ///
    /// # Errors
    /// The netlist is not there or not as it should be.
    pub fn paths(&self, count: usize) -> Result<Vec<LogicPath>, BuildError> {
        let path = self.folder.join("netlist.json");
        let text = fs::read_to_string(&path).map_err(file(&path))?;
        paths::longest(&text, harness::NAME, count).map_err(|detail| {
            crate::report::FormatError { path: path.display().to_string(), detail }.into()
        })
    }

    /// Places and routes the module after [`cells`](Self::cells), asking for `mhz`; its clocks. A rate that is missed is a result, not an error.
    ///
    /// # Errors
    /// nextpnr is missing or fails.
    pub fn clocks<T>(
        &self,
        toolbox: &Toolbox,
        (mhz, seed): (u32, u32),
        mut tell: impl FnMut(&Step, bool) -> T,
    ) -> Result<Vec<StudiedClock>, BuildError> {
        let work = self.folder.join(format!("{mhz}mhz-seed{seed}"));
        fs::create_dir_all(&work).map_err(file(&work))?;
        let words = format!(
            "--freq {mhz} --seed {seed} --timing-allow-fail --json ../netlist.json --report report.json"
        );
        let words = words.split(' ').map(str::to_owned);
        let step = Step {
            what: "place and route",
            tool: "nextpnr-ecp5",
            args: DEVICE.iter().map(|word| (*word).to_owned()).chain(words).collect(),
            reads: vec!["../netlist.json".into()],
            writes: vec!["report.json"],
        };
        steps::run(&step, toolbox, &work, &mut tell)?;
        let timing = Timing::read(&work.join("report.json"))?;
        Ok(timing.clocks.into_iter().map(StudiedClock::from).collect())
    }
}

impl From<TimedClock> for StudiedClock {
    fn from(clock: TimedClock) -> Self {
        let of_module = |pin: &str| pin.starts_with(&format!("{}.", harness::INSTANCE));
        let outside = |path: &CriticalPath| !of_module(&path.from) && !of_module(&path.to);
        Self { in_harness: clock.critical_path.as_ref().is_some_and(outside), clock }
    }
}

/// Writes the files; their names.
fn write_all(folder: &Path, files: &[(String, String)]) -> Result<Vec<String>, BuildError> {
    fs::create_dir_all(folder).map_err(file(folder))?;
    for (name, text) in files {
        write_if_changed(&folder.join(name), text)?;
    }
    Ok(files.iter().map(|(name, _)| name.clone()).collect())
}
