//! Operands move from PE to PE: rows of A to the right, columns of B down.

use super::Array;
use super::drain::{DrainTree, results};
use crate::gemm::scratchpad::reversed;
use crate::pe::Cell;
use rtl_gen::{Builder, Sig, any, cat};

/// What enters in a cycle; as the ports of [`Array`].
#[derive(Clone, Copy)]
pub(super) struct Steps<'m> {
    pub(super) first: Sig<'m>,
    pub(super) a: Sig<'m>,
    pub(super) b: Sig<'m>,
    pub(super) split: Option<Sig<'m>>,
}

fn cell(array: &Array) -> &'static Cell {
    // `check` has seen to it.
    array.pe.cell.as_ref().expect("a PE of systolic arrays")
}

fn tree(array: &Array) -> DrainTree {
    let (groups, inputs) = (array.k_split, array.rows / array.k_split);
    DrainTree { groups, inputs, width: array.shape.acc_bits }
}

pub(super) fn check(array: &Array) -> Result<(), String> {
    let name = array.pe.name();
    match &array.pe.cell {
        None => Err(format!("gemm.pe is {name}, which is no cell of a systolic array")),
        Some(cell) if !array.cols.is_multiple_of(cell.columns) => Err(format!(
            "gemm.cols is {}; PE {name} computes {} columns each",
            array.cols, cell.columns
        )),
        Some(_) => Ok(()),
    }
}

pub(super) fn latency(array: &Array) -> u32 {
    let cell = cell(array);
    // operand register, product, drain register, OR tree, adders of groups, sum of the words
    2 + cell.product_latency + tree(array).latency() + u32::from(cell.words > 1)
}

/// The operands of row `r`, as late as the row lies in its group.
fn skewed<'m>(
    array: &Array,
    m: &'m Builder,
    r: u32,
    lane: Sig<'m>,
    split: Option<Sig<'m>>,
) -> Sig<'m> {
    let mut late = vec![lane];
    (1..=r).for_each(|i| late.push(m.reg(&format!("a_skew_{r}_{i}"), late[i as usize - 1])));
    let whole = late[r as usize];
    let Some(split) = split else { return whole };
    (1..=array.k_split.ilog2()).fold(whole, |other, cut| {
        let place = r % (array.rows >> cut);
        if place == r { other } else { split.is(cut.into()).mux(late[place as usize], other) }
    })
}

/// Whether a group begins at row `r` (where one can).
fn begins_at<'m>(array: &Array, r: u32, split: Sig<'m>) -> Sig<'m> {
    let cuts = (1..=array.k_split.ilog2()).filter(|cut| r.is_multiple_of(array.rows >> cut));
    any(&cuts.map(|cut| split.is(cut.into())).collect::<Vec<_>>())
}

/// Draws the array; its results.
pub(super) fn build<'m>(array: &Array, m: &'m Builder, steps: Steps<'m>) -> Sig<'m> {
    let Steps { first, a, b, split } = steps;
    let kind = cell(array);
    let wide = kind.columns;
    let (rows, cols) = (array.rows as usize, array.cols as usize);
    let [a_lane, b_lane] = array.lanes();
    let (a_bits, b_bits) = (array.shape.a_bits, array.shape.b_bits);
    let operand = |lane: Sig<'m>, bits: u32| lane.slice(bits - 1, 0);

    let pe = (kind.build)(array.shape);
    let cells: Vec<Vec<_>> = (0..rows)
        .map(|r| {
            let columns = (0..cols).step_by(wide as usize);
            columns.map(|c| m.inst(&format!("pe_{r}_{c}"), pe.as_ref())).collect()
        })
        .collect();
    // A cell of several columns hands on as late as that many cells of one.
    let onward = |what: &str, r: usize, i: usize, value: Sig<'m>| {
        m.delay(&format!("{what}_on_{r}_{i}"), value, wide - 1)
    };
    for (r, row) in cells.iter().enumerate() {
        let lane = operand(a.lane(r as u32, a_lane), a_bits).as_s();
        let mut from_left = skewed(array, m, r as u32, lane, split);
        for (i, cell) in row.iter().enumerate() {
            cell.set("a_in", from_left);
            if i + 1 < row.len() {
                from_left = onward("a", r, i, cell.get("a_out"));
            }
        }
    }
    // Rows at which a group may begin take operands from outside when one does.
    let group = rows / array.k_split as usize;
    let begins: Vec<Option<Sig>> = (0..rows)
        .map(|r| {
            let enters = r > 0 && r % group == 0;
            split.filter(|_| enters).map(|split| begins_at(array, r as u32, split))
        })
        .collect();
    for i in 0..cells[0].len() {
        let column = i as u32 * wide;
        let entering = |r: usize| {
            let step = reversed((r / group) as u32, array.k_split);
            let lane = |c: u32| operand(b.lane(step * array.cols + column + c, b_lane), b_bits);
            let lanes: Vec<Sig> = (0..wide).rev().map(lane).collect();
            let lanes = if wide == 1 { lanes[0].as_s() } else { cat(&lanes) };
            m.delay(&format!("b_skew_{r}_{column}"), lanes, column)
        };
        let mut from_above = entering(0);
        for (r, row) in cells.iter().enumerate() {
            if let Some(begins) = begins[r] {
                from_above = begins.mux(entering(r), from_above);
            }
            row[i].set("b_in", from_above);
            from_above = row[i].get("b_out");
        }
    }
    // Down the first column, then to the right: the flag meets its product in every PE.
    let entering = m.delay("keep_skew", !first, kind.product_latency);
    let mut from_above = entering;
    for (r, (row, begins)) in cells.iter().zip(&begins).enumerate() {
        if let Some(begins) = begins {
            from_above = begins.mux(entering, from_above);
        }
        let mut from_left = from_above;
        for (i, cell) in row.iter().enumerate() {
            cell.set("keep_in", from_left);
            if i + 1 < row.len() {
                from_left = onward("keep", r, i, cell.get("keep_out"));
            }
        }
        from_above = row[0].get("keep_out");
    }

    let word = |r: usize, c: usize, w: u32| {
        let place = c as u32 % wide * kind.words + w;
        cells[r][c / wide as usize].get("drain").lane(place, array.shape.acc_bits)
    };
    let columns = (0..cols)
        .map(|c| (0..kind.words).map(|w| (0..rows).map(|r| word(r, c, w)).collect()).collect());
    results(m, tree(array), columns, |c| c as u32 % wide)
}
