//! The capability list: what a card says about itself.
//!
//! A read-only window of words in BAR0. Each entry begins with a header naming what it describes,
//! how long it is and where the next one begins; a driver skips entries it does not know.

use crate::epilogue::EpilogueCaps;

mod engines;
mod error;
mod parse;
#[cfg(feature = "std")]
mod rom;
pub(super) mod words;

pub use engines::{ControllerCaps, GemmCaps, SpgemmCaps, ValueType};
pub use error::CapabilityError;
#[cfg(feature = "std")]
pub use rom::capability_rom;
pub use words::CapabilityId;

/// BAR0 offset of the capability window.
pub const CAPABILITY_BASE: u32 = 0x0400;
/// Words in the capability window.
pub const CAPABILITY_WORDS: u32 = 256;

/// Everything a driver reads from a card before using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Minor version of the specification.
    pub version_minor: u32,
    /// Digest of the card's configuration.
    pub digest: u64,
    /// Nominal engine clock in kHz; 0 when the card does not say.
    pub clock_khz: u32,
    /// Data bus width of the AXI4 masters in bytes.
    pub bus_bytes: u32,
    /// Address bits of the AXI4 masters.
    pub address_bits: u32,
    /// The dense engine.
    pub gemm: Option<GemmCaps>,
    /// The sparse engine.
    pub spgemm: Option<SpgemmCaps>,
    /// Whether a command of the dense engine may be many products.
    pub batch: bool,
    /// The epilogue of the dense engine.
    pub epilogue: Option<EpilogueCaps>,
    /// Rings and the processor that serves them; without, the host starts the engines itself.
    pub controller: Option<ControllerCaps>,
}
