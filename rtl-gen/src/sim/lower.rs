//! From nodes to operations: picks the narrow kernel or the multi-word one for each node, and fuses
//! what belongs together (`trunc(a + b)` is one operation, `!(a == b)` another).

use super::emit::Emit;
use super::flatten::{Flat, FlatBox, Id, Shape};
use super::kernel::Code;
use super::wide::WideOp;
use crate::ir::{Direction, ModuleDef, NodeId, Op};
use std::collections::HashMap;

/// One word of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Word {
    pub(super) id: Id,
    pub(super) word: u32,
}

/// One operation, before it has a place.
#[derive(Debug)]
pub(super) struct Lowered {
    pub(super) code: Code,
    pub(super) imm: u64,
    pub(super) k: u32,
    pub(super) dst: Id,
    pub(super) args: Vec<Word>,
    /// Operations of one module node stand together, ordered by instance.
    pub(super) place: (u32, u32, u32),
}

/// The whole design as operations.
pub(super) struct Program<'d> {
    pub(super) flat: Flat<'d>,
    pub(super) ops: Vec<Lowered>,
    /// Per id: the operation that makes it.
    pub(super) producer: Vec<u32>,
    pub(super) constants: Vec<(Id, Box<[u64]>)>,
    pub(super) wide: Vec<WideOp>,
    /// `(scope, index in the module)` of every memory.
    pub(super) memories: Vec<(u32, u32)>,
    pub(super) constant_ids: HashMap<(Shape, Box<[u64]>), Id>,
    /// Per module: nodes that are read more than once or have a name, so must exist.
    pub(super) keep: Vec<Vec<bool>>,
}

pub(super) const NONE: u32 = u32::MAX;

impl<'d> Program<'d> {
    pub(super) fn new(flat: Flat<'d>) -> Self {
        let keep = flat.modules.iter().map(named_or_shared).collect();
        let mut program = Program {
            flat,
            ops: vec![],
            producer: vec![],
            constants: vec![],
            wide: vec![],
            memories: vec![],
            constant_ids: HashMap::new(),
            keep,
        };
        for scope in 0..program.flat.scopes.len() as u32 {
            let module = program.flat.scopes[scope as usize].module;
            let def = &program.flat.modules[module];
            for mem in 0..def.mems.len() as u32 {
                program.memories.push((scope, mem));
            }
        }
        // Constants of all modules first: they become aliases that the rest sees through.
        for pass in [true, false] {
            for scope in 0..program.flat.scopes.len() as u32 {
                let def = &program.flat.modules[program.flat.scopes[scope as usize].module];
                for &id in &def.order {
                    if matches!(def.node(id).op, Op::Const(_)) == pass {
                        program.node(scope, def, id);
                    }
                }
            }
        }
        for index in 0..program.flat.boxes.len() as u32 {
            program.black_box(index);
        }
        program.producer = vec![NONE; program.flat.shapes.len()];
        for (i, op) in program.ops.iter().enumerate() {
            program.producer[op.dst as usize] = i as u32;
        }
        for index in 0..program.flat.boxes.len() {
            if !program.flat.boxes[index].target.registered_outputs {
                let (_, outputs) = program.box_ports(index);
                let maker =
                    program.ops.iter().position(|o| o.code == Code::Box && o.k == index as u32);
                for (_, id) in outputs {
                    if let (Some(id), Some(maker)) = (id, maker) {
                        program.producer[id as usize] = maker as u32;
                    }
                }
            }
        }
        program
    }

    /// Inputs (in port order) and outputs of a black box; outputs nobody reads have no id.
    pub(super) fn box_ports(&mut self, index: usize) -> BoxPorts {
        let FlatBox { scope, inst, .. } = self.flat.boxes[index];
        let scope = &self.flat.scopes[scope as usize];
        let (base, def) = (scope.base, &self.flat.modules[scope.module]);
        let inst = &def.insts[inst as usize];
        let domain = scope.domains[inst.domains[0] as usize];
        let (mut inputs, mut outputs) = (vec![], vec![]);
        for (port, connection) in inst.ports.iter().zip(&inst.connections) {
            if matches!(port.ty, crate::Type::Clock) {
                continue;
            }
            match (port.direction, connection) {
                (Direction::Input, Some(c)) => {
                    inputs.push((port.ty.into(), self.flat.resolve(base + c.0)))
                }
                // Resets are not connected by name: they follow the domain.
                (Direction::Input, None) => {
                    let top = &self.flat.modules[self.flat.modules.len() - 1];
                    let reset = top.domains[domain as usize].reset_port;
                    inputs.push((port.ty.into(), reset.unwrap_or(0)));
                }
                (Direction::Output, c) => {
                    outputs.push((port.ty.into(), c.map(|c| base + c.0)));
                }
            }
        }
        (inputs, outputs)
    }

    fn black_box(&mut self, index: u32) {
        if self.flat.boxes[index as usize].target.registered_outputs {
            return;
        }
        let (inputs, _) = self.box_ports(index as usize);
        let dst = self.flat.fresh(Shape { width: 1, signed: false });
        let args = inputs.into_iter().map(|(_, id)| Word { id, word: 0 }).collect();
        let place = (NONE, index, 0);
        self.ops.push(Lowered { code: Code::Box, imm: 0, k: index, dst, args, place });
    }

    /// The id of a constant; equal ones share it.
    pub(super) fn constant(&mut self, shape: Shape, mut words: Vec<u64>) -> Id {
        words.resize(shape.words() as usize, 0);
        shape.canon(&mut words);
        let words: Box<[u64]> = words.into();
        let key = (shape, words);
        if let Some(&id) = self.constant_ids.get(&key) {
            return id;
        }
        let id = self.flat.fresh(shape);
        self.constants.push((id, key.1.clone()));
        self.constant_ids.insert(key, id);
        id
    }

    pub(super) fn amount(&mut self, value: u32) -> Word {
        let id = self.constant(Shape { width: 32, signed: false }, vec![value as u64]);
        Word { id, word: 0 }
    }

    fn node(&mut self, scope: u32, def: &ModuleDef, id: NodeId) {
        let node = def.node(id);
        let base = self.flat.scopes[scope as usize].base;
        let dst = base + id.0;
        if self.flat.resolve(dst) != dst {
            return;
        }
        let to = self.flat.shapes[dst as usize];
        let module = self.flat.scopes[scope as usize].module;
        let mut emit = Emit { program: self, place: (module as u32, id.0 * 4096, scope), dst };
        match &node.op {
            Op::Const(v) => {
                let shared = emit.program.constant(to, v.words().to_vec());
                emit.program.flat.set_alias(dst, shared);
            }
            Op::Input(_) | Op::RegQ(_) | Op::InstOut(..) => {}
            Op::MemRead(mem, port) => {
                let port = &def.mems[*mem as usize].reads[*port as usize];
                if port.enable.is_none() {
                    let addr = emit.arg(base, port.addr);
                    let known = emit.program.memories.iter().rposition(|m| *m == (scope, *mem));
                    emit.put(Code::MemRead, 0, known.unwrap_or(0) as u32, &[addr]);
                }
            }
            op => {
                let args: Vec<Word> = node.args.iter().map(|a| emit.arg(base, *a)).collect();
                // The operand's own shape: an extension shares its source's slot, not its width.
                let own = |a: &NodeId| emit.program.flat.shapes[(base + a.0) as usize];
                let shapes: Vec<Shape> = node.args.iter().map(own).collect();
                let narrow = to.narrow() && shapes.iter().all(|s| s.narrow());
                let simple = match op {
                    Op::Slice(..) | Op::Trunc | Op::ShrK(_) => to.narrow(),
                    Op::CaseMux(_) => false,
                    _ => narrow,
                };
                if op == &Op::Trunc
                    && to.narrow()
                    && let Some((code, a, b)) = emit.fused_sum(base, def, node.args[0], to)
                {
                    emit.put(code, if to.signed { to.sign_bit() } else { to.mask() }, 0, &[a, b]);
                    return;
                }
                if op == &Op::Not
                    && to.width == 1
                    && !to.signed
                    && let Some((code, a, b)) = emit.fused_not(base, def, node.args[0])
                {
                    emit.put(code, 0, 0, &[a, b]);
                    return;
                }
                if simple {
                    emit.narrow(op, &args, &shapes, to);
                } else {
                    let wide = WideOp::new(op.clone(), to, &shapes);
                    let index = emit.program.wide.len() as u32;
                    emit.program.wide.push(wide);
                    emit.put(Code::Wide, 0, index, &args);
                }
            }
        }
    }
}

/// Nodes that other nodes must not swallow.
fn named_or_shared(def: &ModuleDef) -> Vec<bool> {
    let mut uses = vec![0u32; def.nodes.len()];
    for id in
        def.roots().into_iter().chain(def.order.iter().flat_map(|id| def.node(*id).args.clone()))
    {
        uses[id.0 as usize] += 1;
    }
    def.nodes.iter().zip(uses).map(|(n, uses)| n.name.is_some() || uses > 1).collect()
}

/// Inputs and outputs of a black box; outputs nobody reads have no id.
type BoxPorts = (Vec<(Shape, Id)>, Vec<(Shape, Option<Id>)>);
