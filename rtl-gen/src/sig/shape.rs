//! Parts, widths, types and shifts of a signal.

use super::Sig;
use crate::ir::Op;
use crate::{Type, Value, bits};

#[allow(clippy::should_implement_trait)] // `shl` and `shr` take a signal, and keep the width
impl<'m> Sig<'m> {
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
}
