//! Configuration space: offsets of the standard header, and the list of capabilities.

use crate::{Error, PciDevice};

/// Offset of the command word.
pub const COMMAND: u16 = 0x04;
/// Command bit: the device answers at its BARs.
pub const COMMAND_MEMORY: u16 = 1 << 1;
/// Command bit: the device may use the bus on its own.
pub const COMMAND_BUS_MASTER: u16 = 1 << 2;
/// Offset of the status word.
pub const STATUS: u16 = 0x06;
/// Status bit: there is a list of capabilities.
pub const STATUS_CAPABILITIES: u16 = 1 << 4;
/// Offset of the offset of the first capability.
pub const CAPABILITY_POINTER: u16 = 0x34;

/// Capability: message signalled interrupts.
pub const CAP_MSI: u8 = 0x05;
/// Capability: PCI Express.
pub const CAP_EXPRESS: u8 = 0x10;
/// Capability: message signalled interrupts, extended.
pub const CAP_MSIX: u8 = 0x11;

/// Offset, in the PCI Express capability, of Device Capabilities; bit 28 is function level reset.
pub const EXPRESS_DEVICE_CAPABILITIES: u16 = 4;
/// Device Capabilities bit: the device has a function level reset.
pub const EXPRESS_FLR_CAPABLE: u32 = 1 << 28;
/// Offset, in the PCI Express capability, of Device Control.
pub const EXPRESS_DEVICE_CONTROL: u16 = 8;
/// Device Control bit: reset the function now.
pub const EXPRESS_FLR: u16 = 1 << 15;

/// Capabilities that fit the 192 bytes behind the header, and so the most there can be.
const MOST: usize = 48;

/// Offset of a device's capability `id`; `None` when it has none.
///
/// # Errors
/// Those of [`PciDevice::config_read`].
pub fn capability(device: &mut dyn PciDevice, id: u8) -> Result<Option<u16>, Error> {
    let mut word = [0; 2];
    device.config_read(STATUS, &mut word)?;
    if u16::from_le_bytes(word) & STATUS_CAPABILITIES == 0 {
        return Ok(None);
    }
    let mut pointer = [0];
    device.config_read(CAPABILITY_POINTER, &mut pointer)?;
    let mut at = u16::from(pointer[0] & 0xfc);
    // A list that never ends is a device that is broken or gone.
    for _ in 0..MOST {
        if at < 0x40 {
            return Ok(None);
        }
        let mut header = [0; 2];
        device.config_read(at, &mut header)?;
        if header[0] == id {
            return Ok(Some(at));
        }
        at = u16::from(header[1] & 0xfc);
    }
    Ok(None)
}
