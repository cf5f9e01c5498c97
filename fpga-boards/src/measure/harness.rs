//! Registers around every port, so that the clock rate found is the module's own: inputs come
//! from one shift register, outputs go into a tree of registered four-input XORs. Both sides
//! need three pins whatever the module has, and nothing can be optimised away.
//!
//! With several clocks all harness registers use the first; the paths from and to the other
//! domains are not timed, those inside each domain are.

use std::fmt::Write;

use crate::{Direction, Port};

/// Name of the harness module.
pub(super) const NAME: &str = "timing_harness";
/// Name of the module's instance in it.
pub(super) const INSTANCE: &str = "dut";

/// Reads yosys's `portlist`: lines of `input [7:0] a`. The error is the line that is not understood.
pub(super) fn parse_ports(text: &str) -> Result<Vec<Port>, String> {
    let lines = text.lines().map(str::trim);
    let ports = lines.filter(|l| !l.is_empty() && !l.starts_with("module ") && *l != "endmodule");
    ports
        .map(|line| parse_port(line).ok_or_else(|| format!("`{line}` is not an input or output")))
        .collect()
}

fn parse_port(line: &str) -> Option<Port> {
    let mut words = line.split_whitespace();
    let direction = match words.next()? {
        "input" => Direction::Input,
        "output" => Direction::Output,
        _ => return None,
    };
    let (high, low) = words.next()?.strip_prefix('[')?.strip_suffix(']')?.split_once(':')?;
    let (high, low): (u32, u32) = (high.parse().ok()?, low.parse().ok()?);
    let name = words.next()?.to_owned();
    Some(Port { name, direction, width: high.abs_diff(low) + 1 })
}

/// The text of the harness.
///
/// # Errors
/// A module without clock or without output, or a `clocks` name that is not a one-bit input.
pub(super) fn verilog(top: &str, ports: &[Port], clocks: &[String]) -> Result<String, String> {
    let clocks = choose_clocks(ports, clocks)?;
    let (outputs, inputs): (Vec<&Port>, Vec<&Port>) = ports
        .iter()
        .filter(|port| !clocks.contains(&port.name.as_str()))
        .partition(|port| port.direction == Direction::Output);
    let width = |ports: &[&Port]| ports.iter().map(|port| port.width).sum::<u32>();
    let (stimulus, result) = (width(&inputs), width(&outputs));
    if result == 0 {
        return Err("it has no output".to_owned());
    }

    let clock = clocks[0];
    let pins: String = clocks.iter().map(|name| format!("input wire {name}, ")).collect();
    let mut text = format!("module {NAME} ({pins}input wire shift_in, output wire xor_out);\n");
    if stimulus > 0 {
        let kept =
            if stimulus > 1 { format!("stimulus[{}:0], ", stimulus - 2) } else { String::new() };
        text += &format!("  reg [{}:0] stimulus;\n", stimulus - 1);
        text += &format!("  always @(posedge {clock}) stimulus <= {{{kept}shift_in}};\n");
    }
    text += &format!("  wire [{}:0] result;\n", result - 1);
    let mut connections: Vec<String> =
        clocks.iter().map(|name| format!(".{name}({name})")).collect();
    connections.extend(connect(&inputs, "stimulus"));
    connections.extend(connect(&outputs, "result"));
    text += &format!("  {top} {INSTANCE} (\n    {}\n  );\n", connections.join(",\n    "));
    xor_tree(&mut text, clock, result);
    text += "endmodule\n";
    Ok(text)
}

fn choose_clocks<'a>(ports: &'a [Port], named: &[String]) -> Result<Vec<&'a str>, String> {
    let one_bit_inputs =
        || ports.iter().filter(|port| port.direction == Direction::Input && port.width == 1);
    if named.is_empty() {
        let is_clock =
            |name: &str| name == "clk" || name.starts_with("clk_") || name.ends_with("_clk");
        let found: Vec<&str> =
            one_bit_inputs().map(|port| port.name.as_str()).filter(|name| is_clock(name)).collect();
        if found.is_empty() {
            return Err(
                "it has no input named clk, clk_* or *_clk; name its clock with --clock".into()
            );
        }
        return Ok(found);
    }
    let find = |name: &String| {
        let port = one_bit_inputs().find(|port| port.name == *name);
        port.map(|port| port.name.as_str())
            .ok_or_else(|| format!("--clock {name}: it has no one-bit input of that name"))
    };
    named.iter().map(find).collect()
}

/// Connects the ports to consecutive bits of `vector`.
fn connect<'a>(ports: &'a [&Port], vector: &'a str) -> impl Iterator<Item = String> + 'a {
    let mut low = 0;
    ports.iter().map(move |port| {
        let high = low + port.width - 1;
        let text = format!(".{}({vector}[{high}:{low}])", port.name);
        low = high + 1;
        text
    })
}

fn xor_tree(text: &mut String, clock: &str, width: u32) {
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{words}");
    };
    line(format_args!("  reg [{}:0] level0;", width - 1));
    line(format_args!("  always @(posedge {clock}) level0 <= result;"));
    let (mut level, mut width) = (0, width);
    while width > 1 {
        let next = width.div_ceil(4);
        line(format_args!("  reg [{}:0] level{};", next - 1, level + 1));
        line(format_args!("  always @(posedge {clock}) begin"));
        for bit in 0..next {
            let high = (4 * bit + 3).min(width - 1);
            line(format_args!(
                "    level{}[{bit}] <= ^level{level}[{high}:{}];",
                level + 1,
                4 * bit
            ));
        }
        line(format_args!("  end"));
        (level, width) = (level + 1, next);
    }
    line(format_args!("  assign xor_out = level{level}[0];"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: &str = "module pe\ninput [0:0] clk\ninput [0:0] first\ninput [7:0] a\noutput [16:0] sum\noutput [0:0] valid\nendmodule\n";

    #[test]
    fn every_bit_is_registered() {
        let ports = parse_ports(PORTS).unwrap();
        insta::assert_snapshot!(verilog("pe", &ports, &[]).unwrap());
    }

    #[test]
    fn a_module_without_clock_or_output_is_refused() {
        let error = |text: &str, clocks: &[&str]| {
            let clocks: Vec<String> = clocks.iter().map(ToString::to_string).collect();
            verilog("pe", &parse_ports(text).unwrap(), &clocks).unwrap_err()
        };
        let errors = [
            error("input [0:0] a\noutput [0:0] b", &[]),
            error("input [0:0] clk\ninput [0:0] a", &[]),
            error(PORTS, &["a"]),
            parse_ports("inout [0:0] pad").unwrap_err(),
        ];
        insta::assert_snapshot!(errors.join("\n"));
    }

    #[test]
    fn one_bit_ports_work() {
        let ports = parse_ports("input [0:0] clk\ninput [0:0] a\noutput [0:0] b").unwrap();
        let text = verilog("inverter", &ports, &[]).unwrap();
        assert!(
            text.contains("stimulus <= {shift_in};") && text.contains("xor_out = level0[0]"),
            "{text}"
        );
    }
}
