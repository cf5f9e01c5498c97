//! What a design is made of, counted on its IR before any tool has seen it.

use crate::Design;
use crate::ir::{ModuleDef, NodeId, Op, Target};
use crate::mem::RamStyle;
use std::collections::BTreeMap;

/// The parts of a design, every instance counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Census {
    /// Bits of registers, memories of flip-flops among them; not those inside multiplier blocks.
    pub flip_flops: u64,
    /// Bits of logic by kind of operation, after constants are folded, in the order of [`OPERATIONS`](Self::OPERATIONS).
    pub operations: [f64; Census::OPERATIONS.len()],
    /// Memories by depth, width and style, with the number of their read ports.
    pub memories: BTreeMap<(u32, u32, MemoryKind, u32), u64>,
    /// Products of two variables, by the widths of the factors, the wider first.
    pub products: BTreeMap<(u32, u32), u64>,
}

/// What a memory becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryKind {
    /// Block RAM.
    Block,
    /// LUT RAM.
    Distributed,
}

/// Kinds of operations, by their places in [`Census::OPERATIONS`].
#[derive(Clone, Copy)]
enum Kind {
    Gate,
    Reduce,
    Add,
    Cell,
    Equal,
    Match,
    Less,
    Choose,
    Select,
    Case,
    Shift,
    Pick,
    Word,
}

impl Census {
    /// Kinds of operations that take logic: bits of gates of two variables; bits reduced to one; bits of sums; bits of sums in modules
    /// drawn in cells of a family; bits compared with a variable, with a constant, by size; bits chosen among two, one of
    /// them constant; among two variables; bits of each case of a table; bits and levels of shifts; bits of which one is
    /// picked; bits of words of registers of which one is read.
    pub const OPERATIONS: [&'static str; 13] = [
        "gate", "reduce", "add", "cell", "equal", "match", "less", "choose", "select", "case",
        "shift", "pick", "word",
    ];

    fn add(&mut self, other: &Census) {
        self.flip_flops += other.flip_flops;
        self.operations.iter_mut().zip(other.operations).for_each(|(sum, bits)| *sum += bits);
        for (key, count) in &other.memories {
            *self.memories.entry(*key).or_default() += count;
        }
        for (key, count) in &other.products {
            *self.products.entry(*key).or_default() += count;
        }
    }
}

impl Design {
    /// Counts its parts. Black boxes count nothing.
    pub fn census(&self) -> Census {
        let mut total = Census::default();
        for (_, count, census) in self.census_by_module() {
            (0..count).for_each(|_| total.add(&census));
        }
        total
    }

    /// Every module with the number of its instances and its parts without those of its children.
    pub fn census_by_module(&self) -> Vec<(&str, u64, Census)> {
        // Children come before their parents, the top module is the last.
        let mut counts = vec![0; self.modules.len()];
        counts.last_mut().into_iter().for_each(|top| *top = 1);
        for (at, module) in self.modules.iter().enumerate().rev() {
            for inst in &module.insts {
                if let Target::Module(child) = inst.target {
                    counts[child] += counts[at];
                }
            }
        }
        let modules = self.modules.iter().zip(counts);
        modules.map(|(module, count)| (module.name.as_str(), count, own(module))).collect()
    }
}

/// What a module has without its children.
fn own(module: &ModuleDef) -> Census {
    let width = |id: NodeId| module.node(id).ty.width();
    let mut census = Census::default();
    // A multiplier drawn in a family's cells has its registers in the block.
    let is_product = |id: &NodeId| matches!(module.node(*id).op, Op::Mul);
    if module.native.is_empty() || !module.order.iter().any(is_product) {
        census.flip_flops += module.regs.iter().map(|reg| u64::from(width(reg.q))).sum::<u64>();
    }
    for mem in &module.mems {
        let (depth, bits) = (mem.spec.depth, mem.spec.width);
        let reads = mem.reads.len() as u32;
        let kind = match mem.spec.style {
            RamStyle::Block => MemoryKind::Block,
            RamStyle::Distributed => MemoryKind::Distributed,
            RamStyle::Auto if mem.reads.iter().all(|read| read.enable.is_some()) => {
                MemoryKind::Block
            }
            RamStyle::Auto => MemoryKind::Distributed,
            RamStyle::Registers => {
                census.flip_flops += u64::from(depth) * u64::from(bits);
                census.operations[Kind::Word as usize] += f64::from(reads * bits * (depth - 1));
                continue;
            }
        };
        *census.memories.entry((depth, bits, kind, reads)).or_default() += 1;
    }
    let in_cells = !module.native.is_empty();
    let constant = |id: NodeId| matches!(module.node(id).op, Op::Const(_));
    for &id in &module.order {
        let node = module.node(id);
        let (w, args) = (f64::from(node.ty.width()), &node.args);
        let argument = |i: usize| f64::from(width(args[i]));
        let variable = args.iter().filter(|&&arg| !constant(arg)).count();
        let (kind, bits) = match &node.op {
            Op::And | Op::Or | Op::Xor if variable == 2 && in_cells => continue,
            Op::And | Op::Or | Op::Xor if variable == 2 => (Kind::Gate, w),
            Op::RedAnd | Op::RedOr | Op::RedXor => (Kind::Reduce, argument(0)),
            Op::Add | Op::Sub | Op::Neg if in_cells => (Kind::Cell, w),
            Op::Add | Op::Sub | Op::Neg => (Kind::Add, w),
            Op::Eq if variable == 2 => (Kind::Equal, argument(0)),
            Op::Eq => (Kind::Match, argument(0)),
            Op::Lt => (Kind::Less, argument(0)),
            Op::Mux if variable == 3 => (Kind::Select, w),
            Op::Mux => (Kind::Choose, w),
            Op::CaseMux(keys) => (Kind::Case, w * keys.len() as f64),
            Op::Shl | Op::Shr | Op::Sra if variable == 2 => (Kind::Shift, w * argument(1)),
            Op::DynSlice => (Kind::Pick, argument(0)),
            Op::Mul if variable == 2 => {
                let (a, b) = (width(args[0]), width(args[1]));
                *census.products.entry((a.max(b), a.min(b))).or_default() += 1;
                continue;
            }
            _ => continue,
        };
        census.operations[kind as usize] += bits;
    }
    census
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, MemSpec, Module, bit, bits, sint, uint};

    #[derive(Debug)]
    struct Pair;

    #[derive(Debug)]
    struct Mac;

    impl Module for Mac {
        fn name(&self) -> String {
            "mac".into()
        }

        fn build(&self, m: &Builder) {
            let (a, b) = (m.input("a", sint(8)), m.input("b", sint(4)));
            let acc = m.state("acc", sint(32), 0);
            acc.drive(acc.q().add_wrap((a * b).sext(32)));
            m.output("sum", acc.q());
        }
    }

    impl Module for Pair {
        fn name(&self) -> String {
            "pair".into()
        }

        fn build(&self, m: &Builder) {
            let (a, b) = (m.input("a", sint(8)), m.input("b", sint(4)));
            for name in ["first", "second"] {
                let mac = m.inst(name, &Mac);
                mac.set("a", a).set("b", b);
                m.output(&format!("{name}_sum"), mac.get("sum"));
            }
            let store = m.mem("store", MemSpec::distributed(16, 8));
            let at = m.input("at", uint(4));
            store.write(at, m.input("data", bits(8)), m.input("write", bit()));
            m.output("read", store.read_async("word", at));
        }
    }

    #[test]
    fn every_instance_counts() {
        let census = Design::elaborate(&Pair).unwrap().census();
        assert_eq!(census.flip_flops, 64);
        assert_eq!(census.products, BTreeMap::from([((8, 4), 2)]));
        assert_eq!(census.memories, BTreeMap::from([((16, 8, MemoryKind::Distributed, 1), 1)]));
        let add = Census::OPERATIONS.iter().position(|name| *name == "add").unwrap();
        // Sums keep their carry until it is cut off.
        assert_eq!(census.operations[add], 66.0);
    }
}
