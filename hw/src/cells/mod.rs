//! Small cells that everything else is composed of. Streams are `valid`/`ready`/payload: a beat
//! moves at the clock edge where both are 1, and `valid` never waits for `ready`.

mod arbiter;
mod fifo;
mod skid;

pub use arbiter::{priority, round_robin};
pub use fifo::{BlockFifo, Fifo};
pub use skid::Skid;
