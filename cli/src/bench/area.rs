//! Cells of a design on ECP5, as yosys maps it; kept by a hash of the Verilog.

use std::fs;
use std::path::Path;

use fpga_boards::report::Cells;
use mattock_hw::cells::ECP5;
use mattock_toolbox::Toolbox;
use rtl_gen::Design;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Each distinct module is mapped once (all PE boundaries are registers); no wide multiplexers of slices, which make LUT
/// counts incomparable.
const SYNTHESIS: &str = "synth_lattice -family ecp5 -noflatten -nowidelut";

/// What a design takes of an ECP5. LUT = LUT4 + 2 CCU2C + 6 DPR16X4.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Area {
    pub(super) lut: u64,
    pub(super) ff: u64,
    pub(super) dsp: u64,
}

/// Maps a design, or takes the counts of an earlier run from the tool folder.
///
/// # Errors
/// yosys is missing or fails; a folder cannot be written.
pub(super) fn measure(design: &Design, toolbox: &Toolbox, output: Output) -> Result<Area, Failure> {
    let files = design.verilog_for(ECP5);
    let top = &design.top().name;
    let mut yosys = toolbox.yosys().map_err(|missing| {
        Failure::new("yosys", missing).next("see `mattock doctor`; `cargo xtask setup` installs it")
    })?;
    let mut hash = Sha256::new();
    hash.update(SYNTHESIS);
    hash.update(format!("{yosys:?}"));
    for file in &files {
        hash.update(&file.name);
        hash.update(&file.text);
    }
    let digest: String = hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect();
    let folder = toolbox.folder().join("area").join(format!("{top}-{digest}"));
    let kept = folder.join("area.json");
    if let Some(area) = fs::read(&kept).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
        return Ok(area);
    }

    let _progress = Progress::start(output, format!("mapping {top} to ECP5 with yosys (once)"));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| Failure::file("bench pe", &path, &error)
    };
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    for file in &files {
        let path = folder.join(&file.name);
        fs::write(&path, &file.text).map_err(failed(&path))?;
    }
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let script = format!(
        "read_verilog {}; {SYNTHESIS} -top {top}; flatten; clean -purge; \
         tee -q -o cells.json stat -json",
        names.join(" ")
    );
    let log = folder.join("yosys.log");
    yosys.args(["-q", "-l", "yosys.log", "-p", &script]).current_dir(&folder);
    let done = yosys.output().map_err(|error| Failure::new("yosys", error))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.lines().last().unwrap_or_default().to_owned();
        return Err(
            Failure::new("yosys", format!("{top}: {last}")).next(format!("read {}", log.display()))
        );
    }
    let cells =
        Cells::read(&folder.join("cells.json")).map_err(|error| Failure::new("yosys", error))?;
    let count = |kind: &str| cells.count(|cell| cell == kind);
    let area = Area {
        lut: count("LUT4") + 2 * count("CCU2C") + 6 * count("TRELLIS_DPR16X4"),
        ff: count("TRELLIS_FF"),
        dsp: count("MULT18X18D"),
    };
    // Counts and strings always serialise.
    fs::write(&kept, serde_json::to_string(&area).unwrap_or_default()).map_err(failed(&kept))?;
    Ok(area)
}
