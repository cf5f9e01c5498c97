//! The flow end to end with stand-ins for the tools, which do what the tools do at their worst.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use crate::Session;

/// A machine whose tools are shell scripts.
struct Bench(Session);

const REPORT: &str = r#"{"fmax": {"$glbnet$clk": {"achieved": FMAX, "constraint": 50.0}}, "critical_paths": [
  {"from": "posedge $glbnet$clk", "to": "posedge $glbnet$clk", "path": [
    {"delay": 4.0, "type": "routing", "net": "card.busy", "from": {"cell": "card.a", "port": "Q"}, "to": {"cell": "card.b", "port": "D"}}]}],
  "utilization": {"TRELLIS_COMB": {"used": 12, "available": 83640}}}"#;
const NETLIST: &str = r#"{"modules": {"board_top": {"cells": {"card.pe.sum_LUT4_Z": {"type": "LUT4"},
  "card.pe.product": {"type": "MULT18X18D"}, "card.pe.acc": {"type": "TRELLIS_FF"}}}}}"#;

impl Bench {
    fn new() -> Self {
        let bench = Self(Session::new());
        bench.tool("yosys", "Yosys 0.99", &format!("cat > netlist.json <<'E'\n{NETLIST}\nE"));
        bench.nextpnr("80.0");
        bench.tool("ecppack", "Version 9.9", "echo bits > board.part");
        bench
    }

    fn nextpnr(&self, fmax: &str) {
        let report = REPORT.replace("FMAX", fmax);
        let script = format!("echo x > board.config\ncat > report.json <<'E'\n{report}\nE");
        self.tool("nextpnr-ecp5", "(Version nextpnr-0.99", &script);
    }

    /// A program that tells its version when asked, and else counts itself and runs `script`.
    fn tool(&self, name: &str, version: &str, script: &str) {
        let path = self.0.path().join(name);
        let counter = self.0.path().join("runs");
        let text = format!(
            "#!/bin/sh\ncase \"$1\" in -V|--version) echo '{version}'; exit;; esac\necho {name} >> {}\n{script}\n",
            counter.display()
        );
        // Renamed into place, since a file open for writing cannot be run.
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&new, &path).unwrap();
    }

    fn synth(&self, more: &str) -> Output {
        let tool = |name: &str| self.0.path().join(name);
        Command::new(env!("CARGO_BIN_EXE_mattock"))
            .args(["synth", "--config", "tiny", "--board", "ulx3s_85f", "--clock", "50", "-q"])
            .args(more.split_whitespace())
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .env("MATTOCK_YOSYS", tool("yosys"))
            .env("MATTOCK_NEXTPNR_ECP5", tool("nextpnr-ecp5"))
            .env("MATTOCK_ECPPACK", tool("ecppack"))
            .output()
            .unwrap()
    }

    fn bitstream(&self) -> bool {
        self.0.path().join("build/tiny-ulx3s_85f/tiny.bit").exists()
    }

    fn runs(&self) -> String {
        let text = fs::read_to_string(self.0.path().join("runs")).unwrap_or_default();
        let _ = fs::remove_file(self.0.path().join("runs"));
        text.replace('\n', " ")
    }

    /// What a build that must fail says; it leaves no bitstream.
    fn failure(&self) -> String {
        let output = self.synth("");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!self.bitstream(), "{said}");
        let part = self.0.path().join("build/tiny-ulx3s_85f/work/board.part");
        assert!(!part.exists(), "{said}");
        said
    }
}

#[test]
fn a_build_and_what_of_it_is_done_again() {
    let bench = Bench::new();
    let output = bench.synth("--json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let keys: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&String> = keys.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "config",
            "board",
            "lut",
            "ff",
            "dsp",
            "bram",
            "lut_percent",
            "fmax_mhz",
            "gmacs",
            "bitstream",
            "seconds"
        ]
    );
    assert_eq!(keys["fmax_mhz"], 80.0);
    assert_eq!(keys["gmacs"], 0.4);
    assert_eq!((&keys["lut"], &keys["dsp"]), (&12.into(), &1.into()));
    assert_eq!(bench.runs(), "yosys nextpnr-ecp5 ecppack ");
    let page = bench.0.read("build/tiny-ulx3s_85f/report.html");
    assert!(page.contains("card.pe") && page.contains("card.busy") && !page.contains("http"));

    assert!(bench.synth("").status.success());
    assert_eq!(bench.runs(), "");
    assert!(bench.synth("--seed 2").status.success());
    assert_eq!(bench.runs(), "nextpnr-ecp5 ");
    fs::remove_file(bench.0.path().join("build/tiny-ulx3s_85f/work/board.part")).unwrap();
    assert!(bench.synth("--seed 2").status.success() && bench.bitstream());
    assert_eq!(bench.runs(), "ecppack ");
}

#[test]
fn tools_that_fail_leave_no_bitstream() {
    let bench = Bench::new();
    assert!(bench.synth("").status.success() && bench.bitstream());

    bench.tool("ecppack", "Version 9.91", "echo half > board.part; kill -9 $$");
    let said = bench.failure();
    assert!(said.contains("was killed by signal 9") && said.contains("bitstream.log"), "{said}");

    bench.tool("ecppack", "Version 9.92", "echo ready");
    assert!(bench.failure().contains("without writing board.part"));

    bench.tool("ecppack", "Version 9.93", "echo bits > board.part");
    assert!(bench.synth("").status.success() && bench.bitstream());

    bench.tool("yosys", "Yosys 0.991", "echo 'ERROR: No such command: synth_lattice'; exit 1");
    let said = bench.failure();
    assert!(said.contains("No such command") && said.contains("synthesis.log"), "{said}");
}

#[test]
fn a_clock_that_is_missed_is_no_bitstream() {
    let bench = Bench::new();
    assert!(bench.synth("").status.success() && bench.bitstream());
    bench.nextpnr("49.5");
    fs::remove_file(bench.0.path().join("build/tiny-ulx3s_85f/work/report.json")).unwrap();
    let output = bench.synth("");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("49.5 MHz of the 50.0 MHz") && said.contains("--clock"), "{said}");
    assert!(!bench.bitstream());
}

#[test]
fn a_design_that_outgrows_the_part_is_refused_before_it_is_placed() {
    let bench = Bench::new();
    let cells: Vec<String> =
        (0..157).map(|i| format!("\"card.pe{i}\": {{\"type\": \"MULT18X18D\"}}")).collect();
    let netlist =
        format!("{{\"modules\": {{\"board_top\": {{\"cells\": {{{}}}}}}}}}", cells.join(","));
    bench.tool("yosys", "Yosys 0.99", &format!("cat > netlist.json <<'E'\n{netlist}\nE"));
    let said = bench.failure();
    assert!(said.contains("it needs 157 DSPs"), "{said}");
    assert_eq!(bench.runs(), "yosys ");
}
