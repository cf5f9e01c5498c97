//! What the process may do.

use rustix::process::{Resource, getrlimit};

/// Bytes this process may lock in memory, for DMA through the kernel; `None` is no limit.
///
/// A process with the right to lock memory (root, by default) has none.
pub fn memlock_limit() -> Option<u64> {
    // Bit 14 of the effective capabilities is CAP_IPC_LOCK.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    if effective.is_some_and(|bits| bits >> 14 & 1 == 1) {
        return None;
    }
    getrlimit(Resource::Memlock).current
}

/// Bytes of a page of memory: the unit of mappings.
pub fn page_size() -> u64 {
    rustix::param::page_size() as u64
}
