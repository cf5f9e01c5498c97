//! Checks of one module, run when its `build` returns. Children have been checked before, so what
//! crosses an instance is known from their port lists (`comb_inputs`, clock domains).

use crate::Type;
use crate::builder::label;
use crate::error::{BuildError, ErrorKind};
use crate::ir::{Direction, ModuleDef, NodeId, Op, Target, Timing};
use crate::mem::RamStyle;
use std::panic::Location;

/// Checks the module, fills in `order`, `comb_inputs` and the clock domains of its outputs.
pub(crate) fn check(def: &mut ModuleDef, modules: &[ModuleDef], path: &str) -> Vec<BuildError> {
    let mut errors = Errors { path, list: vec![] };
    drivers(def, &mut errors);
    if errors.list.is_empty() {
        memories(def, &mut errors);
        match order(def, modules) {
            Ok(order) => {
                def.order = order;
                unused_inputs(def, &mut errors);
                def.comb_inputs = comb_inputs(def, modules);
                domains(def, modules, &mut errors);
            }
            Err(nodes) => {
                let at = def.node(nodes[0]).at;
                let path = nodes.iter().map(|n| label(def, *n)).collect();
                errors.add(ErrorKind::Loop { path }, at);
            }
        }
    }
    errors.list
}

struct Errors<'a> {
    path: &'a str,
    list: Vec<BuildError>,
}

impl Errors<'_> {
    fn add(&mut self, kind: ErrorKind, at: &'static Location<'static>) {
        self.list.push(BuildError { path: self.path.into(), kind, at });
    }
}

fn drivers(def: &ModuleDef, errors: &mut Errors) {
    for (i, node) in def.nodes.iter().enumerate() {
        if node.op == Op::Wire && node.args.is_empty() {
            let name = label(def, NodeId(i as u32));
            errors.add(ErrorKind::Undriven { what: "wire", name }, node.at);
        }
    }
    for reg in def.regs.iter().filter(|r| r.next.is_none()) {
        let name = label(def, reg.q);
        errors.add(ErrorKind::Undriven { what: "register", name }, def.node(reg.q).at);
    }
    for inst in &def.insts {
        for (port, connection) in inst.ports.iter().zip(&inst.connections) {
            let clocked = matches!(port.ty, Type::Clock | Type::Reset);
            if port.direction == Direction::Input && connection.is_none() && !clocked {
                let name = format!("{}.{}", inst.name, port.name);
                errors.add(ErrorKind::Undriven { what: "port", name }, inst.at);
            }
        }
    }
}

fn memories(def: &ModuleDef, errors: &mut Errors) {
    for mem in &def.mems {
        let (w, r) = (mem.writes.len(), mem.reads.len());
        let name = mem.name.clone();
        let what = match mem.spec.style {
            _ if r == 0 => Some("is never read".into()),
            _ if w == 0 && mem.spec.init.is_none() => {
                Some("is never written and has no first content".into())
            }
            RamStyle::Registers => None,
            _ if w > 2 => Some(format!("{w} write ports; RAM has at most 2, registers any number")),
            RamStyle::Distributed if w > 1 => {
                Some("LUT RAM has one write port; use registers".into())
            }
            RamStyle::Block if w == 2 => {
                let paired =
                    r <= 2 && mem.reads.iter().zip(&mem.writes).all(|(r, w)| r.addr == w.addr);
                (!paired).then(|| {
                    "two write ports need read port i to share the address of write port i".into()
                })
            }
            RamStyle::Block if r > 1 => Some(format!(
                "{r} read ports; block RAM beside one write port has one: copy the memory"
            )),
            _ => None,
        };
        if let Some(what) = what {
            errors.add(ErrorKind::Memory { name, what }, mem.at);
        }
    }
}

/// Live nodes, operands first; or the nodes of a combinational loop.
fn order(def: &ModuleDef, modules: &[ModuleDef]) -> Result<Vec<NodeId>, Vec<NodeId>> {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut state = vec![NEW; def.nodes.len()];
    let mut order = Vec::with_capacity(def.nodes.len());
    // An explicit stack: long register-free chains would overflow the call stack.
    let mut stack: Vec<(NodeId, Vec<NodeId>)> = vec![];
    for root in def.roots() {
        if state[root.0 as usize] != NEW {
            continue;
        }
        state[root.0 as usize] = OPEN;
        stack.push((root, def.comb_operands(root, modules)));
        while let Some((node, pending)) = stack.last_mut() {
            let node = *node;
            match pending.pop() {
                Some(arg) if state[arg.0 as usize] == NEW => {
                    state[arg.0 as usize] = OPEN;
                    stack.push((arg, def.comb_operands(arg, modules)));
                }
                Some(arg) if state[arg.0 as usize] == OPEN => {
                    let start = stack.iter().position(|(n, _)| *n == arg).unwrap_or(0);
                    let mut nodes: Vec<NodeId> = stack[start..].iter().map(|(n, _)| *n).collect();
                    nodes.push(arg);
                    nodes.reverse(); // from source to sink
                    return Err(nodes);
                }
                Some(_) => {}
                None => {
                    state[node.0 as usize] = DONE;
                    order.push(node);
                    stack.pop();
                }
            }
        }
    }
    Ok(order)
}

fn unused_inputs(def: &ModuleDef, errors: &mut Errors) {
    let mut used = vec![false; def.ports.len()];
    for &id in &def.order {
        if let Op::Input(port) = def.node(id).op {
            used[port as usize] = true;
        }
    }
    for (port, used) in def.ports.iter().zip(used) {
        if port.direction == Direction::Input && !used && !port.may_be_unused {
            errors.add(ErrorKind::UnusedInput { name: port.name.clone() }, port.at);
        }
    }
}

fn comb_inputs(def: &ModuleDef, modules: &[ModuleDef]) -> Vec<Vec<u32>> {
    let mut seen = vec![u32::MAX; def.nodes.len()];
    (def.ports.iter().enumerate())
        .map(|(i, port)| {
            let mut inputs = vec![];
            let mut stack: Vec<NodeId> = port.source.into_iter().collect();
            while let Some(id) = stack.pop() {
                if std::mem::replace(&mut seen[id.0 as usize], i as u32) == i as u32 {
                    continue;
                }
                match def.node(id).op {
                    Op::Input(p) => inputs.push(p),
                    _ => stack.extend(def.comb_operands(id, modules)),
                }
            }
            inputs.sort_unstable();
            inputs.dedup();
            inputs
        })
        .collect()
}

/// Finds which clock each signal follows and reports what crosses without a synchroniser.
fn domains(def: &mut ModuleDef, modules: &[ModuleDef], errors: &mut Errors) {
    let mut timing = vec![Timing::Static; def.nodes.len()];
    for &id in &def.order {
        let node = def.node(id);
        timing[id.0 as usize] = match node.op {
            Op::Input(port) => def.ports[port as usize].timing,
            Op::RegQ(reg) => Timing::Domain(def.regs[reg as usize].domain),
            Op::MemRead(mem, port) => {
                let mem = &def.mems[mem as usize];
                let port = &mem.reads[port as usize];
                match mem.writes.first() {
                    // An asynchronous read follows the writer's clock too.
                    Some(w) if port.enable.is_none() && w.domain != port.domain => Timing::Async,
                    _ => Timing::Domain(port.domain),
                }
            }
            Op::InstOut(inst, port) => {
                let inst = &def.insts[inst as usize];
                match inst.ports[port as usize].timing {
                    Timing::Domain(d) => {
                        let d = if matches!(inst.target, Target::BlackBox(_)) { 0 } else { d };
                        Timing::Domain(inst.domains[d as usize])
                    }
                    other => other,
                }
            }
            _ => {
                let mut all = Timing::Static;
                for &arg in &node.args {
                    all = join(def, errors, id, all, timing[arg.0 as usize], arg);
                }
                all
            }
        };
        // Paths through an instance mix domains at its ports, which are checked below.
        if let Op::MemRead(..) = node.op {
            for arg in def.comb_operands(id, modules) {
                join(def, errors, id, timing[id.0 as usize], timing[arg.0 as usize], arg);
            }
        }
    }

    let mut sink = |what: String, to: Timing, id: Option<NodeId>| {
        let Some(id) = id else { return };
        let from = timing[id.0 as usize];
        if !compatible(from, to) {
            let (name, from, to) = (label(def, id), timing_name(def, from), timing_name(def, to));
            errors.add(ErrorKind::Crossing { sink: what, name, from, to }, def.node(id).at);
        }
    };
    for reg in &def.regs {
        let name = label(def, reg.q);
        let to = Timing::Domain(reg.domain);
        if !reg.synchronizer {
            sink(format!("register `{name}`"), to, reg.next);
        }
        sink(format!("enable of register `{name}`"), to, reg.enable);
    }
    for mem in &def.mems {
        for w in &mem.writes {
            for id in [Some(w.addr), Some(w.data), Some(w.enable), w.lanes] {
                sink(format!("write port of memory `{}`", mem.name), Timing::Domain(w.domain), id);
            }
        }
        for r in &mem.reads {
            for id in [Some(r.addr), r.enable] {
                sink(format!("read port of memory `{}`", mem.name), Timing::Domain(r.domain), id);
            }
        }
    }
    for inst in &def.insts {
        for (port, &connection) in inst.ports.iter().zip(&inst.connections) {
            if port.direction == Direction::Input
                && let Timing::Domain(d) = port.timing
            {
                let d = if matches!(inst.target, Target::BlackBox(_)) { 0 } else { d };
                let to = Timing::Domain(inst.domains[d as usize]);
                sink(format!("port `{}.{}`", inst.name, port.name), to, connection);
            }
        }
    }
    for a in &def.asserts {
        sink(format!("assertion `{}`", a.label), Timing::Domain(a.domain), Some(a.condition));
    }
    for port in def.ports.iter_mut().filter(|p| p.direction == Direction::Output) {
        if let Some(source) = port.source {
            port.timing = timing[source.0 as usize];
        }
    }
}

fn join(
    def: &ModuleDef,
    errors: &mut Errors,
    at: NodeId,
    a: Timing,
    b: Timing,
    arg: NodeId,
) -> Timing {
    match (a, b) {
        (Timing::Static, other) | (other, Timing::Static) => other,
        (a, b) if a == b => a,
        // An asynchronous part makes the whole asynchronous; a synchroniser may still read it.
        (Timing::Async, _) | (_, Timing::Async) => Timing::Async,
        (a, b) => {
            let (name, from, to) = (label(def, arg), timing_name(def, b), timing_name(def, a));
            let sink = format!("`{}`", label(def, at));
            errors.add(ErrorKind::Crossing { sink, name, from, to }, def.node(at).at);
            a
        }
    }
}

fn compatible(from: Timing, to: Timing) -> bool {
    from == Timing::Static || from == to
}

fn timing_name(def: &ModuleDef, timing: Timing) -> String {
    match timing {
        Timing::Domain(d) => def.domains[d as usize].clock.clone(),
        Timing::Async => "no clock".into(),
        Timing::Static => "constant".into(),
    }
}

/// Why an identifier cannot be used, if it cannot.
pub(crate) fn identifier_problem(name: &str) -> Option<&'static str> {
    let mut chars = name.chars();
    let first = chars.next();
    if !first.is_some_and(|c| c.is_ascii_alphabetic()) {
        return Some("must start with a letter");
    }
    if !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Some("may hold only letters, digits and underscores");
    }
    if KEYWORDS.binary_search(&name).is_ok() {
        return Some("is a Verilog or SystemVerilog keyword");
    }
    None
}

/// Keywords of Verilog-2005 and SystemVerilog-2017, sorted.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "accept_on", "alias", "always", "always_comb", "always_ff", "always_latch", "and", "assert", "assign", "assume",
    "automatic", "before", "begin", "bind", "bins", "binsof", "bit", "break", "buf", "bufif0", "bufif1", "byte", "case",
    "casex", "casez", "cell", "chandle", "checker", "class", "clocking", "cmos", "config", "const", "constraint",
    "context", "continue", "cover", "covergroup", "coverpoint", "cross", "deassign", "default", "defparam", "design",
    "disable", "dist", "do", "edge", "else", "end", "endcase", "endchecker", "endclass", "endclocking", "endconfig",
    "endfunction", "endgenerate", "endgroup", "endinterface", "endmodule", "endpackage", "endprimitive", "endprogram",
    "endproperty", "endsequence", "endspecify", "endtable", "endtask", "enum", "event", "eventually", "expect", "export",
    "extends", "extern", "final", "first_match", "for", "force", "foreach", "forever", "fork", "forkjoin", "function",
    "generate", "genvar", "global", "highz0", "highz1", "if", "iff", "ifnone", "ignore_bins", "illegal_bins", "implements",
    "implies", "import", "incdir", "include", "initial", "inout", "input", "inside", "instance", "int", "integer",
    "interconnect", "interface", "intersect", "join", "join_any", "join_none", "large", "let", "liblist", "library",
    "local", "localparam", "logic", "longint", "macromodule", "matches", "medium", "modport", "module", "nand", "negedge",
    "nettype", "new", "nexttime", "nmos", "nor", "noshowcancelled", "not", "notif0", "notif1", "null", "or", "output",
    "package", "packed", "parameter", "pmos", "posedge", "primitive", "priority", "program", "property", "protected",
    "pull0", "pull1", "pulldown", "pullup", "pulsestyle_ondetect", "pulsestyle_onevent", "pure", "rand", "randc",
    "randcase", "randsequence", "rcmos", "real", "realtime", "ref", "reg", "reject_on", "release", "repeat", "restrict",
    "return", "rnmos", "rpmos", "rtran", "rtranif0", "rtranif1", "s_always", "s_eventually", "s_nexttime", "s_until",
    "s_until_with", "scalared", "sequence", "shortint", "shortreal", "showcancelled", "signed", "small", "soft", "solve",
    "specify", "specparam", "static", "string", "strong", "strong0", "strong1", "struct", "super", "supply0", "supply1",
    "sync_accept_on", "sync_reject_on", "table", "tagged", "task", "this", "throughout", "time", "timeprecision",
    "timeunit", "tran", "tranif0", "tranif1", "tri", "tri0", "tri1", "triand", "trior", "trireg", "type", "typedef",
    "union", "unique", "unique0", "unsigned", "until", "until_with", "untyped", "use", "uwire", "var", "vectored",
    "virtual", "void", "wait", "wait_order", "wand", "weak", "weak0", "weak1", "while", "wildcard", "wire", "with",
    "within", "wor", "xnor", "xor",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_and_found() {
        assert!(KEYWORDS.is_sorted());
        for name in ["reg", "logic", "1a", "a-b", "", "_x"] {
            assert!(identifier_problem(name).is_some(), "{name}");
        }
        assert_eq!(identifier_problem("acc_q1"), None);
    }
}
