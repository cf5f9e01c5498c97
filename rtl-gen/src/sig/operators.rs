//! The operators of Rust on signals.

use super::Sig;
use crate::Type;
use crate::ir::Op;
use std::ops::{Add, BitAnd, BitOr, BitXor, Mul, Neg, Not, Sub};

macro_rules! logic {
    ($trait:ident, $method:ident, $op:ident, $name:literal) => {
        impl<'m> $trait for Sig<'m> {
            type Output = Sig<'m>;
            #[track_caller]
            fn $method(self, other: Sig<'m>) -> Sig<'m> {
                self.same($name, other);
                self.node(Op::$op, &[self, other], self.ty())
            }
        }
    };
}
logic!(BitAnd, bitand, And, "and");
logic!(BitOr, bitor, Or, "or");
logic!(BitXor, bitxor, Xor, "xor");

impl<'m> Not for Sig<'m> {
    type Output = Sig<'m>;
    #[track_caller]
    fn not(self) -> Sig<'m> {
        self.node(Op::Not, &[self], self.ty())
    }
}

impl<'m> Add for Sig<'m> {
    type Output = Sig<'m>;
    #[track_caller]
    fn add(self, other: Sig<'m>) -> Sig<'m> {
        self.numbers("add", other);
        let width = self.width().max(other.width()) + 1;
        self.node(Op::Add, &[self, other], self.ty().with_width(width))
    }
}

#[allow(clippy::suspicious_arithmetic_impl)] // the widths add, not the values
impl<'m> Sub for Sig<'m> {
    type Output = Sig<'m>;
    #[track_caller]
    fn sub(self, other: Sig<'m>) -> Sig<'m> {
        self.numbers("sub", other);
        let width = self.width().max(other.width()) + 1;
        self.node(Op::Sub, &[self, other], Type::SInt(width))
    }
}

#[allow(clippy::suspicious_arithmetic_impl)] // the widths add, not the values
impl<'m> Mul for Sig<'m> {
    type Output = Sig<'m>;
    #[track_caller]
    fn mul(self, other: Sig<'m>) -> Sig<'m> {
        self.numbers("mul", other);
        self.node(Op::Mul, &[self, other], self.ty().with_width(self.width() + other.width()))
    }
}

impl<'m> Neg for Sig<'m> {
    type Output = Sig<'m>;
    #[track_caller]
    fn neg(self) -> Sig<'m> {
        self.number("neg");
        self.node(Op::Neg, &[self], Type::SInt(self.width() + 1))
    }
}
