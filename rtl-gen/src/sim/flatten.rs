//! The instance tree as one graph: every node of every instance gets a number, and nodes that only
//! hand a value on (wires, ports, casts that keep the bits) become aliases of where it comes from.

use crate::ir::{ModuleDef, Op, Target};
use crate::{BlackBox, Design, Type};
use std::rc::Rc;

/// Number of a value in the flattened design. The first ones are the top-level ports.
pub(super) type Id = u32;

/// One instance of a module.
pub(super) struct Scope {
    pub(super) name: String,
    pub(super) module: usize,
    /// The parent's scope and the index of the instance in it.
    pub(super) parent: Option<(u32, u32)>,
    /// Id of the module's node 0.
    pub(super) base: Id,
    /// Per instance of the module: its scope; `None` for black boxes.
    pub(super) children: Vec<Option<u32>>,
    /// Per clock domain of the module: the clock domain of the top.
    pub(super) domains: Vec<u32>,
}

/// One instance of a black box.
pub(super) struct FlatBox {
    pub(super) scope: u32,
    pub(super) inst: u32,
    pub(super) target: Rc<BlackBox>,
}

/// How a value is kept: canonical form is sign-extended to whole words when signed, zero-extended otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Shape {
    pub(super) width: u32,
    pub(super) signed: bool,
}

impl Shape {
    pub(super) fn words(self) -> u32 {
        self.width.div_ceil(64)
    }

    pub(super) fn narrow(self) -> bool {
        self.width <= 64
    }

    /// All ones in the low `width` bits of the top word.
    pub(super) fn mask(self) -> u64 {
        u64::MAX >> (self.words() * 64 - self.width)
    }

    /// The top bit, in the top word.
    pub(super) fn sign_bit(self) -> u64 {
        1 << ((self.width - 1) % 64)
    }

    /// Brings words into canonical form.
    pub(super) fn canon(self, words: &mut [u64]) {
        let (mask, sign) = (self.mask(), self.sign_bit());
        if let Some(top) = words.last_mut() {
            *top &= mask;
            if self.signed {
                *top = (*top ^ sign).wrapping_sub(sign);
            }
        }
    }
}

impl From<Type> for Shape {
    fn from(ty: Type) -> Self {
        Shape { width: ty.width(), signed: ty.is_signed() }
    }
}

/// The flattened design.
pub(super) struct Flat<'d> {
    pub(super) modules: &'d [ModuleDef],
    pub(super) scopes: Vec<Scope>,
    pub(super) boxes: Vec<FlatBox>,
    pub(super) shapes: Vec<Shape>,
    alias: Vec<Id>,
}

impl<'d> Flat<'d> {
    pub(super) fn new(design: &'d Design) -> Self {
        let top = design.top();
        let mut flat = Flat {
            modules: &design.modules,
            scopes: vec![],
            boxes: vec![],
            shapes: top.ports.iter().map(|p| p.ty.into()).collect(),
            alias: (0..top.ports.len() as Id).collect(),
        };
        let domains = (0..top.domains.len() as u32).collect();
        flat.visit(design.modules.len() - 1, top.name.clone(), None, domains);
        for scope in 0..flat.scopes.len() {
            flat.link(scope);
        }
        flat
    }

    fn visit(
        &mut self,
        module: usize,
        name: String,
        parent: Option<(u32, u32)>,
        domains: Vec<u32>,
    ) -> u32 {
        let def = &self.modules[module];
        let (index, base) = (self.scopes.len() as u32, self.shapes.len() as Id);
        self.scopes.push(Scope { name, module, parent, base, children: vec![], domains });
        for (i, node) in def.nodes.iter().enumerate() {
            self.alias.push(base + i as Id);
            self.shapes.push(node.ty.into());
        }
        for (i, inst) in def.insts.iter().enumerate() {
            let mine = &self.scopes[index as usize].domains;
            let domains = inst.domains.iter().map(|d| mine[*d as usize]).collect();
            let child = match &inst.target {
                Target::Module(m) => {
                    Some(self.visit(*m, inst.name.clone(), Some((index, i as u32)), domains))
                }
                Target::BlackBox(target) => {
                    let (scope, inst) = (index, i as u32);
                    self.boxes.push(FlatBox { scope, inst, target: target.clone() });
                    None
                }
            };
            self.scopes[index as usize].children.push(child);
        }
        index
    }

    /// Finds where the values come from that the nodes of a scope only hand on.
    fn link(&mut self, scope: usize) {
        let Scope { module, parent, base, .. } = self.scopes[scope];
        let def = &self.modules[module];
        let top_domains = &self.modules[self.modules.len() - 1].domains;
        for &id in &def.order {
            let node = def.node(id);
            let me = base + id.0;
            let source = match &node.op {
                Op::Wire => Some(base + node.args[0].0),
                Op::Cast | Op::Sext | Op::Zext => {
                    let from = self.shapes[(base + node.args[0].0) as usize];
                    let to = self.shapes[me as usize];
                    let same = match node.op {
                        Op::Cast => from == to,
                        Op::Sext => from.narrow() && to.narrow() && from.signed,
                        _ => from.narrow() && to.narrow() && !from.signed,
                    };
                    same.then_some(base + node.args[0].0)
                }
                Op::Input(port) => match parent {
                    None => Some(*port),
                    Some((parent, inst)) => {
                        let parent = &self.scopes[parent as usize];
                        let inst = &self.modules[parent.module].insts[inst as usize];
                        let connection = inst.connections[*port as usize];
                        connection.map(|c| parent.base + c.0).or_else(|| {
                            // Only resets are read without a connection: they follow the domain.
                            let domain =
                                def.domains.iter().position(|d| d.reset_port == Some(*port))?;
                            let top = self.scopes[scope].domains[domain];
                            top_domains[top as usize].reset_port
                        })
                    }
                },
                Op::InstOut(inst, port) => {
                    self.scopes[scope].children[*inst as usize].and_then(|child| {
                        let child = &self.scopes[child as usize];
                        let port = &self.modules[child.module].ports[*port as usize];
                        port.source.map(|s| child.base + s.0)
                    })
                }
                _ => None,
            };
            if let Some(source) = source {
                self.alias[me as usize] = source;
            }
        }
    }

    /// Where the value of `id` is made.
    pub(super) fn resolve(&mut self, mut id: Id) -> Id {
        while self.alias[id as usize] != id {
            let next = self.alias[id as usize];
            self.alias[id as usize] = self.alias[next as usize];
            id = next;
        }
        id
    }

    /// Makes `id` another name of `source`.
    pub(super) fn set_alias(&mut self, id: Id, source: Id) {
        self.alias[id as usize] = source;
    }

    /// A new value that no node of the design has.
    pub(super) fn fresh(&mut self, shape: Shape) -> Id {
        let id = self.shapes.len() as Id;
        self.alias.push(id);
        self.shapes.push(shape);
        id
    }

    pub(super) fn path(&self, scope: u32) -> String {
        let scope = &self.scopes[scope as usize];
        match scope.parent {
            None => scope.name.clone(),
            Some((parent, _)) => format!("{}/{}", self.path(parent), scope.name),
        }
    }
}
