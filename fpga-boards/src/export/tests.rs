//! Goldens of each package, and a Tcl interpreter that reads every script.

use std::io::Write as _;
use std::process::Command;

use super::*;
use crate::flow::tests::serial_design;
use crate::{BOARDS, Design, Direction, Link, Port, Toolchain, board};

/// A design with the ports of a PCIe card with two engines.
fn axi_design() -> Design {
    use Direction::{Input, Output};
    let mut ports = vec![("clk".to_owned(), Input, 1), ("rst".to_owned(), Input, 1)];
    let mut bus = |prefix: &str, master: bool, names: &[(&str, bool, u32)]| {
        for &(name, from_master, width) in names {
            let direction = if from_master == master { Output } else { Input };
            ports.push((format!("{prefix}{name}"), direction, width));
        }
    };
    let lite = [
        ("awvalid", true, 1),
        ("awaddr", true, 14),
        ("awready", false, 1),
        ("wdata", true, 32),
        ("rdata", false, 32),
    ];
    let full =
        [("araddr", true, 40), ("awaddr", true, 40), ("rdata", false, 128), ("wdata", true, 128)];
    bus("s_axi_", false, &lite);
    bus("m0_axi_", true, &full);
    bus("m1_axi_", true, &full);
    ports.push(("irq".into(), Output, 1));
    let port = |(name, direction, width)| Port { name, direction, width };
    Design {
        name: "pair".into(),
        files: ["pair_card.v", "engine.v"].map(|name| (name.into(), String::new())).to_vec(),
        top: "pair_card".into(),
        ports: ports.into_iter().map(port).collect(),
        clock_mhz: 200.0,
        link: Link::Axi,
        chip: None,
    }
}

#[test]
fn packages() {
    let design = axi_design();
    let (name, text) = fusesoc(&design);
    insta::assert_snapshot!(name, text);
    let (name, text) = ipxact(&design, 16_384).unwrap();
    insta::assert_snapshot!(name, text);
    let (name, text) = package_ip(&design);
    insta::assert_snapshot!(name, text);
}

#[test]
fn vivado_projects_of_each_bridge_and_of_a_serial_board() {
    for id in ["kc705", "kcu105", "alveo_u50"] {
        let files = project(board(id).unwrap(), &axi_design(), 16_384).unwrap();
        let text = |name: &str| files.iter().find(|(n, _)| n == name).unwrap().1.clone();
        insta::assert_snapshot!(
            id,
            format!("{}\n==== board.xdc\n{}", text("build.tcl"), text("board.xdc"))
        );
    }
    let files = project(board("arty_a7_100t").unwrap(), &serial_design(80.0), 16_384).unwrap();
    let files = files.iter().filter(|(name, _)| name != "echo_card.v");
    let text: String = files.map(|(name, text)| format!("==== {name}\n{text}\n")).collect();
    insta::assert_snapshot!("arty_a7_100t", text);
}

/// Runs each script with stand-ins for the vendor's commands: it must parse, substitute every variable,
/// and name only files that are there.
#[test]
fn scripts_of_every_amd_board_run_in_a_tcl_interpreter() {
    // Set-up for tests installs it; a machine without must not pretend.
    let tclsh = mattock_toolbox::Toolbox::open().find_named("tclsh").unwrap().path;
    let mut scripts = 0;
    for board in BOARDS.iter().filter(|board| board.fpga.toolchain == Toolchain::Vivado) {
        let design = if board.pcie.is_some() { axi_design() } else { serial_design(100.0) };
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in project(board, &design, 16_384).unwrap() {
            std::fs::write(folder.path().join(&name), text).unwrap();
        }
        // What the vendor's run would leave.
        let made = folder.path().join("project/project.runs/impl_1");
        std::fs::create_dir_all(&made).unwrap();
        for top in ["board_top", "system_wrapper"] {
            std::fs::write(made.join(top).with_extension("bit"), "").unwrap();
        }
        for script in ["build.tcl", "program.tcl"] {
            let mut harness = tempfile::NamedTempFile::new().unwrap();
            harness.write_all(STAND_INS.as_bytes()).unwrap();
            let output = Command::new(&tclsh)
                .arg(harness.path())
                .arg(folder.path().join(script))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {script}: {said}", board.id);
            scripts += 1;
        }
        assert!(folder.path().join(format!("{}.bit", design.name)).is_file(), "{}", board.id);
    }
    assert_eq!(scripts, 2 * 11);
}

/// Commands that Tcl does not have answer with a name; a property is one that lets the script go on.
const STAND_INS: &str = r#"
set script [lindex $argv 0]
set file [open $script]
set text [read $file]
close $file
if {![info complete $text]} { error "$script is not complete" }
proc get_property {name args} {
  switch $name { PROGRESS { return "100%" } STATS.WNS { return 0.5 } }
  return $name
}
proc must_exist {path} { if {![file exists $path]} { error "no file $path" } }
proc read_verilog {path} { must_exist $path }
proc add_files {args} {
  set path [lindex $args end]
  if {$path ne "wrapper"} { must_exist $path }
}
proc make_wrapper {args} { return wrapper }
proc unknown {command args} {
  if {![regexp {^(create_|set_property$|get_|connect_|current_|update_|launch_runs$|wait_on_run$|open_|report_|ipx::|close_|assign_bd_address$|validate_bd_design$|save_bd_design$|program_hw_devices$)} $command]} {
    error "unknown command $command"
  }
  return $command
}
source $script
"#;

#[test]
fn boards_without_a_place_for_the_host_port_are_refused() {
    let error = |id: &str, design: &Design| {
        project(board(id).unwrap(), design, 16_384).unwrap_err().to_string()
    };
    let errors = [
        error("ulx3s_85f", &axi_design()),
        error("arty_a7_100t", &axi_design()),
        error("certuspro_nx_versa", &axi_design()),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}
