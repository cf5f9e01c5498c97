//! Small cells that everything else is composed of. Streams are `valid`/`ready`/payload: a beat
//! moves at the clock edge where both are 1, and `valid` never waits for `ready`.

mod arbiter;
mod async_fifo;
mod carry;
mod counter;
mod crossbar;
mod fifo;
mod multiplier;
mod skid;
mod stage;
#[cfg(test)]
mod tests;
mod window;

pub use arbiter::{priority, round_robin};
pub use async_fifo::AsyncFifo;
pub use carry::{ECP5, GatedAdd, RowMultiplier, RowPair};
pub use counter::counter;
pub use crossbar::Crossbar;
pub use fifo::{BlockFifo, Fifo};
pub use multiplier::BlockMultiplier;
pub use skid::Skid;
pub use stage::Stage;
pub use window::Window;
