//! What the server's thread hands to the thread that owns the model.

use pcie_mmap::vfio_user::{Backend, DmaMap, DmaUnmap, IrqSet};
use rustix::io::Errno;
use std::sync::mpsc::{Sender, SyncSender, sync_channel};

/// One thing to do, between two clock cycles.
pub(super) enum What {
    Read { region: u32, offset: u64, bytes: usize },
    Write { region: u32, offset: u64, data: Vec<u8> },
    Map(DmaMap),
    Unmap(DmaUnmap),
    Irqs(IrqSet),
    Reset,
    Disconnected,
}

/// What came of it; bytes for a read, nothing otherwise.
pub(super) type Answer = Result<Vec<u8>, Errno>;

/// A thing to do, and where the answer goes.
pub(super) struct Task {
    pub(super) what: What,
    pub(super) answer: SyncSender<Answer>,
}

/// The server's side of the queue.
pub(super) struct Tasks(Sender<Task>);

impl Tasks {
    pub(super) fn new(queue: Sender<Task>) -> Self {
        Tasks(queue)
    }

    /// When the model has come to its end the task is dropped, and with it the sender of the answer.
    fn ask(&mut self, what: What) -> Answer {
        let (answer, answered) = sync_channel(1);
        self.0.send(Task { what, answer }).map_err(|_| Errno::NODEV)?;
        answered.recv().map_err(|_| Errno::NODEV)?
    }
}

impl Backend for Tasks {
    fn read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let bytes = self.ask(What::Read { region, offset, bytes: data.len() })?;
        if bytes.len() != data.len() {
            return Err(Errno::IO);
        }
        data.copy_from_slice(&bytes);
        Ok(())
    }

    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.ask(What::Write { region, offset, data: data.to_vec() }).map(drop)
    }

    fn dma_map(&mut self, map: DmaMap) -> Result<(), Errno> {
        self.ask(What::Map(map)).map(drop)
    }

    fn dma_unmap(&mut self, unmap: &DmaUnmap) -> Result<(), Errno> {
        self.ask(What::Unmap(*unmap)).map(drop)
    }

    fn set_irqs(&mut self, set: IrqSet) -> Result<(), Errno> {
        self.ask(What::Irqs(set)).map(drop)
    }

    fn reset(&mut self) -> Result<(), Errno> {
        self.ask(What::Reset).map(drop)
    }

    fn disconnected(&mut self) {
        // The model may have come to its end before its client.
        let _ = self.ask(What::Disconnected);
    }
}
