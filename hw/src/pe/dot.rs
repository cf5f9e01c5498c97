//! PEs as units of a broadcast array: dot products of several steps of k.
//!
//! A unit computes `sum = a[0]*b[0] + .. + a[d-1]*b[d-1]` and has these ports:
//!
//! | port | dir | type | meaning |
//! |---|---|---|---|
//! | `a` | in | bits | `depth` row operands, the first in the low bits; or what [`Dot::prepare`] made of them |
//! | `b` | in | bits(`depth` * `b_bits`) | column operands |
//! | `sum` | out | sint([`DotShape::sum_bits`]) | `latency` cycles later |
//!
//! One sum a cycle. What depends on the row operands alone (recoding, tables) is made once per row of the array by
//! `prepare`, a module with the ports `a` (the operands) and `word`, a cycle later.

use rtl_gen::{Builder, Module, Sig, cat};

/// Widths of a dot product unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DotShape {
    /// Row operand.
    pub a_bits: u32,
    /// Column operand.
    pub b_bits: u32,
    /// Products in a sum.
    pub depth: u32,
}

impl DotShape {
    /// Bits of a sum of that many products.
    pub fn sum_bits(self) -> u32 {
        self.a_bits + self.b_bits + levels(self.depth)
    }

    pub(super) fn suffix(self) -> String {
        format!("a{}_b{}_d{}", self.a_bits, self.b_bits, self.depth)
    }
}

/// A PE as a dot product unit.
pub struct Dot {
    /// Cycles from the operands (as prepared) to the sum.
    pub latency: fn(DotShape) -> u32,
    /// What is made of the operands of a row once for all columns.
    pub prepare: Option<fn(DotShape) -> Box<dyn Module>>,
    /// Bits of the unit's port `a`.
    pub word_bits: fn(DotShape) -> u32,
    /// Whether sums of one product can be built.
    pub single: bool,
    /// The unit.
    pub build: fn(DotShape) -> Box<dyn Module>,
}

/// Levels of a tree of two-input adders: log2, rounded up.
pub(super) fn levels(inputs: u32) -> u32 {
    inputs.next_power_of_two().ilog2()
}

/// A summand: a signed value and the weight of its lowest bit, log2.
#[derive(Clone, Copy)]
pub(super) struct Term<'m> {
    pub(super) value: Sig<'m>,
    pub(super) weight: u32,
}

impl<'m> Term<'m> {
    pub(super) fn new(value: Sig<'m>, weight: u32) -> Self {
        Term { value, weight }
    }

    /// The sum of two, `self` the one of the lower weight; its bits below the other's need no adder.
    fn plus(self, high: Term<'m>) -> Term<'m> {
        let distance = high.weight - self.weight;
        let low = self.value.sext(self.value.width().max(distance + 1));
        let rest = low.shr_k(distance);
        let width = rest.width().max(high.value.width()) + 1;
        let sum = high.value.sext(width).add_wrap(rest.sext(width));
        let value = match distance {
            0 => sum,
            _ => cat(&[sum.as_bits(), low.slice(distance - 1, 0).as_bits()]).as_s(),
        };
        Term { value, weight: self.weight }
    }
}

/// The sum of the terms, a register behind each of its [`levels`]; neighbours in weight are added first.
pub(super) fn sum_up<'m>(m: &'m Builder, name: &str, terms: Vec<Term<'m>>) -> Term<'m> {
    let mut left = terms;
    left.sort_by_key(|term| term.weight);
    let mut level = 0;
    while left.len() > 1 {
        level += 1;
        left = (left.chunks(2).enumerate())
            .map(|(i, pair)| {
                let sum = if let [low, high] = pair { low.plus(*high) } else { pair[0] };
                Term { value: m.reg(&format!("{name}_{level}_{i}"), sum.value), ..sum }
            })
            .collect();
    }
    left[0]
}
