//! What a caller hands over.

use crate::Chip;
use crate::error::BoardError;

/// A design to be put on a board: its files and the few facts the flows need.
#[derive(Clone, Debug)]
pub struct Design {
    /// Name of the output files.
    pub name: String,
    /// Verilog files: name and text.
    pub files: Vec<(String, String)>,
    /// Its top module, with a clock `clk` and an active-high synchronous reset `rst`.
    pub top: String,
    /// Ports of the top module.
    pub ports: Vec<Port>,
    /// Clock it is made for, in MHz.
    pub clock_mhz: f64,
    /// How it is reached.
    pub link: Link,
    /// The memory chip at its ports `sdram_*`, if it has some.
    pub chip: Option<Chip>,
}

/// A port of the top module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name.
    pub name: String,
    /// Direction, seen from the module.
    pub direction: Direction,
    /// Bits.
    pub width: u32,
}

/// Direction of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the module.
    Input,
    /// Out of the module.
    Output,
}

/// How a design is reached from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// One-bit ports `uart_rx` and `uart_tx`.
    Uart {
        /// Bits a second.
        baud: u32,
        /// Clock cycles a bit, fixed in the design.
        clocks_per_bit: u32,
    },
    /// An AXI4-Lite slave `s_axi_*`, AXI4 masters `m<n>_axi_*`, a level interrupt `irq`.
    Axi,
}

impl Link {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uart { .. } => "uart",
            Self::Axi => "axi",
        }
    }
}

impl Design {
    /// Whether the top module has that port.
    pub fn has(&self, name: &str, direction: Direction) -> bool {
        self.ports.iter().any(|port| port.name == name && port.direction == direction)
    }

    /// Checks that the ports are there.
    pub(crate) fn require(&self, ports: &[(&str, Direction)]) -> Result<(), BoardError> {
        let missing = ports.iter().find(|(name, direction)| !self.has(name, *direction));
        missing.map_or(Ok(()), |(name, direction)| {
            Err(BoardError::Port {
                top: self.top.clone(),
                direction: match direction {
                    Direction::Input => "input",
                    Direction::Output => "output",
                },
                port: (*name).to_owned(),
            })
        })
    }

    /// Prefixes of the AXI4 masters: `m0_axi_`, `m1_axi_`, ...
    pub fn masters(&self) -> Vec<String> {
        let prefixes = (0..).map(|i| format!("m{i}_axi_"));
        prefixes
            .take_while(|prefix| self.has(&format!("{prefix}araddr"), Direction::Output))
            .collect()
    }

    /// Bits of a port; 0 when there is none.
    pub fn width(&self, name: &str) -> u32 {
        self.ports.iter().find(|port| port.name == name).map_or(0, |port| port.width)
    }
}
