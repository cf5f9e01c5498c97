//! State: registers, memories and assertions.

use super::expr::{Printer, constant};
use super::range;
use crate::ir::{AssertKind, MemDef, ModuleDef, RegDef, ResetKind, WritePort};
use crate::mem::{Collision, RamStyle};
use std::fmt::Write;

/// Memory arrays, read registers and first content.
pub(super) fn memory_declarations(out: &mut String, def: &ModuleDef, p: &Printer) {
    for mem in &def.mems {
        let mut attributes: Vec<&str> = match mem.spec.style {
            RamStyle::Auto => vec![],
            RamStyle::Block => vec!["ram_style = \"block\"", "syn_ramstyle = \"block_ram\""],
            RamStyle::Distributed => {
                vec!["ram_style = \"distributed\"", "syn_ramstyle = \"distributed\""]
            }
            RamStyle::Registers => {
                vec!["ram_style = \"registers\"", "syn_ramstyle = \"registers\""]
            }
        };
        if mem.spec.collision == Collision::DontCare {
            attributes.push("no_rw_check");
        }
        if !attributes.is_empty() {
            let _ = writeln!(out, "  (* {} *)", attributes.join(", "));
        }
        let (width, last) = (mem.spec.width, mem.spec.depth - 1);
        let _ = writeln!(out, "  reg {}{} [0:{last}];", range(crate::bits(width)), mem.name);
        for read in mem.reads.iter().filter(|r| r.enable.is_some()) {
            let _ = writeln!(out, "  reg {}{};", range(crate::bits(width)), p.name(read.data));
        }
        if let Some(init) = &mem.spec.init {
            let zero = crate::Value::zero(width);
            out.push_str("  initial begin\n");
            for i in 0..mem.spec.depth {
                let word = constant(init.get(i as usize).unwrap_or(&zero), crate::bits(width));
                let _ = writeln!(out, "    {}[{i}] = {word};", mem.name);
            }
            out.push_str("  end\n");
        }
    }
}

/// One template for every port, the one that each tool infers RAM from.
pub(super) fn memories(out: &mut String, def: &ModuleDef, p: &Printer) {
    for mem in &def.mems {
        if mem.writes.len() == 2 && mem.spec.style == RamStyle::Block {
            for (i, write) in mem.writes.iter().enumerate() {
                always(out, def, write.domain, |out| {
                    write_port(out, mem, write, p);
                    read_port(out, mem, i, p);
                });
            }
            continue;
        }
        // Ports of one clock share one block, so that a read returns the old content.
        for domain in 0..def.domains.len() as u32 {
            let writes: Vec<&WritePort> =
                mem.writes.iter().filter(|w| w.domain == domain).collect();
            let reads: Vec<usize> = (0..mem.reads.len())
                .filter(|i| mem.reads[*i].domain == domain && mem.reads[*i].enable.is_some())
                .collect();
            if writes.is_empty() && reads.is_empty() {
                continue;
            }
            always(out, def, domain, |out| {
                writes.iter().for_each(|w| write_port(out, mem, w, p));
                reads.iter().for_each(|i| read_port(out, mem, *i, p));
            });
        }
    }
}

fn always(out: &mut String, def: &ModuleDef, domain: u32, body: impl FnOnce(&mut String)) {
    let _ = writeln!(out, "  always @(posedge {}) begin", def.domains[domain as usize].clock);
    body(out);
    out.push_str("  end\n");
}

/// What a write does: per lane (or once) its condition and the part of the word it sets.
fn lanes(mem: &MemDef, w: &WritePort, p: &Printer) -> Vec<(String, String)> {
    let (Some(lanes), Some(lane)) = (w.lanes, mem.spec.lane) else {
        return vec![(p.value(w.enable), String::new())];
    };
    let enable = p.operand(w.enable);
    let (lanes, count) = (p.operand(lanes), mem.spec.width / lane);
    (0..count)
        .map(|i| match count {
            1 => (format!("{enable} & {lanes}"), String::new()),
            _ if lane == 1 => (format!("{enable} & {lanes}[{i}]"), format!("[{i}]")),
            _ => {
                let part = format!("[{}:{}]", (i + 1) * lane - 1, i * lane);
                (format!("{enable} & {lanes}[{i}]"), part)
            }
        })
        .collect()
}

fn write_port(out: &mut String, mem: &MemDef, w: &WritePort, p: &Printer) {
    let (name, addr, data) = (&mem.name, p.operand(w.addr), p.operand(w.data));
    for (when, part) in lanes(mem, w, p) {
        let _ = writeln!(out, "    {}{name}[{addr}]{part} <= {data}{part};", condition(&when));
    }
}

fn read_port(out: &mut String, mem: &MemDef, index: usize, p: &Printer) {
    let read = &mem.reads[index];
    let Some(enable) = read.enable else { return };
    let (q, addr, enable) = (p.name(read.data), p.operand(read.addr), p.value(enable));
    let _ = writeln!(out, "    {}{q} <= {}[{addr}];", condition(&enable), mem.name);
    if mem.spec.collision == Collision::New {
        // Later assignments win: the bypass of what is written now.
        for w in mem.writes.iter().filter(|w| w.domain == read.domain) {
            let (wa, data) = (p.operand(w.addr), p.operand(w.data));
            for (condition, part) in lanes(mem, w, p) {
                let hit = format!("{enable} & {condition} & ({wa} == {addr})");
                let _ = writeln!(out, "    if ({hit}) {q}{part} <= {data}{part};");
            }
        }
    }
}

/// One block per clock for plain and synchronously reset registers, one more for asynchronous resets.
pub(super) fn registers(out: &mut String, def: &ModuleDef, p: &Printer) {
    for (i, domain) in def.domains.iter().enumerate() {
        let of = |want: fn(&ResetKind) -> bool| -> Vec<&RegDef> {
            def.regs.iter().filter(|r| r.domain == i as u32 && want(&r.reset)).collect()
        };
        let plain = of(|r| *r == ResetKind::None);
        let sync = of(|r| matches!(r, ResetKind::Sync(_)));
        let asynchronous = of(|r| matches!(r, ResetKind::Async(_)));
        if !plain.is_empty() || !sync.is_empty() {
            let _ = writeln!(out, "  always @(posedge {}) begin", domain.clock);
            plain.iter().for_each(|r| load(out, p, r, "    "));
            reset_block(out, def, p, &sync, &domain.reset);
            out.push_str("  end\n");
        }
        if !asynchronous.is_empty() {
            let (clock, reset) = (&domain.clock, &domain.reset);
            let _ = writeln!(out, "  always @(posedge {clock} or posedge {reset}) begin");
            reset_block(out, def, p, &asynchronous, reset);
            out.push_str("  end\n");
        }
    }
}

fn reset_block(out: &mut String, def: &ModuleDef, p: &Printer, regs: &[&RegDef], reset: &str) {
    if regs.is_empty() {
        return;
    }
    let _ = writeln!(out, "    if ({reset}) begin");
    for reg in regs {
        if let ResetKind::Sync(v) | ResetKind::Async(v) = &reg.reset {
            let _ =
                writeln!(out, "      {} <= {};", p.name(reg.q), constant(v, def.node(reg.q).ty));
        }
    }
    out.push_str("    end else begin\n");
    regs.iter().for_each(|r| load(out, p, r, "      "));
    out.push_str("    end\n");
}

fn load(out: &mut String, p: &Printer, reg: &RegDef, indent: &str) {
    let Some(next) = reg.next else { return };
    let enable = reg.enable.map_or(String::new(), |e| condition(&p.value(e)));
    let _ = writeln!(out, "{indent}{enable}{} <= {};", p.name(reg.q), p.value(next));
}

/// `if (...) ` in front of an assignment; nothing when it always holds.
fn condition(text: &str) -> String {
    if text == "1'b1" { String::new() } else { format!("if ({text}) ") }
}

/// Checks for simulation and for formal tools; nothing is left of them in synthesis.
pub(super) fn assertions(out: &mut String, def: &ModuleDef, p: &Printer) {
    if def.asserts.is_empty() {
        return;
    }
    out.push_str("`ifdef FORMAL\n");
    for a in &def.asserts {
        let domain = &def.domains[a.domain as usize];
        let word = match a.kind {
            AssertKind::Assert => "assert",
            AssertKind::Cover => "cover",
            AssertKind::Assume => "assume",
        };
        let condition = p.value(a.condition);
        let (clock, reset) = (&domain.clock, &domain.reset);
        let _ = writeln!(
            out,
            "  always @(posedge {clock}) if (!{reset}) {}: {word}({condition});",
            a.label
        );
    }
    out.push_str("`else\n`ifndef SYNTHESIS\n");
    for a in def.asserts.iter().filter(|a| a.kind != AssertKind::Cover) {
        let domain = &def.domains[a.domain as usize];
        let (clock, reset, condition) = (&domain.clock, &domain.reset, p.operand(a.condition));
        let _ = writeln!(out, "  always @(posedge {clock}) if (!{reset} && !{condition})");
        let _ = writeln!(out, "    $fatal(1, \"assertion failed: %m.{}\");", a.label);
    }
    out.push_str("`endif\n`endif\n");
}
