//! What dense products cost.

use crate::card::registers::CardRegisters;
use mattock_spec::regs::gemm;
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
    /// Adds the counters of the command that has ended.
    pub(crate) fn add(&mut self, regs: &mut CardRegisters<'_>, cycles: u64, computed: bool) {
        self.commands += 1;
        self.cycles += cycles;
        if computed {
            self.compute_cycles += regs.wide(gemm::COMPUTE_CYCLES_LO, gemm::COMPUTE_CYCLES_HI);
            self.macs += regs.wide(gemm::MACS_LO, gemm::MACS_HI);
        }
        self.bytes_read += regs.wide(gemm::BYTES_READ_LO, gemm::BYTES_READ_HI);
        self.bytes_written += regs.wide(gemm::BYTES_WRITTEN_LO, gemm::BYTES_WRITTEN_HI);
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
