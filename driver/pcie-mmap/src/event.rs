//! Counters in the kernel that interrupts add to.

use crate::Error;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// An event counter (`eventfd`): what a device's interrupt adds to, and what a process waits for.
#[derive(Debug)]
pub struct EventFd {
    fd: OwnedFd,
}

impl EventFd {
    /// A counter at zero.
    ///
    /// # Errors
    /// [`Error::Io`] when the process has too many open files.
    pub fn new() -> Result<Self, Error> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|e| Error::io("create", "eventfd", e))?;
        Ok(EventFd { fd })
    }

    /// Adds one.
    ///
    /// # Errors
    /// Never in practice; a counter that is full already says what is to be said.
    pub fn add(&self) -> Result<(), Error> {
        signal(self.fd.as_fd()).map_err(|e| Error::io("write", "eventfd", e))
    }

    /// Takes the count back to zero and tells what it was.
    ///
    /// # Errors
    /// [`Error::Io`] from the kernel.
    pub fn take(&self) -> Result<u64, Error> {
        let mut count = [0; 8];
        match rustix::io::read(&self.fd, &mut count) {
            Ok(_) => Ok(u64::from_ne_bytes(count)),
            Err(rustix::io::Errno::AGAIN) => Ok(0),
            Err(e) => Err(Error::io("read", "eventfd", e)),
        }
    }

    /// Waits until the count is not zero and takes it; false when `limit` has passed.
    ///
    /// # Errors
    /// [`Error::Io`] from the kernel.
    pub fn wait(&self, limit: Duration) -> Result<bool, Error> {
        let ready = wait_any(&[(self.fd.as_fd(), PollFlags::IN)], limit)?;
        Ok(ready.is_some() && self.take()? > 0)
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Adds one to the event counter behind `fd`.
///
/// # Errors
/// `fd` is no event counter or cannot be written. A full counter is no error.
pub(crate) fn signal(fd: BorrowedFd<'_>) -> io::Result<()> {
    match rustix::io::write(fd, &1u64.to_ne_bytes()) {
        Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// The first of `fds` on which something happens, or `None` when `limit` has passed.
pub(crate) fn wait_any(
    fds: &[(BorrowedFd<'_>, PollFlags)],
    limit: Duration,
) -> Result<Option<usize>, Error> {
    let end = Instant::now().checked_add(limit);
    loop {
        let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        let time = Timespec {
            tv_sec: left.as_secs().min(1 << 30) as i64,
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut polled: Vec<PollFd<'_>> =
            fds.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        match poll(&mut polled, Some(&time)) {
            Ok(_) => {
                let first = polled.iter().position(|fd| !fd.revents().is_empty());
                if first.is_some() || left.is_zero() {
                    return Ok(first);
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::io("poll", "file descriptors", e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_and_waits_end() {
        let event = EventFd::new().unwrap();
        assert!(!event.wait(Duration::from_millis(5)).unwrap());
        event.add().unwrap();
        event.add().unwrap();
        assert!(event.wait(Duration::MAX).unwrap());
        assert_eq!(event.take().unwrap(), 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                event.add().unwrap();
            });
            assert!(event.wait(Duration::from_secs(10)).unwrap());
        });
    }
}
