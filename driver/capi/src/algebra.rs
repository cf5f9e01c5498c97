//! Semirings by name, and products under a mask.

use crate::card::MattockContext;
use crate::sparse::{
    MattockCsr, MattockProduct, MattockSpgemmOptions, Pair, Value, matrix, operands, options, pair,
    with_values,
};
use crate::status::{Fail, bad, named, run, text};
use crate::structure::{hand_out, handle, required, size, slice};
use driver::sparse::{Mask, SEMIRINGS, SparseValue, SpgemmOptions};
use driver::{Context, Csr};
use std::ffi::c_char;

/// Entries of the product where the mask has none, instead of those where it has one.
pub const MATTOCK_MASK_COMPLEMENT: i32 = 1;
/// An entry of the mask that is zero counts as none.
pub const MATTOCK_MASK_BY_VALUE: i32 = 2;

/// What the driver's arguments are called here: A, B, mask, options.
const NAMES: [(usize, &str); 4] = [(3, "A"), (4, "B"), (5, "mask"), (2, "options")];

/// Copies the name of a semiring, such as `plus-times` for 0, into `buffer`, cut to `bytes` with its final zero; gives the bytes
/// the whole name takes with it, 0 for a number that is no semiring.
///
/// # Safety
/// `buffer` is null or has room for `bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_semiring_name(
    semiring: i32,
    buffer: *mut c_char,
    bytes: usize,
) -> usize {
    let Some(found) = usize::try_from(semiring).ok().and_then(|at| SEMIRINGS.get(at)) else {
        return 0;
    };
    // SAFETY: by the contract.
    unsafe { text(found.name(), buffer, bytes) }
}

/// `mattock_spgemm` of which only the entries are kept that `mask`, a matrix of the product's shape, wants: those where it has an
/// entry, or as `flags` (`MATTOCK_MASK_...`) say. The mask's values may be of another type than those of A and B, and null without
/// `MATTOCK_MASK_BY_VALUE`.
///
/// # Safety
/// As `mattock_spgemm`, for the mask too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_spgemm_masked(
    context: *const MattockContext,
    how: *const MattockSpgemmOptions,
    a: *const MattockCsr,
    b: *const MattockCsr,
    mask: *const MattockCsr,
    flags: i32,
    product: *mut *mut MattockProduct,
) -> i32 {
    fn multiply<T: Value>(
        card: &Context,
        [a, b]: &Pair<T>,
        mask: &Mask<'_, i32>,
        how: &SpgemmOptions,
    ) -> Result<MattockProduct, Fail> {
        let (c, stats) = named(card.spgemm_masked(a, b, mask, how), &NAMES)?;
        Ok(MattockProduct { product: T::either(c), stats })
    }
    run(|| {
        // SAFETY: by the contract.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            let how = options(how)?;
            let (ab, values) = operands(a, b)?;
            if flags & !(MATTOCK_MASK_COMPLEMENT | MATTOCK_MASK_BY_VALUE) != 0 {
                return bad(6, "flags", format!("is {flags}, must be 0 to 3"));
            }
            let by_value = flags & MATTOCK_MASK_BY_VALUE != 0;
            let wanted = entries(&required(5, "mask", mask)?, by_value)?;
            let complement = flags & MATTOCK_MASK_COMPLEMENT != 0;
            let mask = Mask { matrix: &wanted, complement, by_value };
            let done = with_values!(3, "A", values, T => {
                multiply::<T>(card, &pair(&ab)?, &mask, &how)
            })?;
            hand_out(7, "product", product, done)
        }
    })
}

/// A mask with 0 where its value is zero, when that counts, else 1.
///
/// # Safety
/// The arrays are as long as the structure says; values only when they count.
unsafe fn entries(mask: &MattockCsr, by_value: bool) -> Result<Csr<i32>, Fail> {
    const PLACE: (usize, &str) = (5, "mask");
    let (index, name) = PLACE;
    let nnz = size(index, name, "nnz", mask.nnz)?;
    let set: Vec<i32> = with_values!(index, name, mask.value_type, T => {
        if by_value {
            // SAFETY: by the contract.
            let values = unsafe { slice(index, name, mask.values.cast::<T>(), nnz)? };
            Ok(values.iter().map(|value| i32::from(*value != T::ZERO)).collect())
        } else {
            Ok(vec![1; nnz])
        }
    })?;
    let shown = MattockCsr { values: set.as_ptr().cast(), ..*mask };
    // SAFETY: by the contract, and the values are those above.
    unsafe { matrix(index, name, &shown) }
}
