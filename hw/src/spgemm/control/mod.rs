//! Windows, replays and column ranges (`docs/spgemm.md`, "Windows").

mod cuts;
mod expect;
mod plans;
mod ranges;
mod sequencer;
mod table;

pub use cuts::Cuts;
pub use expect::Expect;
pub(crate) use expect::PRODUCT_BITS;
pub use plans::Plans;
pub use ranges::Ranges;
pub use sequencer::Sequencer;
pub use table::WindowTable;
