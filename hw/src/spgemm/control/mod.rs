//! Windows, replays and column ranges (`docs/spgemm.md`, "Windows").

mod cuts;
mod ranges;
mod sequencer;
mod table;

pub use cuts::Cuts;
pub use ranges::Ranges;
pub use sequencer::Sequencer;
pub use table::WindowTable;
