//! Waiting for dense products.

use super::GemmStats;
use super::product::{Fetched, Pending};
use crate::Error;
use crate::card::Failure;
use crate::device::Inner;
use crate::view::PlaceMut;
use mattock_spec::ErrorCode;
use pcie_mmap::EventFd;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Products under way. A result in host memory is there once the event is over; dropping the event waits for that.
///
/// A card with rings has up to 16 commands at a time and runs one after the other by itself; results are independent of how
/// they are waited for. On other cards the next command starts when somebody waits, asks or submits.
///
/// # Faults among queued commands
/// A command that fails (a bus error, a time-out in the card) is the failure of its own call; commands behind it run.
/// When the card must be reset or its rings are closed, the oldest call there tells why ([`Error::Timeout`],
/// [`Error::Controller`]), the others there are [`Error::DeviceFault`] with `ABORTED`, and calls not yet handed to the
/// card run.
#[derive(Debug)]
#[must_use = "dropping an event waits for it and loses its error"]
pub struct Event<'a> {
    inner: Arc<Inner>,
    pending: VecDeque<Pending>,
    /// Where results go.
    targets: Vec<PlaceMut<'a>>,
    stats: GemmStats,
    failed: Option<Error>,
    /// For those who wait for file descriptors.
    signal: OnceLock<Arc<EventFd>>,
}

impl<'a> Event<'a> {
    pub(super) fn new(
        inner: &Arc<Inner>,
        pending: Vec<Pending>,
        targets: Vec<PlaceMut<'a>>,
        stats: GemmStats,
    ) -> Self {
        let inner = Arc::clone(inner);
        Event {
            inner,
            pending: pending.into(),
            targets,
            stats,
            failed: None,
            signal: OnceLock::new(),
        }
    }

    /// Waits for the end, however long the commands may take by the context's timeout.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when a `resident` product does not fit the card's buffers; [`Error::DeviceFault`],
    /// [`Error::Timeout`] after which the card has been reset, [`Error::DeviceLost`], and those of the transport. Of
    /// several products the first error; the others have ended too.
    pub fn wait(mut self) -> Result<GemmStats, Error> {
        self.advance(None);
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(self.stats),
        }
    }

    /// Waits for at most `time`. Whether the products are over, well or not, which [`wait`](Self::wait) then tells.
    pub fn wait_for(&mut self, time: Duration) -> bool {
        // A time past the end of the clock is no limit.
        self.advance(Instant::now().checked_add(time))
    }

    /// Whether the products are over, well or not, without waiting.
    pub fn query(&mut self) -> bool {
        self.wait_for(Duration::ZERO)
    }

    /// A file descriptor that becomes readable when the products are over, well or not, and stays so: for `poll`, `epoll`
    /// and what is built on them. Then [`query`](Self::query) is true, after it has copied what was wanted in host
    /// memory. Nothing must be read from it; it is closed with the event.
    ///
    /// As long as such events are not over a thread of this library moves the card's queue along.
    ///
    /// # Errors
    /// [`Error::Io`]: the process has too many open files or threads.
    pub fn fd(&self) -> Result<BorrowedFd<'_>, Error> {
        if self.signal.get().is_none() {
            let jobs = self.pending.iter().map(|pending| pending.id).collect();
            let event = self.inner.shared.event(jobs)?;
            // Two threads at once have made two counters, of which one is used.
            let _ = self.signal.set(event);
        }
        match self.signal.get() {
            Some(event) => Ok(event.as_fd()),
            None => Err(Error::Cancelled), // it was set just now
        }
    }

    fn advance(&mut self, until: Option<Instant>) -> bool {
        while let Some(first) = self.pending.front() {
            let Some(outcome) = self.inner.shared.finish(first.id, until) else { return false };
            let Some(Pending { fetch, operands, batch, .. }) = self.pending.pop_front() else {
                break;
            };
            drop(operands);
            let outcome = outcome.map_err(|failure| match batch {
                Some(placed) => placed.refine(self.refine(failure)),
                None => self.refine(failure),
            });
            let done = outcome.and_then(|done| {
                let mut stats = done.gemm;
                stats.host_elements += match fetch {
                    None => 0,
                    Some(Fetched::One(fetch)) => fetch.run(&mut self.targets[fetch.target])?,
                    Some(Fetched::Many(fetch)) => fetch.run(&mut self.targets)?,
                };
                Ok(stats)
            });
            match done {
                Ok(stats) => self.stats += stats,
                Err(error) => self.failed = self.failed.take().or(Some(error)),
            }
        }
        true
    }

    fn refine(&self, failure: Failure) -> Error {
        match (failure, self.inner.shared.caps.gemm) {
            (Failure::Fault(completion), Some(caps)) if completion.code == ErrorCode::TooLarge => {
                let kib = caps.a_kib.max(caps.b_kib).max(caps.result_kib);
                Error::OutOfMemory { need: completion.info.into(), have: u64::from(kib) * 1024 }
            }
            (failure, _) => failure.into(),
        }
    }
}

/// See [`Event::fd`].
///
/// # Panics
/// When the process has too many open files or threads; `fd` tells that as an error.
impl AsFd for Event<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.fd() {
            Ok(fd) => fd,
            Err(error) => panic!("no file descriptor for an event: {error}"),
        }
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        self.advance(None);
    }
}
