//! The driver's side of a vfio-user socket.

use super::wire::{self, Body, Command, ERROR, Fields, Header, Message, REPLY, TYPE};
use crate::device::register;
use crate::event::wait_any;
use crate::{Access, Error, EventFd, IrqKind, Memory, PciDevice, page_size};
use rustix::event::PollFlags;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Time for the first answer. A server that is busy with another client answers later or not at all.
const GREETING: Duration = Duration::from_secs(5);
/// Time for any other answer: many times what a simulated device takes for a register.
const ANSWER: Duration = Duration::from_secs(30);
/// Region number of configuration space.
const CONFIG: u32 = 7;
/// Regions and interrupts of a PCI device.
const REGIONS: usize = 9;
const IRQS: usize = 5;
/// What this client can take; the rest of the protocol's options stay off.
const CAPABILITIES: &[u8] = br#"{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576}}"#;

/// A device that is another process.
#[derive(Debug)]
pub struct VfioUser {
    stream: UnixStream,
    name: String,
    next_id: u16,
    regions: [u64; REGIONS],
    irqs: [u32; IRQS],
    resettable: bool,
    /// After a lost or late answer nothing on the socket can be trusted.
    broken: bool,
}

impl VfioUser {
    /// Connects to a socket and asks what the device is.
    ///
    /// # Errors
    /// [`Error::NotFound`] when nobody listens, [`Error::Permission`], [`Error::Busy`] when the device has
    /// another client, [`Error::Protocol`].
    pub fn open(socket: &Path) -> Result<Self, Error> {
        let name = format!("vfio-user:{}", socket.display());
        let stream = UnixStream::connect(socket).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::NotFound { device: name.clone(), next: "start the device's process first" }
            }
            _ => Error::io("connect to", socket, e),
        })?;
        Self::greet(stream, name)
    }

    fn greet(stream: UnixStream, name: String) -> Result<Self, Error> {
        let mut device = VfioUser {
            stream,
            name,
            next_id: 0,
            regions: [0; REGIONS],
            irqs: [0; IRQS],
            resettable: false,
            broken: false,
        };
        device.limit(GREETING)?;
        device.version()?;
        device.limit(ANSWER)?;
        device.look()?;
        Ok(device)
    }

    fn limit(&self, time: Duration) -> Result<(), Error> {
        let set = self.stream.set_read_timeout(Some(time));
        let set = set.and_then(|()| self.stream.set_write_timeout(Some(time)));
        set.map_err(|e| Error::io("set a time limit on", &self.name, e))
    }

    fn version(&mut self) -> Result<(), Error> {
        let body = Body::default().u16(0).u16(1).bytes(CAPABILITIES).bytes(&[0]);
        let busy = Error::Busy { device: self.name.clone() };
        let reply = match self.call(Command::Version, "the greeting", body, &[]) {
            Ok(reply) => reply,
            // A server with a client turns others away, or leaves them waiting.
            Err(Error::Gone { .. } | Error::Timeout { .. }) => return Err(busy),
            Err(Error::Refused { source, .. }) if source.raw_os_error() == Some(libc::EBUSY) => {
                return Err(busy);
            }
            Err(error) => return Err(error),
        };
        match Fields::new(&reply.body).u16() {
            0 if reply.body.len() >= 4 => Ok(()),
            major => Err(self.protocol(format!("version {major}, this library speaks 0"))),
        }
    }

    /// Reads the sizes of regions and the numbers of interrupts.
    fn look(&mut self) -> Result<(), Error> {
        let body = Body::default().u32(16).u32(0).u32(0).u32(0);
        let reply = self.call(Command::DeviceInfo, "what it is", body, &[])?;
        let mut fields = Fields::new(&reply.body);
        let (_, flags, regions, irqs) = (fields.u32(), fields.u32(), fields.u32(), fields.u32());
        self.complete(fields)?;
        if flags & 2 == 0 || (regions as usize) <= CONFIG as usize {
            return Err(self.protocol("it is no PCI device".into()));
        }
        self.resettable = flags & 1 == 1;
        for index in 0..REGIONS.min(regions as usize) {
            let body = Body::default().u32(32).u32(0).u32(index as u32).u32(0).u64(0).u64(0);
            let reply = self.call(Command::RegionInfo, "the size of a region", body, &[])?;
            let mut fields = Fields::new(&reply.body);
            let _ = (fields.u32(), fields.u32(), fields.u32(), fields.u32());
            self.regions[index] = fields.u64();
            self.complete(fields)?;
        }
        for index in 0..IRQS.min(irqs as usize) {
            let body = Body::default().u32(16).u32(0).u32(index as u32).u32(0);
            let reply = self.call(Command::IrqInfo, "its interrupts", body, &[])?;
            let mut fields = Fields::new(&reply.body);
            let _ = (fields.u32(), fields.u32(), fields.u32());
            self.irqs[index] = fields.u32();
            self.complete(fields)?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        command: Command,
        what: &'static str,
        body: Body,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Message, Error> {
        if self.broken {
            return Err(self.gone());
        }
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let header = Header { id, command: command as u16, ..Header::default() };
        let reply = wire::send(&self.stream, header, &body.0, fds)
            .and_then(|()| wire::receive(&self.stream));
        let reply = match reply {
            Ok(Some(reply)) => reply,
            Ok(None) => {
                self.broken = true;
                return Err(self.gone());
            }
            Err(error) => {
                self.broken = true;
                return Err(self.lost(what, error));
            }
        };
        let Header { id: got, command: of, flags, error, .. } = reply.header;
        if got != id || of != command as u16 || flags & TYPE != REPLY {
            self.broken = true;
            let what =
                format!("answer {got} to command {of} (flags {flags:#x}) where {id} was asked");
            return Err(self.protocol(what));
        }
        if flags & ERROR != 0 {
            // Some servers leave the number out.
            let number = i32::try_from(error).ok().filter(|e| *e > 0).unwrap_or(libc::EIO);
            let source = io::Error::from_raw_os_error(number);
            return Err(Error::Refused { device: self.name.clone(), what, source });
        }
        Ok(reply)
    }

    fn lost(&self, what: &'static str, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                let after = self.stream.read_timeout().ok().flatten().unwrap_or_default();
                Error::Timeout { device: self.name.clone(), what, after }
            }
            io::ErrorKind::InvalidData => self.protocol(error.to_string()),
            _ => self.gone(),
        }
    }

    fn gone(&self) -> Error {
        Error::Gone { device: self.name.clone() }
    }

    fn protocol(&self, what: String) -> Error {
        Error::Protocol { device: self.name.clone(), what }
    }

    fn complete(&self, fields: Fields<'_>) -> Result<(), Error> {
        match fields.complete() {
            Some(_) => Ok(()),
            None => Err(self.protocol("an answer that is too short".into())),
        }
    }

    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), Error> {
        let body = Body::default().u64(offset).u32(region).u32(data.len() as u32);
        let reply = self.call(Command::RegionRead, "a read", body, &[])?;
        match reply.body.get(16..) {
            Some(bytes) if bytes.len() == data.len() => {
                data.copy_from_slice(bytes);
                Ok(())
            }
            _ => Err(self.protocol("a read gave another number of bytes".into())),
        }
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), Error> {
        let body = Body::default().u64(offset).u32(region).u32(data.len() as u32).bytes(data);
        self.call(Command::RegionWrite, "a write", body, &[]).map(drop)
    }

    fn config_range(&self, offset: u16, bytes: usize) -> Result<(), Error> {
        let (offset, bytes, len) = (offset.into(), bytes as u64, self.regions[CONFIG as usize]);
        if offset + bytes <= len {
            return Ok(());
        }
        Err(Error::Range { what: "configuration space".into(), offset, bytes, len })
    }

    fn unsupported(&self, what: &'static str) -> Error {
        Error::Unsupported { device: self.name.clone(), what }
    }
}

impl PciDevice for VfioUser {
    fn description(&self) -> String {
        self.name.clone()
    }

    fn bar_len(&self, bar: u8) -> u64 {
        if bar < 6 { self.regions[usize::from(bar)] } else { 0 }
    }

    fn read32(&mut self, bar: u8, offset: u64) -> Result<u32, Error> {
        register(bar, self.bar_len(bar), offset)?;
        let mut word = [0; 4];
        self.region_read(bar.into(), offset, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn write32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), Error> {
        register(bar, self.bar_len(bar), offset)?;
        self.region_write(bar.into(), offset, &value.to_le_bytes())
    }

    fn config_read(&mut self, offset: u16, data: &mut [u8]) -> Result<(), Error> {
        self.config_range(offset, data.len())?;
        self.region_read(CONFIG, offset.into(), data)
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) -> Result<(), Error> {
        self.config_range(offset, data.len())?;
        self.region_write(CONFIG, offset.into(), data)
    }

    fn iova_ranges(&self) -> Vec<RangeInclusive<u64>> {
        vec![0..=u64::MAX - page_size()]
    }

    fn dma_map(&mut self, memory: &Memory, iova: u64, access: Access) -> Result<(), Error> {
        let body = Body::default().u32(32).u32(access.bits()).u64(0).u64(iova).u64(memory.len());
        self.call(Command::DmaMap, "a DMA mapping", body, &[memory.file()]).map(drop)
    }

    fn dma_unmap(&mut self, iova: u64, len: u64) -> Result<(), Error> {
        let body = Body::default().u32(24).u32(0).u64(iova).u64(len);
        self.call(Command::DmaUnmap, "the end of a DMA mapping", body, &[]).map(drop)
    }

    fn irq_count(&self, kind: IrqKind) -> u32 {
        self.irqs[kind as usize]
    }

    fn set_interrupts(&mut self, kind: IrqKind, events: &[&EventFd]) -> Result<(), Error> {
        // One message takes no more descriptors than this.
        if events.len() > (self.irq_count(kind) as usize).min(wire::MOST_FDS) {
            return Err(self.unsupported("that many interrupt vectors"));
        }
        // Action 5 (trigger), data 2 (event counter) or 0 (none: the end of this kind).
        let flags = if events.is_empty() { 1 << 5 | 1 } else { 1 << 5 | 1 << 2 };
        let fds: Vec<BorrowedFd<'_>> = events.iter().map(|event| event.as_fd()).collect();
        let body = Body::default().u32(20).u32(flags).u32(kind as u32).u32(0);
        let body = body.u32(events.len() as u32);
        self.call(Command::SetIrqs, "its interrupts", body, &fds).map(drop)
    }

    fn wait(&mut self, event: &EventFd, limit: Duration) -> Result<bool, Error> {
        if self.broken {
            return Err(self.gone());
        }
        // Nothing comes on the socket unasked but its end.
        let fds = [(event.as_fd(), PollFlags::IN), (self.stream.as_fd(), PollFlags::IN)];
        match wait_any(&fds, limit)? {
            Some(0) => Ok(event.take()? > 0),
            Some(_) => {
                self.broken = true;
                Err(self.gone())
            }
            None => Ok(false),
        }
    }

    fn reset(&mut self) -> Result<(), Error> {
        if !self.resettable {
            return Err(self.unsupported("reset"));
        }
        self.call(Command::Reset, "a reset", Body::default(), &[]).map(drop)
    }
}
