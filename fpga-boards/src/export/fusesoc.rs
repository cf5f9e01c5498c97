//! FuseSoC: a CAPI2 `.core` file.

use std::fmt::Write;

use super::{LIBRARY, VENDOR, VERSION};
use crate::Design;

/// `<name>.core`, which names the design's Verilog files beside it.
pub fn fusesoc(design: &Design) -> (String, String) {
    let (name, top) = (&design.name, &design.top);
    let mut text = format!(
        "CAPI=2:
name: {VENDOR}:{LIBRARY}:{name}:{VERSION}
description: Matrix card {name}, host port {}

filesets:
  rtl:
    file_type: verilogSource-2005
    files:
",
        design.link.name()
    );
    for (file, _) in &design.files {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "      - {file}");
    }
    text += &format!(
        "
targets:
  default: &default
    filesets: [rtl]
    toplevel: {top}
  lint:
    <<: *default
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
"
    );
    (format!("{name}.core"), text)
}
