//! Submission and completion rings.
//!
//! ```text
//!  DOORBELL ──► Fetch ──► Slots ──► command logic ──► take, answer
//!                 │ AXI read                              │
//!               memory                                  engines
//!                 │ AXI write                             │ finish
//!             completion ring ◄────────── Post ◄──────────┘
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`Ring`] | opens and closes the rings, judges their registers, joins the parts |
//! | [`Fetch`] | entries and parameter blocks, read ahead in order |
//! | [`Slots`] | what was read, word by word, for the command logic |
//! | [`Post`] | completion records, and the interrupt after their response |

mod fetch;
mod post;
mod slots;
#[cfg(test)]
mod tests;
mod whole;

pub use fetch::Fetch;
pub use post::Post;
pub use slots::Slots;
pub use whole::Ring;

use mattock_spec::ErrorCode;
use mattock_spec::regs::queue;
use rtl_gen::{Sig, Type, index_width, uint};

/// A dense block at a glance: outputs of [`Slots`] that go to the command logic.
pub(crate) const GLANCE: [&str; 4] = ["dense_wide", "dense_set", "dense_low", "dense_high"];

/// Bits of the running counts of entries and records.
pub(crate) const COUNT_BITS: u32 = 16;

/// A place in the slot memory.
pub(crate) fn slot_type() -> Type {
    uint(index_width(queue::SLOTS))
}

/// A command between its fetch and its record.
pub(crate) fn tag_type() -> Type {
    uint(index_width(queue::TAGS))
}

/// The error code of a master's sticky `fault`, `slave` for response SLVERR and the next one for DECERR.
fn fault_code<'m>(fault: Sig<'m>, slave: ErrorCode) -> Sig<'m> {
    let m = fault.bit(1);
    let zero = fault.zext(8).lit(0);
    let (slverr, decerr) = (zero.lit(slave as i128), zero.lit(slave as i128 + 1));
    m.gate(fault.bit(0).mux(decerr, slverr))
}
