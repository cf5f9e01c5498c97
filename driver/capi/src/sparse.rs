//! Sparse products.

use crate::call::{MattockContext, context, dim, slice, slice_mut, structure};
use crate::status::{bad, run};
use driver::sparse::{SparseValue, SpgemmOptions};
use driver::{Context, Csr, Error};
use std::ffi::c_void;

/// Values of `int32_t`; sums wrap.
pub const MATTOCK_VALUES_I32: i32 = 0;
/// Values of `float`.
pub const MATTOCK_VALUES_F32: i32 = 1;

/// A sparse matrix in compressed rows; columns rise within each row.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockCsr {
    /// `sizeof(MattockCsr)`.
    pub struct_size: u32,
    /// `MATTOCK_VALUES_I32` or `MATTOCK_VALUES_F32`.
    pub value_type: i32,
    /// Rows.
    pub rows: i64,
    /// Columns.
    pub cols: i64,
    /// Entries.
    pub nnz: i64,
    /// `rows + 1` numbers from 0 to `nnz` that never fall.
    pub row_ptr: *const u64,
    /// `nnz` columns.
    pub columns: *const u32,
    /// `nnz` values.
    pub values: *const c_void,
}

enum Product {
    I32(Csr<i32>),
    F32(Csr<f32>),
}

/// A sparse product, to be fetched.
pub struct MattockProduct {
    product: Product,
    cycles: u64,
}

/// A matrix whose arrays were checked.
///
/// # Safety
/// The arrays are as long as the structure says.
unsafe fn matrix<T: SparseValue>(index: usize, csr: &MattockCsr) -> Result<Csr<T>, Error> {
    let (rows, cols) = (dim(index, "rows", csr.rows)?, dim(index, "cols", csr.cols)?);
    let nnz = dim(index, "nnz", csr.nnz)?;
    // SAFETY: by the contract.
    let (row_ptr, columns, values) = unsafe {
        (
            slice(index, csr.row_ptr, rows.saturating_add(1))?,
            slice(index, csr.columns, nnz)?,
            slice(index, csr.values.cast::<T>(), nnz)?,
        )
    };
    Ok(Csr::new(rows, cols, row_ptr.to_vec(), columns.to_vec(), values.to_vec())?)
}

/// # Safety
/// As [`matrix`].
unsafe fn multiply<T: SparseValue>(
    card: &Context,
    [a, b]: [&MattockCsr; 2],
    chunked: bool,
) -> Result<(Csr<T>, u64), Error> {
    // SAFETY: by the contract.
    let (a, b) = unsafe { (matrix::<T>(2, a)?, matrix::<T>(3, b)?) };
    let options = SpgemmOptions { chunked, ..SpgemmOptions::default() };
    let (c, stats) = card.spgemm(&a, &b, &options)?;
    Ok((c, stats.cycles))
}

/// Computes `C = A * B` and waits for it. With `chunked`, in blocks of rows when C does not fit card memory. On success
/// `product` is to be freed by [`mattock_product_free`].
///
/// # Safety
/// `context` is open; A and B are structures of their `struct_size` with arrays as long as they say; `product` is
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_spgemm(
    context_handle: *const MattockContext,
    a: *const MattockCsr,
    b: *const MattockCsr,
    chunked: i32,
    product: *mut *mut MattockProduct,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let card = unsafe { context(context_handle)? };
        // SAFETY: by the contract.
        let (a, b) = unsafe { (structure(2, a)?, structure(3, b)?) };
        let (Some(a), Some(b)) = (a, b) else { return bad(2, "A or B is null") };
        if product.is_null() {
            return bad(5, "it is null");
        }
        if a.value_type != b.value_type {
            return bad(3, format!("its value_type is {}, A's is {}", b.value_type, a.value_type));
        }
        // SAFETY: by the contract.
        let (c, cycles) = unsafe {
            match a.value_type {
                MATTOCK_VALUES_I32 => {
                    let (c, cycles) = multiply(card, [&a, &b], chunked != 0)?;
                    (Product::I32(c), cycles)
                }
                MATTOCK_VALUES_F32 => {
                    let (c, cycles) = multiply(card, [&a, &b], chunked != 0)?;
                    (Product::F32(c), cycles)
                }
                other => return bad(2, format!("value_type is {other}, it must be 0 or 1")),
            }
        };
        let done = Box::new(MattockProduct { product: c, cycles });
        // SAFETY: not null, and writable by the contract.
        unsafe { product.write(Box::into_raw(done)) };
        Ok(())
    })
}

/// Entries of a product, and in `cycles`, unless it is null, the card's clock cycles; -1 for null.
///
/// # Safety
/// `product` is null or from [`mattock_spgemm`] and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_product_nnz(
    product: *const MattockProduct,
    cycles: *mut u64,
) -> i64 {
    // SAFETY: by the contract.
    let Some(product) = (unsafe { product.as_ref() }) else { return -1 };
    if !cycles.is_null() {
        // SAFETY: writable by the contract.
        unsafe { cycles.write_unaligned(product.cycles) };
    }
    let nnz = match &product.product {
        Product::I32(c) => c.nnz(),
        Product::F32(c) => c.nnz(),
    };
    nnz as i64
}

/// Copies a product to arrays of the caller: `rows + 1` row pointers, and as many columns and values as it has entries.
///
/// # Safety
/// `product` is from [`mattock_spgemm`] and not freed; the arrays have that room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_product_fetch(
    product: *const MattockProduct,
    row_ptr: *mut u64,
    columns: *mut u32,
    values: *mut c_void,
) -> i32 {
    /// # Safety
    /// The arrays have room for the matrix.
    unsafe fn copy<T: SparseValue>(
        c: &Csr<T>,
        row_ptr: *mut u64,
        columns: *mut u32,
        values: *mut c_void,
    ) -> Result<(), Error> {
        // SAFETY: by the contract.
        unsafe {
            slice_mut(2, row_ptr, c.rows() + 1)?.copy_from_slice(c.row_ptr());
            slice_mut(3, columns, c.nnz())?.copy_from_slice(c.col_idx());
            slice_mut(4, values.cast::<T>(), c.nnz())?.copy_from_slice(c.values());
        }
        Ok(())
    }
    run(|| {
        // SAFETY: by the contract.
        let Some(product) = (unsafe { product.as_ref() }) else { return bad(1, "it is null") };
        // SAFETY: by the contract.
        unsafe {
            match &product.product {
                Product::I32(c) => copy(c, row_ptr, columns, values),
                Product::F32(c) => copy(c, row_ptr, columns, values),
            }
        }
    })
}

/// Frees a product; null is ignored.
///
/// # Safety
/// `product` comes from [`mattock_spgemm`] and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_product_free(product: *mut MattockProduct) {
    if !product.is_null() {
        // SAFETY: made by `Box::into_raw` in `mattock_spgemm`, given back once, by the contract.
        drop(unsafe { Box::from_raw(product) });
    }
}
