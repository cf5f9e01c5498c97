//! The boards: one TOML file each, read and checked when first asked for.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::{BoardError, nearest};
use crate::sdram::MemoryPins;

/// A board, as its file in `boards/` describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name of the file.
    #[serde(skip)]
    pub id: &'static str,
    /// Name a person would say.
    pub name: String,
    /// Maker of the FPGA's tools.
    pub vendor: String,
    /// What one should know before using it.
    pub note: Option<String>,
    /// Where its facts were read.
    pub sources: Vec<String>,
    /// The part and the flow.
    pub fpga: Fpga,
    /// What the part has; `None` where it is not known.
    pub resources: Option<Resources>,
    /// Oscillators, the one the flows use first.
    #[serde(default)]
    pub clocks: Vec<Clock>,
    /// A button or supervisor that resets the design.
    pub reset: Option<Pin>,
    /// Lamps.
    pub leds: Option<Leds>,
    /// Serial port.
    pub uart: Option<Uart>,
    /// PCIe connector.
    pub pcie: Option<Pcie>,
    /// Memory beside the FPGA. Of these the flows drive SDR SDRAM whose pins are known.
    pub memory: Option<Memory>,
    /// How a bitstream gets onto it.
    pub program: Program,
}

/// The part on a board and its tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fpga {
    /// Architecture: primitives, PLL.
    pub family: Family,
    /// Tools.
    pub toolchain: Toolchain,
    /// Ordering code.
    pub part: String,
    /// Device without package and speed.
    pub device: String,
    /// Package, as the tools spell it.
    pub package: String,
    /// Speed grade.
    pub speed: String,
    /// The die, as the place and route tool spells it (open flows).
    pub die: Option<String>,
}

/// Architecture of an FPGA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Lattice ECP5 and ECP5-5G.
    Ecp5,
    /// Lattice iCE40 UltraPlus.
    Ice40,
    /// Gowin GW1N and GW2A.
    Gowin,
    /// AMD 7 series.
    #[serde(rename = "xilinx-7")]
    Xilinx7,
    /// AMD UltraScale.
    XilinxUs,
    /// AMD UltraScale+.
    XilinxUsp,
    /// One that no flow of this crate knows.
    Other,
}

/// Tools that make a bitstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Toolchain {
    /// yosys, nextpnr-ecp5, ecppack.
    Ecp5,
    /// yosys, nextpnr-ice40, icepack.
    Ice40,
    /// yosys, nextpnr-himbaechel-gowin, gowin_pack.
    Gowin,
    /// AMD Vivado: a project is written, not run.
    Vivado,
    /// Lattice Radiant: not supported.
    Radiant,
    /// Gowin EDA: not supported.
    GowinEda,
    /// Altera Quartus: not supported.
    Quartus,
}

impl Toolchain {
    /// Name of the tools.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecp5 => "yosys, nextpnr-ecp5, ecppack",
            Self::Ice40 => "yosys, nextpnr-ice40, icepack",
            Self::Gowin => "yosys, nextpnr-himbaechel-gowin, gowin_pack",
            Self::Vivado => "Vivado",
            Self::Radiant => "Radiant",
            Self::GowinEda => "Gowin EDA",
            Self::Quartus => "Quartus Pro",
        }
    }

    /// Whether this crate runs it to a bitstream.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Ecp5 | Self::Ice40 | Self::Gowin)
    }
}

/// What a part has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Look-up tables: 4 inputs, of AMD parts 6.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// Multiplier blocks.
    pub dsp: u64,
    /// RAM blocks: 18 Kb on ECP5 and Gowin, 4 Kb on iCE40, 36 Kb on AMD parts.
    pub bram: u64,
    /// 256 Kb single-port RAMs of the iCE40 UltraPlus.
    #[serde(default)]
    pub spram: u64,
    /// PLLs that the open tools can place.
    pub pll: u64,
    /// Where the counts were read.
    pub source: String,
    /// What one should know about them.
    pub note: Option<String>,
}

/// An oscillator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Name of the port in the top module.
    pub name: String,
    /// Rate.
    pub mhz: f64,
    /// The pin, or both pins of a pair, positive first.
    pub pins: Vec<String>,
    /// I/O standard.
    pub io: String,
}

/// Level at which a signal is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// On when low.
    Low,
    /// On when high.
    High,
}

/// One pin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Ball or pin number.
    pub pin: String,
    /// Level at which it is on.
    pub active: Level,
    /// I/O standard.
    pub io: String,
    /// What one should know.
    pub note: Option<String>,
}

/// Lamps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leds {
    /// Their pins.
    pub pins: Vec<String>,
    /// Level at which they shine.
    pub active: Level,
    /// I/O standard of the first.
    pub io: String,
}

/// A serial port, as the FPGA sees it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uart {
    /// Input pin.
    pub rx: String,
    /// Output pin.
    pub tx: String,
    /// I/O standard.
    pub io: String,
    /// What one should know.
    pub note: Option<String>,
}

/// A PCIe connector, lane 0 first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pcie {
    /// Lanes.
    pub lanes: u32,
    /// Fastest generation.
    pub generation: u32,
    /// The part has a PCIe block, so that a vendor bridge can be used.
    pub hard_ip: bool,
    /// Reference clock.
    pub refclk_mhz: f64,
    /// Reset from the slot, active low.
    pub perst_n: String,
    /// Its I/O standard, where a source tells it.
    pub perst_io: Option<String>,
    /// Reference clock pin.
    pub refclk_p: String,
    /// Its complement.
    pub refclk_n: String,
    /// Receiver pins.
    pub rx_p: Vec<String>,
    /// Their complements.
    pub rx_n: Vec<String>,
    /// Transmitter pins.
    pub tx_p: Vec<String>,
    /// Their complements.
    pub tx_n: Vec<String>,
    /// What one should know.
    pub note: Option<String>,
}

/// Memory on the board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Kind.
    pub kind: String,
    /// Its chip.
    pub part: Option<String>,
    /// Data pins.
    pub width: Option<u32>,
    /// Size.
    pub mbytes: Option<u32>,
    /// Bits of a row's number, of SDRAM.
    pub row_bits: Option<u32>,
    /// Bits of a word's number in its row.
    pub column_bits: Option<u32>,
    /// Where an SDR SDRAM chip's pins are.
    pub pins: Option<MemoryPins>,
}

/// How a bitstream gets onto a board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Arguments of openFPGALoader that name the board; `None` when it does not know it.
    pub openfpgaloader: Option<Vec<String>>,
    /// Other ways.
    pub otherwise: Vec<String>,
}

macro_rules! boards {
    ($($id:literal)*) => { [$(($id, include_str!(concat!("../boards/", $id, ".toml")))),*] };
}

/// Every board's name and file. A new board is its file and its name here.
const FILES: [(&str, &str); 23] = boards![
    "acorn_cle215p" "agilex5e_065b_premium" "alveo_u200" "alveo_u250" "alveo_u280" "alveo_u50"
    "arty_a7_100t" "certuspro_nx_versa" "colorlight_i5_v7" "ecp5_evn" "ecpix5_85f" "icebreaker"
    "kc705" "kcu105" "litefury" "nitefury_ii" "orangecrab_r02_25f" "tang_mega_138k_pro"
    "tang_nano_20k" "tang_nano_9k" "ulx3s_85f" "vcu118" "versa_ecp5_5g"
];

/// Every board, by name.
///
/// # Panics
/// When a file of `boards/` is not as it should be, which a test of this crate finds first.
pub static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|&(id, text)| match toml::from_str::<Board>(text) {
            Ok(board) => Board { id, ..board },
            Err(error) => panic!("boards/{id}.toml: {error}"),
        })
        .collect()
});

/// The board of that name.
///
/// # Errors
/// [`BoardError::Unknown`], which names the nearest.
pub fn board(id: &str) -> Result<&'static Board, BoardError> {
    if let Some(board) = BOARDS.iter().find(|board| board.id == id) {
        return Ok(board);
    }
    let names: Vec<&'static str> = FILES.map(|(id, _)| id).to_vec();
    Err(BoardError::Unknown { asked: id.to_owned(), nearest: nearest(id, &names), names })
}

impl Board {
    /// The oscillator the flows use.
    ///
    /// # Errors
    /// [`BoardError::Lacks`]: the file names none.
    pub fn clock(&self) -> Result<&Clock, BoardError> {
        self.clocks.first().ok_or(BoardError::Lacks { board: self.id, what: "clock" })
    }

    /// The serial port.
    ///
    /// # Errors
    /// [`BoardError::Lacks`].
    pub fn serial(&self) -> Result<&Uart, BoardError> {
        self.uart.as_ref().ok_or(BoardError::Lacks { board: self.id, what: "serial port" })
    }

    /// Every FPGA pin its file names, with what it is for.
    pub fn pins(&self) -> Vec<(String, String)> {
        let mut pins = Vec::new();
        let mut add = |what: String, pin: &String| pins.push((what, pin.clone()));
        for clock in &self.clocks {
            clock.pins.iter().for_each(|pin| add(clock.name.clone(), pin));
        }
        self.reset.iter().for_each(|reset| add("reset".into(), &reset.pin));
        for (i, pin) in self.leds.iter().flat_map(|leds| &leds.pins).enumerate() {
            add(format!("led{i}"), pin);
        }
        if let Some(uart) = &self.uart {
            add("uart rx".into(), &uart.rx);
            add("uart tx".into(), &uart.tx);
        }
        if let Some(pcie) = &self.pcie {
            for (what, pin) in [
                ("perst_n", &pcie.perst_n),
                ("refclk_p", &pcie.refclk_p),
                ("refclk_n", &pcie.refclk_n),
            ] {
                add(format!("pcie {what}"), pin);
            }
            for (what, lanes) in [
                ("rx_p", &pcie.rx_p),
                ("rx_n", &pcie.rx_n),
                ("tx_p", &pcie.tx_p),
                ("tx_n", &pcie.tx_n),
            ] {
                lanes.iter().enumerate().for_each(|(i, pin)| add(format!("pcie {what}{i}"), pin));
            }
        }
        let memory = self.memory.iter().filter_map(|memory| memory.pins.as_ref());
        pins.extend(memory.flat_map(MemoryPins::named));
        pins
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/boards");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.strip_suffix(".toml").unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, FILES.map(|(id, _)| id));
    }

    #[test]
    fn pins_are_unique() {
        for board in BOARDS.iter() {
            let pins = board.pins();
            let set: BTreeSet<&String> = pins.iter().map(|(_, pin)| pin).collect();
            assert_eq!(set.len(), pins.len(), "{}: {pins:?}", board.id);
            let spelled = |pin: &str| {
                !pin.is_empty() && pin.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            };
            assert!(pins.iter().all(|(_, pin)| spelled(pin)), "{}: {pins:?}", board.id);
        }
    }

    #[test]
    fn memory_chips_are_complete() {
        let mut chips = 0;
        for board in BOARDS.iter() {
            let Some(memory) = &board.memory else { continue };
            let Some(pins) = &memory.pins else { continue };
            let chip = board.sdram().unwrap();
            chips += 1;
            let words = 1u64 << (2 + chip.row_bits + chip.column_bits);
            let bytes = words * u64::from(chip.data_bits) / 8;
            assert_eq!(memory.mbytes.map(u64::from), Some(bytes >> 20), "{}", board.id);
            if pins.in_package {
                assert!(pins.named().is_empty(), "{}", board.id);
                continue;
            }
            let counts = [pins.ba.len(), pins.a.len(), pins.dq.len()];
            let wanted = [2, chip.row_bits as usize, chip.data_bits as usize];
            assert_eq!(counts, wanted, "{}", board.id);
            assert!(pins.dqm.is_empty() || pins.dqm.len() * 8 == pins.dq.len(), "{}", board.id);
            let strobes = [&pins.clock, &pins.ras_n, &pins.cas_n, &pins.we_n];
            assert!(strobes.iter().all(|pin| pin.is_some()), "{}", board.id);
        }
        assert_eq!(chips, 3);
    }

    #[test]
    fn boards_that_can_be_built_are_complete() {
        for board in BOARDS.iter() {
            assert!(!board.sources.is_empty() && !board.name.is_empty(), "{}", board.id);
            if !(board.fpga.toolchain.is_open() || board.fpga.toolchain == Toolchain::Vivado) {
                continue;
            }
            let Fpga { part, device, package, .. } = &board.fpga;
            assert!(![part, device, package].iter().any(|text| text.is_empty()), "{}", board.id);
            let resources = board.resources.as_ref().expect(board.id);
            assert!(resources.lut > 1000 && resources.ff > 1000 && resources.bram > 0);
            let clock = board.clock().unwrap();
            assert!((1.0..=500.0).contains(&clock.mhz) && !clock.name.is_empty(), "{}", board.id);
            assert!(matches!(clock.pins.len(), 1 | 2), "{}", board.id);
            assert!(clock.name.starts_with(|c: char| c.is_ascii_alphabetic()), "{}", board.id);
            board.serial().unwrap();
        }
    }

    #[test]
    fn families_and_toolchains_go_together() {
        for board in BOARDS.iter() {
            let Fpga { family, toolchain, die, part, device, .. } = &board.fpga;
            let fits = match toolchain {
                Toolchain::Ecp5 => *family == Family::Ecp5 && part.starts_with(device.as_str()),
                Toolchain::Ice40 => *family == Family::Ice40,
                Toolchain::Gowin => *family == Family::Gowin,
                Toolchain::Vivado => {
                    let family =
                        matches!(family, Family::Xilinx7 | Family::XilinxUs | Family::XilinxUsp);
                    family && part.starts_with(device.as_str())
                }
                Toolchain::Radiant | Toolchain::GowinEda | Toolchain::Quartus => {
                    *family == Family::Other
                }
            };
            assert!(fits && die.is_some() == toolchain.is_open(), "{}", board.id);
        }
    }

    #[test]
    fn lanes_have_four_pins_each() {
        for (board, pcie) in BOARDS.iter().filter_map(|b| Some((b, b.pcie.as_ref()?))) {
            for lanes in [&pcie.rx_p, &pcie.rx_n, &pcie.tx_p, &pcie.tx_n] {
                assert_eq!(lanes.len() as u32, pcie.lanes, "{}", board.id);
            }
            assert!((1..=4).contains(&pcie.generation) && pcie.refclk_mhz == 100.0);
        }
    }

    #[test]
    fn an_unknown_board_is_answered_with_the_nearest() {
        let errors = ["ulx3s", "icebraker", "zzz"].map(|id| board(id).unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"));
    }
}
