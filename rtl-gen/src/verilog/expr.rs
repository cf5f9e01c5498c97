//! Expressions: which nodes get a wire of their own, and the text of each.

use super::is_leaf;
use super::plan::Plan;
use crate::ir::{ModuleDef, NodeId, Op, Port};
use crate::{Type, Value, index_width};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Names and inlining decisions for one module.
pub(super) struct Printer<'d> {
    def: &'d ModuleDef,
    /// Per node: its name in the text, when it has one.
    names: Vec<Option<String>>,
    /// `Trunc` nodes printed as arithmetic in their own width.
    wrapped: Vec<bool>,
    /// Nodes whose name is that of an output port, which declares them.
    port_named: Vec<bool>,
}

/// Longest expression on one line, in operands.
pub(super) const LONGEST: u32 = 12;

impl<'d> Printer<'d> {
    pub(super) fn new(def: &'d ModuleDef) -> Self {
        let plan = Plan::new(def);
        let mut taken: BTreeSet<String> = def.ports.iter().map(|p| p.name.clone()).collect();
        taken.extend(def.nodes.iter().filter_map(|n| n.name.clone()));
        taken.extend(def.mems.iter().map(|m| m.name.clone()));
        taken.extend(def.insts.iter().map(|i| i.name.clone()));
        let mut fresh = |mut name: String| {
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            name
        };
        let mut counter = 0;
        let mut names: Vec<Option<String>> = vec![None; def.nodes.len()];
        let mut port_named = vec![false; def.nodes.len()];
        let mut size = vec![1; def.nodes.len()];
        for &id in &def.order {
            let (i, node) = (id.0 as usize, def.node(id));
            if plan.hidden[i] {
                continue;
            }
            let inlined = plan.shown(def, id).args.iter().map(|a| size[a.0 as usize]);
            let length = 1 + inlined.sum::<u32>();
            names[i] = match (&node.name, &node.op) {
                (Some(name), _) => Some(name.clone()),
                (None, Op::Input(port)) => Some(def.ports[*port as usize].name.clone()),
                (None, Op::InstOut(inst, port)) => {
                    let inst = &def.insts[*inst as usize];
                    Some(fresh(format!("{}_{}", inst.name, inst.ports[*port as usize].name)))
                }
                (None, Op::Const(_)) if !plan.atom[i] => None,
                _ => match plan.port[i] {
                    Some(port) => {
                        port_named[i] = true;
                        Some(def.ports[port as usize].name.clone())
                    }
                    None if plan.needs_name(def, id, length) => Some(match &plan.hint[i] {
                        Some(hint) => fresh(hint.clone()),
                        None => {
                            counter += 1;
                            fresh(format!("_t{counter}"))
                        }
                    }),
                    None => None,
                },
            };
            size[i] = if names[i].is_some() { 1 } else { length };
        }
        Printer { def, names, wrapped: plan.wrapped, port_named }
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
        // Outputs are assigned at the end; of what has no source of its own, only constants are wires.
        let printed = asynchronous || !is_leaf(&node.op) || matches!(node.op, Op::Const(_));
        self.names[id.0 as usize].is_some() && !self.port_named[id.0 as usize] && printed
    }

    /// The right-hand side of an assignment to something that is not the node's own name.
    pub(super) fn value(&self, id: NodeId) -> String {
        self.bare(id)
    }

    /// What is assigned to the output port: its own expression, or the name of the signal behind it.
    pub(super) fn output(&self, port: &Port) -> String {
        let Some(source) = port.source else { return String::new() };
        let own = self.port_named[source.0 as usize] && self.name(source) == port.name;
        if own { self.expression(source) } else { self.bare(source) }
    }

    /// The node as an operand: its name, a constant, or its expression in parentheses.
    pub(super) fn operand(&self, id: NodeId) -> String {
        if let Some(name) = &self.names[id.0 as usize] {
            return name.clone();
        }
        let node = self.def.node(id);
        let text = self.expression(id);
        let bare = match node.op {
            Op::Trunc => !self.wrapped[id.0 as usize],
            Op::Const(_) | Op::Slice(..) | Op::Cat | Op::Rep(_) | Op::Zext | Op::Sext => true,
            Op::Cast | Op::Wire => return self.operand(node.args[0]),
            Op::ShlK(_) | Op::ShrK(_) => true,
            _ => false,
        };
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
            Op::Wire => self.bare(node.args[0]),
            Op::Not => self.complement(node.args[0]),
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
            Op::Shl => format!("{} << {}", a(0), self.amount(node.args[1], width)),
            Op::Shr => format!("{} >> {}", a(0), self.amount(node.args[1], width)),
            Op::Sra => format!("{} >>> {}", a(0), self.amount(node.args[1], width)),
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
            // The sign is that of the wire declared for it: where it matters the operand has a name.
            Op::Cast => self.bare(node.args[0]),
            Op::DynSlice => self.dyn_slice(node.args[0], node.args[1], width),
        }
    }

    /// The node without parentheses, for places that bring their own delimiters.
    fn bare(&self, id: NodeId) -> String {
        let node = self.def.node(id);
        match &self.names[id.0 as usize] {
            Some(name) => name.clone(),
            None if matches!(node.op, Op::Cast) => self.bare(node.args[0]),
            None => self.expression(id),
        }
    }

    /// A shift amount: tools refuse constants of more than 32 bits, and past the width all are alike.
    fn amount(&self, id: NodeId, width: u32) -> String {
        let Op::Const(v) = &self.def.node(id).op else { return self.operand(id) };
        let high = v.words().iter().skip(1).any(|w| *w != 0);
        let amount = if high { width as u64 } else { v.to_u64().min(width as u64) };
        format!("{amount}")
    }

    fn complement(&self, x: NodeId) -> String {
        let node = self.def.node(x);
        let relation = match node.op {
            Op::Eq => "!=",
            Op::Lt => ">=",
            _ => return format!("~{}", self.operand(x)),
        };
        if self.names[x.0 as usize].is_some() {
            return format!("~{}", self.operand(x));
        }
        format!("{} {relation} {}", self.operand(node.args[0]), self.operand(node.args[1]))
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
            (true, _) if more == 1 => format!("{{{x}[{}], {x}}}", w - 1),
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
