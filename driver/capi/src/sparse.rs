//! Sparse products.

use crate::card::MattockContext;
use crate::matrix::{Checked, MattockMatrix};
use crate::status::{Fail, bad, named, run};
use crate::structure::{give, hand_out, handle, required, size, slice, structure, take_back};
use driver::sparse::{
    Determinism, SEMIRINGS, Semiring, SparseValue, SpgemmOptions, SpgemmPlan, SpgemmStats,
};
use driver::view::{DynView, DynViewMut, View, ViewMut};
use driver::{Context, Csr};
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

/// Values of `int32_t`; sums wrap.
pub const MATTOCK_VALUES_I32: i32 = 0;
/// Values of `float`.
pub const MATTOCK_VALUES_F32: i32 = 1;
/// Values of `int16_t`, computed with as `int32_t`.
pub const MATTOCK_VALUES_I16: i32 = 2;
/// Values of IEEE binary16, computed with as `float`.
pub const MATTOCK_VALUES_F16: i32 = 3;
/// Values of `int8_t`, computed with as `int32_t`.
pub const MATTOCK_VALUES_I8: i32 = 4;
/// Values of bfloat16, the upper half of a `float`, computed with as `float`.
pub const MATTOCK_VALUES_BF16: i32 = 5;

/// A sparse matrix in compressed rows; columns rise within each row.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockCsr {
    /// `sizeof(MattockCsr)`.
    pub struct_size: u32,
    /// One of `MATTOCK_VALUES_...`; of a product, `MATTOCK_VALUES_I32` or `MATTOCK_VALUES_F32`.
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

/// How a sparse product is computed. All zeros but `struct_size` is what is usual.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockSpgemmOptions {
    /// `sizeof(MattockSpgemmOptions)`.
    pub struct_size: u32,
    /// Not 0: in blocks of rows when C does not fit card memory.
    pub chunked: i32,
    /// Plus and times, or what takes their place: 0 plus_times, 1 min_plus, 2 max_plus, 3 max_times,
    /// 4 or_and, 5 plus_pair, 6 plus_first, 7 plus_second, 8 any_pair.
    pub semiring: i32,
    /// Not 0: products of an entry are added by rising k, so that sums of floats have the same bits on every card. Cards that were
    /// not built for it refuse them; sums of integers are the same in any order.
    pub ordered: i32,
    /// Most bytes of card memory for columns and values of C; 0: all there is.
    pub memory_budget: u64,
}

/// What a sparse product cost, by the card's counters.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockSpgemmStats {
    /// `sizeof(MattockSpgemmStats)`, set before the call.
    pub struct_size: u32,
    /// Always 0.
    pub reserved: u32,
    /// Commands the card ran.
    pub commands: u64,
    /// Clock cycles of the commands.
    pub cycles: u64,
    /// Multiply-adds.
    pub products: u64,
    /// Windows of rows.
    pub windows: u64,
    /// Windows that did not fit the table.
    pub spills: u64,
    /// Cycles that products waited for each other; 0 unless sums are ordered.
    pub hazard_stalls: u64,
    /// Bytes moved, both directions.
    pub dram_bytes: u64,
    /// Elements the host computed.
    pub host_elements: u64,
}

/// Bounds of a sparse product, from the structure of A and B alone.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockSpgemmEstimate {
    /// `sizeof(MattockSpgemmEstimate)`, set before the call.
    pub struct_size: u32,
    /// Always 0.
    pub reserved: u32,
    /// Multiply-adds.
    pub products: u64,
    /// C has no more entries than this.
    pub nnz_upper: u64,
    /// Bytes of card memory that are enough.
    pub workspace: u64,
}

/// A product, in one of the two types cards compute in.
pub(crate) enum Either {
    I32(Csr<i32>),
    F32(Csr<f32>),
}

impl From<Csr<i32>> for Either {
    fn from(c: Csr<i32>) -> Self {
        Either::I32(c)
    }
}

impl From<Csr<f32>> for Either {
    fn from(c: Csr<f32>) -> Self {
        Either::F32(c)
    }
}

/// A type of values.
pub(crate) trait Value: SparseValue {
    /// A result in either type.
    fn either(c: Csr<Self::Sum>) -> Either;
}

impl<T: SparseValue> Value for T
where
    Either: From<Csr<T::Sum>>,
{
    fn either(c: Csr<T::Sum>) -> Either {
        c.into()
    }
}

/// `$body` with `$T` for the type of `value_type`, or the failure of argument `$index`, `$name`.
macro_rules! with_values {
    ($index:expr, $name:expr, $value_type:expr, $T:ident => $body:expr) => {
        with_values!(@each $index, $name, $value_type, $T => $body,
            MATTOCK_VALUES_I32 i32, MATTOCK_VALUES_F32 f32, MATTOCK_VALUES_I16 i16,
            MATTOCK_VALUES_F16 driver::f16, MATTOCK_VALUES_I8 i8, MATTOCK_VALUES_BF16 driver::bf16)
    };
    (@each $index:expr, $name:expr, $value_type:expr, $T:ident => $body:expr, $($code:ident $type:ty),*) => {
        match $value_type {
            $( $crate::sparse::$code => { type $T = $type; $body } )*
            other => {
                let most = [$( $crate::sparse::$code ),*].len() - 1;
                $crate::status::bad($index, $name, format!("has value_type {other}, must be 0 to {most}"))
            }
        }
    };
}
pub(crate) use with_values;

/// A sparse result. `mattock_product_csr` shows its arrays.
pub struct MattockProduct {
    pub(crate) product: Either,
    pub(crate) stats: SpgemmStats,
}

/// Structure of a sparse product, kept on the card.
pub struct MattockPlan {
    plan: Mutex<Box<dyn Plan>>,
    nnz: [usize; 2],
}

/// A plan for values of some type.
trait Plan: Send {
    /// The product with these values of A and B.
    ///
    /// # Safety
    /// The arrays have as many values of the plan's type as A and B have entries, `nnz`.
    unsafe fn numeric(
        &mut self,
        values: [*const c_void; 2],
        nnz: [usize; 2],
    ) -> Result<MattockProduct, Fail>;
}

impl<T: Value> Plan for SpgemmPlan<T> {
    unsafe fn numeric(
        &mut self,
        [a, b]: [*const c_void; 2],
        nnz: [usize; 2],
    ) -> Result<MattockProduct, Fail> {
        // SAFETY: by the contract.
        let (a, b) = unsafe {
            (
                slice(2, "a_values", a.cast::<T>(), nnz[0])?,
                slice(3, "b_values", b.cast::<T>(), nnz[1])?,
            )
        };
        let (c, stats) =
            named(SpgemmPlan::numeric(self, a, b), &[(2, "a_values"), (3, "b_values")])?;
        Ok(MattockProduct { product: T::either(c), stats })
    }
}

pub(crate) type Pair<T> = [Csr<T>; 2];

/// A matrix whose arrays were checked.
///
/// # Safety
/// The arrays are as long as the structure says.
pub(crate) unsafe fn matrix<T: SparseValue>(
    index: usize,
    name: &'static str,
    csr: &MattockCsr,
) -> Result<Csr<T>, Fail> {
    let field = |field, value| size(index, name, field, value);
    let (rows, cols) = (field("rows", csr.rows)?, field("cols", csr.cols)?);
    let nnz = field("nnz", csr.nnz)?;
    // SAFETY: by the contract.
    let (row_ptr, columns, values) = unsafe {
        (
            slice(index, name, csr.row_ptr, rows.saturating_add(1))?,
            slice(index, name, csr.columns, nnz)?,
            slice(index, name, csr.values.cast::<T>(), nnz)?,
        )
    };
    match Csr::new(rows, cols, row_ptr.to_vec(), columns.to_vec(), values.to_vec()) {
        Ok(csr) => Ok(csr),
        Err(error) => Err(Fail::Driver(error.into())),
    }
}

/// The type of both operands' values; they stand at positions 3 and 4.
///
/// # Safety
/// `a` and `b` are null or structures of their `struct_size`.
pub(crate) unsafe fn operands(
    a: *const MattockCsr,
    b: *const MattockCsr,
) -> Result<([MattockCsr; 2], i32), Fail> {
    // SAFETY: by the contract.
    let (a, b) = unsafe { (required(3, "A", a)?, required(4, "B", b)?) };
    if a.value_type != b.value_type {
        return bad(4, "B", format!("has value_type {}, A has {}", b.value_type, a.value_type));
    }
    Ok(([a, b], a.value_type))
}

/// The operands as matrices.
///
/// # Safety
/// Their arrays are as long as the structures say, and values are of this type.
pub(crate) unsafe fn pair<T: SparseValue>([a, b]: &[MattockCsr; 2]) -> Result<Pair<T>, Fail> {
    // SAFETY: by the contract.
    unsafe { Ok([matrix(3, "A", a)?, matrix(4, "B", b)?]) }
}

/// # Safety
/// `options` is null or a structure of its `struct_size`.
pub(crate) unsafe fn options(options: *const MattockSpgemmOptions) -> Result<SpgemmOptions, Fail> {
    // SAFETY: by the contract.
    let Some(o) = (unsafe { structure(2, "options", options)? }) else {
        return Ok(SpgemmOptions::default());
    };
    let Some(semiring) = u8::try_from(o.semiring).ok().and_then(Semiring::from_u8) else {
        let most = SEMIRINGS.len() - 1;
        return bad(2, "options", format!("has semiring {}, must be 0 to {most}", o.semiring));
    };
    let determinism = if o.ordered != 0 { Determinism::Ordered } else { Determinism::Fast };
    let memory_budget = (o.memory_budget > 0).then_some(o.memory_budget);
    let chunked = o.chunked != 0;
    Ok(SpgemmOptions { memory_budget, chunked, semiring, determinism, ..Default::default() })
}

/// What the driver's arguments are called here: A, B, options.
const NAMES: [(usize, &str); 3] = [(3, "A"), (4, "B"), (2, "options")];

/// `C = A * B`, all three phases at once. `options` may be null. On success `product` is to be freed by
/// `mattock_product_free`.
///
/// # Safety
/// `context` is open; structures have their `struct_size`, and matrices arrays as long as they say; `product` is
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_spgemm(
    context: *const MattockContext,
    how: *const MattockSpgemmOptions,
    a: *const MattockCsr,
    b: *const MattockCsr,
    product: *mut *mut MattockProduct,
) -> i32 {
    fn multiply<T: Value>(
        card: &Context,
        [a, b]: &Pair<T>,
        how: &SpgemmOptions,
    ) -> Result<MattockProduct, Fail> {
        let (c, stats) = named(card.spgemm(a, b, how), &NAMES)?;
        Ok(MattockProduct { product: T::either(c), stats })
    }
    run(|| {
        // SAFETY: by the contract.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            let how = options(how)?;
            let (ab, values) = operands(a, b)?;
            let done = with_values!(3, "A", values, T => multiply::<T>(card, &pair(&ab)?, &how))?;
            hand_out(5, "product", product, done)
        }
    })
}

/// First phase: what the product may need. Nothing is sent to the card; values are not looked at.
///
/// # Safety
/// As `mattock_spgemm`; `estimate` is a structure of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_spgemm_estimate(
    context: *const MattockContext,
    how: *const MattockSpgemmOptions,
    a: *const MattockCsr,
    b: *const MattockCsr,
    estimate: *mut MattockSpgemmEstimate,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            options(how)?;
            let (ab, values) = operands(a, b)?;
            let found = with_values!(3, "A", values, T => {
                let [a, b]: Pair<T> = pair(&ab)?;
                named(card.spgemm_estimate(&a, &b), &NAMES)
            })?;
            give(5, "estimate", estimate, |old| MattockSpgemmEstimate {
                struct_size: old.struct_size,
                reserved: 0,
                products: found.products,
                nnz_upper: found.nnz_upper,
                workspace: found.workspace,
            })
        }
    })
}

/// Second phase: the structure of the product, kept on the card. On success `plan` is to be freed by
/// `mattock_plan_free`; `nnz` becomes the entries of C unless it is null.
///
/// # Safety
/// As `mattock_spgemm`; `plan` is writable, `nnz` null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_spgemm_symbolic(
    context: *const MattockContext,
    how: *const MattockSpgemmOptions,
    a: *const MattockCsr,
    b: *const MattockCsr,
    nnz: *mut u64,
    plan: *mut *mut MattockPlan,
) -> i32 {
    fn form<T: Value>(
        card: &Context,
        [a, b]: &Pair<T>,
        how: &SpgemmOptions,
    ) -> Result<(MattockPlan, u64), Fail> {
        let plan = named(card.spgemm_symbolic(a, b, how), &NAMES)?;
        let nnz = plan.nnz();
        Ok((MattockPlan { plan: Mutex::new(Box::new(plan)), nnz: [a.nnz(), b.nnz()] }, nnz))
    }
    run(|| {
        // SAFETY: by the contract.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            let how = options(how)?;
            let (ab, values) = operands(a, b)?;
            let (formed, entries) =
                with_values!(3, "A", values, T => form::<T>(card, &pair(&ab)?, &how))?;
            hand_out(6, "plan", plan, formed)?;
            if let Some(nnz) = nnz.as_mut() {
                *nnz = entries;
            }
            Ok(())
        }
    })
}

/// Third phase, as often as values change: C with these values of A and B, in the order of their entries and of the plan's
/// type.
///
/// # Safety
/// `plan` is not freed; the arrays have as many values as A and B had entries; `product` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_spgemm_numeric(
    plan: *mut MattockPlan,
    a_values: *const c_void,
    b_values: *const c_void,
    product: *mut *mut MattockProduct,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        unsafe {
            let MattockPlan { plan, nnz } = handle(1, "plan", plan.cast_const())?;
            let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
            let done = plan.numeric([a_values, b_values], *nnz)?;
            hand_out(4, "product", product, done)
        }
    })
}

/// Frees a plan; null is ignored.
///
/// # Safety
/// `plan` comes from `mattock_spgemm_symbolic` and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_plan_free(plan: *mut MattockPlan) {
    run(|| {
        // SAFETY: by the contract.
        drop(unsafe { take_back(plan) });
        Ok(())
    });
}

/// Shows the arrays of a product, which stay there until it is freed. `stats` may be null.
///
/// # Safety
/// `product` is not freed; `csr` and `stats` are structures of their `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_product_csr(
    product: *const MattockProduct,
    csr: *mut MattockCsr,
    stats: *mut MattockSpgemmStats,
) -> i32 {
    fn show<T>(c: &Csr<T>, struct_size: u32, value_type: i32) -> MattockCsr {
        MattockCsr {
            struct_size,
            value_type,
            rows: c.rows() as i64,
            cols: c.cols() as i64,
            nnz: c.nnz() as i64,
            row_ptr: c.row_ptr().as_ptr(),
            columns: c.col_idx().as_ptr(),
            values: c.values().as_ptr().cast(),
        }
    }
    run(|| {
        // SAFETY: by the contract.
        unsafe {
            let MattockProduct { product, stats: cost } = handle(1, "product", product)?;
            required(2, "csr", csr.cast_const())?;
            give(2, "csr", csr, |old| match product {
                Either::I32(c) => show(c, old.struct_size, MATTOCK_VALUES_I32),
                Either::F32(c) => show(c, old.struct_size, MATTOCK_VALUES_F32),
            })?;
            give(3, "stats", stats, |old| sparse_stats(old.struct_size, cost))
        }
    })
}

fn sparse_stats(struct_size: u32, cost: &SpgemmStats) -> MattockSpgemmStats {
    MattockSpgemmStats {
        struct_size,
        reserved: 0,
        commands: cost.commands,
        cycles: cost.cycles,
        products: cost.products,
        windows: cost.windows,
        spills: cost.spills,
        hazard_stalls: cost.hazard_stalls,
        dram_bytes: cost.bytes_read + cost.bytes_written,
        host_elements: cost.host_elements,
    }
}

/// Frees a product and its arrays; null is ignored.
///
/// # Safety
/// `product` comes from this library and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_product_free(product: *mut MattockProduct) {
    run(|| {
        // SAFETY: by the contract.
        drop(unsafe { take_back(product) });
        Ok(())
    });
}

/// `Y = alpha * A * X + beta * Y` with a sparse A and a dense X of the same type of values, and a dense Y of the type they are
/// computed in, `"i32"` or `"f32"`; alpha and beta point to values of that. With X and Y of one column this is `spmv`. `options` and `stats` may be null.
///
/// # Safety
/// As `mattock_spgemm` and `mattock_gemm`; `stats` is null or a structure of its `struct_size`.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of BLAS")]
pub unsafe extern "C" fn mattock_spmm(
    context: *const MattockContext,
    how: *const MattockSpgemmOptions,
    alpha: *const c_void,
    a: *const MattockCsr,
    x: *const MattockMatrix,
    beta: *const c_void,
    y: *const MattockMatrix,
    stats: *mut MattockSpgemmStats,
) -> i32 {
    /// # Safety
    /// A's arrays are as long as it says; alpha and beta point to values.
    unsafe fn multiply<T: SparseValue>(
        card: &Context,
        how: &SpgemmOptions,
        a: &MattockCsr,
        [alpha, beta]: [*const c_void; 2],
        x: DynView<'_>,
        y: DynViewMut<'_>,
    ) -> Result<SpgemmStats, Fail> {
        // SAFETY: by the contract.
        let (a, alpha, beta) = unsafe {
            let scalar = |p: *const c_void| p.cast::<T::Sum>().read_unaligned();
            (matrix::<T>(4, "A", a)?, scalar(alpha), scalar(beta))
        };
        let x = named(View::try_from(x), &[(5, "X")])?;
        let y = named(ViewMut::try_from(y), &[(7, "Y")])?;
        let names = [(3, "alpha"), (4, "A"), (5, "X"), (6, "beta"), (7, "Y"), (2, "options")];
        named(card.spmm(alpha, &a, x, beta, y, how), &names)
    }
    run(|| {
        // SAFETY: by the contract; Y does not overlap X, as is checked.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            let how = options(how)?;
            for (index, name, scalar) in [(3, "alpha", alpha), (6, "beta", beta)] {
                if scalar.is_null() {
                    return bad(index, name, "is null");
                }
            }
            let a = required(4, "A", a)?;
            let (mx, my) = (Checked::new(5, "X", x)?, Checked::new(7, "Y", y)?);
            my.apart_from([&mx, &mx])?;
            let (x, y) = (mx.view()?, my.view_mut()?);
            let done = with_values!(4, "A", a.value_type, T => {
                multiply::<T>(card, &how, &a, [alpha, beta], x, y)
            })?;
            give(8, "stats", stats, |old| sparse_stats(old.struct_size, &done))
        }
    })
}
