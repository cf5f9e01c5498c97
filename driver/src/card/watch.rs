//! Event counters that are raised when jobs are over, for those who wait on file descriptors.

use super::{Card, JobId};
use pcie_mmap::EventFd;
use std::sync::Arc;

/// Jobs somebody waits for.
pub(super) struct Watched {
    jobs: Vec<JobId>,
    event: Arc<EventFd>,
}

impl Card {
    /// Has `event` raised when all of `jobs` are over; true when somebody must move the queue along until then and nobody
    /// does.
    pub(crate) fn watch_jobs(&mut self, jobs: Vec<JobId>, event: Arc<EventFd>) -> bool {
        self.watched.push(Watched { jobs, event });
        self.tell();
        let wanted = !self.watched.is_empty() && !self.pumped;
        self.pumped |= wanted;
        wanted
    }

    /// Whether somebody still waits. When not, whoever moved the queue along for them may go.
    pub(crate) fn is_watched(&mut self) -> bool {
        self.pumped = !self.watched.is_empty();
        self.pumped
    }

    /// Nobody moves the queue along after all.
    pub(crate) fn not_pumped(&mut self) {
        self.pumped = false;
    }

    /// Raises the events of jobs that are over.
    pub(super) fn tell(&mut self) {
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain(|w| {
            let over = w.jobs.iter().all(|id| self.is_over(*id));
            // A counter cannot refuse: it is this library's own and never read.
            let _ = over.then(|| w.event.add());
            !over
        });
        self.watched = watched;
    }
}
