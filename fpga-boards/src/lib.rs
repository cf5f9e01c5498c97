//! FPGA boards as data, and the tool flows that turn a design into a bitstream for one.
//!
//! A [`Board`] is a file of `boards/`; a [`Design`] is what the caller hands over: Verilog files, the
//! top module's ports, a clock. [`Build::plan`] makes of both the files a toolchain reads (pins, clock
//! constraint, a top module with PLL and reset) and the programs to run, [`Build::run`] runs them with
//! a cache by content, and [`report`] reads what they say. [`fit`] says beforehand
//! whether a part has room, [`measure`] finds area and clock rate of a module by itself, [`export`] packages a
//! design for other flows.
//!
//! Nothing here knows what the design computes.

mod board;
mod build;
mod design;
mod error;
pub mod export;
pub mod fit;
pub mod flow;
pub mod measure;
pub mod pll;
pub mod report;
mod sdram;
mod steps;
mod top;
mod uart;

pub use board::{
    BOARDS, Board, Clock, Family, Fpga, Leds, Level, Memory, Pcie, Pin, Program, Resources,
    Toolchain, Uart, board,
};
pub use build::{Build, BuildError, Built};
pub use design::{Design, Direction, Link, Port};
pub use error::{BoardError, nearest};
pub use sdram::{Chip, MemoryPins};
pub use top::TOP;
pub use uart::{UartClock, uart_rate};
