//! Gowin: yosys, nextpnr-himbaechel-gowin, gowin_pack; pins in a CST file, the clock in an SDC file.

use super::{BITSTREAM, Flow, NETLIST, REPORT, Step, die, nextpnr_arguments, words};
use crate::top::TOP;

pub(super) const FLOW: Flow = Flow {
    synthesis: |board, files| {
        let family = if die(board).starts_with("GW2A") { "gw2a" } else { "gw1n" };
        format!(
            "read_verilog {files}; synth_gowin -family {family} -nowidelut -top {TOP} -json {NETLIST}"
        )
    },
    constraints: |_, top| {
        let mut pins = String::new();
        for placed in &top.pins {
            let port = &placed.port;
            if let Some(pin) = &placed.pin {
                pins += &format!("IO_LOC \"{port}\" {pin};\n");
            }
            pins += &format!("IO_PORT \"{port}\" IO_TYPE={};\n", placed.io);
        }
        let period = 1e3 / top.oscillator_mhz;
        let port = &top.clock_port;
        let clock =
            format!("create_clock -name {port} -period {period:.3} [get_ports {{{port}}}]\n");
        vec![("board.cst".into(), pins), ("board.sdc".into(), clock)]
    },
    place_and_route: |board, top, options| {
        let mut args = words(&format!(
            "--device {} --vopt family={} --vopt cst=board.cst --sdc board.sdc --write board.json",
            board.fpga.part,
            die(board)
        ));
        args.extend(nextpnr_arguments(top, options));
        Step {
            what: "place and route",
            tool: "nextpnr-himbaechel-gowin",
            args,
            reads: vec![NETLIST.into(), "board.cst".into(), "board.sdc".into()],
            writes: vec!["board.json", REPORT],
        }
    },
    pack: |board| Step {
        what: "bitstream",
        tool: "gowin_pack",
        args: words(&format!("-d {} -o {BITSTREAM} board.json", die(board))),
        reads: vec!["board.json".into()],
        writes: vec![BITSTREAM],
    },
    extension: "fs",
};
