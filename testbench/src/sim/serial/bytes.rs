//! A serial port by bytes: no line, a byte a clock each way.

use crate::sim::SimError;
use mattock::transport::uart::{Line, Link, LinkError};
use mattock_spec::serial::Op;
use rtl_gen::sim::{PortId, Simulator};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Clocks without an answer after which none comes; an answer begins as soon as memory lets it.
const SILENCE: u64 = 20_000;

/// A host at the ports `rx_*` and `tx_*` that speaks the driver's frames.
pub(crate) struct ByteHost {
    rx: [PortId; 2],
    tx: [PortId; 2],
    link: Result<Link, Arc<LinkError>>,
    received: VecDeque<u8>,
}

impl ByteHost {
    /// A host at rest.
    ///
    /// # Panics
    /// When the design lacks one of the ports.
    pub(crate) fn new(sim: &mut dyn Simulator) -> Self {
        let rx = ["rx_valid", "rx_data"].map(|port| sim.port(port));
        let tx = ["tx_valid", "tx_data"].map(|port| sim.port(port));
        let ready = sim.port("tx_ready");
        rx.iter().for_each(|port| sim.set(*port, 0));
        sim.set(ready, 1);
        let link = Err(Arc::new(LinkError::SessionLost));
        ByteHost { rx, tx, link, received: VecDeque::new() }
    }

    /// Begins a session: the bytes of memory the card has, 0 when it does not answer.
    pub(crate) fn open(&mut self, sim: &mut dyn Simulator, cycle: &mut u64) -> u32 {
        let mut line = Bytes { sim, cycle, pins: (self.rx, self.tx), received: &mut self.received };
        self.link = Link::open(&mut line, 1).map_err(Arc::new);
        self.link.as_ref().map_or(0, Link::memory_bytes)
    }

    pub(crate) fn read(
        &mut self,
        sim: &mut dyn Simulator,
        cycle: &mut u64,
        op: Op,
        address: u32,
        data: &mut [u8],
    ) -> Result<(), SimError> {
        let link = self.link.as_mut().map_err(|e| e.clone())?;
        let mut line = Bytes { sim, cycle, pins: (self.rx, self.tx), received: &mut self.received };
        link.read(&mut line, op, address, data).map_err(failure)
    }

    pub(crate) fn write(
        &mut self,
        sim: &mut dyn Simulator,
        cycle: &mut u64,
        op: Op,
        address: u32,
        data: &[u8],
    ) -> Result<(), SimError> {
        let link = self.link.as_mut().map_err(|e| e.clone())?;
        let mut line = Bytes { sim, cycle, pins: (self.rx, self.tx), received: &mut self.received };
        link.write(&mut line, op, address, data).map_err(failure)
    }

    /// A clock in which the host sends nothing.
    pub(crate) fn rest(
        &mut self,
        sim: &mut dyn Simulator,
        cycle: &mut u64,
    ) -> Result<(), SimError> {
        let mut line = Bytes { sim, cycle, pins: (self.rx, self.tx), received: &mut self.received };
        line.clock(None)
    }
}

/// A failed assertion is told as such.
fn failure(error: LinkError) -> SimError {
    if let LinkError::Line(error) = &error
        && let Some(inner) = error.get_ref().and_then(|e| e.downcast_ref::<SimError>())
    {
        return inner.clone();
    }
    SimError::Serial(Arc::new(error))
}

struct Bytes<'s> {
    sim: &'s mut dyn Simulator,
    cycle: &'s mut u64,
    pins: ([PortId; 2], [PortId; 2]),
    received: &'s mut VecDeque<u8>,
}

impl Bytes<'_> {
    fn clock(&mut self, byte: Option<u8>) -> Result<(), SimError> {
        let (rx, tx) = self.pins;
        self.sim.set(rx[0], byte.is_some().into());
        if let Some(byte) = byte {
            self.sim.set(rx[1], byte.into());
        }
        if self.sim.get(tx[0]) == 1 {
            self.received.push_back(self.sim.get(tx[1]) as u8);
        }
        self.sim.tick();
        *self.cycle += 1;
        self.sim.failure().map_or(Ok(()), |failure| Err(SimError::Assertion(failure)))
    }
}

impl Line for Bytes<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().try_for_each(|byte| self.clock(Some(*byte)).map_err(io::Error::other))
    }

    fn receive(&mut self, buffer: &mut [u8], _: usize, _: u32) -> io::Result<usize> {
        for _ in 0..SILENCE {
            if !self.received.is_empty() {
                break;
            }
            self.clock(None).map_err(io::Error::other)?;
        }
        let n = buffer.len().min(self.received.len());
        buffer.iter_mut().zip(self.received.drain(..n)).for_each(|(to, byte)| *to = byte);
        Ok(n)
    }
}
