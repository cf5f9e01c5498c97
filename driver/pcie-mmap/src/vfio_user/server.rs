//! The device's side of a vfio-user socket.

use super::message::{DmaMap, DmaUnmap, IrqSet, Request, decode};
use super::wire::{self, Body, Command, ERROR, Header, Message, NO_REPLY, REPLY, TYPE};
use crate::event::wait_any;
use crate::{Error, EventFd};
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A client that stops in the middle of a message for so long is sent away.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a second client may take to say what it is before it is turned away.
const GREETING: Duration = Duration::from_secs(1);
/// What this server takes: the protocol's defaults.
const CAPABILITIES: &[u8] = br#"{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576}}"#;

/// What a device consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of each region: BAR 0 to 5, expansion ROM, configuration space, VGA. 0 is a region that is not there.
    pub regions: [u64; 9],
    /// Vectors of each kind of interrupt: pin, MSI, MSI-X, errors, requests.
    pub irqs: [u32; 5],
}

/// A device. Calls come one at a time, in the order of the client's messages; accesses lie inside their regions,
/// interrupts inside their counts, and one event comes for each vector.
pub trait Backend {
    /// Reads a region.
    ///
    /// # Errors
    /// Reported to the client.
    fn read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), Errno>;
    /// Writes a region.
    ///
    /// # Errors
    /// Reported to the client, if it waits for an answer.
    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), Errno>;
    /// May reach memory from now on.
    ///
    /// # Errors
    /// Reported to the client.
    fn dma_map(&mut self, map: DmaMap) -> Result<(), Errno>;
    /// Must not reach memory any more when this returns.
    ///
    /// # Errors
    /// Reported to the client.
    fn dma_unmap(&mut self, unmap: &DmaUnmap) -> Result<(), Errno>;
    /// Interrupts otherwise from now on.
    ///
    /// # Errors
    /// Reported to the client.
    fn set_irqs(&mut self, set: IrqSet) -> Result<(), Errno>;
    /// Becomes as after power-up; mappings and interrupts stay.
    ///
    /// # Errors
    /// Reported to the client.
    fn reset(&mut self) -> Result<(), Errno>;
    /// The client has left, whatever it was doing: forget its memory and events, and be as after power-up.
    fn disconnected(&mut self);
}

/// Ends a [`Server`] from another thread.
#[derive(Clone, Debug)]
pub struct Stop(Arc<EventFd>);

impl Stop {
    /// The server returns from [`Server::serve`] after the message it is at.
    pub fn stop(&self) {
        // An event counter that cannot be written is already full.
        let _ = self.0.add();
    }
}

/// A socket at which one client at a time finds a device.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    layout: Layout,
    stop: Stop,
}

impl Server {
    /// Listens at `path`. A socket that a server left behind when it was killed is replaced.
    ///
    /// # Errors
    /// [`Error::Busy`] when somebody listens there, [`Error::Io`].
    pub fn bind(path: &Path, layout: Layout) -> Result<Self, Error> {
        let bind = || UnixListener::bind(path);
        let listener = match bind() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                use std::os::unix::fs::FileTypeExt;
                let socket =
                    std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
                match UnixStream::connect(path) {
                    Err(e) if e.kind() == io::ErrorKind::ConnectionRefused && socket => {
                        std::fs::remove_file(path).and_then(|()| bind())
                    }
                    Ok(_) => return Err(Error::Busy { device: path.display().to_string() }),
                    Err(_) => Err(error),
                }
            }
            other => other,
        };
        let listener = listener.map_err(|e| Error::io("listen at", path, e))?;
        let stop = Stop(Arc::new(EventFd::new()?));
        Ok(Server { listener, path: path.to_owned(), layout, stop })
    }

    /// What ends the server.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves clients one after another until it is stopped, or with `once` until the first one has left. A
    /// client that comes while another is there is told so at once; one that has said nothing is not there.
    ///
    /// # Errors
    /// The listening socket fails. What clients do is no error.
    pub fn serve(&self, backend: &mut dyn Backend, once: bool) -> Result<(), Error> {
        let mut client: Option<UnixStream> = None;
        // Who has said nothing yet gives way to the next.
        let mut spoken = false;
        loop {
            let mut fds = vec![(self.stop.0.as_fd(), PollFlags::IN)];
            // Before the listener: a client that has left makes room for the next.
            fds.extend(client.as_ref().map(|stream| (stream.as_fd(), PollFlags::IN)));
            fds.push((self.listener.as_fd(), PollFlags::IN));
            let Some(ready) = wait_any(&fds, Duration::MAX)? else { continue };
            match (ready, &client) {
                (0, _) => return Ok(()),
                (1, None) => (client, spoken) = (self.accept()?, false),
                (2, Some(_)) => match self.accept()? {
                    Some(stream) if spoken => {
                        std::thread::spawn(move || turn_away(&stream));
                    }
                    Some(stream) => client = Some(stream),
                    None => {}
                },
                (_, Some(stream)) if self.message(stream, backend) => spoken = true,
                _ => {
                    client = None;
                    backend.disconnected();
                    if once {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn accept(&self) -> Result<Option<UnixStream>, Error> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                let limited = stream.set_read_timeout(Some(PATIENCE));
                let limited = limited.and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
                Ok(limited.is_ok().then_some(stream))
            }
            // It left again before it was let in.
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(e) => Err(Error::io("accept at", &self.path, e)),
        }
    }

    /// Takes a message and answers it; false when the client is to go, or gone.
    fn message(&self, stream: &UnixStream, backend: &mut dyn Backend) -> bool {
        let Ok(Some(mut message)) = wire::receive(stream) else { return false };
        let header = message.header;
        if header.flags & TYPE != 0 {
            return false; // no answer was asked for, so nothing sensible can follow
        }
        let answer = self.answer(&mut message, backend);
        if header.flags & NO_REPLY != 0 {
            return true;
        }
        reply(stream, header, answer).is_ok()
    }

    fn answer(&self, message: &mut Message, backend: &mut dyn Backend) -> Result<Body, Errno> {
        let Layout { regions, irqs } = &self.layout;
        let inside = |region: u32, offset: u64, count: usize| {
            let len = regions.get(region as usize).copied().unwrap_or(0);
            let end = offset.checked_add(count as u64);
            if end.is_some_and(|end| end <= len) { Ok(()) } else { Err(Errno::INVAL) }
        };
        match decode(message)? {
            Request::Version { major: 0, minor } => {
                let body = Body::default().u16(0).u16(minor.min(1));
                Ok(body.bytes(CAPABILITIES).bytes(&[0]))
            }
            Request::Version { .. } => Err(Errno::PROTONOSUPPORT),
            Request::DeviceInfo => {
                let body = Body::default().u32(16).u32(3);
                Ok(body.u32(regions.len() as u32).u32(irqs.len() as u32))
            }
            Request::RegionInfo { index } => {
                let len = *regions.get(index as usize).ok_or(Errno::INVAL)?;
                let access = if len > 0 { 3 } else { 0 };
                Ok(Body::default().u32(32).u32(access).u32(index).u32(0).u64(len).u64(0))
            }
            Request::IrqInfo { index } => {
                let count = *irqs.get(index as usize).ok_or(Errno::INVAL)?;
                // Bit 0: signalled by event counters.
                Ok(Body::default().u32(16).u32(u32::from(count > 0)).u32(index).u32(count))
            }
            Request::DmaMap(map) => backend.dma_map(map).map(|()| Body::default()),
            Request::DmaUnmap(unmap) => {
                backend.dma_unmap(&unmap)?;
                Ok(Body::default().u32(24).u32(0).u64(unmap.iova).u64(unmap.size))
            }
            Request::SetIrqs(set) => {
                check_irqs(&set, irqs)?;
                backend.set_irqs(set).map(|()| Body::default())
            }
            Request::RegionRead { region, offset, count } => {
                inside(region, offset, count as usize)?;
                let mut data = vec![0; count as usize];
                backend.read(region, offset, &mut data)?;
                Ok(Body::default().u64(offset).u32(region).u32(count).bytes(&data))
            }
            Request::RegionWrite { region, offset, data } => {
                inside(region, offset, data.len())?;
                backend.write(region, offset, data)?;
                Ok(Body::default().u64(offset).u32(region).u32(data.len() as u32))
            }
            Request::Reset => backend.reset().map(|()| Body::default()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn check_irqs(set: &IrqSet, irqs: &[u32]) -> Result<(), Errno> {
    let have = *irqs.get(set.index as usize).ok_or(Errno::INVAL)?;
    let end = set.start.checked_add(set.count).ok_or(Errno::INVAL)?;
    let wanted = if set.flags & 4 != 0 { set.count as usize } else { 0 };
    // A vector without an event is masked by sending none at all; then the flags still say "events".
    let events = set.events.len() == wanted || set.events.is_empty();
    if end > have || !events || (set.flags & 7).count_ones() != 1 {
        return Err(Errno::INVAL);
    }
    Ok(())
}

fn reply(stream: &UnixStream, to: Header, answer: Result<Body, Errno>) -> io::Result<()> {
    let Header { id, command, .. } = to;
    let header = Header { id, command, flags: REPLY, ..Header::default() };
    match answer {
        Ok(body) => wire::send(stream, header, &body.0, &[]),
        Err(error) => {
            let error = error.raw_os_error() as u32;
            wire::send(stream, Header { flags: REPLY | ERROR, error, ..header }, &[], &[])
        }
    }
}

/// Tells a second client that the device is taken.
fn turn_away(stream: &UnixStream) {
    if stream.set_read_timeout(Some(GREETING)).is_err() {
        return;
    }
    let greeting = wire::receive(stream).ok().flatten().map(|message| message.header);
    let header = Header { command: Command::Version as u16, ..Header::default() };
    // It may have left already.
    let _ = reply(stream, greeting.unwrap_or(header), Err(Errno::BUSY));
}
