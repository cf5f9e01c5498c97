//! Leaves with a body in a technology's own cells: yosys proves that it computes what the drawn one does,
//! with its own models of the cells.

use std::fs;
use std::path::Path;

use mattock_hw::cells::{ECP5, GatedAdd, RowPair};
use mattock_toolbox::Toolbox;
use rtl_gen::{Design, Module};

/// Writes both texts of a leaf and returns the yosys commands that prove them equal.
fn proof(folder: &Path, leaf: &dyn Module) -> String {
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
         read_verilog {name}_drawn.v {name}_native.v; \
         hierarchy; proc; flatten; select -assert-none native/t:CCU2C; \
         miter -equiv -make_assert drawn native proof; hierarchy -top proof; \
         proc; flatten; sat -verify -prove-asserts proof; log proved {name}\n"
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
    let script: String = leaves.iter().map(|leaf| proof(folder.path(), leaf.as_ref())).collect();
    fs::write(folder.path().join("proof.ys"), script).unwrap();
    let mut yosys = toolbox.yosys().unwrap();
    let output = yosys.args(["-s", "proof.ys"]).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let proved = text.lines().filter(|line| line.starts_with("proved ")).count();
    assert_eq!(proved, leaves.len(), "{text}");
}
