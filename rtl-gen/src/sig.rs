//! Signals and the operators on them.

use crate::builder::Builder;
use crate::error::ErrorKind;
use crate::ir::{NodeId, Op};
use crate::{Type, Value, bit, bits};
use std::ops::{Add, BitAnd, BitOr, BitXor, Mul, Neg, Not, Sub};
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

    // ---- parts and widths ----

    /// Bits `hi..=lo` as `bits`.
    #[track_caller]
    pub fn slice(self, hi: u32, lo: u32) -> Sig<'m> {
        if hi < lo || hi >= self.width() {
            return self.range("slice", format!("bits {hi}..={lo} are not inside it")).as_bits();
        }
        if lo == 0 && hi + 1 == self.width() {
            return self.as_bits();
        }
        if let Some(v) = self.m.constant_of(self.id) {
            return self.m.constant(v.slice(hi, lo), bits(hi - lo + 1));
        }
        self.node(Op::Slice(hi, lo), &[self], bits(hi - lo + 1))
    }

    /// Bit `i`.
    #[track_caller]
    pub fn bit(self, i: u32) -> Sig<'m> {
        self.slice(i, i)
    }

    /// Lane `i` of lanes `width` bits wide, as `bits(width)`; lane 0 is least significant.
    #[track_caller]
    pub fn lane(self, i: u32, width: u32) -> Sig<'m> {
        self.slice((i + 1) * width - 1, i * width)
    }

    /// All lanes of `width` bits, least significant first.
    #[track_caller]
    pub fn lanes(self, width: u32) -> Vec<Sig<'m>> {
        if width == 0 || !self.width().is_multiple_of(width) {
            self.range("lanes", format!("is not a whole number of lanes of {width} bits"));
            return vec![];
        }
        (0..self.width() / width).map(|i| self.lane(i, width)).collect()
    }

    /// Lane `index` (a signal) of lanes `width` bits wide; zero past the last lane.
    #[track_caller]
    pub fn dyn_lane(self, index: Sig<'m>, width: u32) -> Sig<'m> {
        index.index("dyn_lane");
        if width == 0 || !self.width().is_multiple_of(width) {
            return self
                .range("dyn_lane", format!("is not a whole number of lanes of {width} bits"));
        }
        self.node(Op::DynSlice, &[self.as_bits(), index], bits(width))
    }

    /// The sign bit.
    #[track_caller]
    pub fn msb(self) -> Sig<'m> {
        self.bit(self.width() - 1)
    }

    /// Zero extension to `width`.
    #[track_caller]
    pub fn zext(self, width: u32) -> Sig<'m> {
        self.extend("zext", Op::Zext, width)
    }

    /// Sign extension to `width`.
    #[track_caller]
    pub fn sext(self, width: u32) -> Sig<'m> {
        self.extend("sext", Op::Sext, width)
    }

    #[track_caller]
    fn extend(self, name: &'static str, op: Op, width: u32) -> Sig<'m> {
        match self.width().cmp(&width) {
            std::cmp::Ordering::Equal => self,
            std::cmp::Ordering::Less => self.node(op, &[self], self.ty().with_width(width)),
            std::cmp::Ordering::Greater => {
                self.range(name, format!("{width} is narrower; use trunc"))
            }
        }
    }

    /// The low `width` bits, same kind of type.
    #[track_caller]
    pub fn trunc(self, width: u32) -> Sig<'m> {
        if width == self.width() {
            return self;
        }
        if width == 0 || width > self.width() {
            return self.range("trunc", format!("{width} is not narrower"));
        }
        self.node(Op::Trunc, &[self], self.ty().with_width(width))
    }

    /// `width` bits: truncated, or extended by the type's sign.
    #[track_caller]
    pub fn resize(self, width: u32) -> Sig<'m> {
        if width <= self.width() {
            self.trunc(width)
        } else if self.ty().is_signed() {
            self.sext(width)
        } else {
            self.zext(width)
        }
    }

    #[track_caller]
    fn cast(self, ty: Type) -> Sig<'m> {
        if self.ty() == ty {
            return self;
        }
        if let Some(v) = self.m.constant_of(self.id) {
            return self.m.constant(v, ty);
        }
        self.node(Op::Cast, &[self], ty)
    }

    /// The same bits as an unsigned number.
    #[track_caller]
    pub fn as_u(self) -> Sig<'m> {
        self.cast(Type::UInt(self.width()))
    }

    /// The same bits as a two's-complement number.
    #[track_caller]
    pub fn as_s(self) -> Sig<'m> {
        self.cast(Type::SInt(self.width()))
    }

    /// The same bits as plain bits.
    #[track_caller]
    pub fn as_bits(self) -> Sig<'m> {
        self.cast(Type::Bits(self.width()))
    }

    /// The same bits as another type of the same width.
    #[track_caller]
    pub fn as_type(self, ty: Type) -> Sig<'m> {
        if ty.width() != self.width() {
            return self.range("as_type", format!("has not the width of {ty}"));
        }
        self.cast(ty)
    }

    /// Repeats the bits `n` times.
    #[track_caller]
    pub fn rep(self, n: u32) -> Sig<'m> {
        if n == 0 {
            return self.range("rep", "0 copies have no width".into());
        }
        self.node(Op::Rep(n), &[self.as_bits()], bits(self.width() * n))
    }

    // ---- shifts ----

    /// `x << k`, `k` bits wider.
    #[track_caller]
    pub fn shl_k(self, k: u32) -> Sig<'m> {
        if k == 0 {
            self
        } else {
            self.node(Op::ShlK(k), &[self], self.ty().with_width(self.width() + k))
        }
    }

    /// `x >> k`, `k` bits narrower, sign kept.
    #[track_caller]
    pub fn shr_k(self, k: u32) -> Sig<'m> {
        if k >= self.width() {
            return self.range("shr_k", format!("a shift by {k} leaves nothing"));
        }
        if k == 0 {
            self
        } else {
            self.node(Op::ShrK(k), &[self], self.ty().with_width(self.width() - k))
        }
    }

    /// `x << n` in the same width.
    #[track_caller]
    pub fn shl(self, n: Sig<'m>) -> Sig<'m> {
        let n = self.amount("shl", n);
        self.node(Op::Shl, &[self, n], self.ty())
    }

    /// `x >> n`, zeros shifted in.
    #[track_caller]
    pub fn shr(self, n: Sig<'m>) -> Sig<'m> {
        let n = self.amount("shr", n);
        self.node(Op::Shr, &[self, n], self.ty())
    }

    /// `x >> n`, the sign shifted in; signed operands only.
    #[track_caller]
    pub fn sra(self, n: Sig<'m>) -> Sig<'m> {
        let n = self.amount("sra", n);
        if !self.ty().is_signed() {
            self.operand("sra", "a signed number");
        }
        self.node(Op::Sra, &[self, n], self.ty())
    }

    /// A shift amount. Verilator 5.006 ignores the upper words of amounts above 64 bits, so long ones are cut:
    /// past the width all amounts are alike.
    #[track_caller]
    fn amount(self, op: &'static str, n: Sig<'m>) -> Sig<'m> {
        n.index(op);
        let k = crate::index_width(self.width() + 1);
        if n.width() <= 32 || n.width() <= k {
            return n;
        }
        let most = self.m.constant(Value::from_i128(k, -1), Type::UInt(k));
        n.slice(n.width() - 1, k).red_or().mux(most, n.trunc(k))
    }

    // ---- selection ----

    /// `then` where this bit is 1, else `other`.
    #[track_caller]
    pub fn mux(self, then: Sig<'m>, other: Sig<'m>) -> Sig<'m> {
        self.flag("mux select");
        then.same("mux", other);
        self.node(Op::Mux, &[self, then, other], then.ty())
    }

    /// `value` where this bit is 1, else zeros (an AND with the bit repeated).
    #[track_caller]
    pub fn gate(self, value: Sig<'m>) -> Sig<'m> {
        self.mux(value, value.lit(0))
    }
}

/// `then` where `select` is 1, else `other`.
#[track_caller]
pub fn mux<'m>(select: Sig<'m>, then: Sig<'m>, other: Sig<'m>) -> Sig<'m> {
    select.mux(then, other)
}

/// The arm whose key equals `select`, else `default`.
#[track_caller]
pub fn case<'m>(select: Sig<'m>, arms: &[(i128, Sig<'m>)], default: Sig<'m>) -> Sig<'m> {
    let mut args = vec![select, default];
    let mut keys = Vec::with_capacity(arms.len());
    for &(key, arm) in arms {
        default.same("case", arm);
        // `lit` checks that the key fits the selector.
        let key = select.lit(key);
        keys.extend(select.m.constant_of(key.id));
        args.push(arm);
    }
    select.node(Op::CaseMux(keys), &args, default.ty())
}

/// The OR of all values gated by their select bits: a multiplexer when at most one select is 1.
/// Zero when none is. Panics on an empty list.
#[track_caller]
pub fn one_hot_mux<'m>(arms: &[(Sig<'m>, Sig<'m>)]) -> Sig<'m> {
    let gated: Vec<_> = arms.iter().map(|&(select, value)| select.gate(value)).collect();
    tree(&gated, |a, b| a | b)
}

/// Operands side by side, the first one most significant. Panics on an empty list.
#[track_caller]
pub fn cat<'m>(parts: &[Sig<'m>]) -> Sig<'m> {
    let (first, width) = (parts[0], parts.iter().map(|p| p.width()).sum());
    if parts.len() == 1 { first.as_bits() } else { first.node(Op::Cat, parts, bits(width)) }
}

/// One bit: any of the bits. Panics on an empty list.
#[track_caller]
pub fn any<'m>(flags: &[Sig<'m>]) -> Sig<'m> {
    tree(flags, |a, b| a | b)
}

/// One bit: all of the bits. Panics on an empty list.
#[track_caller]
pub fn all<'m>(flags: &[Sig<'m>]) -> Sig<'m> {
    tree(flags, |a, b| a & b)
}

#[track_caller]
fn tree<'m>(items: &[Sig<'m>], op: fn(Sig<'m>, Sig<'m>) -> Sig<'m>) -> Sig<'m> {
    match items {
        [] => panic!("a reduction needs at least one signal"),
        [one] => *one,
        _ => {
            let (a, b) = items.split_at(items.len() / 2);
            op(tree(a, op), tree(b, op))
        }
    }
}

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

impl std::fmt::Debug for Sig<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.m.label(self.id), self.ty())
    }
}

impl<'m> Sig<'m> {
    /// The value, when the signal is a constant.
    pub fn as_constant(self) -> Option<Value> {
        self.m.constant_of(self.id)
    }
}
