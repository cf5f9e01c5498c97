//! Dense products.

use crate::card::MattockContext;
use crate::event::MattockEvent;
use crate::matrix::{Checked, MattockMatrix};
use crate::status::{Fail, MATTOCK_OK, bad, named, run};
use crate::structure::{dim, hand_out, handle, slice, structure};
use driver::dense::Strided;
use driver::{Event, GemmOptions, Scalar};
use mattock_spec::{Format, Rounding};
use std::ffi::c_void;
use std::sync::Mutex;

/// To nearest, ties to even.
pub const MATTOCK_ROUND_NEAREST_EVEN: i32 = 0;
/// Toward zero.
pub const MATTOCK_ROUND_ZERO: i32 = 1;
/// Up.
pub const MATTOCK_ROUND_UP: i32 = 2;
/// Down.
pub const MATTOCK_ROUND_DOWN: i32 = 3;
/// To nearest, ties away from zero.
pub const MATTOCK_ROUND_NEAREST_AWAY: i32 = 4;

/// How a dense product is computed. All zeros but `struct_size` is what is usual.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockGemmOptions {
    /// `sizeof(MattockGemmOptions)`.
    pub struct_size: u32,
    /// Not 0: load both operands into the card first.
    pub resident: i32,
    /// Not 0: in parts when it does not fit card memory. Such a call returns when it is done.
    pub chunked: i32,
    /// `MATTOCK_ROUND_...`, of float results.
    pub rounding: i32,
    /// Not 0: infinite float results become the largest finite number.
    pub saturate: i32,
}

/// What the driver's arguments are called here: options, alpha, A, B, beta, C, batch.
const NAMES: [(usize, &str); 7] =
    [(2, "options"), (3, "alpha"), (4, "A"), (5, "B"), (6, "beta"), (7, "C"), (11, "batch")];
const NAMES_STRIDED: [(usize, &str); 7] =
    [(2, "options"), (3, "alpha"), (4, "A"), (6, "B"), (8, "beta"), (9, "C"), (11, "batch")];

/// # Safety
/// `options` is null or a structure of its `struct_size`.
unsafe fn options(options: *const MattockGemmOptions) -> Result<GemmOptions, Fail> {
    // SAFETY: by the contract.
    let Some(o) = (unsafe { structure(2, "options", options)? }) else {
        return Ok(GemmOptions::default());
    };
    let rounding = match o.rounding {
        MATTOCK_ROUND_NEAREST_EVEN => Rounding::Rne,
        MATTOCK_ROUND_ZERO => Rounding::Rz,
        MATTOCK_ROUND_UP => Rounding::Ru,
        MATTOCK_ROUND_DOWN => Rounding::Rd,
        MATTOCK_ROUND_NEAREST_AWAY => Rounding::Rna,
        other => return bad(2, "options", format!("has rounding {other}, must be 0 to 4")),
    };
    let (resident, chunked) = (o.resident != 0, o.chunked != 0);
    Ok(GemmOptions { resident, chunked, rounding, saturate: o.saturate != 0 })
}

/// Alpha or beta: `int32_t` for integer results, else `float`.
///
/// # Safety
/// `pointer` is null or points to a value of that type.
unsafe fn scalar(
    index: usize,
    name: &'static str,
    pointer: *const c_void,
    format: Format,
) -> Result<Scalar, Fail> {
    if pointer.is_null() {
        return bad(index, name, "is null");
    }
    // SAFETY: not null, and of the type that goes with C, by the contract.
    Ok(unsafe {
        match format == Format::I32 {
            true => Scalar::I32(pointer.cast::<i32>().read_unaligned()),
            false => Scalar::F32(pointer.cast::<f32>().read_unaligned()),
        }
    })
}

/// Gives the event to the caller, or waits for it when the caller wants none.
///
/// # Safety
/// `to` is null or writable.
unsafe fn finish<'m>(
    started: Event<'static>,
    matrices: impl IntoIterator<Item = &'m Checked>,
    index: usize,
    to: *mut *mut MattockEvent,
) -> Result<(), Fail> {
    if to.is_null() {
        started.wait()?;
        return Ok(());
    }
    let _buffers = matrices.into_iter().filter_map(Checked::keep).collect();
    let event = MattockEvent { event: Mutex::new(started), _buffers };
    // SAFETY: by the contract.
    unsafe { hand_out(index, "event", to, event) }
}

/// `C = alpha * A * B + beta * C` by the rules of BLAS, for matrices of any type the card has. `alpha` and `beta` point to
/// `int32_t` when C is `"i32"`, else to `float`. `options` may be null. A, B and C must not overlap.
///
/// With `event` null the call waits for the result. Else A and B in host memory have been copied when it returns, C
/// must stay where it is until the event has been waited for, and buffers must not be written meanwhile.
///
/// # Safety
/// `context` is open; structures have their `struct_size`; matrices have the memory that they say, and nobody
/// changes it meanwhile; `event` is null or writable.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of BLAS")]
pub unsafe extern "C" fn mattock_gemm(
    context: *const MattockContext,
    how: *const MattockGemmOptions,
    alpha: *const c_void,
    a: *const MattockMatrix,
    b: *const MattockMatrix,
    beta: *const c_void,
    c: *const MattockMatrix,
    event: *mut *mut MattockEvent,
) -> i32 {
    run(|| {
        // SAFETY: by the contract; C overlaps neither A nor B, as is checked, and buffers are kept with the event.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            let how = options(how)?;
            let (ma, mb) = (Checked::new(4, "A", a)?, Checked::new(5, "B", b)?);
            let mc = Checked::new(7, "C", c)?;
            mc.apart_from([&ma, &mb])?;
            let (a, b) = (ma.view()?, mb.view()?);
            let alpha = scalar(3, "alpha", alpha, mc.format)?;
            let beta = scalar(6, "beta", beta, mc.format)?;
            let c = mc.view_mut()?;
            let started = named(card.gemm_dyn(&how, alpha, a, b, beta, c), &NAMES)?;
            finish(started, [&ma, &mb, &mc], 8, event)
        }
    })
}

/// `y = alpha * A * x + beta * y`; x and y are matrices of one column. As `mattock_gemm`.
///
/// # Safety
/// As `mattock_gemm`.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of BLAS")]
pub unsafe extern "C" fn mattock_gemv(
    context: *const MattockContext,
    options: *const MattockGemmOptions,
    alpha: *const c_void,
    a: *const MattockMatrix,
    x: *const MattockMatrix,
    beta: *const c_void,
    y: *const MattockMatrix,
    event: *mut *mut MattockEvent,
) -> i32 {
    let vectors = run(|| {
        for (index, name, vector) in [(5, "x", x), (7, "y", y)] {
            // SAFETY: by the contract.
            let shape = unsafe { Checked::new(index, name, vector)? }.shape();
            if shape.1 != 1 {
                return bad(index, name, format!("has {} columns, must have 1", shape.1));
            }
        }
        Ok(())
    });
    if vectors != MATTOCK_OK {
        return vectors;
    }
    // SAFETY: the same contract.
    unsafe { mattock_gemm(context, options, alpha, a, x, beta, y, event) }
}

/// `mattock_gemm` for `batch` triples of matrices of one shape; `stride_a`, `stride_b` and `stride_c` are elements from one matrix
/// to the next, 0 for an operand that all share. Matrices of C may lie beside each other but not overlap.
///
/// # Safety
/// As `mattock_gemm`, for all matrices of the batch.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of BLAS")]
pub unsafe extern "C" fn mattock_gemm_strided_batched(
    context: *const MattockContext,
    how: *const MattockGemmOptions,
    alpha: *const c_void,
    a: *const MattockMatrix,
    stride_a: i64,
    b: *const MattockMatrix,
    stride_b: i64,
    beta: *const c_void,
    c: *const MattockMatrix,
    stride_c: i64,
    batch: i64,
    event: *mut *mut MattockEvent,
) -> i32 {
    run(|| {
        // SAFETY: as in `mattock_gemm`.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            let how = options(how)?;
            let (mut ma, mut mb) = (Checked::new(4, "A", a)?, Checked::new(6, "B", b)?);
            let mut mc = Checked::new(9, "C", c)?;
            let batch = dim(11, "batch", batch)?;
            let strides = [
                dim(5, "stride_a", stride_a)?,
                dim(7, "stride_b", stride_b)?,
                dim(10, "stride_c", stride_c)?,
            ];
            for (matrix, stride) in [&mut ma, &mut mb, &mut mc].into_iter().zip(strides) {
                matrix.extend(stride.saturating_mul(batch.saturating_sub(1)))?;
            }
            mc.apart_from([&ma, &mb])?;
            let strided = |first, stride| Strided { first, stride };
            let (a, b) = (strided(ma.view()?, strides[0]), strided(mb.view()?, strides[1]));
            let alpha = scalar(3, "alpha", alpha, mc.format)?;
            let beta = scalar(8, "beta", beta, mc.format)?;
            let c = Strided { first: mc.view_mut()?, stride: strides[2] };
            let started = card.gemm_strided_batched_dyn(&how, alpha, a, b, beta, c, batch);
            finish(named(started, &NAMES_STRIDED)?, [&ma, &mb, &mc], 12, event)
        }
    })
}

/// `mattock_gemm` for `batch` triples of matrices, which may lie anywhere and differ in shape: `a`, `b` and `c` are arrays of
/// `batch` pointers. Nothing starts unless all of them are right. Results must not overlap each other or any operand.
///
/// # Safety
/// As `mattock_gemm`, for all matrices of the batch; the arrays have `batch` pointers.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of BLAS")]
pub unsafe extern "C" fn mattock_gemm_batched(
    context: *const MattockContext,
    how: *const MattockGemmOptions,
    alpha: *const c_void,
    a: *const *const MattockMatrix,
    b: *const *const MattockMatrix,
    beta: *const c_void,
    c: *const *const MattockMatrix,
    batch: i64,
    event: *mut *mut MattockEvent,
) -> i32 {
    run(|| {
        // SAFETY: as in `mattock_gemm`.
        unsafe {
            let card = &handle(1, "context", context)?.context;
            let how = options(how)?;
            let batch = dim(8, "batch", batch)?;
            let list = |index, name, pointers| list(index, name, pointers, batch);
            let (ma, mb, mc) = (list(4, "A", a)?, list(5, "B", b)?, list(7, "C", c)?);
            Checked::all_apart(&mc, [&ma, &mb])?;
            let views =
                |list: &[Checked]| list.iter().map(|m| m.view()).collect::<Result<Vec<_>, _>>();
            let (a, b) = (views(&ma)?, views(&mb)?);
            let format = mc.first().map_or(Format::I32, |c| c.format);
            if let Some(at) = mc.iter().position(|c| c.format != format) {
                return bad(7, "C", format!("[{at}] is {}, [0] is {format}", mc[at].format));
            }
            let alpha = scalar(3, "alpha", alpha, format)?;
            let beta = scalar(6, "beta", beta, format)?;
            let c = mc.iter().map(|c| c.view_mut()).collect::<Result<Vec<_>, _>>()?;
            let started = named(card.gemm_batched_dyn(&how, alpha, &a, &b, beta, c), &NAMES)?;
            finish(started, ma.iter().chain(&mb).chain(&mc), 9, event)
        }
    })
}

/// The matrices of a batch; what is wrong with one is told with its place in the list.
///
/// # Safety
/// `pointers` is null or an array of `batch` pointers to what [`Checked::new`] takes.
unsafe fn list(
    index: usize,
    name: &'static str,
    pointers: *const *const MattockMatrix,
    batch: usize,
) -> Result<Vec<Checked>, Fail> {
    // SAFETY: by the contract.
    let pointers = unsafe { slice(index, name, pointers, batch)? };
    let checked = pointers.iter().enumerate().map(|(at, pointer)| {
        // SAFETY: by the contract.
        unsafe { Checked::new(index, name, *pointer) }.map_err(|fail| match fail {
            Fail::Argument { index, name, what } => {
                Fail::Argument { index, name, what: format!("[{at}] {what}") }
            }
            other => other,
        })
    });
    checked.collect()
}
