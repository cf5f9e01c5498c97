//! Which nodes of a module need a name in the text, and which stand inside the expression that uses them.
//!
//! Verilog gives an operand the width and sign of its context. Every expression printed here has
//! operands of its own full width, so widths never change; sign matters only to `*`, `<`, `>>>` and to
//! extensions, whose operands therefore are names, declared with their sign.

use crate::Type;
use crate::ir::{AssertKind, ModuleDef, Node, NodeId, Op};
use crate::mem::Collision;

pub(super) struct Plan {
    /// Per node: how often its text would appear.
    uses: Vec<u32>,
    /// Used once, as the whole right-hand side of an assignment of its width.
    statement: Vec<bool>,
    /// Must be a name: it is sliced, or its sign must be declared.
    pub(super) atom: Vec<bool>,
    /// `Trunc` nodes printed as arithmetic in their own width.
    pub(super) wrapped: Vec<bool>,
    /// Sums that only exist inside a wrapped `Trunc`.
    pub(super) hidden: Vec<bool>,
    /// Per node: the output port it drives.
    pub(super) port: Vec<Option<u32>>,
    /// A name that says what the node is for.
    pub(super) hint: Vec<Option<String>>,
}

impl Plan {
    pub(super) fn new(def: &ModuleDef) -> Plan {
        let count = def.nodes.len();
        let mut plan = Plan {
            uses: vec![0; count],
            statement: vec![false; count],
            atom: vec![false; count],
            wrapped: vec![false; count],
            hidden: vec![false; count],
            port: vec![None; count],
            hint: vec![None; count],
        };
        let direct = plan.count_roots(def);
        // Users come after their operands: backwards, each node's uses are complete when it is met.
        for &id in def.order.iter().rev() {
            let node = def.node(id);
            let times = if node.name.is_none() && is_cheap(&node.op) {
                plan.uses[id.0 as usize]
            } else {
                1
            };
            for arg in &node.args {
                plan.uses[arg.0 as usize] += times;
            }
            if let (Some(name), Op::Wire) = (&node.name, &node.op) {
                plan.statement[node.args[0].0 as usize] = true;
                plan.hint[node.args[0].0 as usize].get_or_insert_with(|| format!("{name}_value"));
            }
        }
        for id in direct {
            plan.statement[id.0 as usize] = true;
        }
        for i in 0..count {
            plan.statement[i] &= plan.uses[i] == 1;
        }
        for &id in &def.order {
            let node = def.node(id);
            if node.op == Op::Trunc && plan.uses[node.args[0].0 as usize] == 1 {
                let wraps = wraps(def, node.args[0], node.ty);
                plan.wrapped[id.0 as usize] = wraps;
                plan.hidden[node.args[0].0 as usize] |= wraps;
            }
        }
        for &id in def.order.iter().filter(|id| !plan.hidden[id.0 as usize]) {
            let shown = if plan.wrapped[id.0 as usize] {
                def.node(def.node(id).args[0])
            } else {
                def.node(id)
            };
            for (i, &arg) in shown.args.iter().enumerate() {
                plan.atom[arg.0 as usize] |= wants_name(def, &shown.op, i, arg, def.node(id).ty);
            }
        }
        plan
    }

    /// Counts what is read from outside the graph; returns the whole right-hand sides.
    fn count_roots(&mut self, def: &ModuleDef) -> Vec<NodeId> {
        let mut direct = vec![];
        for (i, port) in def.ports.iter().enumerate() {
            if let Some(source) = port.source {
                self.uses[source.0 as usize] += 1;
                direct.push(source);
                let free = def.node(source).name.is_none() && !super::is_leaf(&def.node(source).op);
                let slot = &mut self.port[source.0 as usize];
                if free && slot.is_none() {
                    *slot = Some(i as u32);
                }
            }
        }
        for reg in &def.regs {
            let name = def.node(reg.q).name.as_deref().unwrap_or("");
            for (id, what) in [(reg.next, "next"), (reg.enable, "enable")] {
                let Some(id) = id else { continue };
                self.uses[id.0 as usize] += 1;
                direct.push(id);
                self.hint[id.0 as usize].get_or_insert_with(|| format!("{name}_{what}"));
            }
        }
        for mem in &def.mems {
            let bypass = mem.spec.collision == Collision::New;
            let hint = |plan: &mut Plan, id: NodeId, what: &str, name: bool| {
                plan.uses[id.0 as usize] += 1;
                plan.atom[id.0 as usize] |= name;
                plan.hint[id.0 as usize].get_or_insert_with(|| format!("{}_{what}", mem.name));
            };
            for w in &mem.writes {
                let parts = w.lanes.is_some();
                // An address must not be read as a negative number: its wire is declared unsigned.
                hint(self, w.addr, "write_addr", true);
                hint(self, w.data, "write_data", parts || bypass);
                hint(self, w.enable, "write", parts || bypass);
                w.lanes.iter().for_each(|l| hint(self, *l, "lanes", true));
            }
            for r in &mem.reads {
                hint(self, r.addr, "read_addr", true);
                r.enable.iter().for_each(|e| hint(self, *e, "read", bypass));
            }
        }
        for inst in &def.insts {
            for (port, id) in inst.ports.iter().zip(&inst.connections) {
                if let Some(id) = id {
                    self.uses[id.0 as usize] += 1;
                    let hint = || format!("{}_{}", inst.name, port.name);
                    self.hint[id.0 as usize].get_or_insert_with(hint);
                }
            }
        }
        for a in &def.asserts {
            // Once for formal tools, claims once more for simulation.
            self.uses[a.condition.0 as usize] += if a.kind == AssertKind::Cover { 1 } else { 2 };
            self.hint[a.condition.0 as usize].get_or_insert_with(|| format!("{}_holds", a.label));
        }
        direct
    }

    /// The node whose operands are printed where `id` is.
    pub(super) fn shown<'d>(&self, def: &'d ModuleDef, id: NodeId) -> &'d Node {
        let node = def.node(id);
        if self.wrapped[id.0 as usize] { def.node(node.args[0]) } else { node }
    }

    pub(super) fn needs_name(&self, def: &ModuleDef, id: NodeId, length: u32) -> bool {
        let (i, op) = (id.0 as usize, &def.node(id).op);
        self.atom[i]
            || (self.uses[i] > 1 && !is_cheap(op) && !matches!(op, Op::Const(_)))
            || (!self.statement[i] && (stands_alone(op) || length > super::expr::LONGEST))
    }
}

/// Whether cutting the arithmetic node to `ty` equals doing it in that width: then no wider wire is printed.
fn wraps(def: &ModuleDef, id: NodeId, ty: Type) -> bool {
    let node = def.node(id);
    node.name.is_none()
        && matches!(node.op, Op::Add | Op::Sub)
        && node.args.iter().all(|a| def.node(*a).ty.width() <= ty.width())
}

/// Operations whose text follows its context (the width of `*`, the sign of `>>>`) or is long.
fn stands_alone(op: &Op) -> bool {
    matches!(op, Op::Mul | Op::Sra | Op::DynSlice | Op::CaseMux(_))
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
        Op::Slice(..) | Op::Trunc | Op::ShrK(_) | Op::DynSlice | Op::Sext | Op::Mul | Op::Lt => {
            true
        }
        Op::Add | Op::Sub | Op::Neg => node.ty.is_signed() && node.ty.width() < ty.width(),
        Op::Shl | Op::Shr | Op::Sra | Op::CaseMux(_) => i == 0,
        _ => false,
    }
}
