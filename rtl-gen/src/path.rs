//! The longest path from register to register, foretold on the IR.

use crate::Design;
use crate::ir::{Direction, ModuleDef, NodeId, Op, Target};
use std::collections::BTreeMap;

/// What an operation adds to a path, in any unit of time. Wires count with the operation they come from.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// A level of logic.
    pub level: f64,
    /// A bit of a carry chain, beside its level.
    pub carry: f64,
    /// A product.
    pub product: f64,
    /// From the clock to a register's output.
    pub register: f64,
    /// From the clock to a block RAM's output.
    pub block_ram: f64,
}

/// Paths through a module, as its parent sees them.
#[derive(Clone, Debug, Default)]
struct Summary {
    /// From state inside to each output; negative infinity where there is no path.
    out: Vec<f64>,
    /// From each input to state inside.
    into: Vec<f64>,
    /// From input to output.
    through: BTreeMap<(u32, u32), f64>,
}

const NONE: f64 = f64::NEG_INFINITY;

impl Design {
    /// The time of the longest path between registers (or memories, or black boxes), over all clocks. Paths are those of the graph: one
    /// that no data can take counts too.
    pub fn longest_path(&self, delays: &Delays) -> f64 {
        let mut done: Vec<Summary> = Vec::new();
        let mut worst = 0.0f64;
        for module in &self.modules {
            let paths = Paths { module, modules: &self.modules, done: &done, delays };
            let from_state = paths.arrivals(None);
            worst = paths
                .sinks()
                .into_iter()
                .fold(worst, |worst, (id, more)| worst.max(from_state[id.0 as usize] + more));
            let mut summary = Summary {
                out: vec![NONE; module.ports.len()],
                into: vec![NONE; module.ports.len()],
                ..Summary::default()
            };
            for (port, out) in module.ports.iter().zip(&mut summary.out) {
                *out = port.source.map_or(NONE, |id| from_state[id.0 as usize]);
            }
            for (i, port) in module.ports.iter().enumerate() {
                if port.direction != Direction::Input {
                    continue;
                }
                let arrivals = paths.arrivals(Some(i as u32));
                summary.into[i] = (paths.sinks().into_iter())
                    .fold(NONE, |most, (id, more)| most.max(arrivals[id.0 as usize] + more));
                for (o, port) in module.ports.iter().enumerate() {
                    let time = port.source.map_or(NONE, |id| arrivals[id.0 as usize]);
                    if time > NONE {
                        summary.through.insert((i as u32, o as u32), time);
                    }
                }
            }
            done.push(summary);
        }
        worst
    }
}

struct Paths<'a> {
    module: &'a ModuleDef,
    modules: &'a [ModuleDef],
    done: &'a [Summary],
    delays: &'a Delays,
}

impl Paths<'_> {
    /// When each node has its value: from an input at time 0, or from all state.
    fn arrivals(&self, input: Option<u32>) -> Vec<f64> {
        let state = |time: f64| if input.is_none() { time } else { NONE };
        let mut at = vec![NONE; self.module.nodes.len()];
        for &id in &self.module.order {
            let node = self.module.node(id);
            let latest =
                |ids: &[NodeId]| ids.iter().fold(NONE, |most, id| most.max(at[id.0 as usize]));
            at[id.0 as usize] = match &node.op {
                Op::Const(_) => NONE,
                Op::Input(port) => {
                    if input == Some(*port) {
                        0.0
                    } else {
                        NONE
                    }
                }
                Op::RegQ(_) => state(self.delays.register),
                Op::MemRead(mem, port) => {
                    let read = &self.module.mems[*mem as usize].reads[*port as usize];
                    match read.enable {
                        Some(_) => state(self.delays.block_ram),
                        None => (at[read.addr.0 as usize] + self.delays.level)
                            .max(state(self.delays.register + self.delays.level)),
                    }
                }
                Op::InstOut(inst, port) => {
                    let inst = &self.module.insts[*inst as usize];
                    match inst.target {
                        Target::BlackBox(_) => latest(&self.module.comb_operands(id, self.modules))
                            .max(state(self.delays.register)),
                        Target::Module(child) => {
                            let child = &self.done[child];
                            let through = child.through.iter().filter(|((_, out), _)| out == port);
                            through.fold(
                                state(child.out[*port as usize]),
                                |most, ((i, _), time)| {
                                    let from = inst.connections[*i as usize];
                                    most.max(from.map_or(NONE, |id| at[id.0 as usize]) + time)
                                },
                            )
                        }
                    }
                }
                op => latest(&node.args) + self.own(op, id),
            };
        }
        at
    }

    fn own(&self, op: &Op, id: NodeId) -> f64 {
        let Delays { level, carry, product, .. } = *self.delays;
        let node = self.module.node(id);
        let width = |id: NodeId| f64::from(self.module.node(id).ty.width());
        let variable = node
            .args
            .iter()
            .filter(|id| !matches!(self.module.node(**id).op, Op::Const(_)))
            .count();
        // Inputs of four-input tables multiply from level to level.
        let tree = |inputs: f64| (inputs.max(2.0).ln() / 4f64.ln()).ceil() * level;
        match op {
            // Gates of two variables join the table behind them half of the time.
            Op::And | Op::Or | Op::Xor if variable == 2 => 0.5 * level,
            Op::RedAnd | Op::RedOr | Op::RedXor => tree(width(node.args[0])),
            Op::Add | Op::Sub | Op::Neg => level + carry * width(id),
            Op::Lt => level + carry * width(node.args[0]),
            Op::Eq if variable == 2 => tree(2.0 * width(node.args[0])),
            Op::Eq => tree(width(node.args[0])),
            Op::Mux => level,
            Op::CaseMux(keys) => level + tree(keys.len() as f64),
            Op::Shl | Op::Shr | Op::Sra if variable == 2 => 0.75 * level * width(node.args[1]),
            Op::DynSlice => 0.75 * level * width(node.args[0]).log2().ceil(),
            Op::Mul if variable == 2 => product,
            _ => 0.0,
        }
    }

    /// Where paths end, and what is behind each end.
    fn sinks(&self) -> Vec<(NodeId, f64)> {
        let mut sinks = vec![];
        for reg in &self.module.regs {
            sinks.extend(reg.next.iter().chain(&reg.enable).map(|id| (*id, 0.0)));
        }
        for mem in &self.module.mems {
            let writes = mem.writes.iter().flat_map(|w| [w.addr, w.data, w.enable]);
            let reads = mem.reads.iter().filter_map(|r| r.enable.map(|enable| [r.addr, enable]));
            sinks.extend(writes.chain(reads.flatten()).map(|id| (id, 0.0)));
        }
        for inst in &self.module.insts {
            for (i, connection) in inst.connections.iter().enumerate() {
                let behind = match inst.target {
                    Target::Module(child) => self.done[child].into[i],
                    Target::BlackBox(_) => 0.0,
                };
                if let (Some(id), true) = (connection, behind > NONE) {
                    sinks.push((*id, behind));
                }
            }
        }
        sinks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Module, uint};

    /// Adds in a child: the path goes in, through and out of it.
    #[derive(Debug)]
    struct Parent;

    #[derive(Debug)]
    struct Child;

    impl Module for Child {
        fn name(&self) -> String {
            "child".into()
        }

        fn build(&self, m: &Builder) {
            let (a, b) = (m.input("a", uint(8)), m.input("b", uint(8)));
            m.output("sum", a.add_wrap(b));
        }
    }

    impl Module for Parent {
        fn name(&self) -> String {
            "parent".into()
        }

        fn build(&self, m: &Builder) {
            let a = m.reg("a_q", m.input("a", uint(8)));
            let child = m.inst("child", &Child);
            child.set("a", a).set("b", a);
            let sum = child.get("sum").as_u();
            m.output("y", m.reg("y_q", sum.add_wrap(a)));
        }
    }

    #[test]
    fn paths_cross_modules() {
        let delays =
            Delays { level: 1.0, carry: 0.125, product: 4.0, register: 0.5, block_ram: 6.0 };
        let design = Design::elaborate(&Parent).unwrap();
        // Sums keep their carry until it is cut off.
        assert_eq!(design.longest_path(&delays), 0.5 + 2.0 * (1.0 + 9.0 * 0.125));
    }
}
