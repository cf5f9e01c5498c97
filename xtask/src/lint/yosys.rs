//! yosys as a reader: warnings, latches, and the DSP and RAM blocks it finds for ECP5.

use std::path::Path;

use fpga_boards::report::Cells;
use mattock_toolbox::Toolbox;

use super::Finding;
use super::designs::Design;
use crate::error::Error;
use crate::process::run_recorded;

/// Reads the design and maps it to ECP5's DSP and RAM blocks.
pub(super) fn read(
    toolbox: &Toolbox,
    work: &Path,
    design: &Design,
    files: &[String],
) -> Result<Vec<Finding>, Error> {
    let top = &design.top;
    // As far as DSP and RAM blocks are chosen: logic and flip-flops of a large card take minutes more.
    let map = format!(
        "synth_lattice -family ecp5 -noflatten -top {top} -run begin:map_ffram; flatten; clean -purge; "
    );
    let script = format!(
        "read_verilog {}; hierarchy -check -top {top}; proc; tee -o rtl.json stat -json; \
         {map}tee -o ecp5.json stat -json",
        files.join(" ")
    );
    let mut command = toolbox.yosys()?;
    command.args(["-p", &script]).current_dir(work);
    let (status, text) = run_recorded(&mut command, &work.join("yosys.log"))?;
    let mut findings: Vec<Finding> = text.lines().filter_map(warning).collect();
    if !status.success() {
        return Ok(findings);
    }
    let rtl = Cells::read(&work.join("rtl.json"))?;
    let mapped = Cells::read(&work.join("ecp5.json"))?;
    findings.extend(judge(design, &rtl, &mapped));
    Ok(findings)
}

fn judge(design: &Design, rtl: &Cells, mapped: &Cells) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut complain = |rule: &str, message: String| {
        findings.push(Finding {
            tool: "yosys",
            rule: rule.into(),
            place: design.top.clone(),
            message,
        });
    };
    let latches = rtl.count(|kind| kind.contains("latch"));
    if latches > 0 {
        complain("latch", format!("{latches} latch cell(s)"));
    }
    if mapped.count(|_| true) == 0 {
        complain("empty", "nothing is left after synthesis".into());
    }
    for (what, cell, expected) in [("dsp", "MULT18X18D", design.dsp), ("ram", "DP16KD", design.ram)]
    {
        let found = mapped.count(|kind| kind == cell);
        if expected.is_some_and(|expected| expected != found) {
            complain(what, format!("{found} {cell}, expected {}", expected.unwrap_or(0)));
        }
    }
    findings
}

/// `Warning: ...`, `pe.v:12: Warning: ...`, and `ERROR: ...`.
fn warning(line: &str) -> Option<Finding> {
    let (place, rule, message) = match (line.split_once("Warning: "), line.split_once("ERROR: ")) {
        (Some((place, message)), _) => (place, "warning", message),
        (_, Some((place, message))) => (place, "error", message),
        _ => return None,
    };
    let rule = if message.contains("implicitly declared") { "implicit-net" } else { rule };
    let place = place.trim_end_matches([' ', ':']).to_owned();
    Some(Finding { tool: "yosys", rule: rule.into(), place, message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_read() {
        let text = "pe.v:3: Warning: Identifier `\\x' is implicitly declared.";
        assert_eq!(
            warning(text).unwrap().to_string(),
            "pe.v:3: yosys implicit-net: Identifier `\\x' is implicitly declared."
        );
        let text = "ERROR: Module `\\pe' referenced in module `\\top' is not part of the design.";
        assert_eq!(warning(text).unwrap().rule, "error");
        assert_eq!(warning("Warnings: 1 unique messages, 1 total"), None);
    }

    #[test]
    fn latches_empty_results_and_wrong_counts_are_found() {
        let design =
            Design { dir: "d".into(), make: None, top: "top".into(), dsp: Some(4), ram: Some(1) };
        let rtl = Cells::of(&[("$dlatch", 2), ("$add", 1)]);
        let mapped = Cells::of(&[("MULT18X18D", 4)]);
        let found: Vec<String> =
            judge(&design, &rtl, &mapped).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["top: yosys latch: 2 latch cell(s)", "top: yosys ram: 0 DP16KD, expected 1"]
        );
        let found =
            judge(&Design { dsp: None, ram: None, ..design }, &Cells::of(&[]), &Cells::of(&[]));
        assert_eq!(found[0].rule, "empty");
    }
}
