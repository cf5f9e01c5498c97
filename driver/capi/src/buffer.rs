//! Memory that the card reaches.

use crate::card::MattockContext;
use crate::status::{bad, run};
use crate::structure::{hand_out, handle, slice, slice_mut, take_back};
use driver::DmaBuf;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// Memory that the card reaches: operands and results that stay there from call to call.
pub struct MattockBuffer {
    /// Events keep it too, so that freeing it early does no harm.
    pub(crate) buffer: Arc<DmaBuf<u8>>,
    mapped: Mutex<Option<Mapped>>,
}

/// How a buffer is shown to the program.
enum Mapped {
    /// Where it lies.
    InPlace,
    /// As a copy, in words so that any element is aligned.
    Copy(Vec<u64>),
}

/// Takes `bytes` of card memory. Free it with `mattock_free`.
///
/// # Safety
/// `context` is open, `buffer` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_alloc(
    context: *const MattockContext,
    bytes: usize,
    buffer: *mut *mut MattockBuffer,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let card = unsafe { handle(1, "context", context)? };
        let buffer_of = Arc::new(card.context.alloc(bytes)?);
        let new = MattockBuffer { buffer: buffer_of, mapped: Mutex::new(None) };
        // SAFETY: by the contract.
        unsafe { hand_out(3, "buffer", buffer, new) }
    })
}

/// Gives card memory back, when the calls that use it have ended; null is ignored.
///
/// # Safety
/// `buffer` comes from `mattock_alloc` and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_free(buffer: *mut MattockBuffer) {
    run(|| {
        // SAFETY: by the contract.
        drop(unsafe { take_back(buffer) });
        Ok(())
    });
}

/// Shows the whole buffer at `*data`, aligned to 8 bytes at least, when the calls that use it have ended: where it lies, when the
/// card's memory is that of this machine, else a copy. It may be read and written there until `mattock_buffer_unmap`; no call may use
/// the buffer meanwhile.
///
/// # Safety
/// `buffer` is not freed; `data` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_buffer_map(
    buffer: *const MattockBuffer,
    data: *mut *mut c_void,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let MattockBuffer { buffer, mapped } = unsafe { handle(1, "buffer", buffer)? };
        if data.is_null() {
            return bad(2, "data", "is null");
        }
        let mut mapped = mapped.lock().unwrap_or_else(PoisonError::into_inner);
        if mapped.is_some() {
            return bad(1, "buffer", "is mapped already");
        }
        let (pointer, how) = match buffer.host_ptr() {
            Some(pointer) => (pointer.as_ptr().cast(), Mapped::InPlace),
            None => {
                let mut copy = vec![0u64; buffer.len().div_ceil(8)];
                buffer.read(0, &mut bytemuck::cast_slice_mut(&mut copy)[..buffer.len()])?;
                (copy.as_mut_ptr().cast(), Mapped::Copy(copy))
            }
        };
        *mapped = Some(how);
        // SAFETY: not null, and writable by the contract.
        unsafe { data.write(pointer) };
        Ok(())
    })
}

/// Ends what `mattock_buffer_map` began: what was written there is in the buffer, and the pointer is not used any more.
///
/// # Safety
/// `buffer` is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_buffer_unmap(buffer: *const MattockBuffer) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let MattockBuffer { buffer, mapped } = unsafe { handle(1, "buffer", buffer)? };
        let taken = mapped.lock().unwrap_or_else(PoisonError::into_inner).take();
        match taken {
            None => bad(1, "buffer", "is not mapped"),
            Some(Mapped::InPlace) => Ok(()),
            Some(Mapped::Copy(copy)) => {
                Ok(buffer.write_shared(0, &bytemuck::cast_slice(&copy)[..buffer.len()])?)
            }
        }
    })
}

/// Copies `bytes` of `data` to the card, from byte `offset` of the buffer on, when the calls that use it have ended.
///
/// # Safety
/// `buffer` is not freed; `data` has that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_write(
    buffer: *const MattockBuffer,
    offset: usize,
    data: *const c_void,
    bytes: usize,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let (buffer, data) =
            unsafe { (handle(1, "buffer", buffer)?, slice(3, "data", data.cast::<u8>(), bytes)?) };
        crate::status::named(
            buffer.buffer.write_shared(offset, data),
            &[(2, "offset"), (4, "bytes")],
        )
    })
}

/// Copies `bytes` of the buffer, from byte `offset` on, to `data`, when the calls that use it have ended.
///
/// # Safety
/// `buffer` is not freed; `data` has room for that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_read(
    buffer: *const MattockBuffer,
    offset: usize,
    data: *mut c_void,
    bytes: usize,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let (buffer, data) = unsafe {
            (handle(1, "buffer", buffer)?, slice_mut(3, "data", data.cast::<u8>(), bytes)?)
        };
        crate::status::named(buffer.buffer.read(offset, data), &[(2, "offset"), (4, "bytes")])
    })
}
