//! The intermediate representation: what the checks, the printer and the interpreter read.
//!
//! A [`ModuleDef`] is a list of [`Node`]s (a directed graph; state breaks its cycles) beside
//! registers, memories, instances and assertions. Nothing here can be made by hand wrongly:
//! it is filled by [`crate::Builder`] and checked by [`crate::Design::elaborate`].

use crate::library::BlackBox;
use crate::mem::MemSpec;
use crate::{Type, Value};
use std::panic::Location;
use std::rc::Rc;

/// Index of a [`Node`] in its module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub u32);

/// Index into a module's list of clock domains.
pub type DomainId = u32;

/// The operation of a node. Operands are in [`Node::args`], in the order given here.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// A constant.
    Const(Value),
    /// The input port of that index.
    Input(u32),
    /// A named wire declared before its source is known; `args[0]` once assigned.
    Wire,
    /// Bitwise complement of `x`.
    Not,
    /// Bitwise and of `a`, `b`, same type.
    And,
    /// Bitwise or of `a`, `b`, same type.
    Or,
    /// Bitwise exclusive or of `a`, `b`, same type.
    Xor,
    /// One bit: all bits of `x` are 1.
    RedAnd,
    /// One bit: any bit of `x` is 1.
    RedOr,
    /// One bit: parity of `x`.
    RedXor,
    /// Exact sum; `max(wa, wb) + 1` bits, sign of the operands.
    Add,
    /// Exact difference; `max(wa, wb) + 1` bits, always signed.
    Sub,
    /// Exact product; `wa + wb` bits, sign of the operands.
    Mul,
    /// Exact negation; `w + 1` bits, signed.
    Neg,
    /// One bit: `a == b`, same type.
    Eq,
    /// One bit: `a < b` by the type's sign, same type.
    Lt,
    /// Left shift by a constant; the width grows by it.
    ShlK(u32),
    /// Right shift by a constant; the width shrinks by it, the sign is kept.
    ShrK(u32),
    /// `x << n`, width of `x`.
    Shl,
    /// `x >> n` filling with zeros, width of `x`.
    Shr,
    /// `x >> n` filling with the sign, width of `x`.
    Sra,
    /// `args = [select, when_true, when_false]`.
    Mux,
    /// `args = [select, default, arm 0, arm 1, ...]`; arm `i` is taken when `select` equals key `i`.
    CaseMux(Vec<Value>),
    /// Bits `hi..=lo` of `x`, as `Bits`.
    Slice(u32, u32),
    /// All operands side by side, the first one most significant.
    Cat,
    /// `x` repeated that many times.
    Rep(u32),
    /// Zero extension to the node's width.
    Zext,
    /// Sign extension to the node's width.
    Sext,
    /// The low bits of `x`.
    Trunc,
    /// The same bits read as the node's type (`as_s`, `as_u`, `as_bits`).
    Cast,
    /// Lane `args[1]` of `args[0]`, lanes as wide as the node; zero past the last lane.
    DynSlice,
    /// Output of the register of that index.
    RegQ(u32),
    /// Data of read port `.1` of memory `.0`.
    MemRead(u32, u32),
    /// Output port `.1` (index in the child's port list) of instance `.0`.
    InstOut(u32, u32),
}

/// One value of the graph.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// Operands.
    pub args: Vec<NodeId>,
    /// Type of the result.
    pub ty: Type,
    /// The name it was given, unique in its module.
    pub name: Option<String>,
    /// The line of Rust that made it.
    pub at: &'static Location<'static>,
}

/// Direction of a port, seen from inside the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Driven from outside.
    Input,
    /// Driven by the module.
    Output,
}

/// To which clock a port or signal belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    /// Changes with the clock of that domain.
    Domain(DomainId),
    /// Changes at any time; may only be read by a synchroniser.
    Async,
    /// Does not change.
    Static,
}

/// A port of a module.
#[derive(Clone, Debug)]
pub struct Port {
    /// Name in the Verilog text.
    pub name: String,
    /// Direction.
    pub direction: Direction,
    /// Type.
    pub ty: Type,
    /// For outputs, the node that drives it.
    pub source: Option<NodeId>,
    /// Clock domain: declared for inputs, derived for outputs.
    pub timing: Timing,
    /// The module may leave this input unread.
    pub may_be_unused: bool,
    /// One line for the port table; may be empty.
    pub doc: String,
    /// The line of Rust that made it.
    pub at: &'static Location<'static>,
}

/// A clock with its reset. Ports are made when first used.
#[derive(Clone, Debug)]
pub struct DomainDef {
    /// Name of the clock port.
    pub clock: String,
    /// Name of the reset port (synchronous unless a register says otherwise, active high).
    pub reset: String,
    /// Index of the clock port in the port list, once something uses it.
    pub clock_port: Option<u32>,
    /// Index of the reset port in the port list, once something uses it.
    pub reset_port: Option<u32>,
}

/// How a register is reset.
#[derive(Clone, PartialEq, Debug)]
pub enum ResetKind {
    /// Keeps its (undefined) start value.
    None,
    /// Loads the value at a clock edge with reset high.
    Sync(Value),
    /// Loads the value as soon as reset is high.
    Async(Value),
}

/// A register.
#[derive(Clone, Debug)]
pub struct RegDef {
    /// Its output node (named).
    pub q: NodeId,
    /// Clock domain.
    pub domain: DomainId,
    /// Next value; `None` is an error found by the checks.
    pub next: Option<NodeId>,
    /// Loads only when this bit is 1.
    pub enable: Option<NodeId>,
    /// Reset behaviour.
    pub reset: ResetKind,
    /// Value before the first clock edge, for FPGA bitstreams and simulation.
    pub init: Option<Value>,
    /// First flip-flop of a synchroniser: its input may come from another domain.
    pub synchronizer: bool,
}

/// A write port of a memory.
#[derive(Clone, Debug)]
pub struct WritePort {
    /// Clock domain.
    pub domain: DomainId,
    /// Address, `UInt(log2(depth))`.
    pub addr: NodeId,
    /// Data, `Bits(width)`.
    pub data: NodeId,
    /// Write enable.
    pub enable: NodeId,
    /// One bit per lane, when the memory has lanes.
    pub lanes: Option<NodeId>,
}

/// A read port of a memory.
#[derive(Clone, Debug)]
pub struct ReadPort {
    /// Clock domain (of the output register for synchronous reads).
    pub domain: DomainId,
    /// Address, `UInt(log2(depth))`.
    pub addr: NodeId,
    /// Read enable of a synchronous port; the output holds while it is 0. `None`: asynchronous read.
    pub enable: Option<NodeId>,
    /// The data node (named).
    pub data: NodeId,
}

/// A memory.
#[derive(Clone, Debug)]
pub struct MemDef {
    /// Name in the Verilog text.
    pub name: String,
    /// Depth, width, style, collision policy.
    pub spec: MemSpec,
    /// Write ports, in order; the later one wins on the same address (register style only).
    pub writes: Vec<WritePort>,
    /// Read ports.
    pub reads: Vec<ReadPort>,
    /// The line of Rust that made it.
    pub at: &'static Location<'static>,
}

/// What an instance is an instance of.
#[derive(Clone, Debug)]
pub enum Target {
    /// The module of that index in [`crate::Design::modules`].
    Module(usize),
    /// A module whose Verilog comes from elsewhere.
    BlackBox(Rc<BlackBox>),
}

/// An instance of a module or black box.
#[derive(Clone, Debug)]
pub struct InstDef {
    /// Name in the Verilog text.
    pub name: String,
    /// Of what.
    pub target: Target,
    /// Verilog name of the target.
    pub module: String,
    /// The target's ports, in its order.
    pub ports: Vec<Port>,
    /// Per port: the node connected to an input, or the `InstOut` node of a used output.
    pub connections: Vec<Option<NodeId>>,
    /// Per domain of the target: the domain of this module that drives it.
    pub domains: Vec<DomainId>,
    /// The line of Rust that made it.
    pub at: &'static Location<'static>,
}

/// Whether an assertion must always hold or is wished to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AssertKind {
    /// Must hold at every clock edge outside reset.
    Assert,
    /// Should be seen at least once.
    Cover,
    /// May be taken for granted by formal tools; asserted in simulation.
    Assume,
}

/// An assertion or cover point.
#[derive(Clone, Debug)]
pub struct AssertDef {
    /// Which kind.
    pub kind: AssertKind,
    /// One bit.
    pub condition: NodeId,
    /// Clock domain.
    pub domain: DomainId,
    /// Label, unique in the module; also the text of the message.
    pub label: String,
}

/// One module: the unit of Verilog files.
#[derive(Clone, Debug, Default)]
pub struct ModuleDef {
    /// Verilog name.
    pub name: String,
    /// First lines of the file's comment.
    pub doc: String,
    /// Ports in order of declaration, clocks and resets first.
    pub ports: Vec<Port>,
    /// Clock domains; index 0 is the default one.
    pub domains: Vec<DomainDef>,
    /// Nodes; operands may come later in the list only through `Wire`, `RegQ`, `MemRead` and `InstOut`.
    pub nodes: Vec<Node>,
    /// Registers.
    pub regs: Vec<RegDef>,
    /// Memories.
    pub mems: Vec<MemDef>,
    /// Instances.
    pub insts: Vec<InstDef>,
    /// Assertions.
    pub asserts: Vec<AssertDef>,
    /// Nodes that matter, operands before users (found by the checks).
    pub order: Vec<NodeId>,
    /// Bodies of the same function in cells of a technology: its name and Verilog text.
    pub native: Vec<(String, String)>,
    /// Per port (index in `ports`): for outputs, the input ports it depends on without a register between.
    pub comb_inputs: Vec<Vec<u32>>,
}

impl ModuleDef {
    /// The node of that index.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Nodes whose value `id` follows within the cycle. `modules` is the design's list.
    pub fn comb_operands(&self, id: NodeId, modules: &[ModuleDef]) -> Vec<NodeId> {
        let node = self.node(id);
        match node.op {
            Op::RegQ(_) => vec![],
            Op::MemRead(mem, port) => {
                let port = &self.mems[mem as usize].reads[port as usize];
                if port.enable.is_some() { vec![] } else { vec![port.addr] }
            }
            Op::InstOut(inst, port) => {
                let inst = &self.insts[inst as usize];
                match &inst.target {
                    Target::Module(m) => modules[*m].comb_inputs[port as usize]
                        .iter()
                        .filter_map(|&i| inst.connections[i as usize])
                        .collect(),
                    Target::BlackBox(b) if b.registered_outputs => vec![],
                    Target::BlackBox(_) => (inst.ports.iter().zip(&inst.connections))
                        .filter(|(p, _)| p.direction == Direction::Input)
                        .filter_map(|(_, c)| *c)
                        .collect(),
                }
            }
            _ => node.args.clone(),
        }
    }

    /// Nodes that something outside the graph reads: outputs, state, instances, assertions.
    pub fn roots(&self) -> Vec<NodeId> {
        let mut roots: Vec<NodeId> = self.ports.iter().filter_map(|p| p.source).collect();
        for reg in &self.regs {
            roots.push(reg.q);
            roots.extend(reg.next.iter().chain(&reg.enable));
        }
        for mem in &self.mems {
            for w in &mem.writes {
                roots.extend([w.addr, w.data, w.enable].iter().chain(&w.lanes));
            }
            for r in &mem.reads {
                roots.extend([r.data, r.addr].iter().chain(&r.enable));
            }
        }
        for inst in &self.insts {
            roots.extend(inst.connections.iter().flatten());
        }
        roots.extend(self.asserts.iter().map(|a| a.condition));
        roots
    }

    /// Index of a port by name.
    pub fn port_index(&self, name: &str) -> Option<usize> {
        self.ports.iter().position(|p| p.name == name)
    }
}
