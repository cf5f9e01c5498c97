//! The builder: where the inside of one module is drawn.

use crate::error::{BuildError, ErrorKind};
use crate::ir::{
    AssertDef, AssertKind, Direction, DomainDef, DomainId, ModuleDef, Node, NodeId, Op, Port,
    RegDef, ResetKind, Timing,
};
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

/// A register whose next value is given after its output has been used.
#[derive(Clone, Copy)]
pub struct Reg<'m> {
    m: &'m Builder,
    index: usize,
    q: Sig<'m>,
}

/// A wire whose source is given after it has been used.
#[derive(Clone, Copy)]
pub struct Forward<'m> {
    sig: Sig<'m>,
}

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

    /// Prefixes every name made while `body` runs, for cells drawn several times in one module.
    pub fn scope<R>(&self, prefix: &str, body: impl FnOnce() -> R) -> R {
        self.with(|b| b.scope.push(format!("{prefix}_")));
        let result = body();
        self.with(|b| b.scope.pop());
        result
    }

    // ---- clocks ----

    /// The default domain: ports `clk` and `rst`.
    pub fn default_domain(&self) -> Domain {
        Domain(0)
    }

    /// Another clock domain with ports `<name>_clk` and `<name>_rst`.
    #[track_caller]
    pub fn domain(&self, name: &str) -> Domain {
        let at = Location::caller();
        let clock = self.claim_name(&format!("{name}_clk"), at);
        let reset = self.claim_name(&format!("{name}_rst"), at);
        self.with(|b| {
            b.def.domains.push(DomainDef { clock, reset, clock_port: None, reset_port: None });
            Domain(b.def.domains.len() as DomainId - 1)
        })
    }

    /// Registers, memories, ports and assertions made while `body` runs belong to `domain`.
    pub fn in_domain<R>(&self, domain: Domain, body: impl FnOnce() -> R) -> R {
        let before = self.with(|b| std::mem::replace(&mut b.domain, domain.0));
        let result = body();
        self.with(|b| b.domain = before);
        result
    }

    pub(crate) fn current_domain(&self) -> DomainId {
        self.with(|b| b.domain)
    }

    /// The current domain, its clock port made.
    #[track_caller]
    pub(crate) fn use_clock(&self) -> DomainId {
        let domain = self.current_domain();
        self.clock_port(domain);
        domain
    }

    #[track_caller]
    pub(crate) fn clock_port(&self, domain: DomainId) {
        let at = Location::caller();
        self.with(|b| {
            if b.def.domains[domain as usize].clock_port.is_none() {
                let name = b.def.domains[domain as usize].clock.clone();
                let port = push_port(
                    &mut b.def,
                    name,
                    Direction::Input,
                    Type::Clock,
                    Timing::Domain(domain),
                    at,
                );
                b.def.domains[domain as usize].clock_port = Some(port);
            }
        });
    }

    #[track_caller]
    pub(crate) fn reset_port(&self, domain: DomainId) {
        let at = Location::caller();
        self.with(|b| {
            if b.def.domains[domain as usize].reset_port.is_none() {
                let name = b.def.domains[domain as usize].reset.clone();
                let port = push_port(
                    &mut b.def,
                    name,
                    Direction::Input,
                    Type::Reset,
                    Timing::Domain(domain),
                    at,
                );
                b.def.domains[domain as usize].reset_port = Some(port);
            }
        });
    }

    /// The reset of the current domain as a bit.
    #[track_caller]
    pub fn reset_signal(&self) -> Sig<'_> {
        let domain = self.use_clock();
        self.reset_port(domain);
        let port = self.with(|b| b.def.domains[domain as usize].reset_port.unwrap_or(0));
        self.add_node(Op::Input(port), &[], bit(), Location::caller())
    }

    // ---- ports ----

    /// An input port of the current clock domain.
    #[track_caller]
    pub fn input(&self, name: &str, ty: Type) -> Sig<'_> {
        let domain = self.current_domain();
        self.input_port(name, ty, Timing::Domain(domain), Location::caller())
    }

    /// An input that belongs to no clock; only a [`Builder::synchronizer`] may read it.
    #[track_caller]
    pub fn input_async(&self, name: &str, ty: Type) -> Sig<'_> {
        self.input_port(name, ty, Timing::Async, Location::caller())
    }

    fn input_port(
        &self,
        name: &str,
        ty: Type,
        timing: Timing,
        at: &'static Location<'static>,
    ) -> Sig<'_> {
        let name = self.claim_name(name, at);
        let port = self.with(|b| push_port(&mut b.def, name, Direction::Input, ty, timing, at));
        self.add_node(Op::Input(port), &[], ty, at)
    }

    /// An output port.
    #[track_caller]
    pub fn output(&self, name: &str, value: Sig<'_>) {
        let at = Location::caller();
        let name = self.claim_name(name, at);
        let timing = Timing::Domain(self.current_domain());
        // Route through `add_node` so that a foreign signal is reported.
        let value = if std::ptr::eq(value.m, self) {
            value.id
        } else {
            let theirs = value.m.label(value.id);
            self.error(ErrorKind::Foreign { op: "output", name: theirs }, at);
            self.constant(Value::zero(value.width()), value.ty()).id
        };
        self.with(|b| {
            let ty = b.def.node(value).ty;
            let port = push_port(&mut b.def, name, Direction::Output, ty, timing, at);
            b.def.ports[port as usize].source = Some(value);
        });
    }

    /// An output port whose source is given later, by [`Forward::assign`]; exactly once.
    #[track_caller]
    pub fn output_decl(&self, name: &str, ty: Type) -> Forward<'_> {
        // No name of its own: the port's is the one in the text and in messages.
        let sig = self.add_node(Op::Wire, &[], ty, Location::caller());
        self.output(name, sig);
        Forward { sig }
    }

    /// Allows the input port `name` to stay unread.
    pub fn unused(&self, name: &str) {
        self.with(|b| {
            for port in b.def.ports.iter_mut().filter(|p| p.name == name) {
                port.may_be_unused = true;
            }
        });
    }

    /// One line about a port for the table in the file's head.
    pub fn port_doc(&self, name: &str, doc: &str) {
        self.with(|b| {
            for port in b.def.ports.iter_mut().filter(|p| p.name == name) {
                port.doc = doc.into();
            }
        });
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

    // ---- wires ----

    /// A wire that is read before its source exists.
    #[track_caller]
    pub fn forward(&self, name: &str, ty: Type) -> Forward<'_> {
        let sig = self.add_node(Op::Wire, &[], ty, Location::caller());
        Forward { sig: self.name_node(sig, name) }
    }

    // ---- registers ----

    /// A register without reset: yesterday's `next`.
    #[track_caller]
    pub fn reg<'m>(&'m self, name: &str, next: Sig<'m>) -> Sig<'m> {
        let reg = self.reg_decl(name, next.ty());
        reg.drive(next);
        reg.q
    }

    /// A register without reset that loads when `enable` is 1.
    #[track_caller]
    pub fn reg_when<'m>(&'m self, name: &str, enable: Sig<'m>, next: Sig<'m>) -> Sig<'m> {
        let reg = self.reg_decl(name, next.ty());
        reg.drive_when(enable, next);
        reg.q
    }

    /// A register that is `value` after reset.
    #[track_caller]
    pub fn reg_reset<'m>(&'m self, name: &str, next: Sig<'m>, value: i128) -> Sig<'m> {
        let reg = self.state(name, next.ty(), value);
        reg.drive(next);
        reg.q
    }

    /// A chain of `n` registers without reset, named `<name>_1` to `<name>_<n>`.
    #[track_caller]
    pub fn delay<'m>(&'m self, name: &str, value: Sig<'m>, n: u32) -> Sig<'m> {
        (1..=n).fold(value, |v, i| self.reg(&format!("{name}_{i}"), v))
    }

    /// Declares a register without reset; drive it exactly once.
    #[track_caller]
    pub fn reg_decl(&self, name: &str, ty: Type) -> Reg<'_> {
        self.declare(name, ty, ResetKind::None)
    }

    /// Declares a register that is `value` after (synchronous) reset; drive it exactly once.
    #[track_caller]
    pub fn state(&self, name: &str, ty: Type, value: i128) -> Reg<'_> {
        self.lit(ty, value); // checks that it fits
        self.declare(name, ty, ResetKind::Sync(Value::from_i128(ty.width(), value)))
    }

    /// As [`Builder::state`], but reset acts at once, without a clock edge.
    #[track_caller]
    pub fn state_async(&self, name: &str, ty: Type, value: i128) -> Reg<'_> {
        self.lit(ty, value);
        self.declare(name, ty, ResetKind::Async(Value::from_i128(ty.width(), value)))
    }

    #[track_caller]
    fn declare(&self, name: &str, ty: Type, reset: ResetKind) -> Reg<'_> {
        let at = Location::caller();
        let domain = self.use_clock();
        if reset != ResetKind::None {
            self.reset_port(domain);
        }
        let index = self.with(|b| b.def.regs.len());
        let q = self.add_node(Op::RegQ(index as u32), &[], ty, at);
        let q = self.name_node(q, name);
        self.with(|b| {
            b.def.regs.push(RegDef {
                q: q.id,
                domain,
                next: None,
                enable: None,
                reset,
                init: None,
                synchronizer: false,
            });
        });
        Reg { m: self, index, q }
    }

    /// `stages` flip-flops in the current domain that may read a signal of another domain or an
    /// asynchronous input. The bits are sampled independently: pass one bit or a Gray code.
    #[track_caller]
    pub fn synchronizer<'m>(&'m self, name: &str, value: Sig<'m>, stages: u32) -> Sig<'m> {
        (1..=stages.max(2)).fold(value, |v, i| {
            let reg = self.reg_decl(&format!("{name}_{i}"), v.ty());
            self.with(|b| b.def.regs[reg.index].synchronizer = i == 1);
            reg.drive(v);
            reg.q
        })
    }

    // ---- assertions ----

    /// `condition` must be 1 at every clock edge outside reset.
    #[track_caller]
    pub fn assert(&self, label: &str, condition: Sig<'_>) {
        self.claim(AssertKind::Assert, label, condition);
    }

    /// `condition` should be 1 at some clock edge.
    #[track_caller]
    pub fn cover(&self, label: &str, condition: Sig<'_>) {
        self.claim(AssertKind::Cover, label, condition);
    }

    /// The environment promises `condition`.
    #[track_caller]
    pub fn assume(&self, label: &str, condition: Sig<'_>) {
        self.claim(AssertKind::Assume, label, condition);
    }

    #[track_caller]
    fn claim(&self, kind: AssertKind, label: &str, condition: Sig<'_>) {
        let at = Location::caller();
        if condition.ty() != bit() {
            let (name, ty) = (self.label(condition.id), condition.ty());
            let wants = "one bit, bits(1)".into();
            self.error(ErrorKind::Operand { op: "assert", name, ty, wants }, at);
        }
        let domain = self.use_clock();
        self.reset_port(domain);
        let label = self.claim_name(label, at);
        let condition = condition.id;
        self.with(|b| b.def.asserts.push(AssertDef { kind, condition, domain, label }));
    }
}

impl<'m> Reg<'m> {
    /// The register's output.
    pub fn q(self) -> Sig<'m> {
        self.q
    }

    /// Loads `next` at every clock edge.
    #[track_caller]
    pub fn drive(self, next: Sig<'m>) {
        self.set(next, None);
    }

    /// Loads `next` where `enable` is 1, else holds.
    #[track_caller]
    pub fn drive_when(self, enable: Sig<'m>, next: Sig<'m>) {
        self.set(next, Some(enable));
    }

    /// Loads the value of the first condition that is 1, else holds. Panics on an empty list.
    #[track_caller]
    pub fn update(self, rules: &[(Sig<'m>, Sig<'m>)]) {
        let conditions: Vec<_> = rules.iter().map(|r| r.0).collect();
        let (last, others) = rules.split_last().expect("update needs at least one rule");
        let next = others.iter().rev().fold(last.1, |rest, &(c, v)| c.mux(v, rest));
        self.set(next, Some(crate::any(&conditions)));
    }

    /// Start value before the first clock edge (bitstream and simulation).
    pub fn init(self, value: i128) -> Self {
        let value = Value::from_i128(self.q.width(), value);
        self.m.with(|b| b.def.regs[self.index].init = Some(value));
        self
    }

    #[track_caller]
    fn set(self, next: Sig<'m>, enable: Option<Sig<'m>>) {
        let at = Location::caller();
        let name = self.m.label(self.q.id);
        if next.ty() != self.q.ty() {
            let (left_ty, right, right_ty) = (self.q.ty(), next.m.label(next.id), next.ty());
            let kind = ErrorKind::Mismatch {
                op: "register",
                left: name.clone(),
                left_ty,
                right,
                right_ty,
            };
            self.m.error(kind, at);
        }
        if let Some(e) = enable
            && e.ty() != bit()
        {
            let (n, ty) = (e.m.label(e.id), e.ty());
            let wants = "one bit, bits(1)".into();
            self.m.error(ErrorKind::Operand { op: "register enable", name: n, ty, wants }, at);
        }
        for s in [Some(next), enable].into_iter().flatten() {
            if !std::ptr::eq(s.m, self.m) {
                self.m.error(ErrorKind::Foreign { op: "register", name: s.m.label(s.id) }, at);
                return;
            }
        }
        let twice = self.m.with(|b| {
            let reg = &mut b.def.regs[self.index];
            let twice = reg.next.is_some();
            reg.next = Some(next.id);
            reg.enable = enable.map(|e| e.id);
            twice
        });
        if twice {
            self.m.error(ErrorKind::DoublyDriven { what: "register", name }, at);
        }
    }
}

impl<'m> Forward<'m> {
    /// The wire.
    pub fn sig(self) -> Sig<'m> {
        self.sig
    }

    /// Gives the wire its source; exactly once.
    #[track_caller]
    pub fn assign(self, source: Sig<'m>) {
        let at = Location::caller();
        let m = self.sig.m;
        let name = m.label(self.sig.id);
        if !std::ptr::eq(source.m, m) {
            m.error(ErrorKind::Foreign { op: "wire", name: source.m.label(source.id) }, at);
            return;
        }
        if source.ty() != self.sig.ty() {
            let (left_ty, right, right_ty) = (self.sig.ty(), m.label(source.id), source.ty());
            m.error(
                ErrorKind::Mismatch { op: "wire", left: name.clone(), left_ty, right, right_ty },
                at,
            );
        }
        let twice = m.with(|b| {
            let args = &mut b.def.nodes[self.sig.id.0 as usize].args;
            args.push(source.id);
            args.len() > 1
        });
        if twice {
            m.error(ErrorKind::DoublyDriven { what: "wire", name }, at);
        }
    }
}

fn push_port(
    def: &mut ModuleDef,
    name: String,
    direction: Direction,
    ty: Type,
    timing: Timing,
    at: &'static Location<'static>,
) -> u32 {
    let doc = match ty {
        Type::Clock => "clock, rising edge".into(),
        Type::Reset => "reset, active high".into(),
        _ => String::new(),
    };
    let may_be_unused = matches!(ty, Type::Clock | Type::Reset);
    def.ports.push(Port { name, direction, ty, source: None, timing, may_be_unused, doc, at });
    def.ports.len() as u32 - 1
}

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
