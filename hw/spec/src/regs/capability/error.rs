//! Why a card is refused.

use crate::regs::card::{MAGIC, VERSION_MAJOR};
use core::fmt;

/// Why a card is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapabilityError {
    /// ID read all ones: nothing answers there.
    NoAnswer,
    /// ID is not ours.
    NotACard {
        /// What ID read.
        id: u32,
    },
    /// The card speaks another major version.
    Version {
        /// Major version of the card.
        card: u32,
    },
    /// A header lies outside the capability window or is not word aligned.
    BadPointer {
        /// The BAR0 offset.
        offset: u32,
    },
    /// An entry is too short for what it describes or passes the window's end.
    BadLength {
        /// BAR0 offset of its header.
        offset: u32,
        /// The length it gave, in words.
        length: u32,
    },
    /// The list does not end.
    Endless,
    /// An entry appears twice.
    Repeated {
        /// Its number.
        id: u32,
    },
    /// A field holds a value no card of this version has.
    BadValue {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// The card does not describe its memory port, or has no engine.
    Missing {
        /// Name of the entry.
        entry: &'static str,
    },
}

impl fmt::Display for CapabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoAnswer => f.write_str("the card does not answer: ID reads 0xffffffff"),
            Self::NotACard { id } => {
                write!(f, "this is no Mattock card: ID reads {id:#010x} instead of {MAGIC:#010x}")
            }
            Self::Version { card } => write!(
                f,
                "the card speaks specification version {card}, this software {VERSION_MAJOR}; use matching releases"
            ),
            Self::BadPointer { offset } => {
                write!(f, "the capability list points outside its window, to {offset:#x}")
            }
            Self::BadLength { offset, length } => {
                write!(
                    f,
                    "the capability at {offset:#x} gives an impossible length, {length} words"
                )
            }
            Self::Endless => f.write_str("the capability list does not end"),
            Self::Repeated { id } => write!(f, "capability {id} appears twice"),
            Self::BadValue { field, value } => {
                write!(f, "the capability field {field} has the impossible value {value}")
            }
            Self::Missing { entry } => write!(f, "the card does not describe {entry}"),
        }
    }
}

impl core::error::Error for CapabilityError {}
