//! Values inside the design, by hierarchical name.

use super::flatten::Shape;
use super::interpreter::Interpreter;
use super::lower::Program;
use super::schedule::Slots;
use crate::Value;
use crate::ir::Op;
use std::collections::BTreeMap;

/// A named value: a port, register or named wire.
pub(super) struct Probe {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) slot: u32,
}

/// The named values of one instance.
#[derive(Default)]
pub(super) struct ScopeProbes {
    pub(super) name: String,
    pub(super) parent: Option<u32>,
    pub(super) values: Vec<Probe>,
    children: BTreeMap<String, u32>,
    memories: BTreeMap<String, u32>,
}

/// All named values; scope 0 is the top.
pub(super) struct Probes {
    pub(super) scopes: Vec<ScopeProbes>,
}

impl Probes {
    pub(super) fn new(program: &mut Program, slots: &Slots) -> Self {
        let flat = &mut program.flat;
        let mut scopes: Vec<ScopeProbes> = vec![];
        for index in 0..flat.scopes.len() {
            let scope = &flat.scopes[index];
            let (base, parent, name) = (scope.base, scope.parent, scope.name.clone());
            let def = &flat.modules[scope.module];
            let mut probes =
                ScopeProbes { name, parent: parent.map(|p| p.0), ..Default::default() };
            let mut add = |name: &str, id: u32| {
                let resolved = flat.resolve(base + id);
                if let Some(slot) = slots.get(resolved) {
                    let shape = def.nodes[id as usize].ty.into();
                    probes.values.push(Probe { name: name.into(), shape, slot });
                }
            };
            for &id in &def.order {
                let node = def.node(id);
                match (&node.name, &node.op) {
                    (Some(name), _) => add(name, id.0),
                    (None, Op::Input(port)) => add(&def.ports[*port as usize].name, id.0),
                    _ => {}
                }
            }
            for port in &def.ports {
                if let Some(source) = port.source {
                    add(&port.name, source.0);
                }
            }
            if let Some((parent, _)) = parent {
                scopes[parent as usize].children.insert(probes.name.clone(), index as u32);
            }
            scopes.push(probes);
        }
        for (number, (scope, index)) in program.memories.iter().enumerate() {
            let module = program.flat.scopes[*scope as usize].module;
            let name = program.flat.modules[module].mems[*index as usize].name.clone();
            scopes[*scope as usize].memories.insert(name, number as u32);
        }
        Probes { scopes }
    }
}

impl Interpreter {
    /// A value inside the design: `"pe_0/acc"` for a register, named wire or port of instance `pe_0`,
    /// `"fifo/store[3]"` for a word of a memory. `None` when there is no such thing, or nothing reads it.
    pub fn peek(&mut self, path: &str) -> Option<Value> {
        self.eval();
        let mut scope = &self.probes.scopes[0];
        let (instances, name) = path.rsplit_once('/').map_or((None, path), |(i, n)| (Some(i), n));
        for instance in instances.into_iter().flat_map(|i| i.split('/')) {
            scope = &self.probes.scopes[*scope.children.get(instance)? as usize];
        }
        if let Some((memory, rest)) = name.split_once('[') {
            let addr: usize = rest.strip_suffix(']')?.parse().ok()?;
            let memory = &self.memories[*scope.memories.get(memory)? as usize];
            return Some(Value::from_words(memory.width(), memory.word(addr)?.to_vec()));
        }
        let probe = scope.values.iter().find(|p| p.name == name)?;
        Some(self.value(probe.slot, probe.shape))
    }

    pub(super) fn value(&self, slot: u32, shape: Shape) -> Value {
        let words = self.v[slot as usize..][..shape.words() as usize].to_vec();
        Value::from_words(shape.width, words)
    }
}
