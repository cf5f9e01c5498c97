//! A simulated card that any thread may use.

use super::{OpenError, SimCard};
use mattock::Error;
use mattock::transport::{Limit, Transport, Waited};
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

type Work = Box<dyn FnOnce(&mut SimCard) + Send>;

/// A simulated card on a thread of its own, since a Verilated model stays on the thread that made it.
///
/// Every access is a message to that thread, which sleeps in between.
pub struct ThreadedCard {
    name: String,
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl ThreadedCard {
    /// Starts the thread and the card on it.
    ///
    /// # Errors
    /// Those of `start`, and [`OpenError::Thread`].
    pub fn spawn<E: From<OpenError> + Send + 'static>(
        start: impl FnOnce() -> Result<SimCard, E> + Send + 'static,
    ) -> Result<ThreadedCard, E> {
        let ((work, todo), (ready, started)) = (channel::<Work>(), channel());
        let thread = Builder::new().name("simulated card".into()).spawn(move || {
            let mut card = match start() {
                Ok(card) => card,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let _ = ready.send(Ok(card.description()));
            for work in todo {
                work(&mut card);
            }
        });
        let thread = thread.map_err(OpenError::Thread)?;
        match started.recv() {
            Ok(Ok(name)) => Ok(ThreadedCard { name, work: Some(work), thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let panicked = std::io::Error::other("it panicked while it started");
                Err(OpenError::Thread(panicked).into())
            }
        }
    }

    /// Does something with the card on its thread.
    ///
    /// # Errors
    /// [`Error::Link`] when the simulation has panicked.
    pub fn with<R: Send + 'static>(
        &self,
        access: impl FnOnce(&mut SimCard) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let (answer, answered) = channel();
        let work: Work = Box::new(move |card| {
            let _ = answer.send(access(card));
        });
        let sent = self.work.as_ref().is_some_and(|thread| thread.send(work).is_ok());
        match answered.recv() {
            Ok(result) if sent => Ok(result),
            _ => {
                let source = "the simulation has panicked".into();
                Err(Error::Link { card: self.name.clone(), source })
            }
        }
    }
}

impl Drop for ThreadedCard {
    fn drop(&mut self) {
        self.work = None; // the thread ends when it has nothing more to hear
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Transport for ThreadedCard {
    fn description(&self) -> String {
        self.name.clone()
    }

    fn read32(&mut self, offset: u32) -> Result<u32, Error> {
        self.with(move |card| card.read32(offset))?
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        self.with(move |card| card.write32(offset, value))?
    }

    fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        self.with(move |card| card.alloc(bytes))?
    }

    fn free(&mut self, address: u64) {
        let _ = self.with(move |card| card.free(address));
    }

    fn available(&self) -> u64 {
        self.with(|card| card.available()).unwrap_or(0)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Error> {
        let data = data.to_vec();
        self.with(move |card| card.write(address, &data))?
    }

    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error> {
        let bytes = data.len();
        let read = self.with(move |card| {
            let mut data = vec![0; bytes];
            card.read(address, &mut data).map(|()| data)
        })?;
        data.copy_from_slice(&read?);
        Ok(())
    }

    fn wait(&mut self, limit: Limit) -> Result<Waited, Error> {
        self.with(move |card| card.wait(limit))?
    }

    fn is_simulated(&self) -> bool {
        true
    }
}
