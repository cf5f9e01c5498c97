//! Lattice iCE40: yosys, nextpnr-ice40, icepack; pins and clock in a PCF file.

use super::{BITSTREAM, Flow, NETLIST, REPORT, Step, die, nextpnr_arguments, words};
use crate::top::TOP;

pub(super) const FLOW: Flow = Flow {
    // The family has no LUT RAM: memories that ask for it become flip-flops or block RAM, as fits. A card's own memory is SPRAM.
    // yosys 0.70 loses a product whose register is followed by another one when it packs both into an SB_MAC16, so multipliers
    // are mapped by themselves.
    synthesis: |_, files| {
        format!(
            "read_verilog {files}; setattr -unset ram_style -unset syn_ramstyle a:ram_style=distributed; \
             setattr -set ram_style \"huge\" card_memory_*/ram; \
             setattr -mod -set keep_hierarchy 1 block_multiplier_*; synth_ice40 -dsp -spram -top {TOP}; \
             setattr -mod -unset keep_hierarchy *; flatten; opt_clean -purge; write_json {NETLIST}"
        )
    },
    constraints: |_, top| {
        let mut text = String::new();
        for placed in &top.pins {
            if let Some(pin) = &placed.pin {
                text += &format!("set_io -nowarn {} {pin}\n", placed.port);
            }
        }
        text += &format!("set_frequency {} {}\n", top.clock_port, top.oscillator_mhz);
        vec![("board.pcf".into(), text)]
    },
    place_and_route: |board, top, options| {
        let (die, package) = (die(board), &board.fpga.package);
        let mut args =
            words(&format!("--{die} --package {package} --pcf board.pcf --asc board.asc"));
        args.extend(nextpnr_arguments(top, options));
        Step {
            what: "place and route",
            tool: "nextpnr-ice40",
            args,
            reads: vec![NETLIST.into(), "board.pcf".into()],
            writes: vec!["board.asc", REPORT],
        }
    },
    pack: |_| Step {
        what: "bitstream",
        tool: "icepack",
        args: words(&format!("board.asc {BITSTREAM}")),
        reads: vec!["board.asc".into()],
        writes: vec![BITSTREAM],
    },
    extension: "bin",
};
