//! Row operands go to all columns at once: 2-D matrix, cube and multiplier-adder tree.

use super::Array;
use super::drain::{DrainTree, results};
use super::systolic::Steps;
use crate::pe::{Dot, DotShape, PeVariant, accumulate};
use rtl_gen::{Builder, Module, Sig, bit, bits, cat};

// A result is a dot product unit of `depth` steps of k and an accumulator. The column operands move down a row a cycle and the
// row operands enter row r that much later: the registers bound the fan-out, and rows drain one after the other
// without a shadow register or a multiplexer. `broadcast` has units of one product, `cube` of several, and `tree` is one row of deep ones.

fn dot(array: &Array) -> &'static Dot {
    // `check` has seen to it.
    array.pe.dot.as_ref().expect("a PE of broadcast arrays")
}

fn shape(array: &Array) -> DotShape {
    let (a_bits, b_bits) = (array.shape.a_bits, array.shape.b_bits);
    DotShape { a_bits, b_bits, depth: array.depth }
}

fn drains(array: &Array) -> DrainTree {
    DrainTree { groups: 1, inputs: array.rows, width: array.shape.acc_bits }
}

pub(super) fn check(array: &Array) -> Result<(), String> {
    let name = array.pe.name();
    match &array.pe.dot {
        None => Err(format!("gemm.pe is {name}, which is no dot product unit")),
        Some(dot) if !dot.single && array.depth == 1 => {
            Err(format!("gemm.depth is 1; PE {name} sums up several products"))
        }
        Some(_) if array.k_split > 1 => {
            Err(format!("gemm.k_split is {}; it is for systolic arrays", array.k_split))
        }
        Some(_) => Ok(()),
    }
}

/// Cycles from the operand registers to the sum of row 0.
fn sum_latency(array: &Array) -> u32 {
    let dot = dot(array);
    u32::from(dot.prepare.is_some()) + (dot.latency)(shape(array))
}

pub(super) fn latency(array: &Array) -> u32 {
    // operand register, sum, drain register, OR tree
    2 + sum_latency(array) + drains(array).latency()
}

/// Draws the array; its results.
pub(super) fn build<'m>(array: &Array, m: &'m Builder, steps: Steps<'m>) -> Sig<'m> {
    let Steps { first, a, b, .. } = steps;
    let dot = dot(array);
    let shape = shape(array);
    let (rows, cols, depth) = (array.rows, array.cols, array.depth);
    let [a_lane, b_lane] = array.lanes();
    // The steps of k of one row or column, the first in the low bits.
    let gather = |all: Sig<'m>, count: u32, i: u32, lane: u32, bits: u32| {
        let step = |k: u32| all.lane(k * count + i, lane).slice(bits - 1, 0);
        cat(&(0..depth).rev().map(step).collect::<Vec<_>>())
    };
    let prepared = u32::from(dot.prepare.is_some());
    let mut keep = m.delay("keep", !first, 1 + sum_latency(array));
    let mut from_above: Vec<Sig> = (0..cols)
        .map(|c| m.delay(&format!("b_in_{c}"), gather(b, cols, c, b_lane, shape.b_bits), prepared))
        .collect();
    let cell = DotCell { pe: array.pe, shape, acc_bits: array.shape.acc_bits };
    let mut drained = vec![vec![]; cols as usize];
    for r in 0..rows {
        let operands = m.delay(&format!("a_{r}"), gather(a, rows, r, a_lane, shape.a_bits), r + 1);
        let word = match dot.prepare {
            None => operands,
            Some(prepare) => {
                let prepare = m.inst(&format!("prepare_{r}"), prepare(shape).as_ref());
                prepare.set("a", operands);
                prepare.get("word")
            }
        };
        for (c, from_above) in from_above.iter_mut().enumerate() {
            *from_above = m.reg(&format!("b_{r}_{c}"), *from_above);
            let pe = m.inst(&format!("pe_{r}_{c}"), &cell);
            pe.set("a", word).set("b", *from_above).set("keep", keep);
            drained[c].push(pe.get("drain"));
        }
        if r + 1 < rows {
            keep = m.reg(&format!("keep_down_{r}"), keep);
        }
    }
    results(m, drains(array), drained.into_iter().map(|column| vec![column]), |_| 0)
}

/// A dot product unit with its accumulator.
#[derive(Clone, Copy, Debug)]
struct DotCell {
    pe: &'static PeVariant,
    shape: DotShape,
    acc_bits: u32,
}

impl Module for DotCell {
    fn name(&self) -> String {
        let DotShape { a_bits, b_bits, depth } = self.shape;
        let pe = self.pe.name().replace('-', "_");
        format!("dot_cell_{pe}_a{a_bits}_b{b_bits}_d{depth}_acc{}", self.acc_bits)
    }

    fn build(&self, m: &Builder) {
        m.doc("Dot product unit and accumulator; `keep` 0 starts a sum and drains the one before.");
        let Some(dot) = &self.pe.dot else { return };
        let unit = (dot.build)(self.shape);
        let unit = m.inst("unit", unit.as_ref());
        let DotShape { a_bits, b_bits, depth } = self.shape;
        let word = (dot.word_bits)(DotShape { a_bits, b_bits, depth });
        unit.set("a", m.input("a", bits(word))).set("b", m.input("b", bits(depth * b_bits)));
        let keep = m.input("keep", bit());
        m.output("drain", accumulate(m, unit.get("sum"), keep, self.acc_bits));
    }
}
