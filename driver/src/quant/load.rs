//! Quantised weights in card memory.

use super::file::pack;
use super::weights::QuantizedWeights;
use crate::buffer::DmaBuf;
use crate::device::Context;
use crate::plan::{Memory, Plan, Problem};
use crate::view::{DynView, Order};
use crate::{Error, GemmCaps};
use mattock_spec::Format;
use std::ops::Range;
use std::sync::Arc;

/// Rows whose products with activations of 8 bits cannot wrap a sum of 32.
const MOST_DEPTH: usize = 131_071;
/// Slabs begin at whole multiples of this many bytes, which every card takes.
const ALIGN: usize = 64;

/// Quantised weights in the memory of a card, for [`Context::gemm_quantized`]: its columns in one part for each type of codes the card
/// multiplies, the rows of each part in slabs that are a product each.
///
/// A group's sums must be told from another's, so that a product takes one group, or, with few rows of activations, several: each group's
/// sums are then rows of their own, with activations that are 0 in the others' columns. Rows of the array that would have nothing to do
/// take them.
#[derive(Debug)]
pub struct LoadedWeights {
    pub(super) weights: Arc<QuantizedWeights>,
    pub(super) parts: Vec<Part>,
}

impl LoadedWeights {
    /// What was loaded.
    pub fn weights(&self) -> &QuantizedWeights {
        &self.weights
    }

    /// The type of codes of each part on the card, and its number of columns.
    pub fn parts(&self) -> impl Iterator<Item = (Format, usize)> + '_ {
        self.parts.iter().map(|part| (part.format, part.columns.len()))
    }
}

/// Columns whose codes are of one type.
#[derive(Debug)]
pub(super) struct Part {
    /// Where the columns come from, rising.
    pub(super) columns: Vec<usize>,
    pub(super) format: Format,
    memory: DmaBuf<u8>,
    pub(super) slabs: Vec<Slab>,
}

/// Rows that one product takes: a few groups, or a piece of one that is too deep.
#[derive(Clone, Debug)]
pub(super) struct Slab {
    pub(super) groups: Range<usize>,
    /// Of the ordinary rows.
    pub(super) rows: Range<usize>,
    /// No more of the groups comes.
    pub(super) last: bool,
    order: Order,
    /// Elements from line to line.
    ld: usize,
    /// First byte.
    start: usize,
}

impl Part {
    pub(super) fn view(&self, slab: &Slab) -> Result<DynView<'_>, Error> {
        let (rows, cols) = (slab.rows.len(), self.columns.len());
        DynView::on_card(&self.memory, slab.order, rows, cols, slab.ld, self.format, slab.start)
    }
}

impl Context {
    /// Copies quantised weights into card memory, in the order that suits products with `rows` rows of activations. Codes of a width that
    /// the card does not multiply become those of the next width it does, which changes no value.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with what the card has when it multiplies no codes as wide as these with `i8`; [`Error::OutOfMemory`]; those
    /// of the transport.
    pub fn load_quantized(
        &self,
        weights: impl Into<Arc<QuantizedWeights>>,
        rows: usize,
    ) -> Result<LoadedWeights, Error> {
        let weights = weights.into();
        let caps = self.gemm_caps()?;
        let mut formats = Vec::with_capacity(weights.shape().1);
        for &bits in &weights.arrays().widths {
            formats.push(format_for(&caps, bits)?);
        }
        let memory = Memory::new(self.capabilities().bus_bytes);
        let mut parts = vec![];
        for bits in 2..=8 {
            let format = Format::int(bits);
            let columns: Vec<usize> =
                (0..formats.len()).filter(|&col| formats[col] == format).collect();
            if columns.is_empty() {
                continue;
            }
            let plan = |groups: usize, k: usize| {
                let problem = Problem {
                    m: rows.max(1).saturating_mul(groups).min(u32::MAX as usize) as u32,
                    n: columns.len() as u32,
                    k: k as u32,
                    bits: [8, format.storage_bits(), 32],
                    parameters: 0,
                    orders: [Order::Row, Order::Column, Order::Row],
                };
                Plan::choose(&problem, [true; 3], &caps, &memory)
            };
            let together = groups_together(&weights, rows, caps.rows as usize, plan);
            let (slabs, bytes) = slabs(
                &weights,
                together,
                columns.len(),
                (format, caps.align as usize),
                |groups, k| plan(groups, k).problem.orders[1],
            );
            let mut image = vec![0; bytes];
            for slab in &slabs {
                fill(&mut image, slab, &weights, &columns, format);
            }
            let mut memory = self.alloc::<u8>(image.len())?;
            memory.write(0, &image)?;
            parts.push(Part { columns, format, memory, slabs });
        }
        Ok(LoadedWeights { weights, parts })
    }
}

/// The narrowest codes of at least so many bits that the card multiplies with `i8`.
fn format_for(caps: &GemmCaps, bits: u8) -> Result<Format, Error> {
    let there = |format: &Format| caps.tuples.position(Format::I8, *format, Format::I32).is_some();
    (bits..=8).map(Format::int).find(there).ok_or_else(|| {
        let tuples: Vec<String> = caps.tuples.iter().map(|t| t.to_string()).collect();
        let asked = format!("i8,i{bits},i32, or i8 with wider codes, for quantised weights");
        Error::Unsupported { asked, have: tuples.join(" ") }
    })
}

/// How many groups a product takes so that all products are over soonest, by their plans.
fn groups_together(
    weights: &QuantizedWeights,
    rows: usize,
    array_rows: usize,
    plan: impl Fn(usize, usize) -> Plan,
) -> usize {
    let (groups, depth) = (weights.groups(), weights.arrays().group);
    let most = (array_rows / rows.max(1)).min(MOST_DEPTH / depth).clamp(1, groups);
    let cost = |together: usize| {
        let cycles = plan(together, together * depth).cycles;
        groups.div_ceil(together) as u64 * cycles
    };
    (1..=most).min_by_key(|&together| cost(together)).unwrap_or(1)
}

/// Where everything lies, and how many bytes that takes.
fn slabs(
    weights: &QuantizedWeights,
    together: usize,
    cols: usize,
    (format, align): (Format, usize),
    order: impl Fn(usize, usize) -> Order,
) -> (Vec<Slab>, usize) {
    let (group, ordinary) = (weights.arrays().group, weights.ordinary());
    let per_byte = 8 / format.storage_bits() as usize;
    let (mut slabs, mut end) = (vec![], 0usize);
    for first in (0..weights.groups()).step_by(together) {
        let groups = first..(first + together).min(weights.groups());
        let until = (groups.end * group).min(ordinary);
        for start in (first * group..until).step_by(MOST_DEPTH) {
            let rows = start..(start + MOST_DEPTH).min(until);
            let order = order(groups.len(), rows.len());
            let (lines, len) = match order {
                Order::Row => (rows.len(), cols),
                Order::Column => (cols, rows.len()),
            };
            let ld_bytes = len.div_ceil(per_byte).next_multiple_of(align.max(1));
            let (last, ld) = (rows.end == until, ld_bytes * per_byte);
            slabs.push(Slab { groups: groups.clone(), rows, last, order, ld, start: end });
            end = (end + lines * ld_bytes).next_multiple_of(ALIGN);
        }
    }
    (slabs, end)
}

fn fill(
    image: &mut [u8],
    slab: &Slab,
    weights: &QuantizedWeights,
    columns: &[usize],
    format: Format,
) {
    let n = weights.shape().1;
    let codes = &weights.arrays().codes;
    let bits = format.storage_bits();
    let ld_bytes = slab.ld * bits as usize / 8;
    let image = &mut image[slab.start..];
    let mut put = |line: usize, bytes: Vec<u8>| {
        image[line * ld_bytes..][..bytes.len()].copy_from_slice(&bytes);
    };
    match slab.order {
        Order::Row => {
            for (line, row) in slab.rows.clone().enumerate() {
                put(line, pack(columns.iter().map(|&col| codes[row * n + col]), bits));
            }
        }
        Order::Column => {
            for (line, &col) in columns.iter().enumerate() {
                put(line, pack(slab.rows.clone().map(|row| codes[row * n + col]), bits));
            }
        }
    }
}
