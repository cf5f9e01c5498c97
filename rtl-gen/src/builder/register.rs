//! Registers and synchronisers.

use super::Builder;
use crate::error::ErrorKind;
use crate::ir::{Op, RegDef, ResetKind};
use crate::{Sig, Type, Value, bit};
use std::panic::Location;

/// A register whose next value is given after its output has been used.
#[derive(Clone, Copy)]
pub struct Reg<'m> {
    m: &'m Builder,
    index: usize,
    q: Sig<'m>,
}

impl Builder {
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
