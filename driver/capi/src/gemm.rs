//! Dense products.

use crate::call::{MattockContext, context, dim, slice, slice_mut, structure};
use crate::status::{bad, run};
use driver::{DynView, DynViewMut, Error, GemmOptions, Order, Scalar};
use mattock_spec::Format;
use std::ffi::{c_char, c_void};

/// Rows lie together; the value of CBLAS.
pub const MATTOCK_ROW_MAJOR: i32 = 101;
/// Columns lie together.
pub const MATTOCK_COL_MAJOR: i32 = 102;
/// As it lies.
pub const MATTOCK_NO_TRANS: i32 = 111;
/// Transposed.
pub const MATTOCK_TRANS: i32 = 112;

/// A dense product `C = alpha * op(A) * op(B) + beta * C` by the rules of BLAS, types named at run time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockGemm {
    /// `sizeof(MattockGemm)`.
    pub struct_size: u32,
    /// `MATTOCK_ROW_MAJOR` or `MATTOCK_COL_MAJOR`, of all three matrices.
    pub order: i32,
    /// `MATTOCK_NO_TRANS` or `MATTOCK_TRANS`.
    pub trans_a: i32,
    /// The same for B.
    pub trans_b: i32,
    /// Format of A, such as `"i8"`, with zeros behind it.
    pub type_a: [c_char; 8],
    /// Format of B.
    pub type_b: [c_char; 8],
    /// Format of C.
    pub type_c: [c_char; 8],
    /// Rows of `op(A)` and C.
    pub m: i64,
    /// Columns of `op(B)` and C.
    pub n: i64,
    /// Columns of `op(A)`, rows of `op(B)`.
    pub k: i64,
    /// Elements from one line of A to the next.
    pub lda: i64,
    /// The same for B.
    pub ldb: i64,
    /// The same for C.
    pub ldc: i64,
    /// Not 0: load both operands into the card first.
    pub resident: i32,
    /// Not 0: in parts when it does not fit card memory.
    pub chunked: i32,
}

/// What a dense product cost, by the card's counters.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockGemmStats {
    /// Commands the card ran.
    pub commands: u64,
    /// Clock cycles of the commands.
    pub cycles: u64,
    /// Clock cycles the array worked.
    pub compute_cycles: u64,
    /// Multiply-adds.
    pub macs: u64,
    /// Bytes moved, both directions.
    pub dram_bytes: u64,
    /// Elements the host scaled by alpha or beta.
    pub host_elements: u64,
}

fn format(index: usize, name: &str, text: &[c_char; 8]) -> Result<Format, Error> {
    let bytes = text.map(|c| c as u8);
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    match text.parse() {
        Ok(format) => Ok(format),
        Err(error) => bad(index, format!("{name} is {text:?}: {error}")),
    }
}

/// One operand as C gives it.
struct Matrix {
    format: Format,
    order: Order,
    rows: usize,
    cols: usize,
    ld: usize,
}

impl Matrix {
    /// Bytes from the first element to the last.
    fn bytes(&self, index: usize) -> Result<usize, Error> {
        let (lines, len) = match self.order {
            Order::Row => (self.rows, self.cols),
            Order::Column => (self.cols, self.rows),
        };
        if lines == 0 || len == 0 {
            return Ok(0);
        }
        if self.ld < len {
            return bad(index, format!("its ld is {}, it must be at least {len}", self.ld));
        }
        let elements = (lines as u128 - 1) * self.ld as u128 + len as u128;
        let bytes = (elements * u128::from(self.format.storage_bits())).div_ceil(8);
        match usize::try_from(bytes) {
            Ok(bytes) => Ok(bytes),
            Err(_) => bad(index, "it passes the end of memory"),
        }
    }
}

/// Computes a dense product and waits for it. `alpha` and `beta` point to `int32_t` when C is `"i32"`, else to `float`.
/// `stats` may be null. A, B and C must not overlap.
///
/// # Safety
/// `context` is open; `call` is a structure of its `struct_size`; A, B and C have the memory that it says, and nobody
/// changes it meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_gemm(
    context_handle: *const MattockContext,
    call: *const MattockGemm,
    alpha: *const c_void,
    a: *const c_void,
    b: *const c_void,
    beta: *const c_void,
    c: *mut c_void,
    stats: *mut MattockGemmStats,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let card = unsafe { context(context_handle)? };
        // SAFETY: by the contract.
        let Some(call) = (unsafe { structure(2, call)? }) else { return bad(2, "it is null") };
        let order = order(2, call.order)?;
        let transposed = |name: &str, value| match value {
            MATTOCK_NO_TRANS => Ok(false),
            MATTOCK_TRANS => Ok(true),
            _ => bad(2, format!("{name} is {value}, it must be 111 or 112")),
        };
        let (turn_a, turn_b) =
            (transposed("trans_a", call.trans_a)?, transposed("trans_b", call.trans_b)?);
        let [m, n, k] = [("m", call.m), ("n", call.n), ("k", call.k)].map(|(s, v)| dim(2, s, v));
        let (m, n, k) = (m?, n?, k?);
        let matrix = |index, kind: (&str, &[c_char; 8]), turned, rows, cols, ld: (&str, i64)| {
            let (rows, cols) = if turned { (cols, rows) } else { (rows, cols) };
            let format = format(2, kind.0, kind.1)?;
            let m = Matrix { format, order, rows, cols, ld: dim(2, ld.0, ld.1)? };
            let bytes = m.bytes(index)?;
            Ok::<_, Error>((m, bytes))
        };
        let (ma, a_bytes) = matrix(4, ("type_a", &call.type_a), turn_a, m, k, ("lda", call.lda))?;
        let (mb, b_bytes) = matrix(5, ("type_b", &call.type_b), turn_b, k, n, ("ldb", call.ldb))?;
        let (mc, c_bytes) = matrix(7, ("type_c", &call.type_c), false, m, n, ("ldc", call.ldc))?;
        for (name, start, bytes) in [("A", a.addr(), a_bytes), ("B", b.addr(), b_bytes)] {
            let (c, wide) = (c.addr() as u128, bytes as u128);
            if (start as u128) < c + c_bytes as u128 && c < start as u128 + wide {
                return bad(7, format!("its memory overlaps that of {name}"));
            }
        }
        // SAFETY: by the contract, as many bytes as the shape says; C overlaps neither A nor B, as was checked.
        let (a, b, c) = unsafe {
            (
                slice(4, a.cast::<u8>(), a_bytes)?,
                slice(5, b.cast::<u8>(), b_bytes)?,
                slice_mut(7, c.cast::<u8>(), c_bytes)?,
            )
        };
        let a = DynView::new(a, order, ma.rows, ma.cols, ma.ld, ma.format)?;
        let b = DynView::new(b, order, mb.rows, mb.cols, mb.ld, mb.format)?;
        let c = DynViewMut::new(c, order, mc.rows, mc.cols, mc.ld, mc.format)?;
        let scalar = |index, pointer: *const c_void| {
            if pointer.is_null() {
                return bad(index, "it is null");
            }
            // SAFETY: not null, and of the type that goes with C, by the contract.
            Ok(unsafe {
                match mc.format == Format::I32 {
                    true => Scalar::I32(pointer.cast::<i32>().read_unaligned()),
                    false => Scalar::F32(pointer.cast::<f32>().read_unaligned()),
                }
            })
        };
        let options =
            GemmOptions { resident: call.resident != 0, chunked: call.chunked != 0 };
        let a = if turn_a { a.t() } else { a };
        let b = if turn_b { b.t() } else { b };
        let event = card.gemm_dyn(&options, scalar(3, alpha)?, a, b, scalar(6, beta)?, c)?;
        let done = event.wait()?;
        if !stats.is_null() {
            let cost = MattockGemmStats {
                commands: done.commands,
                cycles: done.cycles,
                compute_cycles: done.compute_cycles,
                macs: done.macs,
                dram_bytes: done.bytes_read + done.bytes_written,
                host_elements: done.host_elements,
            };
            // SAFETY: not null, and writable by the contract.
            unsafe { stats.write_unaligned(cost) };
        }
        Ok(())
    })
}

pub(crate) fn order(index: usize, value: i32) -> Result<Order, Error> {
    match value {
        MATTOCK_ROW_MAJOR => Ok(Order::Row),
        MATTOCK_COL_MAJOR => Ok(Order::Column),
        _ => bad(index, format!("order is {value}, it must be 101 or 102")),
    }
}
