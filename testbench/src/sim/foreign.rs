//! Verilog of modules that are not ours, from the project's tool folder.

use mattock_hw::control::PICORV32;
use mattock_toolbox::{Missing, Toolbox};
use rtl_gen::ir::Target;
use rtl_gen::{Design, VerilogFile};
use std::path::PathBuf;

/// The Python package with the processor core, and the core's place in it.
const PACKAGE: &str = "pythondata-cpu-picorv32";
const FILE: &str = "pythondata_cpu_picorv32/verilog/picorv32.v";

/// Why a core's text cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// Its package is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The package has no such file.
    #[error("{path}: {source}")]
    File {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
}

/// The Verilog files that a design needs beside its own: `picorv32.v` for a card with a processor.
///
/// # Errors
/// [`ForeignError`], which says how to get the package.
pub fn foreign_sources(design: &Design) -> Result<Vec<VerilogFile>, ForeignError> {
    let mut files = design.black_box_texts();
    let boxes = design.modules.iter().flat_map(|m| &m.insts);
    let mut boxes = boxes.filter_map(|inst| match &inst.target {
        Target::BlackBox(target) => Some(target),
        Target::Module(_) => None,
    });
    if boxes.any(|target| target.name == PICORV32) {
        let path = Toolbox::open().find_named(PACKAGE)?.path.join(FILE);
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| ForeignError::File { path, source })?;
        // A time scale in one file would have to be in all; nothing in a card has a delay.
        let lines = text.lines().filter(|line| !line.starts_with("`timescale"));
        let text = lines.flat_map(|line| [line, "\n"]).collect();
        files.push(VerilogFile { name: format!("{PICORV32}.v"), text });
    }
    Ok(files)
}
