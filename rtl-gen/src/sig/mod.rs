//! Signals and what can be asked and made of them.

mod operators;
mod select;
mod shape;

pub use select::{all, any, case, cat, mux, one_hot_mux};

use crate::builder::Builder;
use crate::error::ErrorKind;
use crate::ir::{NodeId, Op};
use crate::{Type, Value, bit};
use std::panic::Location;

/// A signal of the module under construction: a cheap, copyable handle.
///
/// Arithmetic operators are exact (the result is wide enough); the `_wrap` forms keep the
/// operand's type. Logic operators, comparisons and multiplexers want operands of one type.
/// A mistake is recorded with this line of Rust and reported by [`crate::Design::elaborate`].
#[derive(Clone, Copy)]
pub struct Sig<'m> {
    pub(crate) m: &'m Builder,
    pub(crate) id: NodeId,
}

#[allow(clippy::should_implement_trait)] // `shl` and `shr` take a signal, and keep the width
impl<'m> Sig<'m> {
    /// Type of the signal.
    pub fn ty(self) -> Type {
        self.m.type_of(self.id)
    }

    /// Width in bits.
    pub fn width(self) -> u32 {
        self.ty().width()
    }

    /// Gives the signal a name of its own in the Verilog text.
    #[track_caller]
    pub fn named(self, name: &str) -> Sig<'m> {
        self.m.name_node(self, name)
    }

    /// A constant of this signal's type.
    #[track_caller]
    pub fn lit(self, value: i128) -> Sig<'m> {
        self.m.lit(self.ty(), value)
    }

    #[track_caller]
    fn node(self, op: Op, args: &[Sig<'m>], ty: Type) -> Sig<'m> {
        self.m.add_node(op, args, ty, Location::caller())
    }

    #[track_caller]
    fn fail(self, kind: ErrorKind) {
        self.m.error(kind, Location::caller());
    }

    #[track_caller]
    fn same(self, op: &'static str, other: Sig<'m>) {
        if self.ty() != other.ty() {
            self.fail(ErrorKind::Mismatch {
                op,
                left: self.m.label(self.id),
                left_ty: self.ty(),
                right: other.m.label(other.id),
                right_ty: other.ty(),
            });
        }
    }

    #[track_caller]
    fn numbers(self, op: &'static str, other: Sig<'m>) {
        for s in [self, other] {
            s.number(op);
        }
        if self.ty().is_signed() != other.ty().is_signed() {
            self.same(op, other);
        }
    }

    #[track_caller]
    fn number(self, op: &'static str) {
        if !self.ty().is_number() {
            self.operand(op, "a number; convert with as_u() or as_s()");
        }
    }

    #[track_caller]
    fn operand(self, op: &'static str, wants: &str) {
        let (name, ty) = (self.m.label(self.id), self.ty());
        self.fail(ErrorKind::Operand { op, name, ty, wants: wants.into() });
    }

    #[track_caller]
    fn range(self, op: &'static str, what: String) -> Sig<'m> {
        let (name, ty) = (self.m.label(self.id), self.ty());
        self.fail(ErrorKind::Range { op, name, ty, what });
        self
    }

    #[track_caller]
    fn flag(self, op: &'static str) {
        if self.ty() != bit() {
            self.operand(op, "one bit, bits(1)");
        }
    }

    #[track_caller]
    fn index(self, op: &'static str) {
        if !matches!(self.ty(), Type::UInt(_)) {
            self.operand(op, "an unsigned amount; convert with as_u()");
        }
    }

    // ---- comparison ----

    /// One bit: equal.
    #[track_caller]
    pub fn eq(self, other: Sig<'m>) -> Sig<'m> {
        self.same("eq", other);
        self.node(Op::Eq, &[self, other], bit())
    }

    /// One bit: different.
    #[track_caller]
    pub fn ne(self, other: Sig<'m>) -> Sig<'m> {
        !self.eq(other)
    }

    /// One bit: equal to a constant.
    #[track_caller]
    pub fn is(self, value: i128) -> Sig<'m> {
        self.eq(self.lit(value))
    }

    /// One bit: less, by the type's sign.
    #[track_caller]
    pub fn lt(self, other: Sig<'m>) -> Sig<'m> {
        self.same("lt", other);
        self.number("lt");
        let (a, b) = (self.as_constant(), other.as_constant());
        if crate::fold::never_less(a.as_ref(), b.as_ref(), self.ty()) {
            return self.m.low();
        }
        self.node(Op::Lt, &[self, other], bit())
    }

    /// One bit: greater.
    #[track_caller]
    pub fn gt(self, other: Sig<'m>) -> Sig<'m> {
        other.lt(self)
    }

    /// One bit: less or equal.
    #[track_caller]
    pub fn le(self, other: Sig<'m>) -> Sig<'m> {
        !other.lt(self)
    }

    /// One bit: greater or equal.
    #[track_caller]
    pub fn ge(self, other: Sig<'m>) -> Sig<'m> {
        !self.lt(other)
    }

    // ---- arithmetic that keeps the type ----

    /// Sum modulo 2^width; both operands of one type.
    #[track_caller]
    pub fn add_wrap(self, other: Sig<'m>) -> Sig<'m> {
        self.same("add_wrap", other);
        (self + other).trunc(self.width())
    }

    /// Difference modulo 2^width; both operands of one type.
    #[track_caller]
    pub fn sub_wrap(self, other: Sig<'m>) -> Sig<'m> {
        self.same("sub_wrap", other);
        let d = (self - other).trunc(self.width());
        if self.ty().is_signed() { d } else { d.as_u() }
    }

    /// One more, modulo 2^width.
    #[track_caller]
    pub fn inc(self) -> Sig<'m> {
        self.add_wrap(self.one())
    }

    /// One less, modulo 2^width.
    #[track_caller]
    pub fn dec(self) -> Sig<'m> {
        self.sub_wrap(self.one())
    }

    /// The pattern 0...01, which also `sint(1)` has (it reads as -1).
    #[track_caller]
    fn one(self) -> Sig<'m> {
        self.m.constant(Value::from_i128(self.width(), 1), self.ty())
    }

    // ---- reductions ----

    /// One bit: all bits are 1.
    #[track_caller]
    pub fn red_and(self) -> Sig<'m> {
        self.node(Op::RedAnd, &[self], bit())
    }

    /// One bit: any bit is 1.
    #[track_caller]
    pub fn red_or(self) -> Sig<'m> {
        self.node(Op::RedOr, &[self], bit())
    }

    /// One bit: parity.
    #[track_caller]
    pub fn red_xor(self) -> Sig<'m> {
        self.node(Op::RedXor, &[self], bit())
    }

    /// The value, when the signal is a constant.
    pub fn as_constant(self) -> Option<Value> {
        self.m.constant_of(self.id)
    }
}

impl std::fmt::Debug for Sig<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.m.label(self.id), self.ty())
    }
}
