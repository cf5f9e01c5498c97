//! Devices and contexts: opening a card, sharing it between threads.

use crate::Error;
use crate::buffer::{CardMemory, DmaBuf};
use crate::card::{Card, Done, Failure, JobId};
use crate::element::Element;
use crate::transport::{Limit, Transport};
use mattock_spec::regs::Capabilities;
use pcie_mmap::EventFd;
use std::ops::{Deref, DerefMut, Range};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a waiting thread holds the card before others get their turn: a simulated card's cycles, a real one's time.
const TURN: Limit = Limit { cycles: 16_384, time: Duration::from_micros(500) };
/// What asking whether a command has ended may move a simulated card's clock, so that asking again and again ends.
const GLANCE: Limit = Limit { cycles: 256, time: Duration::ZERO };

/// An open card. Clones are the same card; threads may share it.
#[derive(Clone)]
pub struct Device {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("at", &self.shared.at).finish_non_exhaustive()
    }
}

impl Device {
    /// Opens the card of a URL, such as `pci:0000:03:00.0` or `sim:small`; see [`transport`](crate::transport) for
    /// what this program opens.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for the URL, those of the transport, and those of [`open_with`](Self::open_with).
    pub fn open(url: &str) -> Result<Device, Error> {
        Device::open_with(crate::transport::open(url)?)
    }

    /// Opens the card behind `transport`: reads what it is and refuses one it does not understand. A command that
    /// another process left running is ended.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::IdMismatch`], [`Error::VersionMismatch`], [`Error::Capability`], and those of
    /// the transport.
    pub fn open_with(transport: Box<dyn Transport + Send>) -> Result<Device, Error> {
        let card = Card::open(transport)?;
        let shared = Shared {
            at: card.description(),
            caps: *card.capabilities(),
            card: Mutex::new(card),
            wanted: AtomicUsize::new(0),
        };
        Ok(Device { shared: Arc::new(shared) })
    }

    /// Address of the card, for messages.
    pub fn description(&self) -> &str {
        &self.shared.at
    }

    /// What the card says about itself.
    pub fn capabilities(&self) -> &Capabilities {
        &self.shared.caps
    }

    /// A context: calls and memory of one user of the card.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a queue the card does not have.
    pub fn context(&self, options: ContextOptions) -> Result<Context, Error> {
        if options.queue != 0 {
            let asked = format!("queue {}", options.queue);
            return Err(Error::Unsupported { asked, have: "queue 0".into() });
        }
        let shared = Arc::clone(&self.shared);
        Ok(Context { inner: Arc::new(Inner { shared, options, held: AtomicU64::new(0) }) })
    }

    /// Ends whatever runs on the card, whoever started it, and waits until it is quiet. Calls with commands at the card
    /// (the one that ran, and those that its rings had taken behind it) fail with [`Error::DeviceFault`] and `ABORTED`;
    /// calls behind them in the queue run.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when the card does not become quiet or no longer answers.
    pub fn reset(&self) -> Result<(), Error> {
        self.shared.lock().reset()
    }

    /// Resets the card as a whole, by its bus: as after power-up. False when the way to it cannot do that. Whatever ran
    /// fails as after [`reset`](Self::reset).
    ///
    /// # Errors
    /// Those of the transport.
    pub fn reset_device(&self) -> Result<bool, Error> {
        self.shared.lock().reset_device()
    }

    /// The way to the card, for tools that look at registers and memory themselves; everybody else waits meanwhile.
    pub fn transport(&self) -> TransportGuard<'_> {
        TransportGuard(self.shared.lock())
    }
}

/// The transport of a card, as long as this lives.
pub struct TransportGuard<'a>(MutexGuard<'a, Card>);

impl Deref for TransportGuard<'_> {
    type Target = dyn Transport + Send;
    fn deref(&self) -> &Self::Target {
        self.0.transport_ref()
    }
}

impl DerefMut for TransportGuard<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.transport()
    }
}

/// A card that threads share.
pub(crate) struct Shared {
    pub(crate) at: String,
    pub(crate) caps: Capabilities,
    card: Mutex<Card>,
    /// Threads that want the lock; a lock alone would let the thread that waits take it again and again.
    wanted: AtomicUsize,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Card> {
        self.wanted.fetch_add(1, Ordering::Relaxed);
        // A panic under the lock leaves a queue that still says what runs.
        let card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        self.wanted.fetch_sub(1, Ordering::Relaxed);
        card
    }

    /// Waits for the end of a job, until `until`; `None` when it still runs.
    pub(crate) fn finish(
        &self,
        id: JobId,
        until: Option<Instant>,
    ) -> Option<Result<Done, Failure>> {
        let mut first = true;
        loop {
            let mut card = self.lock();
            if let Some(outcome) = card.take(id) {
                return Some(outcome);
            }
            let slice = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() && !first => return None,
                Some(left) if left.is_zero() => GLANCE,
                Some(left) => Limit { time: TURN.time.min(left), ..TURN },
                None => TURN,
            };
            card.advance(slice);
            first = false;
            if let Some(outcome) = card.take(id) {
                return Some(outcome);
            }
            drop(card);
            self.make_way();
        }
    }

    /// Waits until no job in the queue touches this card memory: after events that were forgotten, not dropped.
    pub(crate) fn settle(&self, memory: &Range<u64>) {
        loop {
            let mut card = self.lock();
            if !card.uses(memory) {
                return;
            }
            card.advance(TURN);
            drop(card);
            self.make_way();
        }
    }

    /// An event counter that is raised when all of `jobs` are over. From the first one on, as long as there are any, a
    /// thread moves the queue along.
    ///
    /// # Errors
    /// [`Error::Io`]: the process has too many open files or threads.
    pub(crate) fn event(self: &Arc<Self>, jobs: Vec<JobId>) -> Result<Arc<EventFd>, Error> {
        let event = Arc::new(EventFd::new()?);
        if self.lock().watch_jobs(jobs, Arc::clone(&event)) {
            let shared = Arc::clone(self);
            let thread = std::thread::Builder::new().name("mattock events".into());
            if let Err(source) = thread.spawn(move || shared.pump()) {
                self.lock().not_pumped();
                let path = "thread".into();
                return Err(Error::Io { action: "start", path, source });
            }
        }
        Ok(event)
    }

    /// Moves the queue along until nobody waits for a file descriptor.
    fn pump(&self) {
        loop {
            let mut card = self.lock();
            card.advance(TURN);
            if !card.is_watched() {
                return;
            }
            drop(card);
            self.make_way();
        }
    }

    fn make_way(&self) {
        for _ in 0..1000 {
            if self.wanted.load(Ordering::Relaxed) == 0 {
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// How a [`Context`] uses its card.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContextOptions {
    /// Queue of the card; cards without rings have only queue 0.
    pub queue: u16,
    /// Most time each command may take; many times the estimate when `None`. The card is reset when it has passed.
    pub timeout: Option<Duration>,
    /// Most bytes of card memory that buffers and calls of this context may hold together; all there is when `None`.
    pub memory_budget: Option<u64>,
}

/// Calls and memory of one user of a card. Clones are the same context; threads may share it.
#[derive(Clone)]
pub struct Context {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { shared, options, .. } = &*self.inner;
        f.debug_struct("Context").field("at", &shared.at).field("options", options).finish()
    }
}

impl Context {
    /// Card memory for `len` elements, zero or not.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn alloc<T: Element>(&self, len: usize) -> Result<DmaBuf<T>, Error> {
        DmaBuf::new(&self.inner, len)
    }

    /// What the card says about itself.
    pub fn capabilities(&self) -> &Capabilities {
        &self.inner.shared.caps
    }

    /// The card of this context.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.inner.shared) }
    }

    /// Bytes of card memory that buffers and calls of this context hold.
    pub fn memory_held(&self) -> u64 {
        self.inner.held.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shared.at)
    }
}

/// What buffers, events and plans share with their context.
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: ContextOptions,
    held: AtomicU64,
}

impl Inner {
    /// Card memory within the budget.
    pub(crate) fn memory(self: &Arc<Self>, bytes: u64) -> Result<CardMemory, Error> {
        let budget = self.options.memory_budget.unwrap_or(u64::MAX);
        let take = |held: u64| held.checked_add(bytes).filter(|&sum| sum <= budget);
        if let Err(held) = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            return Err(Error::OutOfMemory { need: bytes, have: budget - held });
        }
        match self.shared.lock().transport().alloc(bytes) {
            Ok(address) => Ok(CardMemory::new(Arc::clone(self), address, bytes)),
            Err(error) => {
                self.held.fetch_sub(bytes, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Gives card memory back.
    pub(crate) fn release(&self, address: u64, bytes: u64) {
        self.shared.settle(&(address..address.saturating_add(bytes)));
        self.shared.lock().transport().free(address);
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The largest piece [`memory`](Self::memory) can give now.
    pub(crate) fn available(&self) -> u64 {
        let there = self.shared.lock().transport().available();
        let budget = self.options.memory_budget.unwrap_or(u64::MAX);
        there.min(budget.saturating_sub(self.held.load(Ordering::Relaxed)))
    }
}
