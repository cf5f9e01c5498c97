//! Calls in the shape of CBLAS.

use crate::call::MattockContext;
use crate::gemm::{MattockGemm, mattock_gemm};
use crate::status::{bad, run};
use driver::Error;
use std::ffi::{c_char, c_void};

fn name(text: &str) -> [c_char; 8] {
    let mut name = [0; 8];
    name.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from as c_char);
    name
}

/// `C = alpha * op(A) * op(B) + beta * C` with A and B of `int8_t`, C of `int32_t`, modulo 2^32; named after oneMKL's,
/// without its offsets.
///
/// # Safety
/// As [`mattock_gemm`].
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of CBLAS")]
pub unsafe extern "C" fn mattock_cblas_gemm_s8s8s32(
    context: *const MattockContext,
    order: i32,
    trans_a: i32,
    trans_b: i32,
    m: i64,
    n: i64,
    k: i64,
    alpha: i32,
    a: *const i8,
    lda: i64,
    b: *const i8,
    ldb: i64,
    beta: i32,
    c: *mut i32,
    ldc: i64,
) -> i32 {
    let call = MattockGemm {
        struct_size: size_of::<MattockGemm>() as u32,
        order,
        trans_a,
        trans_b,
        type_a: name("i8"),
        type_b: name("i8"),
        type_c: name("i32"),
        m,
        n,
        k,
        lda,
        ldb,
        ldc,
        resident: 0,
        chunked: 1,
    };
    let (alpha, beta) = ((&raw const alpha).cast::<c_void>(), (&raw const beta).cast::<c_void>());
    // SAFETY: the structure and the scalars are ours; the rest is the caller's contract.
    unsafe {
        mattock_gemm(context, &call, alpha, a.cast(), b.cast(), beta, c.cast(), std::ptr::null_mut())
    }
}

/// `sgemm`. No card has `f32` operands with alpha and beta yet, so this is `MATTOCK_UNSUPPORTED` with what there is.
///
/// # Safety
/// Nothing is read or written.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of CBLAS")]
pub unsafe extern "C" fn mattock_cblas_sgemm(
    _context: *const MattockContext,
    _order: i32,
    _trans_a: i32,
    _trans_b: i32,
    _m: i64,
    _n: i64,
    _k: i64,
    _alpha: f32,
    _a: *const f32,
    _lda: i64,
    _b: *const f32,
    _ldb: i64,
    _beta: f32,
    _c: *mut f32,
    _ldc: i64,
) -> i32 {
    run(|| {
        if _context.is_null() {
            return bad(1, "it is null");
        }
        let have = "mattock_cblas_gemm_s8s8s32".into();
        Err(Error::Unsupported { asked: "sgemm".into(), have })
    })
}
