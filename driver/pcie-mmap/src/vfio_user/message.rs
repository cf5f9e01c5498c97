//! What a client may ask, decoded and checked.

use super::wire::{Command, Fields, Header, MOST_DATA, Message};
use crate::Access;
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// Memory that the client lets the device reach.
#[derive(Debug)]
pub struct DmaMap {
    /// First bus address.
    pub iova: u64,
    /// Bytes; `iova + size` does not overflow.
    pub size: u64,
    /// Where the memory begins in the file.
    pub offset: u64,
    /// What the device may do with it.
    pub access: Access,
    /// The memory; `None` when it can only be reached by messages, which this library does not send.
    pub file: Option<OwnedFd>,
}

/// Memory that the device reaches no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaUnmap {
    /// First bus address.
    pub iova: u64,
    /// Bytes; `iova + size` does not overflow.
    pub size: u64,
    /// Everything, wherever it is.
    pub all: bool,
}

/// Where interrupts go.
#[derive(Debug)]
pub struct IrqSet {
    /// Kind of interrupt: 0 is the pin, 1 MSI, 2 MSI-X, 3 errors, 4 requests.
    pub index: u32,
    /// First vector.
    pub start: u32,
    /// Vectors; 0 ends interrupts of this kind.
    pub count: u32,
    /// Bits 0 to 2 of the VFIO flags tell the data, bits 3 to 5 the action.
    pub flags: u32,
    /// One event counter a vector, when the flags say so.
    pub events: Vec<OwnedFd>,
}

/// One request of a client.
#[derive(Debug)]
pub enum Request<'a> {
    /// Which version do you speak?
    Version {
        /// Major version of the client; only 0 exists.
        major: u16,
        /// Minor version of the client.
        minor: u16,
    },
    /// Reach this memory.
    DmaMap(DmaMap),
    /// Reach it no more.
    DmaUnmap(DmaUnmap),
    /// What are you?
    DeviceInfo,
    /// How large is region `index`?
    RegionInfo {
        /// Number of the region.
        index: u32,
    },
    /// How many vectors has interrupt `index`?
    IrqInfo {
        /// Number of the kind of interrupt.
        index: u32,
    },
    /// Interrupt so.
    SetIrqs(IrqSet),
    /// Read `count` bytes, at most 1 MiB.
    RegionRead {
        /// Number of the region.
        region: u32,
        /// First byte.
        offset: u64,
        /// Bytes.
        count: u32,
    },
    /// Write `data`.
    RegionWrite {
        /// Number of the region.
        region: u32,
        /// First byte.
        offset: u64,
        /// What to write.
        data: &'a [u8],
    },
    /// Be as after power-up.
    Reset,
}

impl Request<'_> {
    /// Decodes a whole message, header included, without file descriptors; for tests and fuzzing.
    ///
    /// # Errors
    /// The error number of the reply.
    pub fn check(bytes: &[u8]) -> Result<(), Errno> {
        let Some((header, body)) = bytes.split_first_chunk() else { return Err(Errno::INVAL) };
        let header = Header::decode(header);
        let mut message = Message { header, body: body.to_vec(), fds: vec![] };
        decode(&mut message).map(drop)
    }
}

/// The request in a message, whose file descriptors it takes.
///
/// # Errors
/// The error number of the reply: `EINVAL` for lengths and ranges that make no sense, `EOPNOTSUPP` for
/// commands this library does not know.
pub(super) fn decode(message: &mut Message) -> Result<Request<'_>, Errno> {
    let Message { header, body, fds } = message;
    let mut fields = Fields::new(body);
    let is = |command: Command| header.command == command as u16;
    if is(Command::Version) {
        let (major, minor) = (fields.u16(), fields.u16());
        fields.complete().ok_or(Errno::INVAL)?;
        return Ok(Request::Version { major, minor });
    }
    if is(Command::DmaMap) {
        let (_, flags) = (fields.u32(), fields.u32());
        let (offset, iova, size) = (fields.u64(), fields.u64(), fields.u64());
        fields.complete().ok_or(Errno::INVAL)?;
        let access = match flags & 3 {
            1 => Access::Read,
            2 => Access::Write,
            3 => Access::ReadWrite,
            _ => return Err(Errno::INVAL),
        };
        if size == 0 || iova.checked_add(size).is_none() || offset.checked_add(size).is_none() {
            return Err(Errno::INVAL);
        }
        if fds.len() > 1 {
            return Err(Errno::INVAL);
        }
        return Ok(Request::DmaMap(DmaMap { iova, size, offset, access, file: fds.pop() }));
    }
    if is(Command::DmaUnmap) {
        let (_, flags) = (fields.u32(), fields.u32());
        let (iova, size) = (fields.u64(), fields.u64());
        fields.complete().ok_or(Errno::INVAL)?;
        // Implementations differ on which bit asks for everything; all send it with an empty range.
        let all = flags & 6 != 0 && iova == 0 && size == 0;
        // Bit 0 asks for a bitmap of dirty pages.
        if flags & 1 != 0 || iova.checked_add(size).is_none() || (size == 0 && !all) {
            return Err(Errno::INVAL);
        }
        return Ok(Request::DmaUnmap(DmaUnmap { iova, size, all }));
    }
    if is(Command::DeviceInfo) {
        return Ok(Request::DeviceInfo);
    }
    if is(Command::RegionInfo) || is(Command::IrqInfo) {
        let (_, _, index) = (fields.u32(), fields.u32(), fields.u32());
        fields.complete().ok_or(Errno::INVAL)?;
        let region = is(Command::RegionInfo);
        return Ok(if region { Request::RegionInfo { index } } else { Request::IrqInfo { index } });
    }
    if is(Command::SetIrqs) {
        let (_, flags, index) = (fields.u32(), fields.u32(), fields.u32());
        let (start, count) = (fields.u32(), fields.u32());
        fields.complete().ok_or(Errno::INVAL)?;
        let events = std::mem::take(fds);
        return Ok(Request::SetIrqs(IrqSet { index, start, count, flags, events }));
    }
    if is(Command::RegionRead) || is(Command::RegionWrite) {
        let (offset, region, count) = (fields.u64(), fields.u32(), fields.u32());
        let data = fields.complete().ok_or(Errno::INVAL)?;
        if count as usize > MOST_DATA {
            return Err(Errno::INVAL);
        }
        if is(Command::RegionRead) {
            return Ok(Request::RegionRead { region, offset, count });
        }
        if data.len() != count as usize {
            return Err(Errno::INVAL);
        }
        return Ok(Request::RegionWrite { region, offset, data });
    }
    if is(Command::Reset) {
        return Ok(Request::Reset);
    }
    Err(Errno::OPNOTSUPP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfio_user::wire::Body;
    use proptest::prelude::*;

    fn message(command: Command, body: Body) -> Message {
        let header = Header { command: command as u16, ..Header::default() };
        Message { header, body: body.0, fds: vec![] }
    }

    #[test]
    fn ranges_that_overflow_are_refused() {
        let map = |iova, size, flags| Body::default().u32(32).u32(flags).u64(0).u64(iova).u64(size);
        let mut good = message(Command::DmaMap, map(u64::MAX - 4096, 4096, 3));
        assert!(matches!(decode(&mut good), Ok(Request::DmaMap(_))));
        for body in [map(u64::MAX, 2, 3), map(0, 0, 3), map(0, 4096, 0)] {
            assert_eq!(decode(&mut message(Command::DmaMap, body)).err(), Some(Errno::INVAL));
        }
        let read = |count| Body::default().u64(0).u32(0).u32(count);
        let mut huge = message(Command::RegionRead, read(u32::MAX));
        assert_eq!(decode(&mut huge).err(), Some(Errno::INVAL));
        let mut lies = message(Command::RegionWrite, read(4).bytes(&[1, 2, 3]));
        assert_eq!(decode(&mut lies).err(), Some(Errno::INVAL));
    }

    proptest! {
        /// No bytes make the decoder panic, and what it lets through is in range.
        #[test]
        fn any_bytes_are_decoded_or_refused(
            command in 0u16..18,
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let header = Header { command, ..Header::default() };
            let mut message = Message { header, body, fds: vec![] };
            match decode(&mut message) {
                Ok(Request::DmaMap(map)) => prop_assert!(map.iova.checked_add(map.size).is_some()),
                Ok(Request::RegionRead { count, .. }) => prop_assert!(count as usize <= MOST_DATA),
                _ => {}
            }
        }
    }
}
