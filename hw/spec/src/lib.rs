//! What Mattock hardware promises software.
//!
//! Everything both sides must agree on is written here once: the RTL generator, the driver, the
//! firmware, the reference models and the printed manuals all read these tables.
//!
//! | module | promises |
//! |---|---|
//! | [`format`](mod@format) | number formats, bit for bit, and the (A, B, accumulate, D) tuples a card is built with |
//! | [`config`] | card configurations in TOML, and the reference cards (feature `std`) |
//! | [`regs`] | register maps, error codes and the capability list a driver reads from the card |
//! | [`epilogue`] | what may be done to sums on their way to memory, and where its parameters lie |
//! | [`semiring`] | the algebras of sparse products |
//! | [`join`] | what may join a sparse product: masks, addends, pruning |
//! | [`serial`] | frames of the serial port |
//! | [`command`] | ring entries, parameter blocks and completion records, byte for byte |
//!
//! Without the default feature `std` the crate needs neither `std` nor an allocator.
#![cfg_attr(not(feature = "std"), no_std)]

pub mod command;
#[cfg(feature = "std")]
pub mod config;
pub mod epilogue;
pub mod format;
pub mod join;
pub mod regs;
pub mod semiring;
pub mod serial;

#[cfg(feature = "std")]
pub use config::{CardConfig, ConfigError};
pub use epilogue::EpilogueStep;
pub use format::{Format, Rounding, Tuple, Value};
pub use join::JoinStep;
pub use regs::ErrorCode;
pub use semiring::Semiring;
