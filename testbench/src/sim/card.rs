//! A card on a simulator, with its memory and host.

use super::serial::ByteHost;
use super::{
    AxiMemory, BusFaults, BusMemory, LiteHost, MemoryOptions, PortCounts, Response, Violation,
};
use mattock::Error;
use mattock::transport::uart::LinkError;
use mattock::transport::{Arena, Limit, Transport, Waited};
use mattock_spec::serial::Op;
use rtl_gen::sim::{AssertionFailure, PortId, Simulator};
use std::ops::Range;
use std::sync::Arc;

/// Cycles within which the register port must answer: far more than it takes.
const ANSWER_CYCLES: u64 = 64;

/// Why a simulated card stops being of use.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A master broke a rule of the bus.
    #[error(transparent)]
    Bus(#[from] Violation),
    /// An assertion in the design did not hold.
    #[error("{0}")]
    Assertion(AssertionFailure),
    /// The register port did not answer.
    #[error("register {offset:#06x} did not answer within {ANSWER_CYCLES} cycles")]
    NoAnswer {
        /// BAR0 offset.
        offset: u32,
    },
    /// The register port answered with an error.
    #[error("register {offset:#06x} answered with response code {response}")]
    Register {
        /// BAR0 offset.
        offset: u32,
        /// AXI response code.
        response: u8,
    },
    /// The serial port did not do what was asked.
    #[error("{0}")]
    Serial(#[from] Arc<LinkError>),
    /// Part of a register was to be written over a serial port, which writes whole ones.
    #[error("register {offset:#06x} can only be written whole over a serial port")]
    PartOfRegister {
        /// BAR0 offset.
        offset: u32,
    },
    /// An access outside the memory of the card.
    #[error("{bytes} bytes at bus address {address:#x} are not in the card's memory")]
    Range {
        /// First address.
        address: u64,
        /// Length.
        bytes: usize,
    },
}

/// A card design with memory at its AXI masters and a host at its registers; a
/// [`Transport`] of the driver.
///
/// The design has ports `clk`, `rst`, `irq`, and either `s_axi_*` and any number of `m<n>_axi_*`, or a serial port by
/// bytes ([`mattock_hw::bench_card`]): then every access, also to memory, goes in frames over that port, a byte a
/// clock, and what [`MemoryOptions`] say does not apply, because the memory is part of the design.
pub struct SimCard {
    sim: Box<dyn Simulator>,
    memory: AxiMemory,
    host: Host,
    irq: PortId,
    reset: PortId,
    arena: Arena,
    name: String,
    cycle: u64,
    ports: usize,
    irq_up: bool,
    irq_rises: u64,
}

/// How the host reaches the registers.
enum Host {
    Lite(LiteHost),
    Serial(Box<ByteHost>),
}

impl Host {
    /// A host at rest at whichever port the design has.
    fn new(sim: &mut dyn Simulator) -> Self {
        match sim.try_port("s_axi_awvalid") {
            Some(_) => Host::Lite(LiteHost::new(sim, "s_axi_")),
            None => Host::Serial(Box::new(ByteHost::new(sim))),
        }
    }
}

impl SimCard {
    /// Resets the design and attaches memory and host. `name` is the card's address, such as `sim:tiny`.
    ///
    /// # Panics
    /// When the design lacks one of the ports.
    pub fn new(sim: Box<dyn Simulator>, name: &str, options: &MemoryOptions) -> Self {
        Self::build(sim, name, options, None)
    }

    /// The card of [`new`](Self::new) with somebody else's memory at its masters. As a transport such a card has no
    /// memory to hand out.
    ///
    /// # Panics
    /// When the design lacks one of the ports.
    pub fn with_host(
        sim: Box<dyn Simulator>,
        name: &str,
        options: &MemoryOptions,
        host: Box<dyn BusMemory>,
    ) -> Self {
        Self::build(sim, name, options, Some(host))
    }

    fn build(
        mut sim: Box<dyn Simulator>,
        name: &str,
        options: &MemoryOptions,
        host: Option<Box<dyn BusMemory>>,
    ) -> Self {
        let prefixes: Vec<String> = (0..)
            .map(|i| format!("m{i}_axi_"))
            .take_while(|p| sim.try_port(&format!("{p}arvalid")).is_some())
            .collect();
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let memory = match host {
            None => AxiMemory::new(&*sim, &prefixes, options),
            Some(host) => AxiMemory::with_host(&*sim, &prefixes, options, host),
        };
        let host = Host::new(&mut *sim);
        let mut card = SimCard {
            irq: sim.port("irq"),
            reset: sim.port("rst"),
            arena: Arena::new(memory.addresses()),
            ports: prefixes.len(),
            memory,
            host,
            name: name.to_owned(),
            cycle: 0,
            irq_up: false,
            irq_rises: 0,
            sim,
        };
        card.power_up();
        card
    }

    /// The same card under another address.
    pub(super) fn named(self, name: String) -> Self {
        SimCard { name, ..self }
    }

    /// Resets card and buses: everything is as after power-up, whatever was under way.
    pub fn power_up(&mut self) {
        self.memory.reset(&*self.sim);
        self.host = Host::new(&mut *self.sim);
        self.memory.drive(&mut *self.sim);
        self.sim.set(self.reset, 1);
        self.sim.tick();
        self.sim.tick();
        self.sim.set(self.reset, 0);
        if let Host::Serial(host) = &mut self.host {
            // What goes wrong here is told at the first access.
            let bytes = host.open(&mut *self.sim, &mut self.cycle);
            self.arena = Arena::new(64..u64::from(bytes).max(64));
        }
    }

    /// One clock cycle; the answer of the register access under way, if it comes.
    fn cycle_once(&mut self) -> Result<Option<(u32, u8)>, SimError> {
        let sim = &mut *self.sim;
        let host = match &mut self.host {
            Host::Lite(host) => host,
            Host::Serial(host) => return host.rest(sim, &mut self.cycle).map(|()| None),
        };
        self.memory.drive(sim);
        self.memory.sample(sim)?;
        let taken = host.sample(sim).map_err(|rule| Violation {
            port: "s_axi_".into(),
            cycle: self.cycle,
            rule,
        })?;
        let up = sim.get(self.irq) == 1;
        self.irq_rises += u64::from(up && !self.irq_up);
        self.irq_up = up;
        sim.tick();
        self.cycle += 1;
        let answer = taken.and_then(|taken| {
            host.advance(sim, &taken);
            taken.answer
        });
        match sim.failure() {
            Some(failure) => Err(SimError::Assertion(failure)),
            None => Ok(answer),
        }
    }

    /// Runs the clock.
    ///
    /// # Errors
    /// A broken rule or a failed assertion.
    pub fn run(&mut self, cycles: u64) -> Result<(), SimError> {
        (0..cycles).try_for_each(|_| self.cycle_once().map(drop))
    }

    fn access(&mut self, offset: u32) -> Result<u32, SimError> {
        for _ in 0..ANSWER_CYCLES {
            match self.cycle_once()? {
                Some((data, 0)) => return Ok(data),
                Some((_, response)) => return Err(SimError::Register { offset, response }),
                None => {}
            }
        }
        Err(SimError::NoAnswer { offset })
    }

    /// Reads a register over the bus.
    ///
    /// # Errors
    /// [`SimError`].
    pub fn read_register(&mut self, offset: u32) -> Result<u32, SimError> {
        match &mut self.host {
            Host::Lite(host) => host.start_read(&mut *self.sim, offset),
            Host::Serial(host) => {
                let mut word = [0; 4];
                let (sim, cycle) = (&mut *self.sim, &mut self.cycle);
                host.read(sim, cycle, Op::ReadRegisters, offset, &mut word)?;
                return Ok(u32::from_le_bytes(word));
            }
        }
        self.access(offset)
    }

    /// Writes the bytes of a register whose bit in `strobes` is set, over the bus.
    ///
    /// # Errors
    /// [`SimError`].
    pub fn write_register(&mut self, offset: u32, value: u32, strobes: u8) -> Result<(), SimError> {
        match &mut self.host {
            Host::Lite(host) => host.start_write(&mut *self.sim, offset, value, strobes),
            Host::Serial(_) if strobes != 15 => return Err(SimError::PartOfRegister { offset }),
            Host::Serial(host) => {
                let (sim, cycle) = (&mut *self.sim, &mut self.cycle);
                return host.write(sim, cycle, Op::WriteRegisters, offset, &value.to_le_bytes());
            }
        }
        self.access(offset).map(drop)
    }

    /// Whether the interrupt is up.
    pub fn interrupt(&mut self) -> bool {
        self.sim.get(self.irq) == 1
    }

    /// How often the interrupt has risen: what a bridge that sends messages turns into messages.
    pub fn interrupts(&self) -> u64 {
        self.irq_rises
    }

    /// Clock cycles since reset.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Traffic of each memory port.
    pub fn counts(&self) -> Vec<PortCounts> {
        (0..self.ports).map(|i| self.memory.counts(i)).collect()
    }

    /// Answers the card's accesses to `addresses` with `response` from now on.
    pub fn inject(&mut self, addresses: Range<u64>, response: Response) {
        self.memory.inject(addresses, response);
    }

    /// Ends the errors of [`inject`](Self::inject).
    pub fn clear_faults(&mut self) {
        self.memory.clear_faults();
    }

    /// Errors of single bursts, and a bus that hangs.
    pub fn bus_faults(&self) -> BusFaults {
        self.memory.bus_faults()
    }

    fn link(&self, source: SimError) -> Error {
        Error::Link { card: self.name.clone(), source: Box::new(source) }
    }
}

impl Transport for SimCard {
    fn description(&self) -> String {
        self.name.clone()
    }

    fn read32(&mut self, offset: u32) -> Result<u32, Error> {
        self.read_register(offset).map_err(|e| self.link(e))
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        self.write_register(offset, value, 15).map_err(|e| self.link(e))
    }

    fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        self.arena.alloc(bytes)
    }

    fn free(&mut self, address: u64) {
        self.arena.free(address);
    }

    fn available(&self) -> u64 {
        self.arena.largest()
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Error> {
        if let (Host::Serial(host), Ok(at)) = (&mut self.host, u32::try_from(address)) {
            let (sim, cycle) = (&mut *self.sim, &mut self.cycle);
            let written = host.write(sim, cycle, Op::WriteMemory, at, data);
            return written.map_err(|e| self.link(e));
        }
        match self.memory.bytes_mut(address, data.len()) {
            Some(bytes) => {
                bytes.copy_from_slice(data);
                Ok(())
            }
            None => Err(self.link(SimError::Range { address, bytes: data.len() })),
        }
    }

    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error> {
        if let (Host::Serial(host), Ok(at)) = (&mut self.host, u32::try_from(address)) {
            let (sim, cycle) = (&mut *self.sim, &mut self.cycle);
            let read = host.read(sim, cycle, Op::ReadMemory, at, data);
            return read.map_err(|e| self.link(e));
        }
        match self.memory.bytes(address, data.len()) {
            Some(bytes) => {
                data.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(self.link(SimError::Range { address, bytes: data.len() })),
        }
    }

    fn wait(&mut self, limit: Limit) -> Result<Waited, Error> {
        for _ in 0..limit.cycles {
            if self.interrupt() {
                return Ok(Waited::Interrupt);
            }
            self.cycle_once().map_err(|e| self.link(e))?;
        }
        Ok(if self.interrupt() { Waited::Interrupt } else { Waited::Expired })
    }

    fn is_simulated(&self) -> bool {
        true
    }
}
