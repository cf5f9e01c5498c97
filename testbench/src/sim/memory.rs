//! A memory with any number of AXI4 ports.

use super::axi::{Port, PortCounts, Violation};
use super::faults::BusFaults;
use super::storage::{BusMemory, MemoryOptions, Response, Storage};
use rtl_gen::sim::Simulator;
use std::ops::Range;

/// A byte memory behind the AXI4 master ports of a design.
///
/// Every port moves one data beat a cycle (or `bytes_per_cycle`), reads and writes together, after `latency` cycles, in order.
/// It checks the master: INCR bursts of full-width beats inside 4 KiB, ID 0, WLAST in its place, offers that
/// stay until taken. Unmapped addresses answer DECERR.
pub struct AxiMemory {
    storage: Storage,
    ports: Vec<Port>,
    cycle: u64,
    latency: u64,
}

impl AxiMemory {
    /// A memory at the ports of `sim` whose names begin with each of `prefixes`, such as `m0_axi_`.
    ///
    /// # Panics
    /// When the design lacks one of the ports.
    pub fn new(sim: &dyn Simulator, prefixes: &[&str], options: &MemoryOptions) -> Self {
        Self::build(sim, prefixes, options, None)
    }

    /// The ports of [`new`](Self::new) with somebody else's memory behind them.
    ///
    /// # Panics
    /// When the design lacks one of the ports.
    pub fn with_host(
        sim: &dyn Simulator,
        prefixes: &[&str],
        options: &MemoryOptions,
        host: Box<dyn BusMemory>,
    ) -> Self {
        Self::build(sim, prefixes, options, Some(host))
    }

    fn build(
        sim: &dyn Simulator,
        prefixes: &[&str],
        options: &MemoryOptions,
        host: Option<Box<dyn BusMemory>>,
    ) -> Self {
        let (latency, rate) = (options.latency, options.bytes_per_cycle);
        let ports = prefixes.iter().map(|p| Port::new(sim, p, latency, rate)).collect();
        AxiMemory { storage: Storage::new(options, host), ports, cycle: 0, latency }
    }

    /// Forgets every transaction under way, as when the masters are reset. Counts begin anew.
    pub fn reset(&mut self, sim: &dyn Simulator) {
        for port in &mut self.ports {
            port.reset(sim, self.latency);
        }
    }

    /// Sets the inputs of all ports for the coming clock edge.
    pub fn drive(&mut self, sim: &mut dyn Simulator) {
        self.storage.hung = self.storage.bus.hangs_now();
        for port in &mut self.ports {
            port.drive(sim, &mut self.storage, self.cycle);
        }
    }

    /// Takes the handshakes of the coming clock edge; call it once after [`drive`](Self::drive), before the tick.
    ///
    /// # Errors
    /// The first rule a master breaks.
    pub fn sample(&mut self, sim: &mut dyn Simulator) -> Result<(), Violation> {
        for port in &mut self.ports {
            port.sample(sim, &mut self.storage, self.cycle)?;
        }
        self.cycle += 1;
        Ok(())
    }

    /// One clock cycle for designs whose only partner is this memory.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    pub fn step(&mut self, sim: &mut dyn Simulator) -> Result<(), Violation> {
        self.drive(sim);
        self.sample(sim)?;
        sim.tick();
        Ok(())
    }

    /// The mapped bus addresses.
    pub fn addresses(&self) -> Range<u64> {
        self.storage.base..self.storage.base + self.storage.bytes.len() as u64
    }

    /// The bytes from bus address `address` on; `None` when they are not all mapped.
    pub fn bytes(&self, address: u64, len: usize) -> Option<&[u8]> {
        self.storage.range(address, len).map(|range| &self.storage.bytes[range])
    }

    /// The bytes from bus address `address` on, to be changed.
    pub fn bytes_mut(&mut self, address: u64, len: usize) -> Option<&mut [u8]> {
        self.storage.range(address, len).map(|range| &mut self.storage.bytes[range])
    }

    /// Answers every access to `addresses` with `response` from now on.
    pub fn inject(&mut self, addresses: Range<u64>, response: Response) {
        self.storage.faults.push((addresses, response));
    }

    /// Ends the errors of [`inject`](Self::inject).
    pub fn clear_faults(&mut self) {
        self.storage.faults.clear();
    }

    /// Errors of single bursts, and a bus that hangs.
    pub fn bus_faults(&self) -> BusFaults {
        self.storage.bus.clone()
    }

    /// Traffic of port number `port`, in the order of the prefixes.
    ///
    /// # Panics
    /// When there are fewer ports.
    pub fn counts(&self, port: usize) -> PortCounts {
        self.ports[port].counts()
    }

    /// Data bytes moved over all ports, both ways.
    pub fn bytes_moved(&self) -> u64 {
        self.ports.iter().map(Port::bytes_moved).sum()
    }
}
