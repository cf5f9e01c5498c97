//! The semirings a merge core is built with, and what its cells do for each.

use crate::spgemm::choice::chosen;
use mattock_spec::regs::ValueType;
use mattock_spec::semiring::{AddOp, MultiplyOp, SEMIRINGS, Semiring};
use rtl_gen::{Builder, Sig, bits};

/// A set of semirings, one of which a command chooses.
///
/// Least, greatest, "or" and "any" need one choice of the adders: "or" of 0 and 1, and "any" of equal values, are the greater
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algebra(u16);

impl Algebra {
    /// Products and sums, nothing to choose.
    pub const PLUS_TIMES: Algebra = Algebra(1 << Semiring::PlusTimes as u16);

    /// These semirings; one at least.
    pub fn of(semirings: &[Semiring]) -> Self {
        debug_assert!(!semirings.is_empty());
        Algebra(semirings.iter().fold(0, |set, s| set | 1 << *s as u16))
    }

    fn semirings(self) -> impl Iterator<Item = Semiring> {
        SEMIRINGS.iter().copied().filter(move |s| self.0 >> *s as u16 & 1 == 1)
    }

    /// Whether a command chooses.
    pub(super) fn chooses(self) -> bool {
        self.0.count_ones() > 1
    }

    /// Whether one of them makes its products with another operation than `op`.
    pub(super) fn multiplies_unlike(self, op: &[MultiplyOp]) -> bool {
        self.semirings().any(|s| !op.contains(&s.multiply()))
    }

    /// Whether one of them makes its products with `op`.
    pub(super) fn multiplies(self, op: MultiplyOp) -> bool {
        self.semirings().any(|s| s.multiply() == op)
    }

    /// Whether one of them does not sum.
    pub(super) fn picks(self) -> bool {
        self.semirings().any(|s| s.add() != AddOp::Plus)
    }

    /// Text that tells sets apart, for module names.
    pub(super) fn suffix(self) -> String {
        match self {
            Algebra::PLUS_TIMES => String::new(),
            Algebra(set) => format!("_x{set:x}"),
        }
    }
}

/// The semiring of the command: input `semiring` of a module, if there is a choice. Constant while busy.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'m> {
    m: &'m Builder,
    algebra: Algebra,
    code: Option<Sig<'m>>,
}

impl<'m> Chosen<'m> {
    pub(super) fn input(m: &'m Builder, algebra: Algebra) -> Self {
        let code = algebra.chooses().then(|| m.input("semiring", bits(4)));
        if code.is_some() {
            // Semirings that differ elsewhere may be alike here.
            m.unused("semiring");
        }
        Chosen { m, algebra, code }
    }

    /// The chosen one is such.
    pub(super) fn is(&self, such: impl Fn(Semiring) -> bool) -> Sig<'m> {
        chosen(self.m, self.code, self.algebra.semirings().map(|s| (s, s as u8)), such)
    }

    /// The value a sum begins with.
    pub(super) fn start(&self, float: Sig<'m>) -> Sig<'m> {
        let of = |s: Semiring| (s.start(ValueType::I32), s.start(ValueType::F32));
        let literal = |word: u32| self.m.lit(bits(32), word.into());
        let mut starts: Vec<_> = self.algebra.semirings().map(of).collect();
        starts.sort_unstable();
        starts.dedup();
        let each = starts.iter().map(|&(integer, real)| {
            (self.is(|s| of(s) == (integer, real)), float.mux(literal(real), literal(integer)))
        });
        each.reduce(|(_, before), (mine, start)| (mine, mine.mux(start, before)))
            .map_or(literal(0), |last| last.1)
    }
}
