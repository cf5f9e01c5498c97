//! Opening a card, and what all calls need.

use crate::status::{bad, run};
use driver::{Context, ContextOptions, Device, Error};
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
    /// Most milliseconds a command may take; 0 is an estimate.
    pub timeout_ms: u64,
    /// Most bytes of card memory; 0 is all there is.
    pub memory_budget: u64,
}

/// The version of this interface that the library has.
#[unsafe(no_mangle)]
pub extern "C" fn mattock_abi_version() -> u32 {
    MATTOCK_ABI_VERSION
}

/// Opens the card of a URL, such as `vfio-user:card.sock`, `pci:0000:03:00.0` or `sim:small`. `options` may be null.
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
        if url.is_null() || context.is_null() {
            return bad(if url.is_null() { 1 } else { 3 }, "it is null");
        }
        // SAFETY: not null, and a string by the contract.
        let url = unsafe { CStr::from_ptr(url) };
        let Ok(url) = url.to_str() else { return bad(1, "it is not UTF-8") };
        let mut chosen = ContextOptions::default();
        // SAFETY: null, or at least as large as its `struct_size` says, by the contract.
        if let Some(options) = unsafe { structure(2, options)? } {
            chosen.queue = u16::try_from(options.queue).unwrap_or(u16::MAX);
            chosen.timeout =
                (options.timeout_ms > 0).then(|| Duration::from_millis(options.timeout_ms));
            chosen.memory_budget = (options.memory_budget > 0).then_some(options.memory_budget);
        }
        #[cfg(feature = "sim")]
        driver_simulations();
        let opened = MattockContext { context: Device::open(url)?.context(chosen)? };
        // SAFETY: writable by the contract.
        unsafe { context.write(Box::into_raw(Box::new(opened))) };
        Ok(())
    })
}

#[cfg(feature = "sim")]
fn driver_simulations() {
    mattock_testbench::sim::register(mattock_toolbox::Toolbox::open().folder().join("verilated"));
}

/// Closes a card; null is ignored.
///
/// # Safety
/// `context` comes from [`mattock_open`] and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_close(context: *mut MattockContext) {
    run(|| {
        if !context.is_null() {
            // SAFETY: made by `Box::into_raw` in `mattock_open`, and given back once, by the contract.
            drop(unsafe { Box::from_raw(context) });
        }
        Ok(())
    });
}

/// A structure that begins with its size; `None` when it is null.
///
/// # Safety
/// `pointer` is null or points to at least as many bytes as its first four say.
pub(crate) unsafe fn structure<T: Copy>(
    index: usize,
    pointer: *const T,
) -> Result<Option<T>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: every structure begins with its size, by the contract.
    let size = unsafe { pointer.cast::<u32>().read_unaligned() } as usize;
    if size < size_of::<T>() {
        let what = format!("struct_size is {size}, this library needs {}", size_of::<T>());
        return bad(index, what);
    }
    // SAFETY: it is at least as large as `T`.
    Ok(Some(unsafe { pointer.read_unaligned() }))
}

/// The context of a handle.
///
/// # Safety
/// `context` is null or comes from [`mattock_open`] and is not closed.
pub(crate) unsafe fn context<'a>(context: *const MattockContext) -> Result<&'a Context, Error> {
    // SAFETY: by the contract.
    match unsafe { context.as_ref() } {
        Some(context) => Ok(&context.context),
        None => bad(1, "it is null"),
    }
}

/// A dimension.
pub(crate) fn dim(index: usize, name: &str, value: i64) -> Result<usize, Error> {
    match usize::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) => bad(index, format!("{name} is {value}, it must be 0 or more")),
    }
}

/// A slice; empty for a length of 0, whatever the pointer.
///
/// # Safety
/// `pointer` is null or points to `len` values that nobody changes while the slice is used.
pub(crate) unsafe fn slice<'a, T>(
    index: usize,
    pointer: *const T,
    len: usize,
) -> Result<&'a [T], Error> {
    check(index, pointer, len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not null, aligned, within the address space; its contents by the contract.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// A slice to be written.
///
/// # Safety
/// `pointer` is null or points to `len` values that nobody else uses while the slice is used.
pub(crate) unsafe fn slice_mut<'a, T>(
    index: usize,
    pointer: *mut T,
    len: usize,
) -> Result<&'a mut [T], Error> {
    check(index, pointer, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not null, aligned, within the address space; its contents by the contract.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, len) })
}

fn check<T>(index: usize, pointer: *const T, len: usize) -> Result<(), Error> {
    if len == 0 {
        return Ok(());
    }
    if pointer.is_null() {
        return bad(index, "it is null");
    }
    if !pointer.is_aligned() {
        return bad(index, format!("it is not aligned to {} bytes", align_of::<T>()));
    }
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= isize::MAX as usize);
    if bytes.and_then(|bytes| pointer.addr().checked_add(bytes)).is_none() {
        return bad(index, format!("{len} elements pass the end of memory"));
    }
    Ok(())
}
