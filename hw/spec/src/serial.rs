//! The serial port: how registers and card memory are reached byte by byte.
//!
//! The host sends requests, the card answers each in the order it took them. Numbers are little-endian.
//!
//! ```text
//! request  A5 | seq | op | length16 | address32 | payload of a write | crc32
//! reply    5A | seq | next | status | length16 | payload of a read   | crc32
//! ```
//!
//! `docs/serial.md` tells the rules of sequence numbers, repetition and resynchronisation.

/// First byte of a request.
pub const REQUEST_START: u8 = 0xa5;
/// First byte of a reply.
pub const REPLY_START: u8 = 0x5a;
/// Bytes of a request between its first byte and its payload.
pub const REQUEST_HEADER_BYTES: u32 = 8;
/// Bytes of a reply between its first byte and its payload.
pub const REPLY_HEADER_BYTES: u32 = 5;
/// Bytes of the check at the end of a frame.
pub const CRC_BYTES: u32 = 4;
/// Most payload bytes of a frame.
pub const MAX_PAYLOAD: u32 = 256;
/// Bytes of the longest frame.
pub const MAX_FRAME_BYTES: u32 = 1 + REQUEST_HEADER_BYTES + MAX_PAYLOAD + CRC_BYTES;
/// Header and payload bytes of unanswered requests that the card can hold.
pub const WINDOW_BYTES: u32 = 2047;
/// Version of the frame format; the card tells its own in the answer to [`Op::Hello`].
pub const SERIAL_VERSION: u32 = 1;
/// Payload bytes of the answer to [`Op::Hello`].
pub const HELLO_BYTES: u32 = 16;
/// Bit of a reply's status byte: the card's interrupt is up.
pub const STATUS_INTERRUPT: u8 = 0x80;
/// A UART keeps its bits to 3 % with at least this many clocks each.
pub const MIN_CLOCKS_PER_BIT: u32 = 8;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Op {
    /// Read `length` bytes of whole registers from BAR0 offset `address` on.
    ReadRegisters = 0,
    /// Write the payload to whole registers.
    WriteRegisters = 1,
    /// Read `length` bytes of card memory from `address` on.
    ReadMemory = 2,
    /// Write the payload to card memory.
    WriteMemory = 3,
    /// Begin a session: `address` is a number the answer repeats, `length` is 0, and the next request has
    /// the following sequence number.
    Hello = 4,
}

impl Op {
    /// The request carries a payload of `length` bytes.
    pub const fn has_payload(self) -> bool {
        matches!(self, Op::WriteRegisters | Op::WriteMemory)
    }
}

/// How the card took a request: bits 3:0 of the status byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Done.
    Okay = 0,
    /// Not done: a request before it is missing; `next` tells which.
    Sequence = 1,
    /// Not done: no session has begun since the card's reset.
    NoSession = 2,
    /// Not done: registers are read and written in whole words.
    Refused = 3,
    /// Not done: the bytes are not all registers, or not all card memory.
    Range = 4,
}

impl Status {
    /// All, in the order of their codes.
    pub const ALL: [Status; 5] =
        [Status::Okay, Status::Sequence, Status::NoSession, Status::Refused, Status::Range];

    /// The code in a status byte, if it is one.
    pub fn from_byte(byte: u8) -> Option<Status> {
        Status::ALL.into_iter().find(|s| *s as u8 == byte & !STATUS_INTERRUPT)
    }
}

/// Polynomial of the check: CRC-32 of IEEE 802.3, bits reflected.
pub const CRC_POLYNOMIAL: u32 = 0xedb8_8320;
/// The running check before the first byte.
pub const CRC_START: u32 = u32::MAX;
/// The running check after a frame and its own check bytes.
pub const CRC_RESIDUE: u32 = 0xdebb_20e3;

/// The check of a frame: of all its bytes after the first one.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(CRC_START, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (CRC_POLYNOMIAL & 0u32.wrapping_sub(crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_the_one_of_ethernet() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let mut frame = b"any bytes".to_vec();
        frame.extend(crc32(&frame).to_le_bytes());
        assert_eq!(!crc32(&frame), CRC_RESIDUE);
    }

    #[test]
    fn status_bytes_are_told_apart() {
        for status in Status::ALL {
            assert_eq!(Status::from_byte(status as u8 | STATUS_INTERRUPT), Some(status));
        }
        assert_eq!(Status::from_byte(5), None);
        assert_eq!(Status::from_byte(0x40), None);
    }
}
