//! Lattice ECP5: yosys, nextpnr-ecp5, ecppack; pins and clock in an LPF file.

use super::{BITSTREAM, Flow, NETLIST, REPORT, Step, die, nextpnr_arguments, words};
use crate::top::TOP;

/// How designs are mapped. Modules are mapped one by one and flattened afterwards: a hundred equal PEs are mapped once.
pub(crate) const SYNTHESIS: &str = "synth_lattice -family ecp5 -noflatten";

pub(super) const FLOW: Flow = Flow {
    synthesis: |_, files| {
        format!(
            "read_verilog {files}; {SYNTHESIS} -top {TOP}; flatten; clean -purge; write_json {NETLIST}"
        )
    },
    constraints: |_, top| {
        let mut text = String::from("BLOCK RESETPATHS;\nBLOCK ASYNCPATHS;\n");
        for placed in &top.pins {
            let (port, io) = (&placed.port, &placed.io);
            if let Some(pin) = &placed.pin {
                text += &format!("LOCATE COMP \"{port}\" SITE \"{pin}\";\n");
            }
            text += &format!("IOBUF PORT \"{port}\" IO_TYPE={io};\n");
        }
        text += &format!("FREQUENCY PORT \"{}\" {} MHZ;\n", top.clock_port, top.oscillator_mhz);
        vec![("board.lpf".into(), text)]
    },
    place_and_route: |board, top, options| {
        let mut args = vec![format!("--{}", die(board))];
        args.extend(words(&format!(
            "--package {} --speed {} --lpf board.lpf --textcfg board.config",
            board.fpga.package, board.fpga.speed
        )));
        args.extend(nextpnr_arguments(top, options));
        Step {
            what: "place and route",
            tool: "nextpnr-ecp5",
            args,
            reads: vec![NETLIST.into(), "board.lpf".into()],
            writes: vec!["board.config", REPORT],
        }
    },
    pack: |_| Step {
        what: "bitstream",
        tool: "ecppack",
        args: words(&format!("--compress board.config {BITSTREAM}")),
        reads: vec!["board.config".into()],
        writes: vec![BITSTREAM],
    },
    extension: "bit",
};
