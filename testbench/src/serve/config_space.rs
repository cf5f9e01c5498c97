//! Configuration space of a served card.

use super::device::{BAR0_BYTES, MSIX_BYTES, MSIX_VECTORS};
use pcie_mmap::config::{
    CAP_EXPRESS, CAP_MSI, CAP_MSIX, CAPABILITY_POINTER, COMMAND, COMMAND_BUS_MASTER, EXPRESS_FLR,
    EXPRESS_FLR_CAPABLE, STATUS, STATUS_CAPABILITIES,
};

/// Bytes of configuration space of a PCI Express device.
pub(super) const BYTES: usize = 4096;
/// A number for simulations only. A board has the numbers of its PCIe block; drivers go by the ID register.
const VENDOR: u16 = 0x10ee;
const DEVICE: u16 = 0x4d41;
/// Processing accelerator.
const CLASS: u32 = 0x12_0000;

const MSI: usize = 0x50;
const MSIX: usize = 0x70;
const EXPRESS: usize = 0x80;

/// The bytes, and which of their bits can be written.
pub(super) struct ConfigSpace {
    bytes: Vec<u8>,
    writable: Vec<u8>,
}

impl ConfigSpace {
    pub(super) fn new() -> Self {
        let mut space = ConfigSpace { bytes: vec![0; BYTES], writable: vec![0; BYTES] };
        space.put16(0x00, VENDOR, 0);
        space.put16(0x02, DEVICE, 0);
        space.put16(COMMAND.into(), 0, 0x0546); // memory, bus master, parity, SERR, pin off
        space.put16(STATUS.into(), STATUS_CAPABILITIES, 0);
        space.put32(0x08, CLASS << 8, 0);
        space.put32(0x10, 0, !(BAR0_BYTES as u32 - 1));
        space.put32(0x18, 0, !(MSIX_BYTES as u32 - 1));
        space.put16(0x2c, VENDOR, 0);
        space.put16(0x2e, DEVICE, 0);
        space.put16(CAPABILITY_POINTER.into(), MSI as u16, 0);
        space.put16(0x3c, 0, 0x00ff); // interrupt line: a note of the firmware's
        space.msi();
        space.msix();
        space.express();
        space
    }

    /// One vector, 64-bit address.
    fn msi(&mut self) {
        self.put16(MSI, u16::from(CAP_MSI) | (MSIX as u16) << 8, 0);
        self.put16(MSI + 2, 0x0080, 0x0071);
        self.put32(MSI + 4, 0, !3);
        self.put32(MSI + 8, 0, !0);
        self.put16(MSI + 12, 0, !0);
    }

    /// Table and pending bits in BAR 2.
    fn msix(&mut self) {
        self.put16(MSIX, u16::from(CAP_MSIX) | (EXPRESS as u16) << 8, 0);
        self.put16(MSIX + 2, MSIX_VECTORS as u16 - 1, 0xc000);
        self.put32(MSIX + 4, 2, 0);
        self.put32(MSIX + 8, (MSIX_BYTES as u32 / 2) | 2, 0);
    }

    /// An endpoint that can be reset.
    fn express(&mut self) {
        self.put16(EXPRESS, CAP_EXPRESS.into(), 0);
        self.put16(EXPRESS + 2, 2, 0);
        self.put32(EXPRESS + 4, EXPRESS_FLR_CAPABLE | 1 << 15, 0);
        self.put16(EXPRESS + 8, 0, 0x7fff);
    }

    fn put16(&mut self, at: usize, value: u16, writable: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        self.writable[at..at + 2].copy_from_slice(&writable.to_le_bytes());
    }

    fn put32(&mut self, at: usize, value: u32, writable: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self.writable[at..at + 4].copy_from_slice(&writable.to_le_bytes());
    }

    /// Reads; the range was checked to be inside.
    pub(super) fn read(&self, at: usize, bytes: usize) -> Vec<u8> {
        self.bytes[at..at + bytes].to_vec()
    }

    /// Writes what can be written; true when that asks for a function level reset.
    pub(super) fn write(&mut self, at: usize, data: &[u8]) -> bool {
        for (i, byte) in data.iter().enumerate() {
            let (old, writable) = (&mut self.bytes[at + i], self.writable[at + i]);
            *old = *old & !writable | byte & writable;
        }
        // The bit reads as 0; only writing it matters.
        let high = EXPRESS + 9;
        let written = high.checked_sub(at).and_then(|i| data.get(i));
        written.is_some_and(|byte| u16::from(*byte) << 8 & EXPRESS_FLR != 0)
    }

    /// Whether the device may use the bus on its own.
    pub(super) fn bus_master(&self) -> bool {
        u16::from(self.bytes[usize::from(COMMAND)]) & COMMAND_BUS_MASTER != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_written_is_written() {
        let mut space = ConfigSpace::new();
        assert!(!space.write(0, &[0xff; 0x40]), "no reset here");
        assert_eq!(space.read(0, 4), [0xee, 0x10, 0x41, 0x4d]);
        // How the size of a BAR is found: all ones are written, and the zeros counted.
        assert_eq!(space.read(0x10, 4), 0xffff_0000u32.to_le_bytes());
        assert_eq!(space.read(0x18, 4), 0xffff_f000u32.to_le_bytes());
        assert_eq!(space.read(0x14, 4), [0; 4]);
        assert!(space.bus_master());
        space.write(4, &[2, 0]);
        assert!(!space.bus_master());
    }

    #[test]
    fn a_reset_is_asked_for_by_one_bit() {
        let mut space = ConfigSpace::new();
        let control = EXPRESS + 8;
        assert!(!space.write(control, &[0xff, 0x7f]));
        for (at, data) in
            [(control, &[0, 0x80][..]), (control + 1, &[0x80]), (control - 8, &[0x80; 12])]
        {
            assert!(space.write(at, data));
            assert_eq!(space.read(control + 1, 1)[0] & 0x80, 0);
        }
        assert!(!space.write(control + 2, &[0x80; 4]));
    }

    /// Walks the list as a driver does.
    #[test]
    fn capabilities_are_chained() {
        let space = ConfigSpace::new();
        let mut at = space.bytes[0x34] as usize;
        let mut found = vec![];
        while at != 0 {
            found.push(space.bytes[at]);
            at = space.bytes[at + 1] as usize;
        }
        assert_eq!(found, [CAP_MSI, CAP_MSIX, CAP_EXPRESS]);
    }
}
