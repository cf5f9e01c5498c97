//! Clocks, resets and ports.

use super::{Builder, Domain};
use crate::error::ErrorKind;
use crate::ir::{Direction, DomainDef, DomainId, ModuleDef, Op, Port, Timing};
use crate::{Forward, Sig, Type, Value, bit};
use std::panic::Location;

impl Builder {
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

    /// An input that does not change while the design runs; every clock domain may read it.
    #[track_caller]
    pub fn input_static(&self, name: &str, ty: Type) -> Sig<'_> {
        self.input_port(name, ty, Timing::Static, Location::caller())
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
