//! The card as a PCI function: the thread that owns the model.

use super::ClientMemory;
use super::config_space::{BYTES as CONFIG_BYTES, ConfigSpace};
use super::tasks::{Answer, Task, What};
use crate::sim::{SimCard, SimError};
use mattock_spec::regs::card::STATUS;
use mattock_spec::regs::queue;
use pcie_mmap::vfio_user::{IrqSet, Layout};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, TryRecvError};

/// Bytes of BAR 0, where the registers are.
pub const BAR0_BYTES: u64 = 1 << 16;
/// Bytes of BAR 2, where the MSI-X table is.
pub(super) const MSIX_BYTES: u64 = 4096;
/// MSI-X vectors. The card has one interrupt today: vector 0.
pub(super) const MSIX_VECTORS: u32 = 4;

/// Region numbers.
const BAR0: u32 = 0;
const BAR2: u32 = 2;
const CONFIG: u32 = 7;
/// Interrupt numbers.
const MSI: u32 = 1;
const MSIX: u32 = 2;

/// What a served card consists of.
pub const LAYOUT: Layout = Layout {
    regions: [BAR0_BYTES, 0, MSIX_BYTES, 0, 0, 0, 0, CONFIG_BYTES as u64, 0],
    irqs: [0, 1, MSIX_VECTORS, 0, 0],
};

/// Clock cycles between two looks into the queue.
const BATCH: u64 = 128;
/// Batches between two looks at STATUS: each look costs a few cycles of the register port.
const LOOK: u64 = 8;

pub(super) struct Device {
    card: SimCard,
    config: ConfigSpace,
    memory: ClientMemory,
    msix_table: Vec<u8>,
    /// Event counters of MSI and MSI-X.
    events: [Vec<Option<OwnedFd>>; 2],
    /// Interrupts sent, of those the card has raised.
    sent: u64,
    /// An engine may be working.
    running: bool,
}

impl Device {
    pub(super) fn new(card: SimCard, memory: ClientMemory) -> Self {
        let vectors = |count: u32| (0..count).map(|_| None).collect();
        Device {
            card,
            config: ConfigSpace::new(),
            memory,
            msix_table: vec![0; MSIX_BYTES as usize],
            events: [vectors(1), vectors(MSIX_VECTORS)],
            sent: 0,
            running: false,
        }
    }

    /// Does tasks, and runs the clock while an engine works, until nobody sends tasks any more.
    pub(super) fn work(mut self, queue: &Receiver<Task>) -> Result<(), SimError> {
        let mut batches = 0;
        loop {
            let task = if self.running {
                match queue.try_recv() {
                    Ok(task) => Some(task),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            } else {
                match queue.recv() {
                    Ok(task) => Some(task),
                    Err(_) => return Ok(()),
                }
            };
            match task {
                Some(Task { what, answer }) => {
                    batches = 0;
                    let done = self.task(what)?;
                    self.interrupt();
                    // A client that is gone wants no answer.
                    let _ = answer.send(done);
                }
                None => {
                    self.card.run(BATCH)?;
                    self.interrupt();
                    batches += 1;
                    if batches % LOOK == 0 {
                        self.running = self.works()?;
                    }
                }
            }
        }
    }

    /// Whether an engine works, or commands in rings have no record yet.
    fn works(&mut self) -> Result<bool, SimError> {
        if self.card.read_register(STATUS.address())? != 0 {
            return Ok(true);
        }
        let rings = self.card.read_register(queue::STATUS.address())?;
        let [told, written] = [queue::DOORBELL, queue::WRITTEN].map(|reg| reg.address());
        Ok(queue::STATUS::RUNNING.get(rings) == 1
            && self.card.read_register(told)? != self.card.read_register(written)?)
    }

    fn task(&mut self, what: What) -> Result<Answer, SimError> {
        Ok(match what {
            What::Read { region: BAR0, offset, bytes } => Ok(self.read(offset, bytes)?),
            What::Read { region: BAR2, offset, bytes } => {
                Ok(self.msix_table[offset as usize..][..bytes].to_vec())
            }
            What::Read { region: CONFIG, offset, bytes } => {
                Ok(self.config.read(offset as usize, bytes))
            }
            What::Write { region: BAR0, offset, data } => {
                self.write(offset, &data)?;
                Ok(vec![])
            }
            What::Write { region: BAR2, offset, data } => {
                self.msix_table[offset as usize..][..data.len()].copy_from_slice(&data);
                Ok(vec![])
            }
            What::Write { region: CONFIG, offset, data } => {
                if self.config.write(offset as usize, &data) {
                    self.config = ConfigSpace::new();
                    self.power_up();
                }
                self.memory.enabled.set(self.config.bus_master());
                Ok(vec![])
            }
            What::Read { .. } | What::Write { .. } => Err(Errno::INVAL),
            What::Map(map) => self.memory.map.borrow_mut().map(map).map(|()| vec![]),
            What::Unmap(unmap) => {
                self.memory.map.borrow_mut().unmap(&unmap);
                Ok(vec![])
            }
            What::Irqs(set) => self.set_irqs(set).map(|()| vec![]),
            What::Reset => {
                self.power_up();
                Ok(vec![])
            }
            What::Disconnected => {
                self.memory.map.borrow_mut().clear();
                self.memory.enabled.set(false);
                self.config = ConfigSpace::new();
                self.events.iter_mut().flatten().for_each(|event| *event = None);
                self.power_up();
                Ok(vec![])
            }
        })
    }

    fn power_up(&mut self) {
        self.card.power_up();
        self.msix_table.fill(0);
        self.sent = self.card.interrupts();
        self.running = false;
    }

    /// Registers, whatever the size and place of the access.
    fn read(&mut self, offset: u64, bytes: usize) -> Result<Vec<u8>, SimError> {
        let first = offset & !3;
        let end = offset + bytes as u64;
        let mut words = vec![];
        for at in (first..end).step_by(4) {
            words.extend(self.card.read_register(at as u32)?.to_le_bytes());
        }
        let skip = (offset - first) as usize;
        Ok(words[skip..skip + bytes].to_vec())
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), SimError> {
        let end = offset + data.len() as u64;
        for at in (offset & !3..end).step_by(4) {
            let (mut word, mut strobes) = ([0; 4], 0);
            for (i, byte) in word.iter_mut().enumerate() {
                let place = (at + i as u64).checked_sub(offset);
                if let Some(from) = place.and_then(|place| data.get(place as usize)) {
                    *byte = *from;
                    strobes |= 1 << i;
                }
            }
            self.card.write_register(at as u32, u32::from_le_bytes(word), strobes)?;
            self.running = true;
        }
        Ok(())
    }

    /// Sends what the card has raised. Several at once are one: an interrupt is a hint.
    fn interrupt(&mut self) {
        if self.card.interrupts() == self.sent {
            return;
        }
        self.sent = self.card.interrupts();
        let [msi, msix] = &self.events;
        let event = [msix, msi].into_iter().find_map(|vectors| vectors.first()?.as_ref());
        // A message is a write on the bus.
        if let Some(event) = event.filter(|_| self.memory.enabled.get()) {
            signal(event);
        }
    }

    fn set_irqs(&mut self, set: IrqSet) -> Result<(), Errno> {
        let kind = match set.index {
            MSI => 0,
            MSIX => 1,
            // There is nothing to set, and so nothing to refuse.
            _ if set.count == 0 => return Ok(()),
            _ => return Err(Errno::INVAL),
        };
        let (data, action) = (set.flags & 7, set.flags >> 3 & 7);
        let vectors = set.start as usize..(set.start + set.count) as usize;
        let events = &mut self.events[kind];
        match (data, action) {
            // Trigger, no data: send now, or with no vector at all: never again.
            (1, 4) if set.count == 0 => events.fill_with(|| None),
            (1, 4) => events[vectors].iter().flatten().for_each(signal),
            // Trigger, event counters; a vector without one is silent.
            (4, 4) => {
                let mut new = set.events.into_iter();
                events[vectors].fill_with(|| new.next());
            }
            // Masking is done where the message arrives.
            (_, 1 | 2) => {}
            _ => return Err(Errno::OPNOTSUPP),
        }
        Ok(())
    }
}

/// Adds one to an event counter; one that is full, or no counter, is the client's affair.
fn signal(event: &OwnedFd) {
    let _ = rustix::io::write(event, &1u64.to_ne_bytes());
}
