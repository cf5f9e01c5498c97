//! Sparse products in three phases: estimate, symbolic, numeric.

use super::join::{JoinBlocks, Joins};
use super::run::{Block, Run, Sizes, engine};
use super::split::Split;
use super::{SparseValue, SpgemmOptions, SpgemmStats};
use crate::device::{Context, Inner};
use crate::{Csr, Error};
use mattock_spec::regs::SpgemmCaps;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// Positions of the arguments of [`SpgemmPlan::numeric`], for [`Error::InvalidArg`].
const ARG_A_VALUES: usize = 1;
const ARG_B_VALUES: usize = 2;

/// How large a product can become; the first phase, which the host does from the structure alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpgemmEstimate {
    /// Multiply-adds, exactly.
    pub products: u64,
    /// C has at most so many entries.
    pub nnz_upper: u64,
    /// Bytes of card memory for A, B and a C of that size.
    pub workspace: u64,
}

/// The structure of a product, ready for values: the second phase.
///
/// The structures of A and B stay in card memory until the plan is dropped.
pub struct SpgemmPlan<T> {
    inner: Arc<Inner>,
    caps: SpgemmCaps,
    options: SpgemmOptions,
    b: Block,
    blocks: Vec<Planned>,
    shape: (usize, usize),
    entries: (usize, usize),
    row_ptr: Vec<u64>,
    stats: SpgemmStats,
    value: PhantomData<T>,
}

/// Rows of C that fit together.
struct Planned {
    a: Block,
    sizes: Sizes,
    split: Split,
    nnz: u32,
}

impl<T> std::fmt::Debug for SpgemmPlan<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut f = f.debug_struct("SpgemmPlan");
        f.field("shape", &self.shape).field("nnz", &self.nnz()).finish_non_exhaustive()
    }
}

impl Context {
    /// The first phase: multiply-adds and bounds of `C = A * B`, without the card's doing.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] and [`Error::Unsupported`].
    pub fn spgemm_estimate<T: SparseValue>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
    ) -> Result<SpgemmEstimate, Error> {
        let caps = engine(&self.inner, T::TYPE, "spgemm")?;
        let sizes = Sizes::new(a, b, 0..a.rows(), &caps)?;
        let Sizes { products, most_entries, .. } = sizes;
        Ok(SpgemmEstimate { products, nnz_upper: most_entries, workspace: sizes.workspace() })
    }

    /// The second phase: row pointers and exact number of entries of `C = A * B`.
    ///
    /// Cards of today have no mode that forms structure alone, so this runs the whole product, whatever lies where
    /// values will be, and gives up columns and values. It costs as many cycles as the numeric phase.
    ///
    /// # Errors
    /// As [`spgemm`](Self::spgemm).
    pub fn spgemm_symbolic<T: SparseValue>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        options: &SpgemmOptions,
    ) -> Result<SpgemmPlan<T>, Error> {
        let caps = engine(&self.inner, T::TYPE, "spgemm")?;
        options.check(&caps, T::TYPE)?;
        if options.prune {
            let have = "plans of every entry: which are zero is known with the values".into();
            return Err(Error::Unsupported { asked: "a plan without zeros".into(), have });
        }
        let sizes = Sizes::new(a, b, 0..a.rows(), &caps)?;
        let b_block = Block::structure(&self.inner, b, 0..b.rows())?;
        let run = Run::<T>::new(&self.inner, caps, options, &b_block);
        let mut blocks = vec![];
        let (mut row_ptr, mut stats) = (vec![0], SpgemmStats::default());
        if sizes.rows > 0 {
            let all = 0..a.rows();
            plan(&run, a, b, all, sizes, &mut blocks, &mut row_ptr, &mut stats)?;
        }
        Ok(SpgemmPlan {
            inner: Arc::clone(&self.inner),
            caps,
            options: *options,
            b: b_block,
            blocks,
            shape: (a.rows(), b.cols()),
            entries: (a.nnz(), b.nnz()),
            row_ptr,
            stats,
            value: PhantomData,
        })
    }
}

#[allow(clippy::too_many_arguments, reason = "a recursion over rows that fills three lists")]
fn plan<T: SparseValue>(
    run: &Run<'_, T>,
    a: &Csr<T>,
    b: &Csr<T>,
    rows: Range<usize>,
    sizes: Sizes,
    blocks: &mut Vec<Planned>,
    row_ptr: &mut Vec<u64>,
    stats: &mut SpgemmStats,
) -> Result<(), Error> {
    let whole = || {
        let block = Block::structure(run.inner, a, rows.clone())?;
        let split = Split::new(a, b, &Joins::<T>::NONE, rows.clone(), &run.caps);
        let room = run.result(&sizes, &split, None)?;
        let stats = run.multiply(&block, &JoinBlocks::NONE, &sizes, &room)?;
        Ok((block, split, room.nnz(), room.row_ptr()?, stats))
    };
    match whole() {
        Ok((a, split, nnz, pointers, cost)) => {
            let base = row_ptr.last().copied().unwrap_or(0);
            row_ptr.extend(pointers.into_iter().skip(1).map(|p| base + u64::from(p)));
            blocks.push(Planned { a, sizes, split, nnz });
            *stats += cost;
            Ok(())
        }
        Err(Error::OutOfMemory { .. }) if run.options.chunked && rows.len() > 1 => {
            let middle = sizes.middle(a, b, rows.clone());
            for half in [rows.start..middle, middle..rows.end] {
                let sizes = Sizes::new(a, b, half.clone(), &run.caps)?;
                plan(run, a, b, half, sizes, blocks, row_ptr, stats)?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

impl<T: SparseValue> SpgemmPlan<T> {
    /// The third phase: C with these values of A and B, in the order of their entries.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] when there are not as many values as entries; otherwise as [`Context::spgemm`].
    pub fn numeric(&mut self, a: &[T], b: &[T]) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        let (nnz_a, nnz_b) = self.entries;
        for (index, values, nnz) in [(ARG_A_VALUES, a, nnz_a), (ARG_B_VALUES, b, nnz_b)] {
            if values.len() != nnz {
                let what = format!("it has {} values, the plan has {nnz} entries", values.len());
                return Err(Error::invalid_arg(index, what));
            }
        }
        let mut columns = Vec::with_capacity(self.nnz() as usize);
        let mut values: Vec<T::Sum> = Vec::with_capacity(self.nnz() as usize);
        let mut stats = SpgemmStats::default();
        self.b.set_values(b)?;
        let run = Run::<T>::new(&self.inner, self.caps, &self.options, &self.b);
        let mut row = 0;
        for Planned { a: block, sizes, split, nnz } in &self.blocks {
            block.set_values(&a[block.entries.clone()])?;
            let room = run.result(sizes, split, Some(*nnz))?;
            stats += run.multiply(block, &JoinBlocks::NONE, sizes, &room)?;
            let base = self.row_ptr[row];
            for pointer in room.row_ptr()? {
                if base + u64::from(pointer) != self.row_ptr[row] {
                    let what = format!("row {row} of C begins elsewhere than in the plan");
                    return Err(Error::BadResult { what });
                }
                row += 1;
            }
            row -= 1; // the end of this block is the start of the next
            columns.extend(room.columns()?);
            values.extend(room.values::<T::Sum>()?);
        }
        let (rows, cols) = self.shape;
        let c = Csr::new(rows, cols, self.row_ptr.clone(), columns, values)
            .map_err(|e| Error::BadResult { what: e.to_string() })?;
        Ok((c, stats))
    }
}

impl<T> SpgemmPlan<T> {
    /// Row pointers of C.
    pub fn row_ptr(&self) -> &[u64] {
        &self.row_ptr
    }

    /// Entries of C, exactly.
    pub fn nnz(&self) -> u64 {
        self.row_ptr.last().copied().unwrap_or(0)
    }

    /// Blocks of rows that C is computed in; 1 unless it was `chunked`.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// What the symbolic phase cost.
    pub fn stats(&self) -> &SpgemmStats {
        &self.stats
    }
}
