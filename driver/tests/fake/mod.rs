//! A card of registers and memory only, without engines behind them.

use mattock::transport::{Arena, Limit, Transport, Waited};
use mattock::{Context, ContextOptions, Device, Error};
use mattock_spec::CardConfig;
use mattock_spec::regs::{CAPABILITY_BASE, capability_rom, card, gemm, spgemm};

const BASE: u64 = 0x1000;

/// What was written to registers, by offset; quick, because the driver is timed with it.
pub(crate) struct Registers(Vec<Option<u32>>);

impl Registers {
    pub(crate) fn insert(&mut self, offset: u32, value: u32) {
        self.0[offset as usize / 4] = Some(value);
    }

    fn get(&self, offset: u32) -> Option<u32> {
        self.0.get(offset as usize / 4).copied().flatten()
    }

    fn remove(&mut self, offset: u32) {
        self.0[offset as usize / 4] = None;
    }

    fn extend(&mut self, values: impl IntoIterator<Item = (u32, u32)>) {
        values.into_iter().for_each(|(offset, value)| self.insert(offset, value));
    }
}

/// Ends every command at once with the status given; computes nothing.
pub(crate) struct Fake {
    pub(crate) registers: Registers,
    memory: Vec<u8>,
    arena: Arena,
    /// STATUS of both engines.
    pub(crate) status: u32,
    /// Reads from now on until the card is gone.
    pub(crate) reads_left: usize,
}

impl Fake {
    pub(crate) fn new(status: u32, bytes: usize) -> Self {
        let config = CardConfig::reference("small").unwrap();
        let digest = config.digest();
        let rom = capability_rom(&config);
        let rom = rom.into_iter().enumerate().map(|(i, w)| (CAPABILITY_BASE + 4 * i as u32, w));
        let mut registers = Registers(vec![None; 1 << 14]);
        registers.extend(rom);
        registers.extend([
            (card::ID.address(), card::MAGIC),
            (card::VERSION.address(), card::VERSION::MINOR.put(card::VERSION_MINOR)),
            (card::DIGEST_LO.address(), digest as u32),
            (card::CAP_PTR.address(), CAPABILITY_BASE),
        ]);
        let arena = Arena::new(BASE..BASE + bytes as u64);
        Fake { registers, memory: vec![0; bytes], arena, status, reads_left: usize::MAX }
    }

    pub(crate) fn open(self) -> Context {
        let device = Device::open_with(Box::new(self)).unwrap();
        device.context(ContextOptions::default()).unwrap()
    }
}

impl Transport for Fake {
    fn description(&self) -> String {
        "fake".into()
    }
    fn read32(&mut self, offset: u32) -> Result<u32, Error> {
        self.reads_left = self.reads_left.saturating_sub(1);
        if self.reads_left == 0 {
            return Ok(u32::MAX);
        }
        if [gemm::STATUS.address(), spgemm::STATUS.address()].contains(&offset) {
            let started = self.registers.get(gemm::START.address()).is_some()
                || self.registers.get(spgemm::START.address()).is_some();
            return Ok(if started { self.status } else { 0 });
        }
        Ok(self.registers.get(offset).unwrap_or(0))
    }
    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        if offset == card::SOFT_RESET.address() {
            self.registers.remove(gemm::START.address());
            self.registers.remove(spgemm::START.address());
        } else {
            self.registers.insert(offset, value);
        }
        Ok(())
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
        self.memory[(address - BASE) as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error> {
        data.copy_from_slice(&self.memory[(address - BASE) as usize..][..data.len()]);
        Ok(())
    }
    fn wait(&mut self, _: Limit) -> Result<Waited, Error> {
        let busy = gemm::STATUS::BUSY.get(self.status) == 1;
        Ok(if busy { Waited::Expired } else { Waited::Interrupt })
    }
    fn is_simulated(&self) -> bool {
        true
    }
}

/// STATUS of an engine that has ended its command.
pub(crate) const DONE: u32 = gemm::STATUS::DONE.put(1);
