//! The Verilog-2005 printer: deterministic text that a person can read.
//!
//! Rules, each from a measurement: signals keep their Rust names; arithmetic happens only in a
//! declared wire whose operands have the full width, so no context-width rule of Verilog ever
//! applies; operands of slices are names; enables print as `if (en) q <= d`; memories use the one
//! template that every tool infers; instances are flat and explicit.

mod expr;
mod plan;
mod state;

use crate::Type;
use crate::ir::{Direction, ModuleDef, Op, Port, Target, Timing};
use crate::library::Design;
use expr::Printer;
use std::fmt::Write;

/// One file of the printed design.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerilogFile {
    /// `<module>.v`
    pub name: String,
    /// The text.
    pub text: String,
}

impl Design {
    /// Prints the design, one file per module, children first. Byte-identical between runs.
    pub fn verilog(&self) -> Vec<VerilogFile> {
        self.files(None)
    }

    /// As [`Design::verilog`], with the bodies that modules have in cells of `technology`
    /// ([`crate::Builder::native`]). Such text is for that technology's tools; it does not simulate by itself.
    pub fn verilog_for(&self, technology: &str) -> Vec<VerilogFile> {
        self.files(Some(technology))
    }

    fn files(&self, technology: Option<&str>) -> Vec<VerilogFile> {
        let file = |m: &ModuleDef| {
            let native = m.native.iter().find(|(name, _)| Some(name.as_str()) == technology);
            let text = native.map_or_else(|| module(m), |(_, body)| native_module(m, body));
            VerilogFile { name: format!("{}.v", m.name), text }
        };
        self.modules.iter().map(file).collect()
    }

    /// The whole design as one text, for tools that take one file.
    pub fn verilog_text(&self) -> String {
        self.verilog().into_iter().map(|f| f.text).collect::<Vec<_>>().join("\n")
    }

    /// Simulation texts of the black boxes used, by name: `(file name, text)`.
    pub fn black_box_texts(&self) -> Vec<VerilogFile> {
        let mut files: Vec<VerilogFile> = vec![];
        for inst in self.modules.iter().flat_map(|m| &m.insts) {
            if let Target::BlackBox(b) = &inst.target
                && let Some(text) = &b.simulation_text
            {
                let name = format!("{}.v", b.name);
                if files.iter().all(|f| f.name != name) {
                    files.push(VerilogFile { name, text: text.clone() });
                }
            }
        }
        files
    }
}

fn module(def: &ModuleDef) -> String {
    let p = Printer::new(def);
    let mut out = String::with_capacity(4096 + def.insts.len() * 256);
    header(&mut out, def);
    declarations(&mut out, def, &p);
    wires(&mut out, def, &p);
    for inst in 0..def.insts.len() {
        instance(&mut out, def, &p, inst);
    }
    state::memories(&mut out, def, &p);
    state::registers(&mut out, def, &p);
    for port in def.ports.iter().filter(|p| p.direction == Direction::Output) {
        let _ = writeln!(out, "  assign {} = {};", port.name, p.output(port));
    }
    state::assertions(&mut out, def, &p);
    out.push_str("endmodule\n\n`default_nettype wire\n");
    out
}

fn native_module(def: &ModuleDef, body: &str) -> String {
    let mut out = String::new();
    header(&mut out, def);
    out.push_str(body);
    out.push_str("endmodule\n\n`default_nettype wire\n");
    out
}

fn header(out: &mut String, def: &ModuleDef) {
    for line in def.doc.lines() {
        let _ = writeln!(out, "// {}", line.trim_end());
    }
    if !def.doc.is_empty() {
        out.push_str("//\n");
    }
    let width = def.ports.iter().map(|p| p.name.len()).max().unwrap_or(0);
    for port in &def.ports {
        let dir = if port.direction == Direction::Input { "in " } else { "out" };
        let line =
            format!("// {dir} {:width$}  {:10}  {}", port.name, port.ty.to_string(), port.doc);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = writeln!(out, "\n`default_nettype none\n");
    if def.ports.is_empty() {
        let _ = writeln!(out, "module {};", def.name);
        return;
    }
    let _ = writeln!(out, "module {} (", def.name);
    for (i, port) in def.ports.iter().enumerate() {
        let comma = if i + 1 < def.ports.len() { "," } else { "" };
        let dir = if port.direction == Direction::Input { "input " } else { "output" };
        let _ = writeln!(out, "  {dir} wire {}{}{comma}", range(port.ty), port.name);
    }
    out.push_str(");\n");
}

/// `signed [7:0] ` in front of a declared name.
fn range(ty: Type) -> String {
    let sign = if ty.is_signed() { "signed " } else { "" };
    if ty.width() == 1 { sign.into() } else { format!("{sign}[{}:0] ", ty.width() - 1) }
}

fn declarations(out: &mut String, def: &ModuleDef, p: &Printer) {
    for reg in &def.regs {
        let ty = def.node(reg.q).ty;
        let attribute = if reg.synchronizer { "(* ASYNC_REG = \"TRUE\" *) " } else { "" };
        let init =
            reg.init.as_ref().map_or(String::new(), |v| format!(" = {}", expr::constant(v, ty)));
        let _ = writeln!(out, "  {attribute}reg {}{}{init};", range(ty), p.name(reg.q));
    }
    for inst in &def.insts {
        let outputs = inst.ports.iter().zip(&inst.connections);
        let read: Vec<(Type, &str)> = outputs
            .filter(|(port, _)| port.direction == Direction::Output)
            .filter_map(|(port, id)| Some((port.ty, p.name((*id)?))))
            .collect();
        for group in read.chunk_by(|a, b| a.0 == b.0) {
            let names: Vec<&str> = group.iter().map(|g| g.1).collect();
            let _ = writeln!(out, "  wire {}{};", range(group[0].0), names.join(", "));
        }
    }
    state::memory_declarations(out, def, p);
}

/// Everything combinational that has a name, in dependency order. A wire that is read across an
/// instance before its own line is declared up front.
fn wires(out: &mut String, def: &ModuleDef, p: &Printer) {
    for &id in &def.order {
        if p.is_declared_here(id) {
            let ty = def.node(id).ty;
            let _ = writeln!(out, "  wire {}{} = {};", range(ty), p.name(id), p.expression(id));
        }
    }
}

fn instance(out: &mut String, def: &ModuleDef, p: &Printer, index: usize) {
    let inst = &def.insts[index];
    let mut parameters = String::new();
    if let Target::BlackBox(b) = &inst.target
        && !b.parameters.is_empty()
    {
        let list: Vec<String> = b.parameters.iter().map(|(k, v)| format!(".{k}({v})")).collect();
        parameters = format!(" #({})", list.join(", "));
    }
    let _ = writeln!(out, "  {}{parameters} {} (", inst.module, inst.name);
    // Several to a line: big arrays are mostly connections.
    let mut line = String::new();
    for (i, port) in inst.ports.iter().enumerate() {
        let text = match (port.ty, inst.connections[i]) {
            (Type::Clock | Type::Reset, _) => clock_connection(def, index, port),
            (_, Some(id)) => p.value(id),
            (_, None) => String::new(),
        };
        let comma = if i + 1 < inst.ports.len() { "," } else { "" };
        let item = format!(".{}({text}){comma}", port.name);
        if !line.is_empty() && line.len() + item.len() > 95 {
            let _ = writeln!(out, "    {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&item);
    }
    if !line.is_empty() {
        let _ = writeln!(out, "    {line}");
    }
    out.push_str("  );\n");
}

/// Whether a node is a constant or a plain name and never gets a wire of its own.
fn is_leaf(op: &Op) -> bool {
    matches!(op, Op::Const(_) | Op::Input(_) | Op::RegQ(_) | Op::MemRead(..) | Op::InstOut(..))
}

/// The clock or reset of this module that drives a clock or reset port of an instance.
fn clock_connection(def: &ModuleDef, inst: usize, port: &Port) -> String {
    let inst = &def.insts[inst];
    let domain = match (port.timing, &inst.target) {
        (Timing::Domain(d), Target::Module(_)) => inst.domains[d as usize],
        _ => inst.domains[0],
    };
    let domain = &def.domains[domain as usize];
    if port.ty == Type::Clock { domain.clock.clone() } else { domain.reset.clone() }
}
