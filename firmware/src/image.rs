//! Images of the program for the card's own processor: a header, then what is loaded from address 0 on.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | `MTKF` |
//! | 4..6, 6..8 | version of this header, major version of the specification the program keeps to |
//! | 8..12 | target: instructions the processor must execute |
//! | 12..16 | version of the program, which it also tells in `CONTROLLER.PROGRAM` |
//! | 16..20 | bytes of the program, a multiple of 4 |
//! | 20..24 | address of the [`Limits`](crate::Limits), which the loader fills in |
//! | 24..28 | CRC-32 (IEEE) of the program |
//! | 28..32 | reserved, zero |

use core::fmt;
use mattock_spec::regs::card::VERSION_MAJOR;
use mattock_spec::regs::controller::{MEMORY_BYTES, TARGET};

/// The first bytes of an image.
pub const MAGIC: [u8; 4] = *b"MTKF";
/// Version of the header.
pub const HEADER_VERSION: u16 = 1;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 32;
/// Most bytes of a program.
pub const MOST_BYTES: usize = 2048;
/// Version of the program built from this source.
pub const PROGRAM_VERSION: u32 = 1;
/// Where the limits lie: behind the longest program, below the stack.
pub const LIMITS_ADDRESS: u32 = 0x0c00;

const _: () = assert!(
    MOST_BYTES as u32 <= LIMITS_ADDRESS
        && LIMITS_ADDRESS + 4 * (crate::Limits::WORDS as u32) < MEMORY_BYTES - 256
);

/// The committed image, made by `cargo xtask firmware`.
pub const CARD: &[u8] = include_bytes!("../image/card.img");

/// An image that has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Version of the program.
    pub version: u32,
    /// What is loaded from address 0 on.
    pub program: &'a [u8],
}

/// Why an image is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// It does not begin as an image does.
    Magic,
    /// Header, specification or limits are of another version.
    Version,
    /// It is for another processor.
    Target(u32),
    /// Its length is not what its header says, or more than the processor has room for.
    Length(usize),
    /// It was damaged.
    Crc,
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageError::Magic => f.write_str("it is no image of a card's program"),
            ImageError::Version => f.write_str("its header is of another version"),
            ImageError::Target(target) => write!(f, "it is for processors of kind {target}"),
            ImageError::Length(bytes) => write!(f, "{bytes} bytes are not its length"),
            ImageError::Crc => f.write_str("its checksum is wrong"),
        }
    }
}

impl core::error::Error for ImageError {}

impl<'a> Image<'a> {
    /// Checks an image.
    ///
    /// # Errors
    /// [`ImageError`]: the first thing wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Image<'a>, ImageError> {
        let length = ImageError::Length(bytes.len());
        let (header, program) = bytes.split_at_checked(HEADER_BYTES).ok_or(length)?;
        let word = |at: usize| {
            let mut word = [0; 4];
            if let Some(bytes) = header.get(at..at + 4) {
                word.copy_from_slice(bytes);
            }
            u32::from_le_bytes(word)
        };
        if header.get(..4) != Some(&MAGIC) {
            return Err(ImageError::Magic);
        }
        let versions = u32::from(HEADER_VERSION) | VERSION_MAJOR << 16;
        if word(4) != versions || word(20) != LIMITS_ADDRESS || word(28) != 0 {
            return Err(ImageError::Version);
        }
        if word(8) != TARGET {
            return Err(ImageError::Target(word(8)));
        }
        let whole = program.len().is_multiple_of(4) && program.len() <= MOST_BYTES;
        if !whole || word(16) as usize != program.len() {
            return Err(length);
        }
        if word(24) != crc32(program) {
            return Err(ImageError::Crc);
        }
        Ok(Image { version: word(12), program })
    }
}

/// The header of a program.
pub fn header(program: &[u8]) -> [u8; HEADER_BYTES] {
    let versions = u32::from(HEADER_VERSION) | VERSION_MAJOR << 16;
    let words = [
        u32::from_le_bytes(MAGIC),
        versions,
        TARGET,
        PROGRAM_VERSION,
        program.len() as u32,
        LIMITS_ADDRESS,
        crc32(program),
        0,
    ];
    let mut bytes = [0; HEADER_BYTES];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// CRC-32 as in Ethernet and ZIP.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| c >> 1 ^ (c & 1).wrapping_neg() & 0xedb8_8320)
    })
}
