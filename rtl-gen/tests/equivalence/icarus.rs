//! Runs a design in Icarus Verilog over given input vectors, with a bench of its own.

use rtl_gen::Design;
use rtl_gen::ir::Direction;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Per cycle the outputs in port order, in hex as Icarus prints them (with `x` where it does not know).
pub(crate) fn run(design: &Design, vectors: &[Vec<Vec<u32>>], dir: &Path) -> Vec<Vec<String>> {
    let top = design.top();
    let inputs: Vec<_> = data_ports(design, Direction::Input).collect();
    let mut files = vec![];
    for file in design.verilog() {
        let path = dir.join(&file.name);
        std::fs::write(&path, file.text).unwrap();
        files.push(path);
    }
    let total: u32 = inputs.iter().map(|p| p.ty.width()).sum();
    let mut bench = String::from("module bench;\n  reg clk = 0;\n");
    let mut connections: Vec<String> = vec![];
    for port in &top.ports {
        let (name, last) = (&port.name, port.ty.width() - 1);
        match port.direction {
            _ if port.ty == rtl_gen::Type::Clock => {
                connections.push(format!(".{name}(clk)"));
                continue;
            }
            Direction::Input => {
                let _ = writeln!(bench, "  reg [{last}:0] i_{name};");
                connections.push(format!(".{name}(i_{name})"));
            }
            Direction::Output => {
                let _ = writeln!(bench, "  wire [{last}:0] o_{name};");
                connections.push(format!(".{name}(o_{name})"));
            }
        }
    }
    let _ = writeln!(bench, "  {} dut ({});", top.name, connections.join(", "));
    let names: Vec<String> = inputs.iter().map(|p| format!("i_{}", p.name)).collect();
    let _ = writeln!(bench, "  reg [{}:0] vectors [0:{}];", total - 1, vectors.len() - 1);
    bench.push_str("  integer i;\n  initial begin\n    $readmemh(\"vectors.hex\", vectors);\n");
    let _ = writeln!(bench, "    for (i = 0; i < {}; i = i + 1) begin", vectors.len());
    let _ = writeln!(bench, "      {{{}}} = vectors[i];\n      #1;", names.join(", "));
    for port in data_ports(design, Direction::Output) {
        let _ = writeln!(bench, "      $display(\"%h\", o_{});", port.name);
    }
    bench.push_str("      clk = 1; #1; clk = 0; #1;\n    end\n  end\nendmodule\n");
    std::fs::write(dir.join("bench.v"), bench).unwrap();
    let mut hex = String::new();
    for vector in vectors {
        let mut digits = String::new();
        for (port, words) in inputs.iter().zip(vector) {
            for i in (0..port.ty.width()).rev() {
                digits.push(if words[i as usize / 32] >> (i % 32) & 1 == 1 { '1' } else { '0' });
            }
        }
        let pad = (4 - digits.len() % 4) % 4;
        let digits = "0".repeat(pad) + &digits;
        for nibble in digits.as_bytes().chunks(4) {
            let value = nibble.iter().fold(0, |v, b| 2 * v + (b - b'0') as u32);
            hex.push(char::from_digit(value, 16).unwrap());
        }
        hex.push('\n');
    }
    std::fs::write(dir.join("vectors.hex"), hex).unwrap();

    let compiled = dir.join("bench.vvp");
    let output = Command::new("iverilog")
        .args(["-g2012", "-Wall", "-o"])
        .arg(&compiled)
        .args(&files)
        .arg(dir.join("bench.v"))
        .output()
        .expect("Icarus Verilog: apt install iverilog");
    let messages = String::from_utf8_lossy(&output.stderr);
    // The bench has no timescale and neither has the design.
    let complaints: Vec<&str> = messages.lines().filter(|l| !l.contains("timescale")).collect();
    assert!(output.status.success() && complaints.is_empty(), "{}", complaints.join("\n"));
    let output = Command::new("vvp").arg("-n").arg(&compiled).current_dir(dir).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let outputs = data_ports(design, Direction::Output).count();
    let lines: Vec<String> = text.lines().map(String::from).collect();
    assert_eq!(lines.len(), outputs * vectors.len(), "{text}");
    lines.chunks(outputs).map(<[String]>::to_vec).collect()
}

/// Ports of one direction without clocks.
pub(crate) fn data_ports(
    design: &Design,
    direction: Direction,
) -> impl Iterator<Item = &rtl_gen::ir::Port> {
    let ports = design.top().ports.iter();
    ports.filter(move |p| p.direction == direction && p.ty != rtl_gen::Type::Clock)
}
