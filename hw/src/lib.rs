//! The hardware of a Mattock card, written in [`rtl_gen`].
//!
//! | module | what |
//! |---|---|
//! | [`bus`] | AXI4 masters, AXI4-Lite slave |
//! | [`cells`] | FIFOs, skid buffers, arbiters: what every block is composed of |
//! | [`float`] | single-precision adder and multiplier |
//! | [`formal`] | what is proved of them: harnesses for model checkers |
//! | [`control`] | registers from the tables of `mattock-spec`, bookkeeping of commands |
//! | [`gemm`] | the dense engine: array, scratchpads, DMA, control |
//! | [`memory`] | memory on the card |
//! | [`serial`] | the serial host port |
//! | [`pe`] | processing elements of the array |
//! | [`top`] | whole cards |
//! | [`spgemm`] | the sparse engine: fetch, hash merge, sorter, writer |

pub mod bus;
pub mod cells;
pub mod control;
pub mod float;
pub mod formal;
pub mod gemm;
pub mod memory;
pub mod pe;
pub mod serial;
pub mod spgemm;
pub mod top;

/// The design of the card a configuration describes.
///
/// # Errors
/// The configuration asks for what cannot be built.
pub fn card(config: &mattock_spec::CardConfig) -> Result<rtl_gen::Design, top::CardError> {
    top::Card::from_config(config)?.design()
}

/// The design to simulate a card with: [`card`], but bytes instead of bits at a serial port
/// ([`serial::SerialPins::Bytes`]), some hundred times fewer clocks for the same accesses.
///
/// # Errors
/// As [`card`].
pub fn bench_card(config: &mattock_spec::CardConfig) -> Result<rtl_gen::Design, top::CardError> {
    top::Card::from_config(config)?.with_serial_pins(serial::SerialPins::Bytes).design()
}
