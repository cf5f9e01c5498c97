//! Registers, written once.
//!
//! Every offset, width and meaning is one row of [`card`], [`queue`], [`controller`], [`gemm`], [`spgemm`], [`epilogue`], [`join`] or [`batch`]. The RTL decoder
//! walks the [`RegMap`]s; software names a row and a field:
//!
//! ```
//! use mattock_spec::regs::{gemm, MAPS};
//! assert_eq!(gemm::STATUS.address(), 0x1004);
//! assert_eq!(gemm::STATUS::ERROR.get(0x0000_0502), 5);
//! assert_eq!(gemm::MODE::TUPLE.put(3) | gemm::MODE::COMPUTE.put(1), 0x0004_0003);
//! assert_eq!(MAPS.len(), 8);
//! ```
//!
//! All registers are 32 bits wide and are accessed whole. A 64-bit value is a `_LO`, `_HI` pair.
//! Reading an offset without a register gives 0; writing one does nothing.

pub mod batch;
mod capability;
pub mod card;
pub mod controller;
pub mod epilogue;
mod error_code;
pub mod gemm;
pub mod join;
pub mod local;
#[cfg(feature = "std")]
mod print;
pub mod queue;
pub mod spgemm;
mod table;

#[cfg(feature = "std")]
pub use capability::capability_rom;
pub use capability::{
    CAPABILITY_BASE, CAPABILITY_WORDS, Capabilities, CapabilityError, CapabilityId, ControllerCaps,
    GemmCaps, SpgemmCaps, ValueType,
};
pub use error_code::ErrorCode;
#[cfg(feature = "std")]
pub use print::{c_header, manual_markdown};
pub use table::{Access, Field, Reg, RegMap};

/// Every register map of a card, in BAR0 order.
pub const MAPS: &[RegMap] = &[
    card::MAP,
    queue::MAP,
    controller::MAP,
    gemm::MAP,
    spgemm::MAP,
    epilogue::MAP,
    join::MAP,
    batch::MAP,
];

/// Size of BAR0 in bytes.
pub const BAR0_BYTES: u32 = 0x4000;

const _: () = {
    let mut i = 0;
    while i < MAPS.len() {
        let end = MAPS[i].base + MAPS[i].size;
        let limit = if i + 1 < MAPS.len() { MAPS[i + 1].base } else { BAR0_BYTES };
        assert!(end <= limit, "register maps overlap or pass the end of BAR0");
        i += 1;
    }
};
