//! Barriers between memory that a device sees and its registers.
//!
//! The fences of the language order accesses for other threads. On machines with weak ordering a device may be further
//! away than threads are (outer shareable, I/O), and wants barriers that reach it.

use std::sync::atomic::{Ordering, fence};

/// What was written to memory before reaches the device no later than a register that is written afterwards.
#[inline]
pub fn before_write() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a barrier; changes neither memory nor registers.
    unsafe {
        std::arch::asm!("dmb oshst", options(nostack, preserves_flags));
    }
    #[cfg(target_arch = "riscv64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("fence w, ow", options(nostack, preserves_flags));
    }
    // x86 keeps stores in order; elsewhere the strongest there is.
    fence(if cfg!(target_arch = "x86_64") { Ordering::Release } else { Ordering::SeqCst });
}

/// What is read from memory afterwards is no older than the register, or the word a device has written, that was read
/// before.
#[inline]
pub fn after_read() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as in `before_write`.
    unsafe {
        std::arch::asm!("dmb oshld", options(nostack, preserves_flags));
    }
    #[cfg(target_arch = "riscv64")]
    // SAFETY: as in `before_write`.
    unsafe {
        std::arch::asm!("fence ir, r", options(nostack, preserves_flags));
    }
    fence(if cfg!(target_arch = "x86_64") { Ordering::Acquire } else { Ordering::SeqCst });
}
