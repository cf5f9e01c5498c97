//! What dense products cost.

use mattock_spec::command::Completion;
use std::ops::AddAssign;

/// What a dense product cost, by the card's own counters; of several commands the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GemmStats {
    /// Commands the card ran.
    pub commands: u64,
    /// Clock cycles from the start of a command to its last write response.
    pub cycles: u64,
    /// Clock cycles from the first operand entering the array to the last result leaving it.
    pub compute_cycles: u64,
    /// Products that belong to the result.
    pub macs: u64,
    /// Bytes read from memory, whole bus beats.
    pub bytes_read: u64,
    /// Bytes written to memory, whole bus beats.
    pub bytes_written: u64,
    /// Elements of C that the host scaled by alpha or beta because the card does not.
    pub host_elements: u64,
}

impl GemmStats {
    /// Adds what a command cost, by its record. One that only loads or stores walks over tiles without products.
    pub(crate) fn add(&mut self, record: &Completion, computed: bool) {
        let counters = &record.counters;
        self.commands += 1;
        self.cycles += record.cycles;
        if computed {
            self.compute_cycles += counters.compute_cycles;
            self.macs += counters.products;
        }
        self.bytes_read += counters.bytes_read;
        self.bytes_written += counters.bytes_written;
    }
}

impl AddAssign for GemmStats {
    fn add_assign(&mut self, other: GemmStats) {
        self.commands += other.commands;
        self.cycles += other.cycles;
        self.compute_cycles += other.compute_cycles;
        self.macs += other.macs;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.host_elements += other.host_elements;
    }
}
