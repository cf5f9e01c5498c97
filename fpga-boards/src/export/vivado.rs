//! AMD Vivado: the design as an IP, and a project for a board.
//!
//! Written from AMD's product guides (PG055, PG194, PG195) and checked as Tcl; nobody of us has run it.

use super::interfaces::interfaces;
use super::{LIBRARY, VENDOR, VERSION, xdc};
use crate::error::BoardError;
use crate::top::{TOP, top};
use crate::{Board, Design, Family, Link, Pcie, Toolchain};

/// `package_ip.tcl`: makes a Vivado IP of the design's files beside it.
pub fn package_ip(design: &Design) -> (String, String) {
    let Design { name, top, .. } = design;
    let files = file_list(design);
    let mut text = format!(
        "# Makes the IP {VENDOR}:{LIBRARY}:{name}:{VERSION} in the folder `ip`:
#     vivado -mode batch -source package_ip.tcl
set here [file dirname [file normalize [info script]]]
create_project -in_memory -part xcvu9p-flga2104-2L-e
set sources [list {files}]
foreach source $sources {{
  file mkdir [file join $here ip src]
  file copy -force [file join $here $source] [file join $here ip src $source]
  read_verilog [file join $here ip src $source]
}}
set_property top {top} [current_fileset]
update_compile_order -fileset sources_1
ipx::package_project -root_dir [file join $here ip] -vendor {VENDOR} -library {LIBRARY} -taxonomy /UserIP -force
set core [ipx::current_core]
set_property name {name} $core
set_property version {VERSION} $core
set_property display_name {{Matrix card {name}}} $core
set_property supported_families {{artix7 Production kintex7 Production virtex7 Production zynq Production \\
  kintexu Production virtexu Production kintexuplus Production virtexuplus Production \\
  virtexuplusHBM Production zynquplus Production}} $core

# The names of the ports say what they are, but not with which clock they go.
ipx::infer_bus_interface rst xilinx.com:signal:reset_rtl:1.0 $core
set polarity [ipx::add_bus_parameter POLARITY [ipx::get_bus_interfaces rst -of_objects $core]]
set_property value ACTIVE_HIGH $polarity
"
    );
    for bus in interfaces(design) {
        let bus = bus.name;
        text += &format!("ipx::associate_bus_interfaces -busif {bus} -clock clk $core\n");
    }
    text += "
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
";
    ("package_ip.tcl".into(), text)
}

/// A project for an AMD board: `build.tcl`, `program.tcl`, constraints and what they read.
///
/// A card with a serial port gets a top module of its own; one with AXI ports goes beside AMD's PCIe
/// bridge: its registers behind BAR0 of `registers_bytes`, its masters onto host memory.
///
/// # Errors
/// [`BoardError`]: the board has another flow, or no place for the design's host port.
pub fn project(
    board: &'static Board,
    design: &Design,
    registers_bytes: u32,
) -> Result<Vec<(String, String)>, BoardError> {
    if board.fpga.toolchain != Toolchain::Vivado {
        return Err(BoardError::Flow { board: board.id, tools: board.fpga.toolchain.name() });
    }
    let mut files = design.files.clone();
    match design.link {
        Link::Uart { .. } => {
            let top = top(board, design)?;
            files.push(("board.xdc".into(), xdc::serial(&top)));
            files.push(("build.tcl".into(), serial_project(board, design)));
            files.push((format!("{TOP}.v"), top.verilog));
        }
        Link::Axi => {
            let pcie = board.pcie.as_ref().filter(|pcie| pcie.hard_ip);
            let has = design.link.name();
            let pcie = pcie.ok_or(BoardError::Link { board: board.id, offers: "uart", has })?;
            files.push(("board.xdc".into(), xdc::pcie(board.id, pcie)?));
            files.push(package_ip(design));
            files.push(("build.tcl".into(), bridge_project(board, pcie, design, registers_bytes)));
        }
    }
    files.push(("program.tcl".into(), program(design)));
    Ok(files)
}

fn file_list(design: &Design) -> String {
    let names: Vec<&str> = design.files.iter().map(|(name, _)| name.as_str()).collect();
    names.join(" ")
}

fn head(board: &Board, design: &Design) -> String {
    format!(
        "# {} on {}: from these files to a bitstream.
#     vivado -mode batch -source build.tcl
# Written from the vendor's guides and checked as Tcl; not run with the vendor's tools.
set here [file dirname [file normalize [info script]]]
set part {}
",
        design.top, board.name, board.fpga.part
    )
}

/// From a project with its sources to `<name>.bit`, which appears only when timing is met.
fn implement(name: &str, top: &str) -> String {
    format!(
        "
set_property top {top} [current_fileset]
update_compile_order -fileset sources_1
launch_runs synth_1 -jobs 4
wait_on_run synth_1
if {{[get_property PROGRESS [get_runs synth_1]] ne \"100%\"}} {{ error \"synthesis failed\" }}
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {{[get_property PROGRESS [get_runs impl_1]] ne \"100%\"}} {{ error \"implementation failed\" }}
open_run impl_1
report_utilization -hierarchical -file [file join $here utilization.rpt]
report_timing_summary -file [file join $here timing.rpt]
if {{[get_property STATS.WNS [get_runs impl_1]] < 0}} {{ error \"timing is not met: see timing.rpt\" }}
file copy -force [file join $here project project.runs impl_1 {top}.bit] [file join $here {name}.bit]
"
    )
}

fn serial_project(board: &Board, design: &Design) -> String {
    let mut text = head(board, design);
    text += &format!(
        "create_project project [file join $here project] -part $part -force
foreach source [list {} {TOP}.v] {{ add_files -norecurse [file join $here $source] }}
add_files -fileset constrs_1 -norecurse [file join $here board.xdc]
",
        file_list(design)
    );
    text + &implement(&design.name, TOP)
}

/// AMD's bridge of a family, with the names it gives to what we connect.
struct Bridge {
    ip: &'static str,
    /// Configuration besides the link.
    settings: &'static [(&'static str, &'static str)],
    /// Keys of lanes and speed.
    lanes: &'static str,
    speed: &'static str,
    bar_size: &'static str,
    /// Registers: bridge to card.
    master: &'static str,
    /// Host memory: card to bridge.
    slave: &'static str,
    /// Clock of both.
    clock: &'static str,
    refclk: &'static str,
    refclk_gt: Option<&'static str>,
    perst: &'static str,
    interrupt: &'static str,
    pins: &'static str,
}

/// 7 series (PG055): the window to host memory has 32 address bits, so that the host's buffers must lie
/// below 4 GiB, as an IOMMU can arrange.
const SERIES_7: Bridge = Bridge {
    ip: "axi_pcie",
    settings: &[
        ("CONFIG.S_AXI_DATA_WIDTH", "128"),
        ("CONFIG.M_AXI_DATA_WIDTH", "128"),
        ("CONFIG.BAR0_SCALE", "Kilobytes"),
        ("CONFIG.PCIEBAR2AXIBAR_0", "0x00000000"),
        ("CONFIG.AXIBAR_NUM", "1"),
        ("CONFIG.AXIBAR_0", "0x00000000"),
        ("CONFIG.AXIBAR_HIGHADDR_0", "0xFFFFFFFF"),
        ("CONFIG.AXIBAR2PCIEBAR_0", "0x00000000"),
        ("CONFIG.INTERRUPT_PIN", "true"),
    ],
    lanes: "CONFIG.NO_OF_LANES",
    speed: "CONFIG.MAX_LINK_SPEED",
    bar_size: "CONFIG.BAR0_SIZE",
    master: "M_AXI",
    slave: "S_AXI",
    clock: "axi_aclk_out",
    refclk: "REFCLK",
    refclk_gt: None,
    perst: "axi_aresetn",
    interrupt: "INTX_MSI_Request",
    pins: "pcie_7x_mgt",
};

/// UltraScale (PG194).
const ULTRASCALE: Bridge = Bridge {
    ip: "axi_pcie3",
    settings: &[
        ("CONFIG.axi_data_width", "256_bit"),
        ("CONFIG.pf0_bar0_scale", "Kilobytes"),
        ("CONFIG.pciebar2axibar_0", "0x0000000000000000"),
        ("CONFIG.axibar_num", "1"),
        ("CONFIG.axibar_0", "0x0000000000000000"),
        ("CONFIG.axibar_highaddr_0", "0x000000FFFFFFFFFF"),
        ("CONFIG.axibar2pciebar_0", "0x0000000000000000"),
    ],
    lanes: "CONFIG.pl_link_cap_max_link_width",
    speed: "CONFIG.pl_link_cap_max_link_speed",
    bar_size: "CONFIG.pf0_bar0_size",
    master: "M_AXI",
    slave: "S_AXI",
    clock: "axi_aclk",
    refclk: "refclk",
    refclk_gt: Some("sys_clk_gt"),
    perst: "sys_rst_n",
    interrupt: "intx_msi_request",
    pins: "pcie_7x_mgt",
};

/// UltraScale+ (PG195): XDMA as a bridge, without its own data mover.
const ULTRASCALE_PLUS: Bridge = Bridge {
    ip: "xdma",
    settings: &[
        ("CONFIG.functional_mode", "AXI_Bridge"),
        ("CONFIG.mode_selection", "Advanced"),
        ("CONFIG.axi_data_width", "512_bit"),
        ("CONFIG.pf0_bar0_scale", "Kilobytes"),
        ("CONFIG.pciebar2axibar_0", "0x0000000000000000"),
        ("CONFIG.axibar_num", "1"),
        ("CONFIG.axibar_0", "0x0000000000000000"),
        ("CONFIG.axibar_highaddr_0", "0x000000FFFFFFFFFF"),
        ("CONFIG.axibar2pciebar_0", "0x0000000000000000"),
    ],
    lanes: "CONFIG.pl_link_cap_max_link_width",
    speed: "CONFIG.pl_link_cap_max_link_speed",
    bar_size: "CONFIG.pf0_bar0_size",
    master: "M_AXI_B",
    slave: "S_AXI_B",
    clock: "axi_aclk",
    refclk: "sys_clk",
    refclk_gt: Some("sys_clk_gt"),
    perst: "sys_rst_n",
    interrupt: "usr_irq_req",
    pins: "pcie_mgt",
};

fn bridge_project(board: &Board, pcie: &Pcie, design: &Design, registers_bytes: u32) -> String {
    let bridge = match board.fpga.family {
        Family::XilinxUs => ULTRASCALE,
        Family::XilinxUsp => ULTRASCALE_PLUS,
        _ => SERIES_7,
    };
    let speed = ["2.5_GT/s", "5.0_GT/s", "8.0_GT/s"][pcie.generation.clamp(1, 3) as usize - 1];
    let Bridge { ip, master, slave, clock, perst, interrupt, pins, .. } = bridge;
    let name = &design.name;
    let mut settings = vec![
        format!("{} {{X{}}}", bridge.lanes, pcie.lanes),
        format!("{} {{{speed}}}", bridge.speed),
        format!("{} {{{}}}", bridge.bar_size, registers_bytes.div_ceil(1024)),
    ];
    settings.extend(bridge.settings.iter().map(|(key, value)| format!("{key} {{{value}}}")));
    let settings = settings.join(" \\\n  ");
    let masters = design.masters();
    let mut text = head(board, design);
    text += &format!(
        "source [file join $here package_ip.tcl]
create_project project [file join $here project] -part $part -force
set_property ip_repo_paths [file join $here ip] [current_project]
update_ip_catalog
add_files -fileset constrs_1 -norecurse [file join $here board.xdc]

create_bd_design system
# The slot: reference clock, reset, lanes.
create_bd_intf_port -mode Slave -vlnv xilinx.com:interface:diff_clock_rtl:1.0 refclk
set_property CONFIG.FREQ_HZ {:.0} [get_bd_intf_ports refclk]
create_bd_port -dir I -type rst perst_n
set_property CONFIG.POLARITY ACTIVE_LOW [get_bd_ports perst_n]
create_bd_intf_port -mode Master -vlnv xilinx.com:interface:pcie_7x_mgt_rtl:1.0 pcie
create_bd_cell -type ip -vlnv xilinx.com:ip:util_ds_buf refclk_buffer
set_property CONFIG.C_BUF_TYPE IBUFDSGTE [get_bd_cells refclk_buffer]
connect_bd_intf_net [get_bd_intf_ports refclk] [get_bd_intf_pins refclk_buffer/CLK_IN_D]

# The bridge: BAR0 is the card's registers, the card's masters reach host memory.
create_bd_cell -type ip -vlnv xilinx.com:ip:{ip} bridge
set_property -dict [list \\
  {settings}] [get_bd_cells bridge]
connect_bd_intf_net [get_bd_intf_ports pcie] [get_bd_intf_pins bridge/{pins}]
connect_bd_net [get_bd_ports perst_n] [get_bd_pins bridge/{perst}]
",
        pcie.refclk_mhz * 1e6
    );
    match bridge.refclk_gt {
        Some(gt) => {
            text += &format!(
                "connect_bd_net [get_bd_pins refclk_buffer/IBUF_DS_ODIV2] [get_bd_pins bridge/{}]
connect_bd_net [get_bd_pins refclk_buffer/IBUF_OUT] [get_bd_pins bridge/{gt}]
",
                bridge.refclk
            );
        }
        None => {
            text += &format!(
                "connect_bd_net [get_bd_pins refclk_buffer/IBUF_OUT] [get_bd_pins bridge/{}]\n",
                bridge.refclk
            );
        }
    }
    text += &format!(
        "
# The card has a clock of its own; the interconnects cross between the two.
create_bd_cell -type ip -vlnv xilinx.com:ip:clk_wiz card_clock
set_property -dict [list CONFIG.PRIM_SOURCE {{No_buffer}} CONFIG.USE_RESET {{false}} \\
  CONFIG.CLKOUT1_REQUESTED_OUT_FREQ {{{:.3}}}] [get_bd_cells card_clock]
connect_bd_net [get_bd_pins bridge/{clock}] [get_bd_pins card_clock/clk_in1]
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset card_reset
connect_bd_net [get_bd_pins card_clock/clk_out1] [get_bd_pins card_reset/slowest_sync_clk]
connect_bd_net [get_bd_pins card_clock/locked] [get_bd_pins card_reset/dcm_locked]
connect_bd_net [get_bd_ports perst_n] [get_bd_pins card_reset/ext_reset_in]
create_bd_cell -type ip -vlnv {VENDOR}:{LIBRARY}:{name}:{VERSION} card
connect_bd_net [get_bd_pins card_clock/clk_out1] [get_bd_pins card/clk]
connect_bd_net [get_bd_pins card_reset/peripheral_reset] [get_bd_pins card/rst]
connect_bd_net [get_bd_pins card/irq] [get_bd_pins bridge/{interrupt}]
",
        design.clock_mhz
    );
    let mut interconnect = |cell: &str, slaves: usize, from_bridge: bool| {
        let (first, second) = (format!("bridge/{clock}"), "card_clock/clk_out1".to_owned());
        let clocks = if from_bridge { [first, second] } else { [second, first] };
        text += &format!(
            "
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect {cell}
set_property -dict [list CONFIG.NUM_SI {{{slaves}}} CONFIG.NUM_MI {{1}} CONFIG.NUM_CLKS {{2}}] [get_bd_cells {cell}]
connect_bd_net [get_bd_pins {}] [get_bd_pins {cell}/aclk]
connect_bd_net [get_bd_pins {}] [get_bd_pins {cell}/aclk1]
connect_bd_net [get_bd_pins card_reset/peripheral_aresetn] [get_bd_pins {cell}/aresetn]
",
            clocks[0], clocks[1]
        );
    };
    interconnect("registers", 1, true);
    interconnect("memory", masters.len().max(1), false);
    text += &format!(
        "connect_bd_intf_net [get_bd_intf_pins bridge/{master}] [get_bd_intf_pins registers/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins registers/M00_AXI] [get_bd_intf_pins card/s_axi]
"
    );
    for (i, prefix) in masters.iter().enumerate() {
        let bus = prefix.trim_end_matches('_');
        text += &format!(
            "connect_bd_intf_net [get_bd_intf_pins card/{bus}] [get_bd_intf_pins memory/S{i:02}_AXI]\n"
        );
    }
    text += &format!(
        "connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins bridge/{slave}]
assign_bd_address
validate_bd_design
save_bd_design
add_files -norecurse [make_wrapper -files [get_files system.bd] -top]
"
    );
    text + &implement(name, "system_wrapper")
}

fn program(design: &Design) -> String {
    format!(
        "# Loads the bitstream over JTAG:
#     vivado -mode batch -source program.tcl
set here [file dirname [file normalize [info script]]]
open_hw_manager
connect_hw_server
open_hw_target
set device [lindex [get_hw_devices] 0]
current_hw_device $device
set_property PROGRAM.FILE [file join $here {}.bit] $device
program_hw_devices $device
close_hw_manager
",
        design.name
    )
}
