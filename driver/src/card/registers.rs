//! Registers as the command logic sees them.

use crate::Error;
use crate::transport::Transport;
use mattock_firmware::Regs;
use mattock_spec::regs::card;

/// The transport's registers. After an error reads give all ones, as from a card that is gone, and
/// writes do nothing; [`finish`](Self::finish) tells the error. A word of all ones may be a card that is gone, so then
/// `finish` looks whether it is still there: no such word becomes a result.
pub(crate) struct CardRegisters<'t> {
    transport: &'t mut dyn Transport,
    failed: Option<Error>,
    suspicious: bool,
}

impl<'t> CardRegisters<'t> {
    pub(crate) fn new(transport: &'t mut dyn Transport) -> Self {
        CardRegisters { transport, failed: None, suspicious: false }
    }

    /// The first error, if there was one.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.suspicious && self.transport.read32(card::ID.address())? == u32::MAX {
            return Err(Error::DeviceLost { card: self.transport.description() });
        }
        Ok(())
    }
}

impl Regs for CardRegisters<'_> {
    fn read(&mut self, offset: u32) -> u32 {
        if self.failed.is_some() {
            return u32::MAX;
        }
        let word = self.transport.read32(offset).unwrap_or_else(|e| {
            self.failed = Some(e);
            u32::MAX
        });
        self.suspicious |= word == u32::MAX;
        word
    }

    fn write(&mut self, offset: u32, value: u32) {
        if self.failed.is_none() {
            self.failed = self.transport.write32(offset, value).err();
        }
    }
}
