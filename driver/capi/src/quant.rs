//! Quantised weights and products with them.

use crate::card::MattockContext;
use crate::status::{bad, named, run};
use crate::structure::{dim, give, hand_out, handle, slice, slice_mut, take_back};
use driver::quant::{LoadedWeights, Matrix, OutlierPlace, QuantizedWeights};
use std::ffi::{CStr, c_char};
use std::path::Path;

/// Quantised weights in card memory.
pub struct MattockWeights {
    loaded: LoadedWeights,
}

/// What a product with quantised weights cost.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockQuantizedStats {
    /// `sizeof(MattockQuantizedStats)`, set before the call.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Commands of the integer products.
    pub commands: u64,
    /// Their clock cycles.
    pub cycles: u64,
    /// What would do if neither array nor bus ever waited, each code counted by its own bits.
    pub ideal_cycles: u64,
    /// Bytes moved both ways.
    pub dram_bytes: u64,
    /// Clock cycles of the outliers, where a card computes them.
    pub outlier_cycles: u64,
    /// The same as `ideal_cycles` for these.
    pub outlier_ideal_cycles: u64,
}

/// Reads a file that `mattock quantize` has written and copies the weights into card memory, in the order that suits products with `rows`
/// rows of activations. Free them with `mattock_weights_free`.
///
/// # Safety
/// `context` is open, `path` a string with a final zero, `weights` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_weights_open(
    context: *const MattockContext,
    path: *const c_char,
    rows: i64,
    weights: *mut *mut MattockWeights,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let card = unsafe { &handle(1, "context", context)?.context };
        if path.is_null() {
            return bad(2, "path", "is null");
        }
        // SAFETY: not null, and a string by the contract.
        let Ok(path) = unsafe { CStr::from_ptr(path) }.to_str() else {
            return bad(2, "path", "is not UTF-8");
        };
        let rows = dim(3, "rows", rows)?;
        let read = QuantizedWeights::read(Path::new(path))?;
        let loaded = card.load_quantized(read, rows)?;
        // SAFETY: by the contract.
        unsafe { hand_out(4, "weights", weights, MattockWeights { loaded }) }
    })
}

/// Inputs (rows) and outputs (columns) of the weights; either may be null.
///
/// # Safety
/// `weights` are not freed; `rows` and `cols` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_weights_shape(
    weights: *const MattockWeights,
    rows: *mut i64,
    cols: *mut i64,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let (k, n) = unsafe { handle(1, "weights", weights)? }.loaded.weights().shape();
        for (to, size) in [(rows, k), (cols, n)] {
            if !to.is_null() {
                // SAFETY: writable by the contract.
                unsafe { to.write_unaligned(size as i64) };
            }
        }
        Ok(())
    })
}

/// Gives the weights' card memory back; null is ignored.
///
/// # Safety
/// `weights` come from `mattock_weights_open` and are not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_weights_free(weights: *mut MattockWeights) {
    run(|| {
        // SAFETY: by the contract.
        drop(unsafe { take_back(weights) });
        Ok(())
    });
}

/// `d = activations * weights`, of `m` rows that lie one after the other; waits for the result. `outliers` is the card that multiplies rows
/// in binary16, the same or another one; null: this process does. `stats` may be null.
///
/// # Safety
/// `context` is open, `weights` are in its card; `activations` has `m` times the weights' rows, `d` `m` times their columns, and nobody
/// changes them meanwhile; `outliers` is null or open; `stats` is null or a structure of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_gemm_quantized(
    context: *const MattockContext,
    activations: *const f32,
    m: i64,
    weights: *const MattockWeights,
    outliers: *const MattockContext,
    d: *mut f32,
    stats: *mut MattockQuantizedStats,
) -> i32 {
    /// What the driver's arguments are called here.
    const NAMES: [(usize, &str); 2] = [(2, "activations"), (4, "weights")];
    run(|| {
        // SAFETY: by the contract.
        let (card, loaded, outliers) = unsafe {
            let card = &handle(1, "context", context)?.context;
            let loaded = &handle(4, "weights", weights)?.loaded;
            (card, loaded, outliers.as_ref())
        };
        let m = dim(3, "m", m)?;
        let (k, n) = loaded.weights().shape();
        let (Some(inputs), Some(results)) = (m.checked_mul(k), m.checked_mul(n)) else {
            return bad(3, "m", format!("is {m}, too many"));
        };
        // SAFETY: by the contract.
        let inputs = unsafe { slice(2, "activations", activations, inputs)? };
        let inputs = Matrix::new(m, k, inputs.to_vec()).map_err(driver::Error::from)?;
        let place = outliers.map_or(OutlierPlace::Host, |o| OutlierPlace::Card(&o.context));
        let (product, cost) = named(card.gemm_quantized(&inputs, loaded, place), &NAMES)?;
        // SAFETY: by the contract; the activations were copied.
        unsafe { slice_mut(6, "d", d, results)? }.copy_from_slice(&product);
        // SAFETY: by the contract.
        unsafe {
            give(7, "stats", stats, |old: MattockQuantizedStats| MattockQuantizedStats {
                commands: cost.integers.commands,
                cycles: cost.integers.cycles,
                ideal_cycles: cost.ideal_cycles,
                dram_bytes: cost.integers.bytes_read + cost.integers.bytes_written,
                outlier_cycles: cost.outliers.cycles,
                outlier_ideal_cycles: cost.outliers_ideal_cycles,
                ..old
            })
        }
    })
}
