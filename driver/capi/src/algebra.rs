//! Semirings by name, products under a mask and onto a matrix.

use crate::card::MattockContext;
use crate::sparse::{
    MattockCsr, MattockProduct, MattockSpgemmOptions, Pair, Value, matrix, operands, options, pair,
    with_values,
};
use crate::status::{Fail, bad, named, run, text};
use crate::structure::{hand_out, handle, required, size, slice, structure};
use driver::sparse::{Mask, SEMIRINGS, SparseValue, SpgemmOptions};
use driver::{Context, Csr};
use std::ffi::c_char;

/// Entries of the product where the mask has none, instead of those where it has one.
pub const MATTOCK_MASK_COMPLEMENT: i32 = 1;
/// An entry of the mask that is zero counts as none.
pub const MATTOCK_MASK_BY_VALUE: i32 = 2;
/// Entries of `mattock_spgemm_onto`'s result that are zero are left out.
pub const MATTOCK_PRUNE: i32 = 4;

/// The flags that are about a mask.
const OF_MASK: i32 = MATTOCK_MASK_COMPLEMENT | MATTOCK_MASK_BY_VALUE;

/// What the driver's arguments are called here: A, B, mask; C.
const NAMES: [(usize, &str); 4] = [(3, "A"), (4, "B"), (5, "mask"), (7, "C")];

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
    run(|| {
        // SAFETY: by the contract.
        unsafe {
            let arguments = Arguments::new(context, how, a, b)?;
            judged(flags, OF_MASK)?;
            let mask = required(5, "mask", mask)?;
            hand_out(7, "product", product, arguments.multiply(Some(mask), flags, None)?)
        }
    })
}

/// `C + A * B` over the options' semiring, of which only the entries are kept that `mask` wants. `mask` and `c` have the shape of
/// the product and may be null. Where C has an entry it is one more value of its sum, the first when sums are ordered; its values
/// have the type of the product's: `MATTOCK_VALUES_I32` when those of A and B are integers, else `MATTOCK_VALUES_F32`.
/// `flags` are `MATTOCK_PRUNE` and, when there is a mask, those of `mattock_spgemm_masked`.
///
/// # Safety
/// As `mattock_spgemm`, for the mask and C too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_spgemm_onto(
    context: *const MattockContext,
    how: *const MattockSpgemmOptions,
    a: *const MattockCsr,
    b: *const MattockCsr,
    mask: *const MattockCsr,
    flags: i32,
    c: *const MattockCsr,
    product: *mut *mut MattockProduct,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        unsafe {
            let arguments = Arguments::new(context, how, a, b)?;
            judged(flags, OF_MASK | MATTOCK_PRUNE)?;
            let mask = structure(5, "mask", mask)?;
            if mask.is_none() && flags & OF_MASK != 0 {
                return bad(6, "flags", format!("is {flags}, of a mask, and mask is null"));
            }
            let c = structure(7, "C", c)?;
            hand_out(8, "product", product, arguments.multiply(mask, flags, c)?)
        }
    })
}

/// Flags there are no others of than `known`, the lowest bits.
fn judged(flags: i32, known: i32) -> Result<(), Fail> {
    match flags & !known {
        0 => Ok(()),
        _ => bad(6, "flags", format!("is {flags}, must be 0 to {known}")),
    }
}

/// The arguments that every product has.
struct Arguments<'a> {
    card: &'a Context,
    how: SpgemmOptions,
    operands: [MattockCsr; 2],
    value_type: i32,
}

impl Arguments<'_> {
    /// # Safety
    /// As `mattock_spgemm`.
    unsafe fn new(
        context: *const MattockContext,
        how: *const MattockSpgemmOptions,
        a: *const MattockCsr,
        b: *const MattockCsr,
    ) -> Result<Self, Fail> {
        // SAFETY: by the contract.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            let how = options(how)?;
            let (operands, value_type) = operands(a, b)?;
            Ok(Arguments { card, how, operands, value_type })
        }
    }

    /// The product under a mask and onto C, as far as they are there, with flags that have been judged.
    ///
    /// # Safety
    /// The arrays of all matrices are as long as their structures say; a mask's values only when they count.
    unsafe fn multiply(
        self,
        mask: Option<MattockCsr>,
        flags: i32,
        c: Option<MattockCsr>,
    ) -> Result<MattockProduct, Fail> {
        fn multiply<T: Value>(
            card: &Context,
            [a, b]: &Pair<T>,
            mask: Option<&Mask<'_, i32>>,
            c: Option<&Csr<T::Sum>>,
            how: &SpgemmOptions,
        ) -> Result<MattockProduct, Fail> {
            // The driver counts C before the mask, when it is there.
            let [a_name, b_name, mask_name, c_name] = NAMES;
            let with_c = [a_name, b_name, c_name, mask_name];
            let names = if c.is_some() { &with_c } else { &NAMES };
            let (d, stats) = named(card.spgemm_onto(a, b, mask, c, how), names)?;
            Ok(MattockProduct { product: T::either(d), stats })
        }
        let flag = |flag| flags & flag != 0;
        let (complement, by_value) = (flag(MATTOCK_MASK_COMPLEMENT), flag(MATTOCK_MASK_BY_VALUE));
        // SAFETY: by the contract.
        let wanted = mask.map(|mask| unsafe { entries(&mask, by_value) }).transpose()?;
        let mask = wanted.as_ref().map(|matrix| Mask { matrix, complement, by_value });
        let how = SpgemmOptions { prune: flag(MATTOCK_PRUNE), ..self.how };
        with_values!(3, "A", self.value_type, T => {
            let sum = <T as SparseValue>::TYPE.sum() as i32;
            if let Some(c) = c.filter(|c| c.value_type != sum) {
                return bad(7, "C", format!("has value_type {}, the product has {sum}", c.value_type));
            }
            // SAFETY: by the contract; the types of values are those that the structures say.
            let (ab, c) = unsafe {
                (pair(&self.operands)?, c.map(|c| matrix(7, "C", &c)).transpose()?)
            };
            multiply::<T>(self.card, &ab, mask.as_ref(), c.as_ref(), &how)
        })
    }
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
