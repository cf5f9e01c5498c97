//! Opening a card, and what it says about itself.

use crate::status::{bad, run, text};
use crate::structure::{give, hand_out, handle, structure, take_back};
use driver::{Context, ContextOptions, Device};
use std::ffi::{CStr, c_char};
use std::time::Duration;

/// Grows when a function changes its meaning or is taken away.
pub const MATTOCK_ABI_VERSION: u32 = 1;

/// An open card with one context.
pub struct MattockContext {
    pub(crate) context: Context,
}

/// How a context uses its card.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockOptions {
    /// `sizeof(MattockOptions)`.
    pub struct_size: u32,
    /// Queue of the card; 0.
    pub queue: u32,
    /// Most milliseconds a command may take; 0: many times the estimate.
    pub timeout_ms: u64,
    /// Most bytes of card memory; 0: all there is.
    pub memory_budget: u64,
}

/// What a card was built with.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockCaps {
    /// `sizeof(MattockCaps)`, set before the call.
    pub struct_size: u32,
    /// Kilohertz of its clock.
    pub clock_khz: u32,
    /// Rows of the dense array; 0 without one.
    pub gemm_rows: u32,
    /// Its columns.
    pub gemm_cols: u32,
    /// Bytes that addresses and distances of lines in buffers must be multiples of.
    pub gemm_align: u32,
    /// Clusters of the sparse engine; 0 without one.
    pub spgemm_clusters: u32,
    /// Lanes of each.
    pub spgemm_lanes: u32,
}

/// The version of this interface that the library has.
#[unsafe(no_mangle)]
pub extern "C" fn mattock_abi_version() -> u32 {
    MATTOCK_ABI_VERSION
}

/// Opens the card of a URL: `pci:0000:03:00.0`, `vfio-user:card.sock` or `uart:/dev/ttyUSB1?baud=3000000`. `options` may be
/// null.
///
/// # Safety
/// `url` is a string with a final zero, `options` null or a structure of its `struct_size`, `context` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_open(
    url: *const c_char,
    options: *const MattockOptions,
    context: *mut *mut MattockContext,
) -> i32 {
    run(|| {
        if url.is_null() {
            return bad(1, "url", "is null");
        }
        // SAFETY: not null, and a string by the contract.
        let url = unsafe { CStr::from_ptr(url) };
        let Ok(url) = url.to_str() else { return bad(1, "url", "is not UTF-8") };
        let mut chosen = ContextOptions::default();
        // SAFETY: null, or at least as large as its `struct_size` says, by the contract.
        if let Some(options) = unsafe { structure(2, "options", options)? } {
            chosen.queue = u16::try_from(options.queue).unwrap_or(u16::MAX);
            chosen.timeout =
                (options.timeout_ms > 0).then(|| Duration::from_millis(options.timeout_ms));
            chosen.memory_budget = (options.memory_budget > 0).then_some(options.memory_budget);
        }
        if context.is_null() {
            return bad(3, "context", "is null");
        }
        let opened = MattockContext { context: Device::open(url)?.context(chosen)? };
        // SAFETY: writable by the contract.
        unsafe { hand_out(3, "context", context, opened) }
    })
}

/// Closes a card; null is ignored. Buffers, events and plans that are left keep it open until they are freed.
///
/// # Safety
/// `context` comes from `mattock_open` and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_close(context: *mut MattockContext) {
    run(|| {
        // SAFETY: by the contract.
        drop(unsafe { take_back(context) });
        Ok(())
    });
}

/// What the card was built with.
///
/// # Safety
/// `context` is open; `caps` is a structure of its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_caps(
    context: *const MattockContext,
    caps: *mut MattockCaps,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let card = unsafe { handle(1, "context", context)? };
        let have = card.context.capabilities();
        // SAFETY: by the contract.
        unsafe {
            give(2, "caps", caps, |old| MattockCaps {
                struct_size: old.struct_size,
                clock_khz: have.clock_khz,
                gemm_rows: have.gemm.map_or(0, |gemm| gemm.rows),
                gemm_cols: have.gemm.map_or(0, |gemm| gemm.cols),
                gemm_align: have.gemm.map_or(0, |gemm| gemm.align),
                spgemm_clusters: have.spgemm.map_or(0, |spgemm| spgemm.clusters),
                spgemm_lanes: have.spgemm.map_or(0, |spgemm| spgemm.lanes),
            })
        }
    })
}

/// Copies the types of the dense engine, such as `i8,i8,i32 i4,i4,i32` (A,B,C), into `buffer`, cut to `bytes` with its final zero;
/// gives the bytes the whole list takes with it, 0 for a context that is null.
///
/// # Safety
/// `context` is open or null; `buffer` is null or has room for `bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_types(
    context: *const MattockContext,
    buffer: *mut c_char,
    bytes: usize,
) -> usize {
    // SAFETY: by the contract.
    let Some(card) = (unsafe { context.as_ref() }) else { return 0 };
    let tuples = card.context.capabilities().gemm.map(|gemm| gemm.tuples);
    let names: Vec<String> =
        tuples.iter().flat_map(|list| list.iter()).map(|tuple| tuple.to_string()).collect();
    // SAFETY: by the contract.
    unsafe { text(&names.join(" "), buffer, bytes) }
}

/// Ends whatever runs on the card and waits until it is quiet.
///
/// # Safety
/// `context` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_reset(context: *const MattockContext) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let card = unsafe { handle(1, "context", context)? };
        Ok(card.context.device().reset()?)
    })
}
