//! Checked access to what the caller points to.

use crate::status::{Fail, bad};

/// A structure that begins with its size; `None` when it is null.
///
/// # Safety
/// `pointer` is null or points to at least as many bytes as its first four say.
pub(crate) unsafe fn structure<T: Copy>(
    index: usize,
    name: &'static str,
    pointer: *const T,
) -> Result<Option<T>, Fail> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: every structure begins with its size, by the contract.
    let size = unsafe { pointer.cast::<u32>().read_unaligned() } as usize;
    if size < size_of::<T>() {
        let what = format!("has struct_size {size}, must be at least {}", size_of::<T>());
        return bad(index, name, what);
    }
    // SAFETY: it is at least as large as `T`.
    Ok(Some(unsafe { pointer.read_unaligned() }))
}

/// A structure that must be there.
///
/// # Safety
/// As [`structure`].
pub(crate) unsafe fn required<T: Copy>(
    index: usize,
    name: &'static str,
    pointer: *const T,
) -> Result<T, Fail> {
    // SAFETY: by the contract.
    match unsafe { structure(index, name, pointer)? } {
        Some(value) => Ok(value),
        None => bad(index, name, "is null"),
    }
}

/// Writes a structure whose first four bytes are its size; nothing when `to` is null.
///
/// # Safety
/// As [`structure`], and it may be written.
pub(crate) unsafe fn give<T: Copy>(
    index: usize,
    name: &'static str,
    to: *mut T,
    value: impl FnOnce(T) -> T,
) -> Result<(), Fail> {
    // SAFETY: by the contract.
    if let Some(old) = unsafe { structure(index, name, to.cast_const())? } {
        // SAFETY: at least as large as `T`, and writable by the contract.
        unsafe { to.write_unaligned(value(old)) };
    }
    Ok(())
}

/// What a handle points to.
///
/// # Safety
/// `handle` is null or was given by this library and not taken back.
pub(crate) unsafe fn handle<'a, T>(
    index: usize,
    name: &'static str,
    handle: *const T,
) -> Result<&'a T, Fail> {
    // SAFETY: by the contract.
    match unsafe { handle.as_ref() } {
        Some(value) => Ok(value),
        None => bad(index, name, "is null"),
    }
}

/// Gives a new handle to the caller.
///
/// # Safety
/// `to` is null or writable.
pub(crate) unsafe fn hand_out<T>(
    index: usize,
    name: &'static str,
    to: *mut *mut T,
    value: T,
) -> Result<(), Fail> {
    if to.is_null() {
        return bad(index, name, "is null");
    }
    // SAFETY: not null, and writable by the contract.
    unsafe { to.write(Box::into_raw(Box::new(value))) };
    Ok(())
}

/// Takes a handle back; `None` when it is null.
///
/// # Safety
/// `handle` is null or comes from [`hand_out`], and is not used afterwards.
pub(crate) unsafe fn take_back<T>(handle: *mut T) -> Option<Box<T>> {
    // SAFETY: made by `Box::into_raw` and given back once, by the contract.
    (!handle.is_null()).then(|| unsafe { Box::from_raw(handle) })
}

/// A dimension.
pub(crate) fn dim(index: usize, name: &'static str, value: i64) -> Result<usize, Fail> {
    match usize::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) => bad(index, name, format!("is {value}, must be at least 0")),
    }
}

/// A size in a structure.
pub(crate) fn size(
    index: usize,
    name: &'static str,
    field: &str,
    value: i64,
) -> Result<usize, Fail> {
    match usize::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) => bad(index, name, format!("has {field} {value}, must be at least 0")),
    }
}

/// A slice; empty for a length of 0, whatever the pointer.
///
/// # Safety
/// `pointer` is null or points to `len` values that nobody changes while the slice is used.
pub(crate) unsafe fn slice<'a, T>(
    index: usize,
    name: &'static str,
    pointer: *const T,
    len: usize,
) -> Result<&'a [T], Fail> {
    check(index, name, pointer, len)?;
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
    name: &'static str,
    pointer: *mut T,
    len: usize,
) -> Result<&'a mut [T], Fail> {
    check(index, name, pointer, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not null, aligned, within the address space; its contents by the contract.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, len) })
}

fn check<T>(index: usize, name: &'static str, pointer: *const T, len: usize) -> Result<(), Fail> {
    if len == 0 {
        return Ok(());
    }
    if pointer.is_null() {
        return bad(index, name, "is null");
    }
    if !pointer.is_aligned() {
        let what = format!("is at {pointer:p}, must be aligned to {} bytes", align_of::<T>());
        return bad(index, name, what);
    }
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= isize::MAX as usize);
    if bytes.and_then(|bytes| pointer.addr().checked_add(bytes)).is_none() {
        return bad(index, name, format!("has {len} elements, which pass the end of memory"));
    }
    Ok(())
}
