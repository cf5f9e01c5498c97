//! Messages on a socket: a header, a body, file descriptors.

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Bytes of a header.
pub(super) const HEADER: usize = 16;
/// Bytes of data in one message, the protocol's default.
pub(super) const MOST_DATA: usize = 1 << 20;
/// A message is never longer: its data, and what stands before it.
const MOST_BODY: usize = MOST_DATA + 256;
/// File descriptors in one message, as many as other implementations take.
pub(super) const MOST_FDS: usize = 16;

/// Header flag: this is a reply.
pub(super) const REPLY: u32 = 1;
/// Bits of the header flags that tell commands and replies apart.
pub(super) const TYPE: u32 = 0xf;
/// Header flag: no reply is wanted.
pub(super) const NO_REPLY: u32 = 1 << 4;
/// Header flag: the reply is an error number.
pub(super) const ERROR: u32 = 1 << 5;

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Command {
    Version = 1,
    DmaMap = 2,
    DmaUnmap = 3,
    DeviceInfo = 4,
    RegionInfo = 5,
    IrqInfo = 7,
    SetIrqs = 8,
    RegionRead = 9,
    RegionWrite = 10,
    Reset = 13,
}

/// The first 16 bytes of every message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) command: u16,
    pub(super) size: u32,
    pub(super) flags: u32,
    pub(super) error: u32,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..2].copy_from_slice(&self.id.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.command.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.size.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.flags.to_le_bytes());
        bytes[12..].copy_from_slice(&self.error.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER]) -> Self {
        let mut fields = Fields::new(bytes);
        Header {
            id: fields.u16(),
            command: fields.u16(),
            size: fields.u32(),
            flags: fields.u32(),
            error: fields.u32(),
        }
    }
}

/// Little-endian fields one after another. Past the end they are zero, and [`complete`](Self::complete) says so.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    short: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Fields { bytes, short: false }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.bytes.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.bytes = rest;
                *field
            }
            None => {
                self.short = true;
                [0; N]
            }
        }
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    /// What comes after the fields, when all of them were there.
    pub(super) fn complete(self) -> Option<&'a [u8]> {
        (!self.short).then_some(self.bytes)
    }
}

/// Fields one after another, little-endian.
#[derive(Default)]
pub(super) struct Body(pub(super) Vec<u8>);

impl Body {
    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

/// A message as it came.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) header: Header,
    pub(super) body: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
}

/// Sends a message. The header's size is filled in.
pub(super) fn send(
    mut stream: &UnixStream,
    header: Header,
    body: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let header = Header { size: (HEADER + body.len()) as u32, ..header }.encode();
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many file descriptors"));
    }
    let parts = [IoSlice::new(&header), IoSlice::new(body)];
    let sent = loop {
        match sendmsg(stream, &parts, &mut control, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    // The descriptors went with the first byte; a full socket may have taken only some of the rest.
    if sent < HEADER {
        stream.write_all(&header[sent..])?;
    }
    let body_sent = sent.saturating_sub(HEADER);
    if body_sent < body.len() {
        stream.write_all(&body[body_sent..])?;
    }
    Ok(())
}

/// Receives a message; `None` when the other end has closed the connection between two messages.
///
/// # Errors
/// What the socket reports, `TimedOut` or `WouldBlock` included, and `InvalidData` for lengths that
/// no message has. The connection is of no use afterwards.
pub(super) fn receive(mut stream: &UnixStream) -> io::Result<Option<Message>> {
    let mut bytes = [0; HEADER];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match recvmsg(stream, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?.bytes,
        }
    };
    let mut fds = vec![];
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            fds.extend(more);
        }
    }
    if got == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut bytes[got..])?;
    let header = Header::decode(&bytes);
    let body = (header.size as usize).checked_sub(HEADER).filter(|len| *len <= MOST_BODY);
    let Some(len) = body else {
        let what = format!("a message of {} bytes", header.size);
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    };
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok(Some(Message { header, body, fds }))
}
