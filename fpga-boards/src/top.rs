//! The top module of a board with a serial port: oscillator, PLL, reset, lamp, and the design.

use std::fmt::Write;

use crate::error::BoardError;
use crate::pll::{Pll, pll};
use crate::sdram::{ChipText, chip_text};
use crate::{Board, Design, Direction, Level, Link, UartClock, uart_rate};

/// Name of the top module.
pub const TOP: &str = "board_top";

/// The top module and what the constraints have to say about it.
#[derive(Clone, Debug)]
pub(crate) struct Top {
    /// Its text.
    pub(crate) verilog: String,
    /// Where its ports are.
    pub(crate) pins: Vec<Placed>,
    /// Port of the oscillator.
    pub(crate) clock_port: String,
    /// Rate of the oscillator.
    pub(crate) oscillator_mhz: f64,
    /// Rate the design runs at.
    pub(crate) clock_mhz: f64,
    /// What divides it.
    pub(crate) uart: UartClock,
}

/// A port of the top module on a pin.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) port: String,
    /// `None`: the tools know it by the port's name.
    pub(crate) pin: Option<String>,
    pub(crate) io: String,
}

/// Makes the top module.
///
/// # Errors
/// The design has other ports than a serial card, the board has no serial port, or its PLL or the
/// serial rate cannot be made.
pub(crate) fn top(board: &Board, design: &Design) -> Result<Top, BoardError> {
    let Link::Uart { baud, clocks_per_bit } = design.link else {
        let has = design.link.name();
        return Err(BoardError::Link { board: board.id, offers: "uart", has });
    };
    let known = [
        ("clk", Direction::Input),
        ("rst", Direction::Input),
        ("uart_rx", Direction::Input),
        ("uart_tx", Direction::Output),
    ];
    design.require(&known)?;
    let chip = chip_text(board, design)?;
    let driven = |name: &str| {
        known.iter().any(|(port, _)| *port == name) || (chip.is_some() && name == "sdram_dq_in")
    };
    let inputs = design.ports.iter().filter(|port| port.direction == Direction::Input);
    if let Some(port) = inputs.into_iter().find(|port| !driven(&port.name)) {
        return Err(BoardError::Undriven { top: design.top.clone(), port: port.name.clone() });
    }
    let pll = pll(board, design.clock_mhz)?;
    let clock = board.clock()?;
    let clock_mhz = pll.as_ref().map_or(clock.mhz, |pll| pll.output_mhz);
    // The divisor is fixed in the design for the rate it was made for; the rate that is really there
    // must serve it.
    let uart = uart_rate(clock_mhz, baud, clocks_per_bit.into())?;
    let mut top = Top {
        verilog: String::new(),
        pins: Vec::new(),
        clock_port: clock.name.clone(),
        oscillator_mhz: clock.mhz,
        clock_mhz,
        uart,
    };
    top.write(board, design, pll.as_ref(), chip)?;
    Ok(top)
}

impl Top {
    fn write(
        &mut self,
        board: &Board,
        design: &Design,
        pll: Option<&Pll>,
        chip: Option<ChipText>,
    ) -> Result<(), BoardError> {
        let (clock, uart) = (board.clock()?, board.serial()?);
        // Vivado wants both pins of a pair; the open tools find the second from the first.
        let pair = clock.pins.len() == 2 && !board.fpga.toolchain.is_open();
        let suffixes: &[&str] = if pair { &["_p", "_n"] } else { &[""] };
        self.clock_port = format!("{}{}", clock.name, suffixes[0]);
        let mut ports = Vec::new();
        let mut port = |direction: &str, port: String, pin: &str, io: &str| {
            ports.push(format!("  {direction} wire {port}"));
            self.pins.push(Placed { port, pin: Some(pin.to_owned()), io: io.to_owned() });
        };
        for (suffix, pin) in suffixes.iter().zip(&clock.pins) {
            port("input ", format!("{}{suffix}", clock.name), pin, &clock.io);
        }
        if let Some(reset) = &board.reset {
            port("input ", "button".into(), &reset.pin, &reset.io);
        }
        port("input ", "uart_rx".into(), &uart.rx, &uart.io);
        port("output", "uart_tx".into(), &uart.tx, &uart.io);
        if let Some(leds) = &board.leds {
            port("output", "led".into(), &leds.pins[0], &leds.io);
        }
        let mut connections = String::new();
        if let Some(chip) = &chip {
            ports.extend(chip.ports.iter().cloned());
            self.pins.extend(chip.placed.iter().cloned());
            connections.clone_from(&chip.connections);
        }
        let text = &mut self.verilog;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "// {} on {}: oscillator, reset and pins.", design.top, board.name);
        *text += &format!("module {TOP} (\n{}\n);\n  wire clk;\n", ports.join(",\n"));
        let name = &clock.name;
        let source = if pair {
            *text += &format!(
                "  wire clk_in;\n  IBUFDS clock_pins (.I({name}_p), .IB({name}_n), .O(clk_in));\n"
            );
            "clk_in"
        } else {
            name
        };
        match pll {
            Some(pll) => {
                if source != "clk_in" {
                    *text += &format!("  wire clk_in = {source};\n");
                }
                *text += &format!(
                    "  // {} MHz in, {:.4} MHz out.\n  wire locked;\n",
                    pll.input_mhz, pll.output_mhz
                );
                *text += &pll.verilog();
            }
            None => *text += &format!("  assign clk = {source};\n  wire locked = 1'b1;\n"),
        }
        let released = match board.reset.as_ref().map(|reset| reset.active) {
            Some(Level::Low) => "button",
            Some(Level::High) => "!button",
            None => "1'b1",
        };
        *text += &format!(
            "
  // In reset until the clock is steady and the button has been released for 255 cycles.
  reg [1:0] calm = 2'b00;
  reg [7:0] age = 8'h00;
  reg rst = 1'b1;
  always @(posedge clk) begin
    calm <= {{calm[0], locked & {released}}};
    age <= !calm[1] ? 8'h00 : age + {{7'h00, !(&age)}};
    rst <= !(&age);
  end
"
        );
        if let Some(leds) = &board.leds {
            let level = if leds.active == Level::High { "!rst" } else { "rst" };
            *text += &format!(
                "\n  // Shines while the design is out of reset.\n  assign led = {level};\n"
            );
        }
        *text += chip.as_ref().map_or("", |chip| &chip.body);
        *text += &format!(
            "\n  {} card (.clk(clk), .rst(rst), .uart_rx(uart_rx), .uart_tx(uart_tx){connections});\nendmodule\n",
            design.top
        );
        Ok(())
    }
}
