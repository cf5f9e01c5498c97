//! From a card to what `fpga-boards` is handed.

use fpga_boards::{Chip, Design, Direction, Family, Link, Port};
use mattock_hw::cells::ECP5;
use mattock_spec::config::HostPort;
use rtl_gen::ir;

use crate::card::Chosen;
use crate::design::{elaborate, foreign};
use crate::error::Failure;
use crate::output::Output;

/// The card's Verilog and ports, and its multiply-adds a cycle. For a `family` whose cells leaves are also drawn in, in these.
///
/// # Errors
/// The card cannot be built.
pub(crate) fn hand_over(
    chosen: &Chosen,
    family: Option<Family>,
    output: Output,
) -> Result<(Design, u32), Failure> {
    let card = elaborate(chosen, output)?;
    let config = &chosen.config;
    let link = match (&config.uart, config.host) {
        (Some(uart), HostPort::Uart) => {
            Link::Uart { baud: uart.baud, clocks_per_bit: uart.clocks_per_bit(config.clock_mhz) }
        }
        _ => Link::Axi,
    };
    let files = match family {
        Some(Family::Ecp5) => card.verilog_for(ECP5),
        _ => card.verilog(),
    };
    let files = files.into_iter().chain(foreign("synth", &card)?);
    let files = files.map(|file| (file.name, file.text)).collect();
    let top = card.top();
    let design = Design {
        name: config.name.clone(),
        files,
        top: top.name.clone(),
        ports: ports(&card),
        clock_mhz: config.clock_mhz.into(),
        link,
        chip: config.sdram.map(|chip| Chip {
            data_bits: chip.data_bits,
            row_bits: chip.row_bits,
            column_bits: chip.column_bits,
            masks: chip.masks,
        }),
    };
    let dense = config.gemm.as_ref().map_or(0, |gemm| gemm.rows * gemm.cols);
    let sparse = config.spgemm.as_ref().map_or(0, |spgemm| spgemm.lanes * spgemm.clusters);
    Ok((design, dense + sparse))
}

/// Ports of a design's top module.
pub(crate) fn ports(design: &rtl_gen::Design) -> Vec<Port> {
    let port = |port: &ir::Port| Port {
        name: port.name.clone(),
        direction: match port.direction {
            ir::Direction::Input => Direction::Input,
            ir::Direction::Output => Direction::Output,
        },
        width: port.ty.width(),
    };
    design.top().ports.iter().map(port).collect()
}
