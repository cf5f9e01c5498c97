//! The bytes behind the bus, and which of them answer with an error.

use super::faults::BusFaults;
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
    /// Bytes every port moves a cycle, both ways together; the width of its bus when `None` or more.
    pub bytes_per_cycle: Option<u32>,
    /// Random stalls of every channel.
    pub stalls: Option<Stalls>,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        MemoryOptions {
            base: 0x1_0000,
            bytes: 1 << 20,
            latency: 100,
            bytes_per_cycle: None,
            stalls: None,
        }
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

/// Memory behind the bus that is not the simulation's own: a host's, as a served card sees it.
pub trait BusMemory {
    /// Copies out of memory; false when not all of it may be read.
    fn read(&self, address: u64, to: &mut [u8]) -> bool;
    /// Copies the bytes whose bit in `strobes` is set into memory; false when not all of it may be written.
    fn write(&mut self, address: u64, from: &[u8], strobes: u64) -> bool;
}

/// Widest data bus in bytes.
const WIDEST: usize = 64;

/// Bytes, faults and the source of stalls; shared by all ports.
pub(super) struct Storage {
    pub(super) base: u64,
    pub(super) bytes: Vec<u8>,
    /// In place of `bytes`.
    host: Option<Box<dyn BusMemory>>,
    pub(super) faults: Vec<(Range<u64>, Response)>,
    pub(super) bus: BusFaults,
    /// Nothing moves in this cycle.
    pub(super) hung: bool,
    stalls: Option<(StdRng, u8)>,
}

impl Storage {
    pub(super) fn new(options: &MemoryOptions, host: Option<Box<dyn BusMemory>>) -> Self {
        Storage {
            base: options.base,
            bytes: if host.is_some() { vec![] } else { vec![0; options.bytes] },
            host,
            faults: Vec::new(),
            bus: BusFaults::default(),
            hung: false,
            stalls: options.stalls.map(|s| (StdRng::seed_from_u64(s.seed), s.chance)),
        }
    }

    /// Whether a channel waits this cycle.
    pub(super) fn stall(&mut self) -> bool {
        let stall = |(rng, chance): &mut (StdRng, u8)| rng.random::<u8>() < *chance;
        self.hung || self.stalls.as_mut().is_some_and(stall)
    }

    /// Where an access lies in `bytes`; `None` when it leaves the mapped range.
    pub(super) fn range(&self, address: u64, len: usize) -> Option<Range<usize>> {
        let start = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let end = start.checked_add(len)?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    /// A beat of data from memory, and how it is answered.
    pub(super) fn read_beat(&self, address: u64, words: &mut [u32]) -> Response {
        let len = 4 * words.len();
        let mut copy = [0; WIDEST];
        let bytes = match (self.injected(address, len), &self.host) {
            (Some(response), _) => Err(response),
            (None, Some(host)) => match host.read(address, &mut copy[..len]) {
                true => Ok(&copy[..len]),
                false => Err(Response::DecodeError),
            },
            (None, None) => match self.range(address, len) {
                Some(range) => Ok(&self.bytes[range]),
                None => Err(Response::DecodeError),
            },
        };
        match bytes {
            Ok(bytes) => {
                for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
                    *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
                Response::Okay
            }
            Err(response) => {
                // What a reader must not use shall be noticed when it does.
                words.fill(0xdead_beef);
                response
            }
        }
    }

    /// Takes a beat of data, and tells how it is answered.
    pub(super) fn write_beat(&mut self, address: u64, words: &[u32], strobes: u64) -> Response {
        let len = 4 * words.len();
        if let Some(response) = self.injected(address, len) {
            return response;
        }
        let mut copy = [0; WIDEST];
        for (to, word) in copy.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        if let Some(host) = &mut self.host {
            let written = host.write(address, &copy[..len], strobes);
            return if written { Response::Okay } else { Response::DecodeError };
        }
        let Some(range) = self.range(address, len) else { return Response::DecodeError };
        for (i, (to, from)) in self.bytes[range].iter_mut().zip(copy).enumerate() {
            if strobes >> i & 1 == 1 {
                *to = from;
            }
        }
        Response::Okay
    }

    /// The error injected at an access, if one is.
    fn injected(&self, address: u64, len: usize) -> Option<Response> {
        let end = address.saturating_add(len as u64);
        let fault = self.faults.iter().find(|(r, _)| address < r.end && r.start < end);
        // An unmapped address is an unmapped address, whatever was injected there.
        fault.filter(|_| self.host.is_some() || self.range(address, len).is_some()).map(|f| f.1)
    }
}
