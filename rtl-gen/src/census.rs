//! What a design is made of, counted on its IR before any tool has seen it.

use crate::Design;
use crate::ir::{ModuleDef, NodeId, Op, Target};
use crate::mem::RamStyle;
use std::collections::BTreeMap;

/// The parts of a design, every instance counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Census {
    /// Bits of registers, memories of flip-flops among them.
    pub flip_flops: u64,
    /// Logic in four-input look-up tables: an estimate, operation by operation, of what is left after
    /// constants are folded. A bit of an adder is one table, a bit of a two-way choice three quarters.
    pub tables: f64,
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

impl Census {
    fn add(&mut self, other: &Census) {
        self.flip_flops += other.flip_flops;
        self.tables += other.tables;
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
        // Children come before their parents.
        let mut totals: Vec<Census> = Vec::new();
        for module in &self.modules {
            let mut total = own(module);
            for inst in &module.insts {
                if let Target::Module(child) = inst.target {
                    let child = totals[child].clone();
                    total.add(&child);
                }
            }
            totals.push(total);
        }
        totals.pop().unwrap_or_default()
    }
}

/// What a module has without its children.
fn own(module: &ModuleDef) -> Census {
    let width = |id: NodeId| module.node(id).ty.width();
    let mut census = Census::default();
    census.flip_flops += module.regs.iter().map(|reg| u64::from(width(reg.q))).sum::<u64>();
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
                census.tables += f64::from(reads * bits * (depth - 1)) * 0.6;
                continue;
            }
        };
        *census.memories.entry((depth, bits, kind, reads)).or_default() += 1;
    }
    let constant = |id: NodeId| matches!(module.node(id).op, Op::Const(_));
    for &id in &module.order {
        let node = module.node(id);
        let (w, args) = (f64::from(node.ty.width()), &node.args);
        let argument = |i: usize| f64::from(width(args[i]));
        let variable = args.iter().filter(|&&arg| !constant(arg)).count();
        census.tables += match &node.op {
            Op::And | Op::Or | Op::Xor if variable == 2 => 0.45 * w,
            Op::RedAnd | Op::RedOr | Op::RedXor => argument(0) / 3.0,
            Op::Add | Op::Sub | Op::Neg => w,
            Op::Eq if variable == 2 => 2.0 * argument(0) / 3.0,
            Op::Eq => argument(0) / 3.0,
            Op::Lt => argument(0),
            Op::Mux => [0.3, 0.3, 0.4, 0.75][variable.min(3)] * w,
            Op::CaseMux(keys) => 0.6 * w * keys.len() as f64,
            Op::Shl | Op::Shr | Op::Sra if variable == 2 => 0.6 * w * argument(1),
            Op::DynSlice => 0.6 * argument(0),
            Op::Mul if variable == 2 => {
                let (a, b) = (width(args[0]), width(args[1]));
                *census.products.entry((a.max(b), a.min(b))).or_default() += 1;
                0.0
            }
            _ => 0.0,
        };
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
        assert!((64.0..80.0).contains(&census.tables), "{}", census.tables);
    }
}
