//! The processor's address space: the only place of the program where addresses become references.

use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};
use mattock_firmware::{Limits, image};

/// Reads a register.
#[inline(always)]
pub(crate) fn read(address: u32) -> u32 {
    // SAFETY: every address of the processor answers (`hw/src/control/processor.rs`), and this one is a constant of the
    // register tables, a multiple of 4. Reading a register changes nothing that Rust knows of.
    let value = unsafe { ptr::read_volatile(address as *const u32) };
    // What a status tells of may be looked at only now.
    compiler_fence(Ordering::Acquire);
    value
}

/// Writes a register.
#[inline(always)]
pub(crate) fn write(address: u32, value: u32) {
    compiler_fence(Ordering::Release);
    // SAFETY: as for `read`; no register lies in the memory that holds the program's own data.
    unsafe { ptr::write_volatile(address as *mut u32, value) }
}

/// Words of the ring entry in work, or of its parameter block.
#[inline(always)]
pub(crate) fn window<'a, const N: usize>(address: u32) -> &'a [u32; N] {
    // SAFETY: both windows have as many words (16 and 128) at any time, aligned, and hardware leaves them as they are
    // until the entry is answered or started, which ends every use: the caller drops the reference first.
    unsafe { &*(address as *const [u32; N]) }
}

/// The facts about the card that the loader has put behind the program.
#[inline(always)]
pub(crate) fn limits() -> &'static Limits {
    // SAFETY: `Limits` is `repr(C)` of words only, so any content is valid; the address is aligned, inside the
    // memory, above the program and below the stack, and nobody writes there while the processor runs.
    unsafe { &*(image::LIMITS_ADDRESS as *const Limits) }
}
