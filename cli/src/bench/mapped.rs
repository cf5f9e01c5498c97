//! Cells and clock rate of a design, kept by what it is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fpga_boards::BuildError;
use fpga_boards::flow::Step;
use fpga_boards::measure::{self, Mapping, Study};
use fpga_boards::report::Area;
use mattock_hw::cells::ECP5;
use mattock_toolbox::Toolbox;
use rtl_gen::Design;
use sha2::{Digest, Sha256};

use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::synth::ports;

/// A design on its way through yosys and nextpnr. What was run before is taken from the tool folder.
pub(super) struct Mapped {
    study: Study,
    toolbox: Toolbox,
    top: String,
    mapping: Mapping,
    output: Output,
}

impl Mapped {
    /// Writes the design's Verilog, for ECP5 with leaves in its cells, to a folder named by its digest.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn new(design: &Design, mapping: Mapping, output: Output) -> Result<Self, Failure> {
        let files = match mapping {
            Mapping::Ecp5 => design.verilog_for(ECP5),
            Mapping::UltrascalePlus | Mapping::UltrascalePlusLuts => design.verilog(),
        };
        let files: Vec<(String, String)> = files.into_iter().map(|f| (f.name, f.text)).collect();
        let top = design.top().name.clone();
        let mut hash = Sha256::new();
        hash.update(mapping.synthesis());
        for (name, text) in &files {
            hash.update(name);
            hash.update(text);
        }
        let toolbox = Toolbox::open();
        let folder = folder(&toolbox, &top, hash);
        let study = Study::new(mapping, (&top, &ports(design)), &files, &[], &folder);
        let study = study.map_err(|error| failure(&error))?;
        Ok(Self { study, toolbox, top, mapping, output })
    }

    /// What it takes.
    ///
    /// # Errors
    /// yosys is missing or fails.
    pub(super) fn area(&self) -> Result<Area, Failure> {
        let cells = self.study.cells(&self.toolbox, |step, done| self.progress(step, done, ""));
        Ok(cells.map_err(|error| failure(&error))?.area())
    }

    /// MHz its slowest clock reaches when so many are asked for, with a seed of the placer; after [`area`](Self::area).
    ///
    /// # Errors
    /// nextpnr is missing or fails.
    pub(super) fn mhz(&self, asked: u32, seed: u32) -> Result<f64, Failure> {
        let tell = |step: &Step, done| self.progress(step, done, &format!(", seed {seed}"));
        let clocks = self.study.clocks(&self.toolbox, (asked, seed), tell);
        let clocks = clocks.map_err(|error| failure(&error))?;
        Ok(clocks.iter().map(|clock| clock.clock.fmax_mhz).fold(f64::INFINITY, f64::min))
    }

    fn progress(&self, step: &Step, done: bool, detail: &str) -> Option<Progress> {
        let what =
            format!("{} of {} for {}{detail} (once)", step.what, self.top, self.mapping.part());
        (!done).then(|| Progress::start(self.output, what))
    }
}

/// Where a design's runs are kept.
fn folder(toolbox: &Toolbox, top: &str, hash: Sha256) -> PathBuf {
    let digest: String = hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect();
    toolbox.folder().join("area").join(format!("{top}-{digest}"))
}

/// Tables and area of every module of a design as boards of ECP5 have it, children not counted.
///
/// # Errors
/// yosys is missing or fails.
pub(super) fn modules(design: &Design, output: Output) -> Result<BTreeMap<String, Area>, Failure> {
    let files: Vec<(String, String)> =
        design.verilog_for(ECP5).into_iter().map(|f| (f.name, f.text)).collect();
    let top = &design.top().name;
    let mut hash = Sha256::new();
    for (name, text) in &files {
        hash.update(name);
        hash.update(text);
    }
    let toolbox = Toolbox::open();
    let folder = folder(&toolbox, top, hash);
    let tell = |step: &Step, done: bool| {
        (!done).then(|| Progress::start(output, format!("{} of {top} (once)", step.what)))
    };
    let cells = measure::modules(&toolbox, (top, &files), &folder, tell);
    let cells = cells.map_err(|error| failure(&error))?;
    Ok(cells.into_iter().map(|(name, cells)| (name, cells.area())).collect())
}

fn failure(error: &BuildError) -> Failure {
    let failure = Failure::new("bench", error);
    match error {
        BuildError::Tool(_) => {
            failure.next("see `mattock doctor`; `cargo xtask setup` installs it")
        }
        BuildError::Failed { .. } | BuildError::Nothing { .. } => failure.next("read the log"),
        _ => failure,
    }
}
