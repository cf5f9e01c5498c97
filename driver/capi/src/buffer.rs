//! Memory that the card reaches.

use crate::card::MattockContext;
use crate::status::run;
use crate::structure::{hand_out, handle, slice, slice_mut, take_back};
use driver::DmaBuf;
use std::ffi::c_void;
use std::sync::Arc;

/// Memory that the card reaches: operands and results that stay there from call to call.
pub struct MattockBuffer {
    /// Events keep it too, so that freeing it early does no harm.
    pub(crate) buffer: Arc<DmaBuf<u8>>,
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
        let new = MattockBuffer { buffer: Arc::new(card.context.alloc(bytes)?) };
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
