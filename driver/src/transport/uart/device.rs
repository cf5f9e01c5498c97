//! A serial device of the operating system.

use super::{Line, UartUrl};
use crate::Error;
use serialport::{ClearBuffer, ErrorKind, SerialPort};
use std::io::{self, Read, Write};
use std::time::Duration;

/// What a USB adapter and a busy machine may add to an answer.
const SLACK: Duration = Duration::from_millis(250);
/// Longest time a write may take; a device that takes nothing for so long is gone.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// An open serial device, 8N1 without flow control, ours alone.
pub struct Device {
    port: Box<dyn SerialPort>,
    baud: u32,
    timeout: Duration,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("baud", &self.baud).finish_non_exhaustive()
    }
}

impl Device {
    /// Opens the device of a URL.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Permission`], [`Error::Busy`], [`Error::Link`].
    pub(super) fn open(url: &UartUrl) -> Result<Device, Error> {
        let builder = serialport::new(&url.path, url.baud).timeout(WRITE_TIME);
        let port = builder.open().map_err(|error| refused(url, error))?;
        // What an earlier session left unread.
        port.clear(ClearBuffer::Input).map_err(|error| refused(url, error))?;
        Ok(Device { port, baud: url.baud, timeout: WRITE_TIME })
    }

    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.timeout != timeout {
            self.port.set_timeout(timeout)?;
            self.timeout = timeout;
        }
        Ok(())
    }
}

fn refused(url: &UartUrl, error: serialport::Error) -> Error {
    match error.kind() {
        // What serialport makes of a device that somebody else has locked.
        ErrorKind::NoDevice => Error::Busy { card: url.to_string() },
        ErrorKind::Io(io::ErrorKind::NotFound) => Error::NotFound { card: url.to_string() },
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => {
            Error::Permission { path: url.path.clone().into() }
        }
        _ => Error::Link { card: url.to_string(), source: Box::new(error) },
    }
}

impl Line for Device {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.set_timeout(WRITE_TIME)?;
        self.port.write_all(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], pending: usize, attempt: u32) -> io::Result<usize> {
        // Ten bits a byte, and the same again for what the card has to do.
        let line_time = Duration::from_secs(20 * pending as u64) / self.baud;
        self.set_timeout((SLACK + line_time) * (1 << attempt.min(6)))?;
        loop {
            match self.port.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
