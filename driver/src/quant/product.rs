//! Activations times quantised weights.

use super::activations::Coded;
use super::load::{LoadedWeights, Part, Slab};
use super::{Matrix, QuantizedWeights};
use crate::device::Context;
use crate::view::{DynView, DynViewMut, Order};
use crate::{Error, Event, GemmOptions, GemmStats, Scalar};
use half::f16;
use mattock_spec::Format;

/// Products that are handed to the card at a time; their sums of 32 bits are held until they are scaled.
const AT_ONCE: usize = 16;
const ARG_ACTIVATIONS: usize = 1;
const ARG_WEIGHTS: usize = 2;

/// Who multiplies the rows that are not quantised, in binary16 with sums in binary32. All give the same bits.
#[derive(Clone, Copy, Debug, Default)]
pub enum OutlierPlace<'c> {
    /// The card of the integers; refused when it has no `f16,f16,f32`.
    #[default]
    SameCard,
    /// Another card, beside the first.
    Card(&'c Context),
    /// This process.
    Host,
}

/// What a product with quantised weights cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuantizedStats {
    /// The integer products, by the card's counters.
    pub integers: GemmStats,
    /// What they would cost if neither array nor bus ever waited: the more of multiply-adds over those of a cycle, and of bytes over
    /// those of a beat, where each code counts its own bits, each activation and each result once.
    pub ideal_cycles: u64,
    /// The product of the outliers, where a card did it.
    pub outliers: GemmStats,
    /// The same for the outliers.
    pub outliers_ideal_cycles: u64,
}

impl Context {
    /// `D = activations * weights`, M x N binary32, row after row: activations of M x K are quantised to 8 bits, each row by itself;
    /// the card multiplies integers, group by group, and outliers where `outliers` says; this process scales and adds the sums in binary32.
    ///
    /// The result is that of `docs/numerics.md`, bit for bit, on every card.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] when shapes do not fit or the weights are in another card; [`Error::Quant`] when an activation of an
    /// outlier is beyond binary16; [`Error::Unsupported`] when the card named for outliers has no `f16,f16,f32`, with what it has; those of
    /// [`gemm`](Self::gemm).
    pub fn gemm_quantized(
        &self,
        activations: &Matrix,
        loaded: &LoadedWeights,
        outliers: OutlierPlace<'_>,
    ) -> Result<(Vec<f32>, QuantizedStats), Error> {
        let weights = loaded.weights();
        let ((k, n), m) = (weights.shape(), activations.rows());
        if activations.cols() != k {
            let what = format!("it has {} columns, the weights have {k} rows", activations.cols());
            return Err(Error::invalid_arg(ARG_ACTIVATIONS, what));
        }
        let card = match outliers {
            _ if weights.arrays().outliers.is_empty() => None,
            OutlierPlace::SameCard => Some(self),
            OutlierPlace::Card(card) => Some(card),
            OutlierPlace::Host => None,
        };
        if let Some(card) = card {
            has_f16(card, weights.arrays().outliers.len())?;
        }
        let mut stats = QuantizedStats::default();
        if m == 0 {
            return Ok((vec![], stats));
        }
        let coded = Coded::new(activations, weights)?;
        let mut beside = vec![0.0f32; if weights.arrays().outliers.is_empty() { 0 } else { m * n }];
        let event = match card {
            Some(card) => Some(start_outliers(card, &coded, weights, &mut beside)?),
            None => None,
        };
        let mut d = vec![0.0f32; m * n];
        for part in &loaded.parts {
            stats.integers += self.part(part, weights, &coded, &mut d)?;
        }
        // Zeros that keep groups apart are no part of the result.
        stats.integers.macs = (m * n * weights.ordinary()) as u64;
        stats.ideal_cycles = integers_ideal(self, weights, m)?;
        if let (Some(event), Some(card)) = (event, card) {
            stats.outliers = event.wait()?;
            stats.outliers_ideal_cycles = outliers_ideal(card, weights, m)?;
        } else if !beside.is_empty() {
            on_host(&coded, weights, &mut beside);
        }
        for (row, &scale) in d.chunks_mut(n).zip(&coded.scales) {
            row.iter_mut().for_each(|value| *value *= scale);
        }
        d.iter_mut().zip(&beside).for_each(|(value, beside)| *value += beside);
        Ok((d, stats))
    }

    /// Adds the scaled sums of the columns of one part to `d`, group after group.
    fn part(
        &self,
        part: &Part,
        weights: &QuantizedWeights,
        coded: &Coded,
        d: &mut [f32],
    ) -> Result<GemmStats, Error> {
        let (m, n, cols) = (coded.scales.len(), weights.shape().1, part.columns.len());
        let sums_of = |slab: &Slab| slab.groups.len() * m * cols;
        let mut stats = GemmStats::default();
        let mut sums: Vec<i64> = vec![];
        for slabs in part.slabs.chunks(AT_ONCE) {
            let mut products = vec![0i32; slabs.iter().map(sums_of).sum()];
            stats += self.slabs(part, slabs, weights, coded, &mut products)?;
            let mut products = &products[..];
            for slab in slabs {
                let (these, others) = products.split_at(sums_of(slab));
                products = others;
                sums.resize(these.len(), 0);
                sums.iter_mut().zip(these).for_each(|(sum, &p)| *sum += i64::from(p));
                if !slab.last {
                    continue;
                }
                for (group, sums) in slab.groups.clone().zip(sums.chunks(m * cols)) {
                    for (row, sums) in sums.chunks(cols).enumerate() {
                        let line = &mut d[row * n..][..n];
                        let row_sum = row_sum(coded, weights, group, row);
                        for (&col, &sum) in part.columns.iter().zip(sums) {
                            let at = group * n + col;
                            let zero = weights.arrays().zeros.get(at).copied().unwrap_or(0);
                            let exact = sum - i64::from(zero) * row_sum;
                            line[col] += exact as f32 * weights.arrays().scales[at];
                        }
                    }
                }
                sums.clear();
            }
        }
        Ok(stats)
    }

    /// The sums of a few slabs: of each the groups one after the other, M rows each.
    fn slabs(
        &self,
        part: &Part,
        slabs: &[Slab],
        weights: &QuantizedWeights,
        coded: &Coded,
        mut products: &mut [i32],
    ) -> Result<GemmStats, Error> {
        let (m, ordinary, cols) = (coded.scales.len(), weights.ordinary(), part.columns.len());
        let group = weights.arrays().group;
        let apart = slabs.iter().map(|slab| match slab.groups.len() {
            1 => None,
            _ => Some(apart(&coded.codes, ordinary, slab, group)),
        });
        let apart: Vec<Option<Vec<i8>>> = apart.collect();
        let (mut a, mut b, mut c) = (vec![], vec![], vec![]);
        for (slab, apart) in slabs.iter().zip(&apart) {
            let (rows, k) = (slab.groups.len() * m, slab.rows.len());
            let (codes, ld) = match apart {
                None => (&coded.codes[slab.rows.start..], ordinary),
                Some(codes) => (&codes[..], k),
            };
            let codes = bytemuck::cast_slice(codes);
            a.push(DynView::new(codes, Order::Row, rows, k, ld, Format::I8)?);
            b.push(part.view(slab)?);
            let (these, others) = products.split_at_mut(rows * cols);
            products = others;
            let bytes = bytemuck::cast_slice_mut(these);
            c.push(DynViewMut::new(bytes, Order::Row, rows, cols, cols, Format::I32)?);
        }
        let (one, zero) = Scalar::one_and_zero(Format::I32);
        let event = self.gemm_batched_dyn(&GemmOptions::default(), one, &a, &b, zero, c);
        event.map_err(of_another_card)?.wait()
    }
}

/// Activations for several groups at once: those of each group in rows of their own, 0 in the others' columns.
fn apart(codes: &[i8], ordinary: usize, slab: &Slab, group: usize) -> Vec<i8> {
    let k = slab.rows.len();
    let m = codes.len() / ordinary;
    let mut apart = vec![0; slab.groups.len() * m * k];
    for (i, line) in apart.chunks_mut(k).enumerate() {
        let first = i / m * group;
        let columns = first..(first + group).min(k);
        let from = i % m * ordinary + slab.rows.start;
        line[columns.clone()].copy_from_slice(&codes[from..][columns]);
    }
    apart
}

/// Where the views are right, only the weights can lie in another card's memory.
fn of_another_card(error: Error) -> Error {
    match error {
        Error::InvalidArg { what, .. } => Error::invalid_arg(ARG_WEIGHTS, what),
        other => other,
    }
}

/// The sum of a row's codes over the rows of a group, which zero points are taken times of.
fn row_sum(coded: &Coded, weights: &QuantizedWeights, group: usize, row: usize) -> i64 {
    if weights.arrays().zeros.is_empty() {
        return 0;
    }
    let (ordinary, size) = (weights.ordinary(), weights.arrays().group);
    let until = ((group + 1) * size).min(ordinary);
    let codes = &coded.codes[row * ordinary..][group * size..until];
    codes.iter().map(|&code| i64::from(code)).sum()
}

fn has_f16(card: &Context, count: usize) -> Result<(), Error> {
    let caps = card.gemm_caps()?;
    let f16 = f16_format();
    if caps.tuples.position(f16, f16, Format::F32).is_some() {
        return Ok(());
    }
    let tuples: Vec<String> = caps.tuples.iter().map(|t| t.to_string()).collect();
    let asked = format!("f16,f16,f32 for {count} outlier rows (name a card that can, or the host)");
    Err(Error::Unsupported { asked, have: tuples.join(" ") })
}

fn f16_format() -> Format {
    <f16 as crate::Element>::FORMAT
}

fn start_outliers<'a>(
    card: &Context,
    coded: &'a Coded,
    weights: &'a QuantizedWeights,
    to: &'a mut [f32],
) -> Result<Event<'a>, Error> {
    let (m, n) = (coded.scales.len(), weights.shape().1);
    let (k, f16) = (weights.arrays().outliers.len(), f16_format());
    let bytes = bytemuck::cast_slice(&coded.outliers);
    let a = DynView::new(bytes, Order::Row, m, k, k, f16)?;
    let bytes = bytemuck::cast_slice(&weights.arrays().outlier_weights);
    let b = DynView::new(bytes, Order::Row, k, n, n, f16)?;
    let c = DynViewMut::new(bytemuck::cast_slice_mut(to), Order::Row, m, n, n, Format::F32)?;
    let (one, zero) = Scalar::one_and_zero(Format::F32);
    card.gemm_dyn(&GemmOptions::default(), one, a, b, zero, c)
}

/// `fp-chain` of the outliers, rows ascending. The product of two numbers of binary16 is exact in binary32, so that a product and an addition
/// are a fused multiply-add.
fn on_host(coded: &Coded, weights: &QuantizedWeights, to: &mut [f32]) {
    let n = weights.shape().1;
    let inputs = coded.outliers.chunks(weights.arrays().outliers.len());
    for (inputs, sums) in inputs.zip(to.chunks_mut(n)) {
        for (&input, weights) in inputs.iter().zip(weights.arrays().outlier_weights.chunks(n)) {
            let input = input.to_f32();
            sums.iter_mut().zip(weights).for_each(|(sum, w)| *sum += input * w.to_f32());
        }
    }
}

fn integers_ideal(card: &Context, weights: &QuantizedWeights, m: usize) -> Result<u64, Error> {
    let (m, n, k) = (m as u64, weights.shape().1 as u64, weights.ordinary() as u64);
    let bytes = weights.bits().div_ceil(8).saturating_add(m * k).saturating_add(4 * m * n);
    ideal(card, (m * n).saturating_mul(k), bytes)
}

fn outliers_ideal(card: &Context, weights: &QuantizedWeights, m: usize) -> Result<u64, Error> {
    let (m, n) = (m as u64, weights.shape().1 as u64);
    let k = weights.arrays().outliers.len() as u64;
    ideal(card, m * n * k, 2 * k * (m + n) + 4 * m * n)
}

fn ideal(card: &Context, macs: u64, bytes: u64) -> Result<u64, Error> {
    let caps = card.gemm_caps()?;
    let bus = u64::from(card.capabilities().bus_bytes);
    Ok(macs.div_ceil(caps.macs_per_cycle()).max(bytes.div_ceil(bus)))
}
