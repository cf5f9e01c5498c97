//! Names for messages.

use crate::ir::{ModuleDef, NodeId, Op};

/// A name for messages: the given one, the port's, or the operation with its index.
pub(crate) fn label(def: &ModuleDef, id: NodeId) -> String {
    let node = def.node(id);
    match (&node.name, &node.op) {
        (Some(name), _) => name.clone(),
        (None, Op::Input(port)) => def.ports[*port as usize].name.clone(),
        (None, Op::Const(v)) => format!("{v:?}"),
        (None, Op::InstOut(inst, port)) => {
            let inst = &def.insts[*inst as usize];
            format!("{}.{}", inst.name, inst.ports[*port as usize].name)
        }
        (None, Op::Wire) if def.ports.iter().any(|p| p.source == Some(id)) => {
            let port = def.ports.iter().find(|p| p.source == Some(id));
            port.map_or(String::new(), |p| p.name.clone())
        }
        (None, op) => {
            let args: Vec<String> = node.args.iter().take(3).map(|a| short(def, *a)).collect();
            format!("{}({})", op_name(op), args.join(", "))
        }
    }
}

fn short(def: &ModuleDef, id: NodeId) -> String {
    match &def.node(id).op {
        Op::Input(_) | Op::Const(_) | Op::InstOut(..) => label(def, id),
        op => def.node(id).name.clone().unwrap_or_else(|| format!("{}(..)", op_name(op))),
    }
}

pub(crate) fn op_name(op: &Op) -> &'static str {
    match op {
        Op::Const(_) => "constant",
        Op::Input(_) => "input",
        Op::Wire => "wire",
        Op::Not => "not",
        Op::And => "and",
        Op::Or => "or",
        Op::Xor => "xor",
        Op::RedAnd => "red_and",
        Op::RedOr => "red_or",
        Op::RedXor => "red_xor",
        Op::Add => "add",
        Op::Sub => "sub",
        Op::Mul => "mul",
        Op::Neg => "neg",
        Op::Eq => "eq",
        Op::Lt => "lt",
        Op::ShlK(_) => "shl_k",
        Op::ShrK(_) => "shr_k",
        Op::Shl => "shl",
        Op::Shr => "shr",
        Op::Sra => "sra",
        Op::Mux => "mux",
        Op::CaseMux(_) => "case",
        Op::Slice(..) => "slice",
        Op::Cat => "cat",
        Op::Rep(_) => "rep",
        Op::Zext => "zext",
        Op::Sext => "sext",
        Op::Trunc => "trunc",
        Op::Cast => "cast",
        Op::DynSlice => "dyn_lane",
        Op::RegQ(_) => "register",
        Op::MemRead(..) => "memory read",
        Op::InstOut(..) => "instance output",
    }
}
