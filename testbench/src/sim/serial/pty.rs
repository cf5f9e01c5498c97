//! A simulated serial card behind a pseudo-terminal: any program that opens serial devices can use it.

use super::{LineDriver, LineMonitor};
use crate::sim::SimError;
use rtl_gen::sim::{PortId, Simulator};
use serialport::{SerialPort, TTYPort};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Clocks between two looks at the terminal.
const BATCH: u64 = 256;
/// Clocks without a byte either way after which the clock stands still until there is one: more than the card takes
/// to begin an answer, and few, so that the time a host thinks hardly counts.
const PATIENCE: u64 = 1024;
/// How long a standing clock waits before it looks whether it shall stop.
const NAP: Duration = Duration::from_millis(20);

/// What happens to bytes on their way.
pub trait Disturbance: Send {
    /// A byte from the host: what the card sees of it.
    fn to_card(&mut self, byte: u8, line: &mut LineDriver) {
        line.send(byte);
    }

    /// A byte from the card: what the host gets of it.
    fn to_host(&mut self, byte: u8, bytes: &mut Vec<u8>) {
        bytes.push(byte);
    }
}

/// A good line.
#[derive(Clone, Copy, Debug)]
pub struct Undisturbed;

impl Disturbance for Undisturbed {}

/// Why a card behind a terminal ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PtyError {
    /// The simulation failed.
    #[error(transparent)]
    Simulation(#[from] SimError),
    /// The terminal failed.
    #[error("the pseudo-terminal failed: {0}")]
    Terminal(#[from] io::Error),
}

/// A simulated card with ports `uart_rx` and `uart_tx`, its line bit by bit at the terminal [`path`](Self::path).
pub struct PtyCard {
    sim: Box<dyn Simulator>,
    rx: PortId,
    tx: PortId,
    line: LineDriver,
    monitor: LineMonitor,
    terminal: TTYPort,
    /// Held open, so that the terminal outlives its users.
    other_end: TTYPort,
    disturbance: Box<dyn Disturbance>,
    /// Bytes for the host that the terminal has not taken yet.
    outgoing: Vec<u8>,
    cycles: u64,
}

impl PtyCard {
    /// Resets the design and makes the terminal. The host's bits are `clocks_per_bit` clocks long.
    ///
    /// # Errors
    /// There is no pseudo-terminal to be had.
    ///
    /// # Panics
    /// When the design lacks one of the ports.
    pub fn new(mut sim: Box<dyn Simulator>, clocks_per_bit: f64) -> io::Result<PtyCard> {
        let (mut terminal, other_end) = TTYPort::pair()?;
        terminal.set_timeout(NAP)?;
        let [rx, tx, rst] = ["uart_rx", "uart_tx", "rst"].map(|port| sim.port(port));
        sim.set(rx, 1);
        sim.set(rst, 1);
        (0..4).for_each(|_| sim.tick());
        sim.set(rst, 0);
        Ok(PtyCard {
            sim,
            rx,
            tx,
            line: LineDriver::new(clocks_per_bit),
            monitor: LineMonitor::new(clocks_per_bit),
            terminal,
            other_end,
            disturbance: Box::new(Undisturbed),
            outgoing: vec![],
            cycles: 0,
        })
    }

    /// Puts a disturbance on the line.
    pub fn disturb(&mut self, disturbance: impl Disturbance + 'static) {
        self.disturbance = Box::new(disturbance);
    }

    /// The terminal's device file.
    pub fn path(&self) -> String {
        self.other_end.name().unwrap_or_default()
    }

    /// Serves until `stop` is set; a card without traffic uses no processor time. `cycles` counts clocks.
    ///
    /// # Errors
    /// A failed assertion of the design, or the terminal.
    pub fn run(&mut self, stop: &AtomicBool, cycles: &AtomicU64) -> Result<(), PtyError> {
        let mut quiet = PATIENCE;
        let mut buffer = [0; 4096];
        while !stop.load(Ordering::Relaxed) {
            if quiet >= PATIENCE {
                // A killed host leaves the terminal marked as taken (TIOCEXCL), and closing any descriptor of it
                // unmarks it. Living hosts keep others out all the same, by their lock on the file.
                drop(self.other_end.try_clone_native());
            }
            if quiet >= PATIENCE || self.terminal.bytes_to_read().map_err(io::Error::from)? > 0 {
                let n = match self.terminal.read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => 0,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                    result => result?,
                };
                for byte in &buffer[..n] {
                    self.disturbance.to_card(*byte, &mut self.line);
                }
                if n == 0 && quiet >= PATIENCE {
                    continue;
                }
                quiet = 0;
            }
            for _ in 0..BATCH {
                self.clock()?;
            }
            cycles.store(self.cycles, Ordering::Relaxed);
            let busy = !self.line.is_idle() || !self.monitor.is_idle() || !self.outgoing.is_empty();
            quiet = if busy { 0 } else { quiet + BATCH };
            self.deliver()?;
        }
        Ok(())
    }

    fn clock(&mut self) -> Result<(), SimError> {
        self.sim.set(self.rx, self.line.clock().into());
        if let Some(Some(byte)) = self.monitor.clock(self.sim.get(self.tx) == 1) {
            self.disturbance.to_host(byte, &mut self.outgoing);
        }
        self.sim.tick();
        self.cycles += 1;
        self.sim.failure().map_or(Ok(()), |failure| Err(SimError::Assertion(failure)))
    }

    /// As much as the terminal takes at once; a host that does not read must not stop the clock.
    fn deliver(&mut self) -> io::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        match self.terminal.write(&self.outgoing) {
            Ok(n) => drop(self.outgoing.drain(..n)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                // Nobody is there to read: a real line loses them too.
                self.outgoing.clear();
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
