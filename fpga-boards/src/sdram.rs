//! SDR SDRAM beside an FPGA: the chip, its pins, and what the top module has for it.

use serde::Deserialize;

use crate::error::BoardError;
use crate::top::Placed;
use crate::{Board, Design, Family};

/// A chip of four banks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Data pins.
    pub data_bits: u32,
    /// Bits of a row's number, and address pins.
    pub row_bits: u32,
    /// Bits of a word's number in its row.
    pub column_bits: u32,
    /// The data masks are wired; otherwise they are grounded on the board.
    pub masks: bool,
}

/// Where a chip's pins are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryPins {
    /// The chip is in the FPGA's package: the tools find its pins by the names of the ports.
    #[serde(default)]
    pub in_package: bool,
    /// IO standard.
    pub io: String,
    /// Clock.
    #[serde(default)]
    pub clock: Option<String>,
    /// Clock enable, where it is wired.
    #[serde(default)]
    pub cke: Option<String>,
    /// Chip select, where it is wired.
    #[serde(default)]
    pub cs_n: Option<String>,
    /// Row strobe.
    #[serde(default)]
    pub ras_n: Option<String>,
    /// Column strobe.
    #[serde(default)]
    pub cas_n: Option<String>,
    /// Write enable.
    #[serde(default)]
    pub we_n: Option<String>,
    /// Bank, lowest bit first.
    #[serde(default)]
    pub ba: Vec<String>,
    /// Address.
    #[serde(default)]
    pub a: Vec<String>,
    /// Data masks; none where they are grounded.
    #[serde(default)]
    pub dqm: Vec<String>,
    /// Data.
    #[serde(default)]
    pub dq: Vec<String>,
}

/// One bus of pins: the name in [`MemoryPins`], in the package, at the card; and its width.
struct Bus {
    name: &'static str,
    in_package: &'static str,
    card: &'static str,
    width: u32,
    pins: Vec<String>,
}

impl MemoryPins {
    fn buses(&self, chip: Chip) -> Vec<Bus> {
        let one = |pin: &Option<String>| pin.iter().cloned().collect::<Vec<_>>();
        let bus = |name, in_package, card, width, pins| Bus { name, in_package, card, width, pins };
        let masks = chip.data_bits / 8;
        vec![
            bus("cke", "O_sdram_cke", "cke", 1, one(&self.cke)),
            bus("cs_n", "O_sdram_cs_n", "cs_n", 1, one(&self.cs_n)),
            bus("ras_n", "O_sdram_ras_n", "ras_n", 1, one(&self.ras_n)),
            bus("cas_n", "O_sdram_cas_n", "cas_n", 1, one(&self.cas_n)),
            bus("we_n", "O_sdram_wen_n", "we_n", 1, one(&self.we_n)),
            bus("ba", "O_sdram_ba", "ba", 2, self.ba.clone()),
            bus("a", "O_sdram_addr", "a", chip.row_bits, self.a.clone()),
            bus("dqm", "O_sdram_dqm", "dqm", masks, self.dqm.clone()),
        ]
    }

    /// Every pin with what it is for.
    pub(crate) fn named(&self) -> Vec<(String, String)> {
        let chip = Chip { data_bits: 32, row_bits: 13, column_bits: 8, masks: true };
        let mut all = vec![("sdram clock".to_owned(), self.clock.iter().cloned().collect())];
        all.extend(
            self.buses(chip).into_iter().map(|bus| (format!("sdram {}", bus.name), bus.pins)),
        );
        all.push(("sdram dq".into(), self.dq.clone()));
        let number = |(name, pins): (String, Vec<String>)| {
            pins.into_iter().enumerate().map(move |(i, pin)| (format!("{name}{i}"), pin))
        };
        all.into_iter().flat_map(number).collect()
    }
}

impl Board {
    /// The SDR SDRAM chip that a card can use.
    ///
    /// # Errors
    /// [`BoardError::Lacks`]: there is none whose pins are known.
    pub fn sdram(&self) -> Result<Chip, BoardError> {
        let lacks = BoardError::Lacks { board: self.id, what: "SDR SDRAM with pins" };
        let Some(memory) = &self.memory else { return Err(lacks) };
        let (Some(data_bits), Some(row_bits), Some(column_bits), Some(pins)) =
            (memory.width, memory.row_bits, memory.column_bits, &memory.pins)
        else {
            return Err(lacks);
        };
        let masks = pins.in_package || !pins.dqm.is_empty();
        Ok(Chip { data_bits, row_bits, column_bits, masks })
    }
}

/// What the top module has for a chip.
pub(crate) struct ChipText {
    /// Ports, each a direction, a range and a name.
    pub(crate) ports: Vec<String>,
    /// Their pins.
    pub(crate) placed: Vec<Placed>,
    /// Wires and cells.
    pub(crate) body: String,
    /// Connections of the card.
    pub(crate) connections: String,
}

/// The chip's part of the top module; `None` for a design without one.
///
/// # Errors
/// The design drives another chip than the board has, or the family's clock cell is not known.
pub(crate) fn chip_text(board: &Board, design: &Design) -> Result<Option<ChipText>, BoardError> {
    let Some(wanted) = design.chip else { return Ok(None) };
    let chip = board.sdram()?;
    if chip != wanted {
        return Err(BoardError::Chip { board: board.id, has: chip, wants: wanted });
    }
    let Some(pins) = board.memory.as_ref().and_then(|memory| memory.pins.as_ref()) else {
        return Err(BoardError::Lacks { board: board.id, what: "SDR SDRAM with pins" });
    };
    let (clock, dq) = match pins.in_package {
        true => ("O_sdram_clk", "IO_sdram_dq"),
        false => ("sdram_clk", "sdram_dq"),
    };
    let mut text =
        ChipText { ports: vec![], placed: vec![], body: String::new(), connections: String::new() };
    let mut port = |direction: &str, name: &str, width: u32, pins: &[String], io: &str| {
        let range = if width > 1 { format!("[{}:0] ", width - 1) } else { String::new() };
        text.ports.push(format!("  {direction} wire {range}{name}"));
        for i in 0..width {
            let bit = if width > 1 { format!("{name}[{i}]") } else { name.to_owned() };
            let pin = pins.get(i as usize).cloned();
            text.placed.push(Placed { port: bit, pin, io: io.to_owned() });
        }
    };
    let clock_pin: Vec<String> = pins.clock.iter().cloned().collect();
    port("output", clock, 1, &clock_pin, &pins.io);
    let mut connections = vec![];
    for bus in pins.buses(chip) {
        let wired = pins.in_package || !bus.pins.is_empty();
        let name = match pins.in_package {
            true => bus.in_package.to_owned(),
            false => format!("sdram_{}", bus.card),
        };
        if wired {
            port("output", &name, bus.width, &bus.pins, &pins.io);
        }
        connections.push((bus.card, if wired { name } else { String::new() }));
    }
    port("inout ", dq, chip.data_bits, &pins.dq, &pins.io);
    let cell = match board.fpga.family {
        Family::Ecp5 => format!(
            "ODDRX1F sdram_clock (.D0(1'b0), .D1(1'b1), .SCLK(clk), .RST(1'b0), .Q({clock}));"
        ),
        Family::Gowin => format!(
            "ODDR sdram_clock (.D0(1'b0), .D1(1'b1), .TX(1'b0), .CLK(clk), .Q0({clock}), .Q1());"
        ),
        _ => return Err(BoardError::Lacks { board: board.id, what: "clock output for SDRAM" }),
    };
    let width = chip.data_bits;
    text.body = format!(
        "
  // The chip's clock is this one inverted; its data pins go both ways.
  {cell}
  wire [{}:0] dq_out;
  wire dq_oe;
  assign {dq} = dq_oe ? dq_out : {width}'bz;
",
        width - 1
    );
    connections.extend([("dq_out", "dq_out".into()), ("dq_oe", "dq_oe".into())]);
    connections.push(("dq_in", dq.into()));
    let joined = connections.iter().map(|(card, net)| format!(",\n    .sdram_{card}({net})"));
    text.connections = joined.collect();
    Ok(Some(text))
}
