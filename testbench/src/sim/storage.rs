//! The bytes behind the bus, and which of them answer with an error.

use rand::{Rng, SeedableRng, rngs::StdRng};
use std::ops::Range;

/// How the memory behaves.
#[derive(Clone, Debug)]
pub struct MemoryOptions {
    /// First bus address that is mapped.
    pub base: u64,
    /// Bytes mapped.
    pub bytes: usize,
    /// Cycles from a read address to its first beat, and from a last write beat to its response.
    pub latency: u64,
    /// Random stalls of every channel.
    pub stalls: Option<Stalls>,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        MemoryOptions { base: 0x1_0000, bytes: 1 << 20, latency: 100, stalls: None }
    }
}

/// Random stalls: each channel waits in a cycle with probability `chance` / 256.
#[derive(Clone, Copy, Debug)]
pub struct Stalls {
    /// Seed of the generator.
    pub seed: u64,
    /// Probability in 256ths, below 256.
    pub chance: u8,
}

/// An AXI response code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Response {
    /// Done.
    Okay = 0,
    /// The slave failed.
    SlaveError = 2,
    /// Nobody is at this address.
    DecodeError = 3,
}

/// Bytes, faults and the source of stalls; shared by all ports.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) base: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) faults: Vec<(Range<u64>, Response)>,
    stalls: Option<(StdRng, u8)>,
}

impl Storage {
    pub(super) fn new(options: &MemoryOptions) -> Self {
        Storage {
            base: options.base,
            bytes: vec![0; options.bytes],
            faults: Vec::new(),
            stalls: options.stalls.map(|s| (StdRng::seed_from_u64(s.seed), s.chance)),
        }
    }

    /// Whether a channel waits this cycle.
    pub(super) fn stall(&mut self) -> bool {
        self.stalls.as_mut().is_some_and(|(rng, chance)| rng.random::<u8>() < *chance)
    }

    /// Where an access lies in `bytes`; `None` when it leaves the mapped range.
    pub(super) fn range(&self, address: u64, len: usize) -> Option<Range<usize>> {
        let start = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let end = start.checked_add(len)?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    /// How an access of one beat is answered.
    pub(super) fn response(&self, address: u64, len: usize) -> Response {
        let end = address.saturating_add(len as u64);
        let fault = self.faults.iter().find(|(r, _)| address < r.end && r.start < end);
        match (self.range(address, len), fault) {
            (None, _) => Response::DecodeError,
            (Some(_), Some((_, response))) => *response,
            (Some(_), None) => Response::Okay,
        }
    }
}
