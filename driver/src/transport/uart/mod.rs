//! Serial cards: `uart:<tty>?baud=<rate>`.
//!
//! Frames and the rules for them: [`mattock_spec::serial`] and `docs/serial.md`.

mod device;
mod frame;
mod link;
mod url;

pub use frame::{Reply, ReplyDecoder};
pub use link::{Line, Link, LinkCounts, LinkError};
pub use url::{DEFAULT_BAUD, UartUrl};

use super::{Arena, Limit, Transport, Waited};
use crate::Error;
use device::Device;
use mattock_spec::regs::card;
use mattock_spec::serial::Op;
use std::time::{Duration, Instant};

/// Lowest address handed out: 0 is left free, so that a lost address is noticed.
const FIRST_ADDRESS: u64 = 64;
/// Longest pause between two looks at a card that works on a command.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// A card behind a serial line.
#[derive(Debug)]
pub struct Uart<L = Device> {
    line: L,
    link: Link,
    arena: Arena,
    name: String,
    lost: bool,
}

impl Uart {
    /// Opens the device and begins a session. What an earlier session left on the line does no harm.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Permission`], [`Error::Busy`] when the device cannot be had, [`Error::Link`] with
    /// a [`LinkError`] when no card answers behind it.
    pub fn open(url: &UartUrl) -> Result<Uart, Error> {
        let device = Device::open(url)?;
        // Two sessions one after the other must differ in it; nobody else needs to guess it.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nonce = now.map_or(1, |t| t.as_nanos() as u32) ^ std::process::id().rotate_left(16);
        Uart::over(device, nonce, url.to_string())
    }
}

impl<L: Line> Uart<L> {
    /// Begins a session over any line; see [`Link::open`].
    ///
    /// # Errors
    /// [`Error::Link`] with a [`LinkError`].
    pub fn over(mut line: L, nonce: u32, name: String) -> Result<Uart<L>, Error> {
        match Link::open(&mut line, nonce) {
            Ok(link) => {
                let arena = Arena::new(FIRST_ADDRESS..link.memory_bytes().into());
                Ok(Uart { line, link, arena, name, lost: false })
            }
            Err(source) => Err(Error::Link { card: name, source: Box::new(source) }),
        }
    }

    /// What happened on the line.
    pub fn counts(&self) -> LinkCounts {
        self.link.counts()
    }

    /// The line.
    pub fn line(&mut self) -> &mut L {
        &mut self.line
    }

    /// Runs a request; after an error that leaves open what the card has done, the card counts as lost.
    fn call<R>(
        &mut self,
        request: impl FnOnce(&mut Link, &mut L) -> Result<R, LinkError>,
    ) -> Result<R, Error> {
        if self.lost {
            return Err(Error::DeviceLost { card: self.name.clone() });
        }
        request(&mut self.link, &mut self.line).map_err(|source| {
            self.lost = !matches!(source, LinkError::Refused { .. });
            Error::Link { card: self.name.clone(), source: Box::new(source) }
        })
    }

    fn address(&self, address: u64, bytes: usize) -> Result<u32, Error> {
        let end = address.checked_add(bytes as u64);
        let inside = end.is_some_and(|end| end <= self.link.memory_bytes().into());
        match u32::try_from(address) {
            Ok(address) if inside => Ok(address),
            _ => {
                let what = "the bytes are not in the card's memory";
                let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, what);
                Err(Error::Link { card: self.name.clone(), source: Box::new(source) })
            }
        }
    }
}

impl<L: Line> Transport for Uart<L> {
    fn description(&self) -> String {
        self.name.clone()
    }

    fn read32(&mut self, offset: u32) -> Result<u32, Error> {
        let mut word = [0; 4];
        self.call(|link, line| link.read(line, Op::ReadRegisters, offset, &mut word))?;
        Ok(u32::from_le_bytes(word))
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        self.call(|link, line| link.write(line, Op::WriteRegisters, offset, &value.to_le_bytes()))
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
        let at = self.address(address, data.len())?;
        self.call(|link, line| link.write(line, Op::WriteMemory, at, data))
    }

    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error> {
        let at = self.address(address, data.len())?;
        self.call(|link, line| link.read(line, Op::ReadMemory, at, data))
    }

    /// Every answer tells the interrupt, so the card is asked until it is up. Time alone does not end the wait:
    /// the card's own clock must have run that long too, which counts when the card is a slow simulation.
    fn wait(&mut self, limit: Limit) -> Result<Waited, Error> {
        let begin = Instant::now();
        let first = self.read32(card::CYCLES_LO.address())?;
        let (mut before, mut cycles) = (first, 0u64);
        loop {
            if self.link.interrupt() {
                return Ok(Waited::Interrupt);
            }
            let waited = begin.elapsed();
            if waited >= limit.time && cycles >= limit.cycles {
                return Ok(Waited::Expired);
            }
            std::thread::sleep((waited / 8).min(LONGEST_PAUSE));
            let now = self.read32(card::CYCLES_LO.address())?;
            cycles += u64::from(now.wrapping_sub(before));
            before = now;
        }
    }
}
