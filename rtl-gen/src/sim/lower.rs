//! From nodes to operations: picks the narrow kernel or the multi-word one for each node, and fuses
//! what belongs together (`trunc(a + b)` is one operation, `!(a == b)` another).

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
    constant_ids: HashMap<(Shape, Box<[u64]>), Id>,
    /// Per module: nodes that are read more than once or have a name, so must exist.
    keep: Vec<Vec<bool>>,
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

    fn amount(&mut self, value: u32) -> Word {
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

struct Emit<'p, 'd> {
    program: &'p mut Program<'d>,
    place: (u32, u32, u32),
    dst: Id,
}

impl Emit<'_, '_> {
    fn arg(&mut self, base: Id, id: NodeId) -> Word {
        Word { id: self.program.flat.resolve(base + id.0), word: 0 }
    }

    fn shape(&self, word: Word) -> Shape {
        self.program.flat.shapes[word.id as usize]
    }

    /// The operation that makes the node's own value.
    fn put(&mut self, code: Code, imm: u64, k: u32, args: &[Word]) {
        let (dst, args) = (self.dst, args.to_vec());
        self.program.ops.push(Lowered { code, imm, k, dst, args, place: self.place });
    }

    /// An operation that makes a value in between.
    fn temp(&mut self, code: Code, imm: u64, k: u32, args: &[Word], shape: Shape) -> Word {
        let id = self.program.flat.fresh(shape);
        let args = args.to_vec();
        self.program.ops.push(Lowered { code, imm, k, dst: id, args, place: self.place });
        self.place.1 += 1;
        Word { id, word: 0 }
    }

    /// The node whose value `id` hands on, when nothing else needs it.
    fn swallow<'m>(&self, def: &'m ModuleDef, id: NodeId) -> Option<&'m crate::ir::Node> {
        let node = def.node(id);
        let module = self.place.0 as usize;
        (!self.program.keep[module][id.0 as usize]).then_some(node)
    }

    fn fused_sum(
        &mut self,
        base: Id,
        def: &ModuleDef,
        id: NodeId,
        to: Shape,
    ) -> Option<(Code, Word, Word)> {
        let node = self.swallow(def, id)?;
        let code = match (&node.op, to.signed) {
            (Op::Add, false) => Code::AddU,
            (Op::Add, true) => Code::AddS,
            (Op::Sub, false) => Code::SubU,
            (Op::Sub, true) => Code::SubS,
            _ => return None,
        };
        let (a, b) = (self.arg(base, node.args[0]), self.arg(base, node.args[1]));
        // Low words suffice: the bits above never reach down.
        Some((code, a, b))
    }

    fn fused_not(&mut self, base: Id, def: &ModuleDef, id: NodeId) -> Option<(Code, Word, Word)> {
        let node = self.swallow(def, id)?;
        if !matches!(node.op, Op::Eq | Op::Lt) {
            return None;
        }
        let (a, b) = (self.arg(base, node.args[0]), self.arg(base, node.args[1]));
        let shape = Shape::from(def.node(node.args[0]).ty);
        let code = match (&node.op, shape.signed) {
            (Op::Eq, _) => Code::Ne,
            (_, false) => Code::GeU,
            (_, true) => Code::GeS,
        };
        shape.narrow().then_some((code, a, b))
    }

    fn narrow(&mut self, op: &Op, args: &[Word], shapes: &[Shape], to: Shape) {
        let from = shapes[0];
        let pick = |unsigned: Code, signed: Code| if to.signed { signed } else { unsigned };
        let bits = if to.signed { to.sign_bit() } else { to.mask() };
        match op {
            Op::Not => {
                let ones = if to.signed { u64::MAX } else { to.mask() };
                self.put(Code::XorImm, ones, 0, args);
            }
            Op::And => self.put(Code::And, 0, 0, args),
            Op::Or => self.put(Code::Or, 0, 0, args),
            Op::Xor => self.put(Code::Xor, 0, 0, args),
            Op::RedAnd => {
                let ones = if from.signed { u64::MAX } else { from.mask() };
                self.put(Code::EqImm, ones, 0, args);
            }
            Op::RedOr => self.put(Code::NeImm, 0, 0, args),
            Op::RedXor => self.put(Code::Parity, from.mask(), 0, args),
            Op::Add => self.put(Code::Add, 0, 0, args),
            Op::Sub => self.put(Code::Sub, 0, 0, args),
            Op::Mul => self.put(Code::Mul, 0, 0, args),
            Op::Neg => self.put(Code::Neg, 0, 0, args),
            Op::Eq => self.put(Code::Eq, 0, 0, args),
            Op::Lt => self.put(if from.signed { Code::LtS } else { Code::LtU }, 0, 0, args),
            Op::ShlK(k) => self.put(Code::ShlK, 0, *k, args),
            Op::ShrK(k) if from.narrow() && from.signed => self.put(Code::SarK, 0, *k, args),
            Op::ShrK(k) if from.narrow() => self.put(Code::ShrK, 0, *k, args),
            Op::ShrK(k) => self.part(args[0], from, *k, to),
            Op::Slice(_, lo) => self.part(args[0], from, *lo, to),
            Op::Trunc => self.put(pick(Code::CutU, Code::CutS), bits, 0, args),
            Op::Shl => self.put(pick(Code::ShlU, Code::ShlS), bits, 0, args),
            Op::Shr => self.put(pick(Code::ShrU, Code::ShrS), bits, 0, args),
            Op::Sra => self.put(Code::Sra, 0, 0, args),
            Op::Mux if self.is_zero(args[2]) => self.put(Code::Gate, 0, 0, &args[..2]),
            Op::Mux => self.put(Code::Mux, 0, 0, args),
            Op::Cast => self.put(pick(Code::CutU, Code::CutS), bits, 0, args),
            // What is left of these two is not an alias: the operand's sign is not the result's.
            Op::Zext => self.put(Code::CutU, from.mask(), 0, args),
            Op::Sext if to.signed => self.put(Code::CutS, from.sign_bit(), 0, args),
            Op::Sext => {
                let shape = Shape { width: to.width, signed: true };
                let extended = self.temp(Code::CutS, from.sign_bit(), 0, args, shape);
                self.put(Code::CutU, to.mask(), 0, &[extended]);
            }
            Op::Cat => self.cat(args, shapes, to),
            Op::Rep(n) => {
                let ones = (0..*n).fold(0u64, |ones, i| ones | 1 << (i * from.width));
                let ones = self.program.constant(Shape { width: 64, signed: false }, vec![ones]);
                self.put(Code::Mul, 0, 0, &[args[0], Word { id: ones, word: 0 }]);
            }
            Op::DynSlice => {
                let lanes = (from.width / to.width) as u64;
                self.put(Code::Lane, lanes, to.width, args);
            }
            // The others never come here: state, constants and `CaseMux`.
            _ => {}
        }
    }

    fn is_zero(&self, word: Word) -> bool {
        let shape = self.shape(word);
        let zero: Box<[u64]> = vec![0; shape.words() as usize].into();
        self.program.constant_ids.get(&(shape, zero)) == Some(&word.id)
    }

    fn cat(&mut self, args: &[Word], shapes: &[Shape], to: Shape) {
        let (mut value, mut width) = (args[0], shapes[0].width);
        for (i, (arg, shape)) in args.iter().zip(shapes).enumerate().skip(1) {
            width += shape.width;
            let so_far = Shape { width, signed: false };
            if i + 1 == args.len() {
                self.put(Code::Cat, to.mask(), shape.width, &[value, *arg]);
            } else {
                value = self.temp(Code::Cat, so_far.mask(), shape.width, &[value, *arg], so_far);
            }
        }
    }

    /// At most 64 bits from bit `lo` on of a value of any width.
    fn part(&mut self, x: Word, from: Shape, lo: u32, to: Shape) {
        let (word, shift) = (lo / 64, self.program.amount(lo % 64));
        let low = Word { id: x.id, word };
        let within = lo % 64 + to.width <= 64;
        let (code, args) = if within {
            (Code::Slice, vec![low, shift])
        } else {
            (Code::Slice2, vec![low, Word { id: x.id, word: word + 1 }, shift])
        };
        debug_assert!(lo + to.width <= from.width);
        if to.signed {
            let shape = Shape { width: to.width, signed: false };
            let raw = self.temp(code, to.mask(), 0, &args, shape);
            self.put(Code::CutS, to.sign_bit(), 0, &[raw]);
        } else {
            self.put(code, to.mask(), 0, &args);
        }
    }
}
