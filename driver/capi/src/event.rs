//! Waiting for dense products.

use crate::status::run;
use crate::structure::{give, handle, take_back};
use driver::{DmaBuf, Event, GemmStats};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Products under way. A result in host memory is there once the event has been waited for.
pub struct MattockEvent {
    // Fields are dropped in this order: the event looks at its buffers until it is over.
    pub(crate) event: Mutex<Event<'static>>,
    pub(crate) _buffers: Vec<Arc<DmaBuf<u8>>>,
}

/// What dense products cost, by the card's counters.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockGemmStats {
    /// `sizeof(MattockGemmStats)`, set before the call.
    pub struct_size: u32,
    /// Always 0.
    pub reserved: u32,
    /// Commands the card ran.
    pub commands: u64,
    /// Clock cycles of the commands.
    pub cycles: u64,
    /// Clock cycles from the first operand entering the array to the last result leaving it.
    pub compute_cycles: u64,
    /// Multiply-adds.
    pub macs: u64,
    /// Bytes moved, both directions.
    pub dram_bytes: u64,
    /// Elements the host scaled by alpha or beta.
    pub host_elements: u64,
}

impl MattockGemmStats {
    pub(crate) fn new(struct_size: u32, done: &GemmStats) -> Self {
        Self {
            struct_size,
            reserved: 0,
            commands: done.commands,
            cycles: done.cycles,
            compute_cycles: done.compute_cycles,
            macs: done.macs,
            dram_bytes: done.bytes_read + done.bytes_written,
            host_elements: done.host_elements,
        }
    }
}

/// Waits for the end, gives the status of the products, and frees the event. `stats` may be null.
///
/// # Safety
/// `event` comes from a call of this library and is not used afterwards; `stats` is null or a structure of its
/// `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_event_wait(
    event: *mut MattockEvent,
    stats: *mut MattockGemmStats,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let Some(event) = (unsafe { take_back(event) }) else {
            return crate::status::bad(1, "event", "is null");
        };
        let MattockEvent { event, _buffers } = *event;
        let done = event.into_inner().unwrap_or_else(PoisonError::into_inner).wait();
        drop(_buffers);
        let done = done?;
        // SAFETY: by the contract.
        unsafe { give(2, "stats", stats, |old| MattockGemmStats::new(old.struct_size, &done)) }
    })
}

/// Waits at most `milliseconds`, 0: not at all. `*over` becomes 1 when the products are over, well or not, which
/// `mattock_event_wait` then tells, else 0.
///
/// # Safety
/// `event` comes from a call of this library and was not waited for or freed; `over` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_event_query(
    event: *const MattockEvent,
    milliseconds: u64,
    over: *mut i32,
) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let event = unsafe { handle(1, "event", event)? };
        if over.is_null() {
            return crate::status::bad(3, "over", "is null");
        }
        let mut event = event.event.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = event.wait_for(Duration::from_millis(milliseconds));
        // SAFETY: not null, and writable by the contract.
        unsafe { over.write(ended.into()) };
        Ok(())
    })
}

/// A file descriptor that becomes readable when the products are over, well or not, and stays so: for `poll`, `epoll` and
/// event loops. Then `mattock_event_query` tells 1. It belongs to the event, which closes it: nothing is to be read from it.
///
/// While such events are not over a thread of the library moves the card's queue along.
///
/// # Safety
/// `event` comes from a call of this library and was not waited for or freed; `fd` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_event_fd(event: *const MattockEvent, fd: *mut i32) -> i32 {
    run(|| {
        // SAFETY: by the contract.
        let event = unsafe { handle(1, "event", event)? };
        if fd.is_null() {
            return crate::status::bad(2, "fd", "is null");
        }
        let event = event.event.lock().unwrap_or_else(PoisonError::into_inner);
        let number = event.fd()?.as_raw_fd();
        // SAFETY: not null, and writable by the contract.
        unsafe { fd.write(number) };
        Ok(())
    })
}

/// Waits for the end, whatever it is, and frees the event; null is ignored.
///
/// # Safety
/// As `mattock_event_wait`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_event_free(event: *mut MattockEvent) {
    run(|| {
        // SAFETY: by the contract.
        drop(unsafe { take_back(event) });
        Ok(())
    });
}
