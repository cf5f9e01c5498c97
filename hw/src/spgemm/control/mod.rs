//! Windows, replays and column ranges (`docs/spgemm.md`, "Windows").

mod cuts;
mod ranges;
mod windows;

pub use cuts::Cuts;
pub use ranges::Ranges;
pub use windows::Control;
