//! How sparse products are computed, and what they cost.

use crate::Error;
use mattock_spec::Semiring;
use mattock_spec::command::Completion;
use mattock_spec::regs::{SpgemmCaps, ValueType};
use mattock_spec::semiring::SEMIRINGS;
use std::ops::AddAssign;

/// In which order the products of an entry are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Determinism {
    /// As they come: sums of floats may differ within rounding from run to run of different cards.
    #[default]
    Fast,
    /// By rising k, one rounding for each addition: the bits that a loop over the row of A gives, whatever the card, its memory and its
    /// number of clusters. Sums of integers have the same bits in any order: for them this asks for nothing. Sums of
    /// floats need a card built for it ([`SpgemmCaps::ordered`]).
    Ordered,
}

/// How a sparse product is computed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpgemmOptions {
    /// Most bytes of card memory for the columns and values of C; all there is when `None`.
    pub memory_budget: Option<u64>,
    /// Seed of the card's hash; the card's own when `None`. Any seed gives the same C.
    pub seed: Option<u32>,
    /// Compute C in blocks of rows that fit the memory, when the whole does not. B must fit at any rate.
    pub chunked: bool,
    /// What takes the place of times and plus.
    pub semiring: Semiring,
    /// In which order the products of an entry are added.
    pub determinism: Determinism,
    /// Leave out entries that are zero (0 and -0): on the card where it can, else on the host.
    pub prune: bool,
}

impl SpgemmOptions {
    /// Whether sums of products of such values must be in an order that the card keeps.
    pub(super) fn needs_order(&self, value: ValueType) -> bool {
        self.determinism == Determinism::Ordered && value.is_float()
    }

    /// Refuses what the card does not have, for values of this type.
    pub(super) fn check(&self, caps: &SpgemmCaps, value: ValueType) -> Result<(), Error> {
        let refuse =
            |asked: String, have: &str| Err(Error::Unsupported { asked, have: have.into() });
        if !caps.has_semiring(self.semiring) {
            let have = SEMIRINGS.iter().filter(|s| caps.has_semiring(**s)).map(|s| s.name());
            let have = have.collect::<Vec<_>>().join(", ");
            return refuse(format!("sparse products over {}", self.semiring), &have);
        }
        if self.needs_order(value) && !caps.ordered {
            let asked = format!("sums of {} in order", value.sum().format());
            return refuse(
                asked,
                "sums in the order products come (Fast); Ordered wants a card with spgemm.determinism",
            );
        }
        Ok(())
    }
}

/// What a sparse product cost, by the card's own counters; of several commands the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpgemmStats {
    /// Commands the card completed.
    pub commands: u64,
    /// Clock cycles from the start of a command to its last write response.
    pub cycles: u64,
    /// Products merged into C.
    pub products: u64,
    /// Table halves drained.
    pub windows: u64,
    /// Products that went through the spill path.
    pub spills: u64,
    /// Row segments computed again.
    pub restarts: u64,
    /// Cycles, summed over the banks, in which a product waited for another one of its entry; 0 unless sums are
    /// [`Ordered`](Determinism::Ordered).
    pub hazard_stalls: u64,
    /// Bytes read from memory, whole bus beats.
    pub bytes_read: u64,
    /// Bytes written to memory, whole bus beats.
    pub bytes_written: u64,
    /// Line requests the B cache answered itself.
    pub cache_hits: u64,
    /// Line requests the B cache fetched.
    pub cache_misses: u64,
    /// Elements of a dense result that the host scaled by alpha or beta because the card does not.
    pub host_elements: u64,
}

impl SpgemmStats {
    /// Adds what a command cost, by its record.
    pub(crate) fn add(&mut self, record: &Completion) {
        let counters = &record.counters;
        self.commands += 1;
        self.cycles += record.cycles;
        self.products += counters.products;
        self.bytes_read += counters.bytes_read;
        self.bytes_written += counters.bytes_written;
        self.windows += u64::from(counters.windows);
        self.spills += u64::from(counters.spills);
        self.restarts += u64::from(counters.restarts);
        self.hazard_stalls += u64::from(counters.hazard_stalls);
        self.cache_hits += u64::from(counters.cache_hits);
        self.cache_misses += u64::from(counters.cache_misses);
    }
}

impl AddAssign for SpgemmStats {
    fn add_assign(&mut self, other: SpgemmStats) {
        self.commands += other.commands;
        self.cycles += other.cycles;
        self.products += other.products;
        self.windows += other.windows;
        self.spills += other.spills;
        self.restarts += other.restarts;
        self.hazard_stalls += other.hazard_stalls;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.cache_hits += other.cache_hits;
        self.cache_misses += other.cache_misses;
        self.host_elements += other.host_elements;
    }
}
