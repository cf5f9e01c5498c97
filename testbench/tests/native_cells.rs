//! Leaves with a body in a technology's own cells: yosys proves that it computes what the drawn one does,
//! with its own models of the cells, or ours where it has none.

use std::fs;
use std::path::Path;

use mattock_hw::cells::{BlockMultiplier, ECP5, GatedAdd, RowPair};
use mattock_toolbox::Toolbox;
use rtl_gen::{Design, Module};

/// Operand bits of an ECP5 multiplier block.
const BLOCK: u32 = 18;

/// The ECP5 multiplier block as far as it is used, which yosys knows by its ports only: signed or unsigned operands, a register where
/// `REG_*_CLK` names a clock, clock enable and synchronous reset (Lattice FPGA-TN-02205, "sysDSP usage guide").
fn multiplier_block() -> String {
    let bits = |name: &str, n: u32| (0..n).map(|i| format!("{name}{i}")).collect::<Vec<_>>();
    let bus = |name: &str, n: u32| {
        let high: Vec<String> = bits(name, n).into_iter().rev().collect();
        format!("{{{}}}", high.join(", "))
    };
    let inputs = [bits("A", BLOCK), bits("B", BLOCK)].concat().join(", ");
    let outputs = bits("P", 2 * BLOCK).join(", ");
    let (a, b, p) = (bus("A", BLOCK), bus("B", BLOCK), bus("P", 2 * BLOCK));
    format!(
        r#"module MULT18X18D (input {inputs}, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0, output {outputs});
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE";
  parameter REG_PIPELINE_CLK = "NONE", REG_OUTPUT_CLK = "NONE";
  wire signed [18:0] a = {{SIGNEDA & A17, {a}}}, b = {{SIGNEDB & B17, {b}}};
  reg signed [18:0] a_q, b_q;
  reg signed [35:0] pipe_q, out_q;
  wire signed [18:0] x = REG_INPUTA_CLK == "CLK0" ? a_q : a, y = REG_INPUTB_CLK == "CLK0" ? b_q : b;
  wire signed [35:0] full = x * y;
  wire signed [35:0] pipe = REG_PIPELINE_CLK == "CLK0" ? pipe_q : full;
  assign {p} = REG_OUTPUT_CLK == "CLK0" ? out_q : pipe;
  always @(posedge CLK0) if (CE0) begin
    a_q <= RST0 ? 0 : a;
    b_q <= RST0 ? 0 : b;
    pipe_q <= RST0 ? 0 : full;
    out_q <= RST0 ? 0 : pipe;
  end
endmodule
"#
    )
}

/// Writes both texts of a leaf and returns the yosys commands that prove them equal.
///
/// After `latency` cycles from any state a pipeline without loops depends on its inputs alone.
fn proof(folder: &Path, leaf: &dyn Module, latency: u32) -> String {
    let steps = format!("-seq {} -prove-skip {latency}", latency + 1);
    let steps = if latency == 0 { "" } else { &steps };
    let design = Design::elaborate(leaf).unwrap();
    let name = leaf.name();
    let (drawn, native) = (design.verilog(), design.verilog_for(ECP5));
    assert_ne!(drawn, native, "{name} has no body in cells of {ECP5}");
    for (kind, files) in [("drawn", drawn), ("native", native)] {
        let text = files[0].text.replace(&format!("module {name} "), &format!("module {kind} "));
        fs::write(folder.join(format!("{name}_{kind}.v")), text).unwrap();
    }
    format!(
        "design -reset; read_verilog -DNO_INCLUDES +/ecp5/cells_sim.v; \
         read_verilog multiplier.v {name}_drawn.v {name}_native.v; \
         hierarchy; proc; flatten; select -assert-none native/t:CCU2C native/t:MULT18X18D; \
         miter -equiv -make_assert drawn native proof; hierarchy -top proof; \
         proc; flatten; sat -verify -prove-asserts {steps} proof; log proved {name}\n"
    )
}

#[test]
fn native_bodies_compute_what_is_drawn() {
    let toolbox = Toolbox::open();
    // Not below /tmp, which the WebAssembly build of yosys does not see.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut leaves: Vec<Box<dyn Module>> = vec![];
    for width in [1, 2, 7, 32] {
        leaves.push(Box::new(GatedAdd { width }));
    }
    for width in [2, 3, 8] {
        leaves.extend([false, true].map(|signed| Box::new(RowPair { width, signed }) as _));
    }
    fs::write(folder.path().join("multiplier.v"), multiplier_block()).unwrap();
    let mut script: String =
        leaves.iter().map(|leaf| proof(folder.path(), leaf.as_ref(), 0)).collect();
    let multipliers = [(4, 4), (5, 3), (2, 6)];
    for (a_bits, b_bits) in multipliers {
        let leaf = BlockMultiplier { a_bits, b_bits };
        script += &proof(folder.path(), &leaf, BlockMultiplier::LATENCY);
    }
    fs::write(folder.path().join("proof.ys"), script).unwrap();
    let mut yosys = toolbox.yosys().unwrap();
    let output = yosys.args(["-s", "proof.ys"]).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let proved = text.lines().filter(|line| line.starts_with("proved ")).count();
    assert_eq!(proved, leaves.len() + multipliers.len(), "{text}");
}
