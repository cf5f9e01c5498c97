//! The builder: where the inside of one module is drawn.
//!
//! Here are nodes, names and constants; each kind of thing that is drawn with them has a file of its own.

mod assert;
mod label;
mod port;
mod register;
mod wire;

pub(crate) use label::{label, op_name};
pub use register::Reg;
pub use wire::Forward;

use crate::error::{BuildError, ErrorKind};
use crate::ir::{DomainDef, DomainId, ModuleDef, Node, NodeId, Op};
use crate::library::Library;
use crate::{Sig, Type, Value, bit};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::panic::Location;
use std::rc::Rc;

/// The module under construction; handed to [`crate::Module::build`].
///
/// Ports `clk` and `rst` (synchronous, active high) appear by themselves when something uses them.
pub struct Builder {
    inner: RefCell<Inner>,
    pub(crate) library: Rc<RefCell<Library>>,
    pub(crate) path: String,
}

pub(crate) struct Inner {
    pub(crate) def: ModuleDef,
    pub(crate) errors: Vec<BuildError>,
    names: HashSet<String>,
    /// Pure nodes by what they compute: the same expression written twice is one node.
    known: HashMap<(Op, Vec<NodeId>, Type), NodeId>,
    scope: Vec<String>,
    domain: DomainId,
}

/// A clock with its reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Domain(pub(crate) DomainId);

impl Builder {
    pub(crate) fn new(name: String, path: String, library: Rc<RefCell<Library>>) -> Self {
        let clock = DomainDef {
            clock: "clk".into(),
            reset: "rst".into(),
            clock_port: None,
            reset_port: None,
        };
        let def = ModuleDef { name, domains: vec![clock], ..ModuleDef::default() };
        let names = HashSet::from(["clk".into(), "rst".into()]);
        let inner =
            Inner { def, errors: vec![], names, known: HashMap::new(), scope: vec![], domain: 0 };
        Builder { inner: RefCell::new(inner), library, path }
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.borrow_mut())
    }

    pub(crate) fn finish(self) -> (ModuleDef, Vec<BuildError>) {
        let inner = self.inner.into_inner();
        (inner.def, inner.errors)
    }

    pub(crate) fn error(&self, kind: ErrorKind, at: &'static Location<'static>) {
        let path = self.path.clone();
        self.with(|b| b.errors.push(BuildError { path, kind, at }));
    }

    pub(crate) fn type_of(&self, id: NodeId) -> Type {
        self.with(|b| b.def.node(id).ty)
    }

    pub(crate) fn label(&self, id: NodeId) -> String {
        self.with(|b| label(&b.def, id))
    }

    pub(crate) fn constant_of(&self, id: NodeId) -> Option<Value> {
        self.with(|b| match &b.def.node(id).op {
            Op::Const(v) => Some(v.clone()),
            _ => None,
        })
    }

    pub(crate) fn add_node<'m>(
        &'m self,
        op: Op,
        args: &[Sig<'m>],
        ty: Type,
        at: &'static Location<'static>,
    ) -> Sig<'m> {
        let mut ids = Vec::with_capacity(args.len());
        for arg in args {
            if std::ptr::eq(arg.m, self) {
                ids.push(arg.id);
            } else {
                let name = arg.m.label(arg.id);
                self.error(ErrorKind::Foreign { op: op_name(&op), name }, at);
                ids.push(self.constant(Value::zero(arg.width()), arg.ty()).id);
            }
        }
        let id = self.with(|b| {
            let constant = |id: &NodeId| match &b.def.node(*id).op {
                Op::Const(v) => Some((v.clone(), b.def.node(*id).ty)),
                _ => None,
            };
            let values: Option<Vec<_>> = ids.iter().map(constant).collect();
            // With mistakes on record the operands may not even fit the operation.
            let folded = match values {
                Some(values) if b.errors.is_empty() => crate::fold::constant(&op, &values, ty),
                _ => None,
            };
            let (op, ids) = folded.map_or((op, ids), |v| (Op::Const(v), vec![]));
            let next = NodeId(b.def.nodes.len() as u32);
            // Wires and state have an identity of their own.
            if !ids.is_empty() && op != Op::Wire || matches!(op, Op::Const(_)) {
                let known = b.known.entry((op.clone(), ids.clone(), ty)).or_insert(next);
                if *known != next {
                    return *known;
                }
            }
            b.def.nodes.push(Node { op, args: ids, ty, name: None, at });
            next
        });
        Sig { m: self, id }
    }

    /// Checks an identifier, prefixes the scope and makes it unique.
    pub(crate) fn claim_name(&self, name: &str, at: &'static Location<'static>) -> String {
        let full = self.with(|b| {
            let mut full = b.scope.concat();
            full.push_str(name);
            full
        });
        if let Some(why) = crate::check::identifier_problem(&full) {
            self.error(ErrorKind::Name { name: full.clone(), why }, at);
        }
        if !self.with(|b| b.names.insert(full.clone())) {
            let why = "is used twice in this module; use a scope or another name";
            self.error(ErrorKind::Name { name: full.clone(), why }, at);
        }
        full
    }

    #[track_caller]
    pub(crate) fn name_node<'m>(&'m self, sig: Sig<'m>, name: &str) -> Sig<'m> {
        let at = Location::caller();
        let name = self.claim_name(name, at);
        let fixed = self.with(|b| {
            let node = &mut b.def.nodes[sig.id.0 as usize];
            // A port keeps its name, a constant has none; a second name becomes a wire of its own.
            if node.name.is_none() && !matches!(node.op, Op::Input(_) | Op::Const(_)) {
                node.name = Some(name.clone());
                return true;
            }
            false
        });
        if fixed {
            return sig;
        }
        let alias = self.add_node(Op::Wire, &[sig], sig.ty(), at);
        self.with(|b| b.def.nodes[alias.id.0 as usize].name = Some(name));
        alias
    }

    // ---- text ----

    /// Sets the comment at the head of the Verilog file.
    pub fn doc(&self, text: &str) {
        self.with(|b| b.def.doc = text.into());
    }

    /// Verilog that does what this module does, in cells of `technology`: the lines between port list and
    /// `endmodule`, printed by [`crate::Design::verilog_for`] in place of what is drawn. For small leaves whose
    /// best mapping no tool infers; everything that simulates uses the drawn one, so prove the two equal.
    pub fn native(&self, technology: &str, body: String) {
        self.with(|b| b.def.native.push((technology.into(), body)));
    }

    /// Prefixes every name made while `body` runs, for cells drawn several times in one module.
    pub fn scope<R>(&self, prefix: &str, body: impl FnOnce() -> R) -> R {
        self.with(|b| b.scope.push(format!("{prefix}_")));
        let result = body();
        self.with(|b| b.scope.pop());
        result
    }

    // ---- constants ----

    /// A constant of any type.
    #[track_caller]
    pub fn constant(&self, value: Value, ty: Type) -> Sig<'_> {
        self.add_node(Op::Const(value), &[], ty, Location::caller())
    }

    /// A constant; it must fit the type (`bits` and `uint` also take the negative of the same width).
    #[track_caller]
    pub fn lit(&self, ty: Type, value: i128) -> Sig<'_> {
        let at = Location::caller();
        let w = ty.width();
        let fits = match ty {
            _ if w >= 128 => true,
            Type::SInt(_) => value >= -(1 << (w - 1)) && value < 1 << (w - 1),
            _ => value >= 0 && (w >= 127 || value < 1 << w),
        };
        if !fits {
            self.error(ErrorKind::Constant { value, ty }, at);
        }
        self.add_node(Op::Const(Value::from_i128(w, value)), &[], ty, at)
    }

    /// One bit, 1.
    #[track_caller]
    pub fn high(&self) -> Sig<'_> {
        self.lit(bit(), 1)
    }

    /// One bit, 0.
    #[track_caller]
    pub fn low(&self) -> Sig<'_> {
        self.lit(bit(), 0)
    }
}
