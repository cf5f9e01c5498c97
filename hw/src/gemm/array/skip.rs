//! Row operands digit by digit, digits of zero left out: the only array whose pace depends on the data.

use super::Array;
use super::drain::{DrainTree, results};
use crate::cells::Fifo;
use crate::gemm::geometry::bits_for;
use crate::pe::{DigitSkip, DigitWord, booth};
use rtl_gen::{Builder, Instance, Module, Sig, all, any, bit, bits, cat, uint};

/// Steps that wait for their turn.
const QUEUE: u32 = 16;
/// Steps under way to the array when it says that it is not ready.
pub(super) const UNDER_WAY: u32 = 6;

fn drains(array: &Array) -> DrainTree {
    DrainTree { groups: 1, inputs: array.rows, width: array.shape.acc_bits }
}

fn digits(array: &Array) -> u32 {
    array.shape.a_bits.div_ceil(2)
}

/// Most cycles of a step.
pub(super) fn pace(array: &Array) -> u32 {
    digits(array)
}

/// Most cycles that steps wait in the queue.
pub(super) fn slack(array: &Array) -> u32 {
    QUEUE * digits(array).max(array.rows)
}

/// Cycles from `drained` to the old result of row 0.
pub(super) fn latency(array: &Array) -> u32 {
    // issue register, term, drain register, OR tree
    1 + DigitSkip::LATENCY + 1 + drains(array).latency()
}

/// What the array takes besides the ports of every array, and what it tells.
pub(super) struct Paced<'m> {
    pub(super) first: Sig<'m>,
    pub(super) drains: Sig<'m>,
    pub(super) operands: Sig<'m>,
    pub(super) a: Sig<'m>,
    pub(super) b: Sig<'m>,
}

/// Draws the array; its results. Adds the outputs `ready` and `drained`.
pub(super) fn build<'m>(array: &Array, m: &'m Builder, steps: Paced<'m>) -> Sig<'m> {
    let (rows, cols) = (array.rows, array.cols);
    let (a_bits, b_bits) = (array.shape.a_bits, array.shape.b_bits);
    let [a_lane, b_lane] = array.lanes();
    let gather = |all: Sig<'m>, count: u32, lane: u32, bits: u32| {
        cat(&(0..count).rev().map(|i| all.lane(i, lane).slice(bits - 1, 0)).collect::<Vec<_>>())
    };
    let a = gather(steps.a, rows, a_lane, a_bits);
    let b = gather(steps.b, cols, b_lane, b_bits);
    let width = 2 + rows * a_bits + cols * b_bits;
    let queue = m.inst("queue", &Fifo { width, depth: QUEUE });
    queue.set("in_valid", any(&[steps.first, steps.operands]));
    queue.set("in_data", cat(&[steps.first, steps.drains, b, a]));
    let count = queue.get("count");
    m.output("ready", count.lt(count.lit((QUEUE - UNDER_WAY).into())));

    // ---- a step is taken when every row is through with its digits ----
    let head = queue.get("out_data");
    let (head_first, head_drains) = (head.bit(width - 1), head.bit(width - 2));
    let live = m.state("live", bit(), 0);
    let last = m.forward("last", bit());
    // Rows of a tile leave one a cycle.
    let gap_ty = uint(bits_for(rows));
    let gap = m.state("gap", gap_ty, 0);
    let apart = gap.q().is(0);
    let free = !live.q() | last.sig();
    let take = all(&[queue.get("out_valid"), free, !head_first | apart]).named("take");
    queue.set("out_ready", all(&[free, !head_first | apart]));
    live.drive(take | (live.q() & !last.sig()));
    gap.update(&[
        (take & head_first, m.lit(gap_ty, i128::from(rows) - 1)),
        (!apart, gap.q().dec()),
    ]);
    let fresh = m.reg_reset("fresh", take & head_first, 0);
    m.output("drained", m.reg_reset("drained_q", take & head_drains, 0));
    let columns = m.reg_when("columns", take, head.slice(width - 3, rows * a_bits));

    let operands: Vec<Sig> = (0..rows).map(|r| head.lane(r, a_bits)).collect();
    let scans: Vec<Instance> = (operands.iter().enumerate())
        .map(|(r, operand)| {
            let scan = m.inst(&format!("scan_{r}"), &DigitScan { a_bits });
            scan.set("take", take).set("a", *operand);
            scan
        })
        .collect();
    last.assign(all(&scans.iter().map(|scan| scan.get("last")).collect::<Vec<_>>()));

    // ---- issue: digits to the rows, operands and their negatives to the columns ----
    let mut keep = m.delay("keep", !fresh, 1 + DigitSkip::LATENCY);
    let mut from_above: Vec<Sig> = (0..cols)
        .map(|c| {
            let b = columns.lane(c, b_bits);
            let wide = b.as_s().sext(b_bits + 1);
            cat(&[wide.lit(0).sub_wrap(wide).as_bits(), b])
        })
        .collect();
    let cell = DigitSkip { shape: array.shape };
    let mut drained = vec![vec![]; cols as usize];
    for r in 0..rows {
        let digit = m.delay(&format!("digit_{r}"), scans[r as usize].get("digit"), r + 1);
        for (c, from_above) in from_above.iter_mut().enumerate() {
            *from_above = m.reg(&format!("b_{r}_{c}"), *from_above);
            let pe = m.inst(&format!("pe_{r}_{c}"), &cell);
            pe.set("digit", digit).set("b", *from_above).set("keep", keep);
            drained[c].push(pe.get("drain"));
        }
        if r + 1 < rows {
            keep = m.reg(&format!("keep_down_{r}"), keep);
        }
    }
    results(m, drains(array), drained.into_iter().map(|column| vec![column]), |_| 0)
}

/// Radix-4 digits of an operand, the nonzero ones one a cycle.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `take` | in | bit | a new operand, at `a` |
/// | `digit` | out | bits | a [`DigitWord`] of the operand taken; none left: zero |
/// | `last` | out | bit | no digit is left after this one |
#[derive(Clone, Copy, Debug)]
struct DigitScan {
    a_bits: u32,
}

impl Module for DigitScan {
    fn name(&self) -> String {
        format!("digit_scan_a{}", self.a_bits)
    }

    fn build(&self, m: &Builder) {
        m.doc("The nonzero radix-4 digits of an operand, one a cycle.");
        let count = self.a_bits.div_ceil(2);
        let take = m.input("take", bit());
        let digits = booth::digits(m, m.input("a", bits(self.a_bits)).as_s());
        let codes: Vec<Sig> = digits.iter().rev().map(|d| cat(&[d.top, d.two])).collect();
        let flags: Vec<Sig> = digits.iter().rev().map(|d| d.some()).collect();
        let code = m.reg_when("codes", take, cat(&codes));
        let left = m.reg_decl("left", bits(count));
        // The lowest flag and those above it.
        let rest = left.q() & left.q().as_u().dec().as_bits();
        left.drive(take.mux(cat(&flags), rest));
        m.output("last", !rest.red_or());

        let weight_bits = DigitWord::weight_bits(self.a_bits);
        let mut word = m.lit(bits(2 + weight_bits), 0);
        for d in (0..count).rev() {
            let weight = m.lit(bits(weight_bits), d.into());
            word = left.q().bit(d).mux(cat(&[weight, code.lane(d, 2)]), word);
        }
        m.output("digit", cat(&[left.q().red_or(), word]));
    }
}
