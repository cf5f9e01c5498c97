//! The simulated surroundings of a card: its memory, and the host at its register port.
//!
//! Everything here works over [`rtl_gen::sim::Simulator`], so on the interpreter and on a Verilated
//! model alike. One clock cycle is: every partner drives its inputs, the logic settles, every partner
//! samples the handshakes, the clock ticks.

mod axi;
mod card;
mod faults;
mod foreign;
mod link;
mod lite;
mod memory;
mod open;
mod sdram;
mod serial;
mod storage;
mod threaded;
mod url;
mod verilated;

pub use axi::{PortCounts, Violation};
pub use card::{SimCard, SimError};
pub use faults::{BusFaults, Direction, FaultyCard, Hit};
pub use foreign::{ForeignError, foreign_sources};
pub use link::{FaultyLink, LinkFaults};
pub use lite::{Handshake, LiteHost};
pub use memory::AxiMemory;
pub use open::{OpenError, SimOptions, SimulatorKind, open_device, with_chips};
pub use sdram::{SdramChip, SdramPins, SdramViolation, WithSdram};
#[cfg(unix)]
pub use serial::{Disturbance, PtyCard, PtyError, Undisturbed};
pub use serial::{LineDriver, LineMonitor};
pub use storage::{BusMemory, MemoryOptions, Response, Stalls};
pub use threaded::ThreadedCard;
pub use url::register;
pub use verilated::{VerilateError, Verilated};
