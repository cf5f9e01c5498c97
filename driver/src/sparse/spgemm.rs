//! Sparse products in one call.

use super::join::{JoinBlocks, Joins};
use super::mask::Mask;
use super::run::{Block, Run, Sizes, engine};
use super::split::Split;
use super::{SparseValue, SpgemmOptions, SpgemmStats};
use crate::device::Context;
use crate::{Csr, Error};
use mattock_spec::JoinStep;
use mattock_spec::regs::SpgemmCaps;
use std::ops::Range;

impl Context {
    /// Computes `C = A * B` over a semiring, plus and times by default; C is canonical: columns rise within each row, and an entry is there
    /// where any product is, zero or not.
    ///
    /// Values of `i8` and `i16` are computed with as `i32`, those of `f16` and `bf16` as `f32`; C has that type. Sums of `i32` wrap; the lesser or the greater of a number and NaN is the number. The order of additions depends on timing, so sums of `f32` may differ from another card's
    /// within rounding, unless they are [`Ordered`](super::Determinism::Ordered).
    ///
    /// # Errors
    /// [`Error::InvalidArg`] and [`Error::Unsupported`] before anything is sent; [`Error::OutOfMemory`] when operands or
    /// C do not fit, with the bytes C needed when the card gave up; [`Error::DeviceFault`], [`Error::Timeout`] and
    /// those of the transport.
    pub fn spgemm<T: SparseValue>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        let caps = engine(&self.inner, T::TYPE, "spgemm")?;
        options.check(&caps, T::TYPE)?;
        if Sizes::new(a, b, 0..a.rows(), &caps)?.rows == 0 {
            return Ok((Csr::empty(0, b.cols())?, SpgemmStats::default()));
        }
        self.resident(b, options)?.multiply(a)
    }

    /// As [`spgemm`](Self::spgemm), joined by what is of C's shape and what the card was built for.
    pub(super) fn spgemm_joined<T: SparseValue>(
        &self,
        a: &Csr<T>,
        b: &Csr<T>,
        mask: Option<Mask<'_, i32>>,
        addend: Option<&Csr<T::Sum>>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        let caps = engine(&self.inner, T::TYPE, "spgemm")?;
        options.check(&caps, T::TYPE)?;
        Sizes::new(a, b, 0..a.rows(), &caps)?;
        let joins = Joins { mask, addend, prune: false };
        self.resident(b, options)?.multiply_joined(a, &joins)
    }

    /// Puts B into card memory, for products with one A or several.
    pub(crate) fn resident<'r, T: SparseValue>(
        &'r self,
        b: &'r Csr<T>,
        options: &SpgemmOptions,
    ) -> Result<Resident<'r, T>, Error> {
        let caps = engine(&self.inner, T::TYPE, "spgemm")?;
        options.check(&caps, T::TYPE)?;
        let block = Block::structure(&self.inner, b, 0..b.rows())?;
        block.set_values(b.values())?;
        Ok(Resident { context: self, caps, options: *options, b, block })
    }
}

/// B in card memory.
pub(crate) struct Resident<'r, T> {
    context: &'r Context,
    caps: SpgemmCaps,
    options: SpgemmOptions,
    b: &'r Csr<T>,
    block: Block,
}

impl<T: SparseValue> Resident<'_, T> {
    /// `A * B`, as [`Context::spgemm`].
    pub(crate) fn multiply(&self, a: &Csr<T>) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        self.multiply_joined(a, &Joins::NONE)
    }

    /// As [`multiply`](Self::multiply), with what joins the product. Zeros are left out where the options ask for it.
    fn multiply_joined(
        &self,
        a: &Csr<T>,
        joins: &Joins<'_, T::Sum>,
    ) -> Result<(Csr<T::Sum>, SpgemmStats), Error> {
        let prune = self.options.prune;
        let on_card = prune && self.caps.has_join(JoinStep::Prune);
        let joins = &Joins { prune: on_card, ..*joins };
        let all = 0..a.rows();
        let sizes = Sizes::new(a, self.b, all.clone(), &self.caps)?;
        let sizes = sizes.with(a, self.b, joins, all.clone());
        let run = Run::new(&self.context.inner, self.caps, &self.options, &self.block);
        let mut c = Parts::<T> { row_ptr: vec![0], columns: vec![], values: vec![] };
        let mut stats = SpgemmStats::default();
        if sizes.rows > 0 {
            c.add(&run, (a, self.b, joins), all, sizes, &mut stats)?;
        }
        let c = Csr::new(a.rows(), self.b.cols(), c.row_ptr, c.columns, c.values)
            .map_err(|e| Error::BadResult { what: e.to_string() })?;
        let c = if prune && !on_card { c.retain(|_, _, value| *value != T::Sum::ZERO) } else { c };
        Ok((c, stats))
    }
}

/// A, B, and what joins their product.
type Factors<'f, T> = (&'f Csr<T>, &'f Csr<T>, &'f Joins<'f, <T as SparseValue>::Sum>);

/// C as far as it is known, row after row.
struct Parts<T: SparseValue> {
    row_ptr: Vec<u64>,
    columns: Vec<u32>,
    values: Vec<T::Sum>,
}

impl<T: SparseValue> Parts<T> {
    /// Adds the next rows, in halves if the whole does not fit and that was allowed.
    fn add(
        &mut self,
        run: &Run<'_, T>,
        factors: Factors<'_, T>,
        rows: Range<usize>,
        sizes: Sizes,
        stats: &mut SpgemmStats,
    ) -> Result<(), Error> {
        match self.add_whole(run, factors, rows.clone(), &sizes, stats) {
            Err(Error::OutOfMemory { .. }) if run.options.chunked && rows.len() > 1 => {
                let (a, b, joins) = factors;
                let middle = sizes.middle(a, b, rows.clone());
                for half in [rows.start..middle, middle..rows.end] {
                    let sizes = Sizes::new(a, b, half.clone(), &run.caps)?;
                    let sizes = sizes.with(a, b, joins, half.clone());
                    self.add(run, factors, half, sizes, stats)?;
                }
                Ok(())
            }
            other => other,
        }
    }

    fn add_whole(
        &mut self,
        run: &Run<'_, T>,
        (a, b, joins): Factors<'_, T>,
        rows: Range<usize>,
        sizes: &Sizes,
        stats: &mut SpgemmStats,
    ) -> Result<(), Error> {
        let split = Split::new(a, b, joins, rows.clone(), &run.caps);
        let joins = JoinBlocks::new(run.inner, joins, &rows)?;
        let block = Block::structure(run.inner, a, rows)?;
        block.set_values(&a.values()[block.entries.clone()])?;
        let result = run.result(sizes, &split, None)?;
        *stats += run.multiply(&block, &joins, sizes, &result)?;
        let base = self.columns.len() as u64;
        self.row_ptr.extend(result.row_ptr()?.into_iter().skip(1).map(|p| base + u64::from(p)));
        self.columns.extend(result.columns()?);
        self.values.extend(result.values::<T::Sum>()?);
        Ok(())
    }
}
