//! Expressions: which nodes get a wire of their own, and the text of each.

use super::is_leaf;
use crate::ir::{ModuleDef, NodeId, Op};
use crate::{Type, Value, index_width};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Names and inlining decisions for one module.
pub(super) struct Printer<'d> {
    def: &'d ModuleDef,
    /// Per node: its name in the text, when it has one.
    names: Vec<Option<String>>,
    /// `Trunc` nodes printed as arithmetic in the operand's width.
    wrapped: Vec<bool>,
}

impl<'d> Printer<'d> {
    pub(super) fn new(def: &'d ModuleDef) -> Self {
        let count = def.nodes.len();
        let mut uses = vec![0u32; count];
        let mut atom = vec![false; count];
        for id in def.roots() {
            uses[id.0 as usize] += 1;
        }
        for &id in &def.order {
            for &arg in &def.node(id).args {
                uses[arg.0 as usize] += 1;
            }
        }
        // Memory addresses stand inside brackets: a name reads better.
        for mem in &def.mems {
            let writes =
                mem.writes.iter().flat_map(|w| [w.addr, w.data].into_iter().chain(w.lanes));
            for id in writes.chain(mem.reads.iter().map(|r| r.addr)) {
                atom[id.0 as usize] = true;
            }
        }
        let mut wrapped = vec![false; count];
        for &id in &def.order {
            let node = def.node(id);
            if node.op == Op::Trunc {
                let arg = node.args[0];
                wrapped[id.0 as usize] = uses[arg.0 as usize] == 1 && wraps(def, arg, node.ty);
            }
        }
        for &id in &def.order {
            let node = def.node(id);
            let through = if wrapped[id.0 as usize] { def.node(node.args[0]) } else { node };
            for (i, &arg) in through.args.iter().enumerate() {
                atom[arg.0 as usize] |= wants_name(def, &through.op, i, arg, node.ty);
            }
        }

        let mut taken: BTreeSet<String> = def.ports.iter().map(|p| p.name.clone()).collect();
        taken.extend(def.nodes.iter().filter_map(|n| n.name.clone()));
        taken.extend(def.mems.iter().map(|m| m.name.clone()));
        taken.extend(def.insts.iter().map(|i| i.name.clone()));
        let mut hidden = vec![false; count];
        for id in def.order.iter().filter(|id| wrapped[id.0 as usize]) {
            hidden[def.node(*id).args[0].0 as usize] = true;
        }
        let mut names: Vec<Option<String>> = vec![None; count];
        let mut counter = 0;
        for &id in &def.order {
            let (i, node) = (id.0 as usize, def.node(id));
            if hidden[i] {
                continue;
            }
            names[i] = match (&node.name, &node.op) {
                (Some(name), _) => Some(name.clone()),
                (None, Op::Input(port)) => Some(def.ports[*port as usize].name.clone()),
                (None, Op::InstOut(inst, port)) => {
                    let inst = &def.insts[*inst as usize];
                    let mut name = format!("{}_{}", inst.name, inst.ports[*port as usize].name);
                    while !taken.insert(name.clone()) {
                        name.push('_');
                    }
                    Some(name)
                }
                (None, Op::Const(_)) => None,
                (None, op) => {
                    let shared = uses[i] > 1 && !is_cheap(op);
                    (shared || atom[i] || wrapped[i] || needs_wire(op)).then(|| {
                        counter += 1;
                        format!("_t{counter}")
                    })
                }
            };
        }
        Printer { def, names, wrapped }
    }

    /// Name of a node that has one.
    pub(super) fn name(&self, id: NodeId) -> &str {
        self.names[id.0 as usize].as_deref().unwrap_or("")
    }

    /// Whether the node is printed as `wire name = expression;`.
    pub(super) fn is_declared_here(&self, id: NodeId) -> bool {
        let node = self.def.node(id);
        let asynchronous = match node.op {
            Op::MemRead(mem, port) => {
                self.def.mems[mem as usize].reads[port as usize].enable.is_none()
            }
            _ => false,
        };
        self.names[id.0 as usize].is_some() && (asynchronous || !is_leaf(&node.op))
    }

    /// The node as an operand: its name, a constant, or its expression in parentheses.
    pub(super) fn operand(&self, id: NodeId) -> String {
        if let Some(name) = &self.names[id.0 as usize] {
            return name.clone();
        }
        let node = self.def.node(id);
        let text = self.expression(id);
        let bare =
            matches!(node.op, Op::Const(_) | Op::Slice(..) | Op::Cat | Op::Rep(_) | Op::Zext)
                || matches!(
                    node.op,
                    Op::Sext | Op::Trunc | Op::Cast | Op::ShlK(_) | Op::ShrK(_) | Op::Wire
                );
        if bare { text } else { format!("({text})") }
    }

    /// The right-hand side that computes the node.
    pub(super) fn expression(&self, id: NodeId) -> String {
        let node = self.def.node(id);
        let a = |i: usize| self.operand(node.args[i]);
        let width = node.ty.width();
        match &node.op {
            Op::Const(v) => constant(v, node.ty),
            Op::Input(_) | Op::RegQ(_) | Op::InstOut(..) => self.name(id).to_string(),
            Op::MemRead(mem, port) => {
                let mem = &self.def.mems[*mem as usize];
                format!("{}[{}]", mem.name, self.operand(mem.reads[*port as usize].addr))
            }
            Op::Wire => a(0),
            Op::Not => format!("~{}", a(0)),
            Op::And => format!("{} & {}", a(0), a(1)),
            Op::Or => format!("{} | {}", a(0), a(1)),
            Op::Xor => format!("{} ^ {}", a(0), a(1)),
            Op::RedAnd => format!("&{}", a(0)),
            Op::RedOr => format!("|{}", a(0)),
            Op::RedXor => format!("^{}", a(0)),
            Op::Add | Op::Sub | Op::Neg => self.sum(id, width),
            Op::Mul => format!("{} * {}", a(0), a(1)),
            Op::Eq => format!("{} == {}", a(0), a(1)),
            Op::Lt => format!("{} < {}", a(0), a(1)),
            Op::ShlK(k) => format!("{{{}, {k}'d0}}", a(0)),
            Op::ShrK(k) => self.part(node.args[0], width + k - 1, *k),
            Op::Shl => format!("{} << {}", a(0), a(1)),
            Op::Shr => format!("{} >> {}", a(0), a(1)),
            Op::Sra => format!("{} >>> {}", a(0), a(1)),
            Op::Mux => format!("{} ? {} : {}", a(0), a(1), a(2)),
            Op::CaseMux(keys) => {
                let select_ty = self.def.node(node.args[0]).ty;
                let mut text = String::new();
                for (i, key) in keys.iter().enumerate() {
                    let _ =
                        write!(text, "{} == {} ? {} : ", a(0), constant(key, select_ty), a(i + 2));
                }
                text + &a(1)
            }
            Op::Slice(hi, lo) => self.part(node.args[0], *hi, *lo),
            Op::Cat => {
                let parts: Vec<String> = node.args.iter().map(|x| self.bare(*x)).collect();
                format!("{{{}}}", parts.join(", "))
            }
            Op::Rep(n) => format!("{{{n}{{{}}}}}", self.bare(node.args[0])),
            Op::Zext | Op::Sext => self.extended(node.args[0], width, node.op == Op::Sext),
            Op::Trunc if self.wrapped[id.0 as usize] => self.sum(node.args[0], width),
            Op::Trunc => self.part(node.args[0], width - 1, 0),
            Op::Cast => match (node.ty.is_signed(), self.def.node(node.args[0]).ty.is_signed()) {
                (true, false) => format!("$signed({})", self.bare(node.args[0])),
                (false, true) => format!("$unsigned({})", self.bare(node.args[0])),
                _ => a(0),
            },
            Op::DynSlice => self.dyn_slice(node.args[0], node.args[1], width),
        }
    }

    /// The node without parentheses, for places that bring their own delimiters.
    fn bare(&self, id: NodeId) -> String {
        match &self.names[id.0 as usize] {
            Some(name) => name.clone(),
            None => self.expression(id),
        }
    }

    /// Sum, difference or negation computed in exactly `width` bits.
    fn sum(&self, id: NodeId, width: u32) -> String {
        let node = self.def.node(id);
        let x = |i: usize| {
            let signed = self.def.node(node.args[i]).ty.is_signed();
            self.extended(node.args[i], width, signed)
        };
        match node.op {
            Op::Add => format!("{} + {}", x(0), x(1)),
            Op::Sub => format!("{} - {}", x(0), x(1)),
            _ => format!("-{}", x(0)),
        }
    }

    /// The operand in `width` bits, the extension written out.
    fn extended(&self, id: NodeId, width: u32, signed: bool) -> String {
        let node = self.def.node(id);
        let (w, ty) = (node.ty.width(), node.ty);
        let more = width - w;
        if more == 0 {
            return self.operand(id);
        }
        if let Op::Const(v) = &node.op {
            let filled = if signed { Value::from_i128(width, v.to_i128()) } else { v.clone() };
            return constant(
                &Value::from_words(width, filled.words().to_vec()),
                ty.with_width(width),
            );
        }
        let x = self.bare(id);
        match (signed, w) {
            (true, 1) => format!("{{{width}{{{x}}}}}"),
            (true, _) => format!("{{{{{more}{{{x}[{}]}}}}, {x}}}", w - 1),
            (false, _) => format!("{{{more}'d0, {x}}}"),
        }
    }

    fn part(&self, id: NodeId, hi: u32, lo: u32) -> String {
        let node = self.def.node(id);
        if let Op::Const(v) = &node.op {
            return constant(&v.slice(hi, lo), Type::Bits(hi - lo + 1));
        }
        let (x, w) = (self.operand(id), node.ty.width());
        match (hi, lo) {
            _ if w == 1 => x,
            (hi, 0) if hi + 1 == w => x,
            (hi, lo) if hi == lo => format!("{x}[{hi}]"),
            _ => format!("{x}[{hi}:{lo}]"),
        }
    }

    /// A lane selected by a signal; zero past the last lane.
    fn dyn_slice(&self, x: NodeId, index: NodeId, lane: u32) -> String {
        let total = self.def.node(x).ty.width();
        let (lanes, index_bits) = (total / lane, self.def.node(index).ty.width());
        let (x, i) = (self.operand(x), self.operand(index));
        if lanes == 1 {
            return format!("{i} == {index_bits}'d0 ? {x} : {lane}'d0");
        }
        let position_bits = index_width(total);
        let scale =
            constant(&Value::from_i128(position_bits, lane as i128), Type::UInt(position_bits));
        let k = index_width(lanes);
        let low = match index_bits.cmp(&k) {
            std::cmp::Ordering::Greater => format!("{i}[{}:0]", k - 1),
            _ => i.clone(),
        };
        let low_bits = index_bits.min(k);
        let position = if lane.is_power_of_two() {
            let shift = lane.trailing_zeros();
            let pad = position_bits.saturating_sub(low_bits + shift);
            let head = if pad > 0 { format!("{pad}'d0, ") } else { String::new() };
            let tail = if shift > 0 { format!(", {shift}'d0") } else { String::new() };
            format!("{{{head}{low}{tail}}}")
        } else {
            let pad = position_bits - low_bits;
            let wide = if pad > 0 { format!("{{{pad}'d0, {low}}}") } else { low.clone() };
            format!("{wide} * {scale}")
        };
        let picked = format!("{x}[{position} +: {lane}]");
        let covered = lanes == 1 << k.min(31) || 1u64 << low_bits <= lanes as u64;
        if covered && index_bits <= k {
            picked
        } else {
            let limit =
                constant(&Value::from_i128(index_bits, lanes as i128 - 1), Type::UInt(index_bits));
            format!(
                "{i} <= {limit} ? {picked} : {}",
                constant(&Value::zero(lane), Type::Bits(lane))
            )
        }
    }
}

/// Whether cutting the arithmetic node to `ty` equals doing it in that width: then no wider wire is printed.
fn wraps(def: &ModuleDef, id: NodeId, ty: Type) -> bool {
    let node = def.node(id);
    node.name.is_none()
        && matches!(node.op, Op::Add | Op::Sub)
        && node.args.iter().all(|a| def.node(*a).ty.width() <= ty.width())
}

/// Operations whose text depends on Verilog's context rules unless it stands alone.
fn needs_wire(op: &Op) -> bool {
    matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Neg | Op::Shl | Op::Shr | Op::Sra | Op::DynSlice)
        || matches!(op, Op::Lt | Op::CaseMux(_))
}

/// Operations that only rename bits: repeating them costs nothing.
fn is_cheap(op: &Op) -> bool {
    matches!(op, Op::Slice(..) | Op::Trunc | Op::ShrK(_) | Op::Cast | Op::Wire)
}

/// Whether operand `i` must be a declared name: it is sliced, or its sign must be declared.
fn wants_name(def: &ModuleDef, op: &Op, i: usize, arg: NodeId, ty: Type) -> bool {
    let node = def.node(arg);
    if matches!(node.op, Op::Const(_)) {
        return matches!(op, Op::DynSlice);
    }
    match op {
        Op::Slice(..) | Op::Trunc | Op::ShrK(_) | Op::DynSlice => true,
        Op::Sext => true,
        Op::Add | Op::Sub | Op::Neg => node.ty.is_signed() && node.ty.width() < ty.width(),
        Op::Mul | Op::Lt => true,
        Op::Sra | Op::Shr | Op::Shl => i == 0,
        _ => false,
    }
}

/// A sized constant.
pub(super) fn constant(v: &Value, ty: Type) -> String {
    let w = ty.width();
    let small = v.words().iter().skip(1).all(|x| *x == 0) && v.to_u64() < 1 << 16;
    match (ty.is_signed(), small) {
        _ if w == 1 && !ty.is_signed() => format!("1'b{}", v.to_u64()),
        (true, true) if !v.bit(w - 1) => format!("{w}'sd{}", v.to_u64()),
        (true, _) => format!("{w}'sh{v:x}"),
        (false, true) => format!("{w}'d{}", v.to_u64()),
        (false, false) => format!("{w}'h{v:x}"),
    }
}
