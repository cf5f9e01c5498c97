//! One node as operations of the narrow kernel (values of at most 64 bits), and what it may swallow.

use super::flatten::{Id, Shape};
use super::kernel::Code;
use super::lower::{Lowered, Program, Word};
use crate::ir::{ModuleDef, NodeId, Op};

/// The operations of one node of one instance.
pub(super) struct Emit<'p, 'd> {
    pub(super) program: &'p mut Program<'d>,
    pub(super) place: (u32, u32, u32),
    pub(super) dst: Id,
}

impl Emit<'_, '_> {
    pub(super) fn arg(&mut self, base: Id, id: NodeId) -> Word {
        Word { id: self.program.flat.resolve(base + id.0), word: 0 }
    }

    fn shape(&self, word: Word) -> Shape {
        self.program.flat.shapes[word.id as usize]
    }

    /// The operation that makes the node's own value.
    pub(super) fn put(&mut self, code: Code, imm: u64, k: u32, args: &[Word]) {
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

    pub(super) fn fused_sum(
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

    pub(super) fn fused_not(
        &mut self,
        base: Id,
        def: &ModuleDef,
        id: NodeId,
    ) -> Option<(Code, Word, Word)> {
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

    pub(super) fn narrow(&mut self, op: &Op, args: &[Word], shapes: &[Shape], to: Shape) {
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
