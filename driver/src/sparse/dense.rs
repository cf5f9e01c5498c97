//! Sparse times dense.

use super::{Semiring, SparseSum, SparseValue, SpgemmOptions, SpgemmStats};
use crate::device::Context;
use crate::view::{DynView, DynViewMut, Layout, Place, PlaceMut, View, ViewMut};
use crate::{Csr, Error};

/// Positions of the arguments of [`Context::spmm`], for [`Error::InvalidArg`].
const ARG_X: usize = 3;
const ARG_Y: usize = 5;

impl Context {
    /// `Y = alpha * A * X + beta * Y` with a sparse A and dense X and Y.
    ///
    /// Cards of today have no port for dense operands in their sparse engine: X goes there as a sparse matrix in which
    /// every entry is stored, 5 to 8 bytes each. The card does every multiply-add; the host applies alpha and beta, in
    /// the type of Y, which is the one the card computes in, and [`SpgemmStats::host_elements`] counts the elements. With beta = 0 nothing of Y
    /// is read, with alpha = 0 nothing of A and X. Entries that A does not store meet no X, so a NaN there
    /// does not matter.
    ///
    /// # Errors
    /// As [`spgemm`](Self::spgemm); Y is untouched then.
    pub fn spmm<T: SparseValue>(
        &self,
        alpha: T::Sum,
        a: &Csr<T>,
        x: View<'_, T>,
        beta: T::Sum,
        y: ViewMut<'_, T::Sum>,
        options: &SpgemmOptions,
    ) -> Result<SpgemmStats, Error> {
        let (x, mut y): (DynView<'_>, DynViewMut<'_>) = (x.into(), y.into());
        let (inner, cols) = x.shape();
        if inner != a.cols() {
            let what = format!("it has {inner} rows, A has {} columns", a.cols());
            return Err(Error::invalid_arg(ARG_X, what));
        }
        if y.shape() != (a.rows(), cols) {
            let (rows, y_cols) = y.shape();
            let what = format!("it is {rows} x {y_cols}, the product is {} x {cols}", a.rows());
            return Err(Error::invalid_arg(ARG_Y, what));
        }
        let caps = super::run::engine(&self.inner, T::TYPE, "spmm")?;
        options.check(&caps, T::TYPE)?;
        if options.semiring != Semiring::PlusTimes {
            // Rows without products have the value 0 here, which other semirings do not.
            let asked = format!("spmm over {}", options.semiring);
            return Err(Error::Unsupported { asked, have: Semiring::PlusTimes.to_string() });
        }
        if y.layout.is_empty() {
            return Ok(SpgemmStats::default());
        }
        let (zero, one) = (T::Sum::ZERO, T::Sum::ONE);
        let mut stats = SpgemmStats::default();
        let product = if alpha == zero {
            Csr::empty(a.rows(), cols)?
        } else {
            let (product, cost) = self.spgemm(a, &stored(&x)?, options)?;
            stats = cost;
            product
        };
        let scaled = alpha != one || beta != zero;
        stats.host_elements += if scaled { (a.rows() * cols) as u64 } else { 0 };
        let old = if beta == zero { None } else { Some(values::<T::Sum>(&y.as_view())?) };
        let mut new: Vec<T::Sum> = match old {
            // Adding zero is left out, so that beta = 1 keeps every bit of what no product reaches.
            Some(old) if beta == one => old,
            Some(old) => old.into_iter().map(|y| beta.times(y)).collect(),
            None => vec![zero; a.rows() * cols],
        };
        for (row, col, &value) in product.entries() {
            let to = &mut new[row * cols + col as usize];
            let term = if alpha == one { value } else { alpha.times(value) };
            *to = if beta == zero { term } else { term.plus(*to) };
        }
        put(&new, &y.layout, &mut y.place)?;
        Ok(stats)
    }

    /// `y = alpha * A * x + beta * y`; x and y are matrices of one column. As [`spmm`](Self::spmm).
    ///
    /// # Errors
    /// As [`spmm`](Self::spmm).
    pub fn spmv<T: SparseValue>(
        &self,
        alpha: T::Sum,
        a: &Csr<T>,
        x: View<'_, T>,
        beta: T::Sum,
        y: ViewMut<'_, T::Sum>,
        options: &SpgemmOptions,
    ) -> Result<SpgemmStats, Error> {
        for (index, cols) in [(ARG_X, x.shape().1), (ARG_Y, y.shape().1)] {
            if cols != 1 {
                let what = format!("it has {cols} columns, a vector has 1");
                return Err(Error::invalid_arg(index, what));
            }
        }
        self.spmm(alpha, a, x, beta, y, options)
    }
}

/// A dense matrix as a sparse one in which every entry is stored.
fn stored<T: SparseValue>(x: &DynView<'_>) -> Result<Csr<T>, Error> {
    let (rows, cols) = x.shape();
    let last = u32::try_from(cols).map_err(|_| {
        Error::invalid_arg(
            ARG_X,
            format!("it has {cols} columns, at most {} are allowed", u32::MAX),
        )
    })?;
    let row_ptr = (0..=rows as u64).map(|row| row * cols as u64).collect();
    let columns = (0..rows).flat_map(|_| 0..last).collect();
    Ok(Csr::new(rows, cols, row_ptr, columns, values(x)?)?)
}

/// Byte of an element.
fn at<T>(layout: &Layout, row: usize, col: usize) -> usize {
    let (line, i) = match layout.order {
        crate::Order::Row => (row, col),
        crate::Order::Column => (col, row),
    };
    layout.line(line).start + i * size_of::<T>()
}

/// The values of a dense matrix, row after row.
pub(super) fn values<T: SparseValue>(x: &DynView<'_>) -> Result<Vec<T>, Error> {
    let layout = x.layout;
    let (bytes, start) = match x.place {
        Place::Host(bytes) => (std::borrow::Cow::Borrowed(bytes), 0),
        Place::Card(memory) => {
            let span = layout.span();
            let mut bytes = vec![0; span.len()];
            memory.read(span.start as u64, &mut bytes)?;
            (bytes.into(), span.start)
        }
    };
    let value = |row, col| {
        let at = at::<T>(&layout, row, col) - start;
        bytemuck::pod_read_unaligned(&bytes[at..at + size_of::<T>()])
    };
    Ok((0..layout.rows)
        .flat_map(|row| (0..layout.cols).map(move |col| (row, col)))
        .map(|(row, col)| value(row, col))
        .collect())
}

/// Writes values that lie row after row.
fn put<T: SparseValue>(
    values: &[T],
    layout: &Layout,
    place: &mut PlaceMut<'_>,
) -> Result<(), Error> {
    for (i, value) in values.iter().enumerate() {
        let at = at::<T>(layout, i / layout.cols, i % layout.cols);
        let value = bytemuck::bytes_of(value);
        match place {
            PlaceMut::Host(bytes) => bytes[at..at + value.len()].copy_from_slice(value),
            PlaceMut::Card(memory) => memory.write(at as u64, value)?,
        }
    }
    Ok(())
}
