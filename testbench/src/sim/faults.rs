//! What goes wrong around a card, when asked: on the bus behind it here, on the way to it in [`LinkFaults`].

use super::{FaultyLink, LinkFaults, OpenError, Response, SimCard, SimOptions, ThreadedCard};
use mattock::Device;
use mattock_spec::CardConfig;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Which way a burst goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From memory to the card.
    Read,
    /// From the card to memory.
    Write,
}

/// A burst that was answered with an error on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which way.
    pub direction: Direction,
    /// Its first address.
    pub address: u64,
    /// How it was answered.
    pub response: Response,
}

/// What goes wrong on the bus behind a card, told from outside while the card runs. Clones are the same.
///
/// Bursts are counted over all ports in the order in which their addresses are accepted.
#[derive(Clone, Debug, Default)]
pub struct BusFaults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Cycles for which the bus hangs; all ones is for ever.
    hung: AtomicU64,
    /// Bursts so far, reads and writes.
    bursts: [AtomicU64; 2],
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    /// Direction, number of the burst, response.
    armed: Vec<(Direction, u64, Response)>,
    hits: Vec<Hit>,
}

impl BusFaults {
    /// Answers one burst with an error: the `nth` from now on, from 0, in its direction. Data of such a write is lost.
    pub fn arm(&self, direction: Direction, nth: u64, response: Response) {
        let number = self.bursts(direction) + nth;
        self.plan(|plan| plan.armed.push((direction, number, response)));
    }

    /// For so many cycles no address, data or answer moves on any port; for ever with `u64::MAX`.
    pub fn hang(&self, cycles: u64) {
        self.0.hung.store(cycles, Ordering::Relaxed);
    }

    /// Bursts accepted so far.
    pub fn bursts(&self, direction: Direction) -> u64 {
        self.0.bursts[direction as usize].load(Ordering::Relaxed)
    }

    /// Takes back what has not happened, and gives what has since the last time.
    pub fn end(&self) -> Vec<Hit> {
        self.hang(0);
        self.plan(|plan| {
            plan.armed.clear();
            std::mem::take(&mut plan.hits)
        })
    }

    /// Whether the bus hangs in the cycle that begins.
    pub(super) fn hangs_now(&self) -> bool {
        match self.0.hung.load(Ordering::Relaxed) {
            0 => false,
            u64::MAX => true,
            left => {
                self.hang(left - 1);
                true
            }
        }
    }

    /// Counts a burst, and tells how it is answered.
    pub(super) fn burst(&self, direction: Direction, address: u64) -> Response {
        let number = self.0.bursts[direction as usize].fetch_add(1, Ordering::Relaxed);
        self.plan(|plan| {
            let armed = plan.armed.iter().position(|(d, n, _)| (*d, *n) == (direction, number));
            let Some(at) = armed else { return Response::Okay };
            let (_, _, response) = plan.armed.swap_remove(at);
            plan.hits.push(Hit { direction, address, response });
            response
        })
    }

    fn plan<R>(&self, with: impl FnOnce(&mut Plan) -> R) -> R {
        with(&mut self.0.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A simulated card, and what can be made to go wrong around it.
pub struct FaultyCard {
    /// The card.
    pub device: Device,
    /// The bus behind it.
    pub bus: BusFaults,
    /// The way to it.
    pub link: LinkFaults,
}

impl FaultyCard {
    /// Simulates the card of a configuration and opens it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(config: &CardConfig, options: &SimOptions) -> Result<FaultyCard, OpenError> {
        let (config, options) = (config.clone(), options.clone());
        let card = ThreadedCard::spawn(move || SimCard::open(&config, &options))?;
        let bus = card.with(|card| card.bus_faults())?;
        let (card, link) = FaultyLink::new(card);
        Ok(FaultyCard { device: Device::open_with(Box::new(card))?, bus, link })
    }
}
