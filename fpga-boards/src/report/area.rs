//! Area by module, from the netlist that yosys leaves.
//!
//! The netlist is flat; yosys names a cell after the signal it drives, with the path of instances in
//! front, so that a cell belongs to the instance its name begins with.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{FormatError, read};

/// Resources, of a design or of a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// Look-up tables; a carry cell or a LUT RAM counts as the tables it takes.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// Multiplier blocks.
    pub dsp: u64,
    /// RAM blocks.
    pub bram: u64,
    /// 256 Kb RAMs (iCE40 UltraPlus).
    pub spram: u64,
}

/// The area of one instance, with all that is in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModuleArea {
    /// Path of instances; empty for the whole design.
    pub path: String,
    /// Its resources.
    pub area: Area,
}

impl AddAssign for Area {
    fn add_assign(&mut self, other: Self) {
        self.lut += other.lut;
        self.ff += other.ff;
        self.dsp += other.dsp;
        self.bram += other.bram;
        self.spram += other.spram;
    }
}

impl Area {
    /// What a cell of a vendor's library takes. Halves of a multiplier block count as one.
    pub fn of_cell(kind: &str) -> Self {
        let one = Self::default();
        match kind {
            "LUT4" | "LUT3" | "LUT2" | "LUT1" | "SB_LUT4" | "ALU" | "LUT5" | "LUT6" => {
                Self { lut: 1, ..one }
            }
            "CCU2C" => Self { lut: 2, ..one },
            // Four tables hold the words, two steer the write.
            "TRELLIS_DPR16X4" => Self { lut: 6, ..one },
            "RAM16SDP4" => Self { lut: 4, ..one },
            "RAM16SDP2" => Self { lut: 2, ..one },
            // LUT RAM and shift registers of UltraScale+: the tables they take.
            "RAM32M" | "RAM64M" => Self { lut: 4, ..one },
            "RAM32M16" | "RAM64M8" => Self { lut: 8, ..one },
            "RAM32X1D" | "RAM64X1D" => Self { lut: 2, ..one },
            "SRL16E" | "SRLC32E" | "RAM32X1S" | "RAM64X1S" => Self { lut: 1, ..one },
            "RAM16SDP1" => Self { lut: 1, ..one },
            "MULT18X18D" | "SB_MAC16" | "DSP48E1" | "DSP48E2" => Self { dsp: 1, ..one },
            "MULT9X9" | "MULT18X18" | "MULT36X36" => Self { dsp: 1, ..one },
            "DP16KD" | "PDPW16KD" | "SP" | "SPX9" | "SDPB" | "SDPX9B" | "DPB" | "DPX9B"
            | "pROM" | "pROMX9" | "RAMB36E1" | "RAMB36E2" | "RAMB18E1" | "RAMB18E2" => {
                Self { bram: 1, ..one }
            }
            "SB_SPRAM256KA" => Self { spram: 1, ..one },
            kind if kind.starts_with("SB_RAM40_4K") => Self { bram: 1, ..one },
            kind if kind.starts_with("SB_DFF") || kind.starts_with("DFF") => Self { ff: 1, ..one },
            "TRELLIS_FF" | "FDRE" | "FDSE" | "FDCE" | "FDPE" => Self { ff: 1, ..one },
            _ => one,
        }
    }

    /// That of `count` like it.
    pub fn times(self, count: u64) -> Self {
        Self {
            lut: self.lut * count,
            ff: self.ff * count,
            dsp: self.dsp * count,
            bram: self.bram * count,
            spram: self.spram * count,
        }
    }

    /// The first resource that `has` does not hold enough of: its name, what is needed, what is there.
    pub fn overflow(&self, has: &Area) -> Option<(&'static str, u64, u64)> {
        [
            ("LUT", self.lut, has.lut),
            ("FF", self.ff, has.ff),
            ("DSP", self.dsp, has.dsp),
            ("RAM block", self.bram, has.bram),
            ("SPRAM", self.spram, has.spram),
        ]
        .into_iter()
        .find(|(_, needed, there)| needed > there)
    }
}

#[derive(Deserialize)]
struct Netlist {
    modules: BTreeMap<String, Module>,
}

#[derive(Deserialize)]
struct Module {
    cells: BTreeMap<String, Cell>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: String,
}

impl ModuleArea {
    /// Counts the cells of module `top` of a netlist, in a tree of instances no deeper than `depth`.
    /// The first line is the whole design.
    ///
    /// # Errors
    /// [`FormatError`]; also when the module is not there.
    pub fn read(path: &Path, top: &str, depth: usize) -> Result<Vec<ModuleArea>, FormatError> {
        read(path, |text| Self::parse(text, top, depth))
    }

    fn parse(text: &str, top: &str, depth: usize) -> Result<Vec<ModuleArea>, String> {
        let netlist: Netlist = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let module = netlist.modules.get(top).ok_or_else(|| format!("no module {top}"))?;
        let mut sums: BTreeMap<String, Area> = BTreeMap::new();
        sums.insert(String::new(), Area::default());
        for (name, cell) in &module.cells {
            let area = Area::of_cell(&cell.kind);
            if area == Area::default() {
                continue;
            }
            *sums.entry(String::new()).or_default() += area;
            for path in prefixes(name).take(depth) {
                *sums.entry(path.to_owned()).or_default() += area;
            }
        }
        Ok(sums.into_iter().map(|(path, area)| ModuleArea { path, area }).collect())
    }
}

/// `a`, `a.b` of `a.b.sum_LUT4_Z`.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    // Names that tools make up (`$abc$1234$...`) may hold dots of file names, but no path.
    let name = if name.starts_with('$') { "" } else { name };
    name.match_indices('.').map(|(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_belong_to_the_instance_they_are_named_after() {
        let text = r#"{"modules": {"cell_lib": {"cells": {"x": {"type": "LUT4"}}}, "board_top": {"cells": {
            "card.gemm.pe.sum_LUT4_Z": {"type": "LUT4"}, "card.gemm.acc": {"type": "TRELLIS_FF"},
            "card.gemm.add_CCU2C_S0": {"type": "CCU2C"}, "card.csr.ram.0.0": {"type": "DP16KD"},
            "$abc$12$auto$a.cc:3": {"type": "LUT4"}, "age_LUT4_Z_1": {"type": "LUT4"},
            "card.csr.vcc": {"type": "VLO"}}}}}"#;
        let areas = ModuleArea::parse(text, "board_top", 2).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&areas).unwrap());
        assert!(ModuleArea::parse(text, "other", 2).is_err());
    }

    #[test]
    fn the_resource_that_overflows_is_named() {
        let has = Area { lut: 100, ff: 100, dsp: 8, bram: 30, spram: 4 };
        assert_eq!(Area { dsp: 9, ..has }.overflow(&has), Some(("DSP", 9, 8)));
        assert_eq!(has.overflow(&has), None);
    }
}
