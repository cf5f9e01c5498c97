//! The front end: from three CSR arrays in memory to products waiting at the lanes.

mod a_stream;
#[cfg(test)]
mod bench;
mod cache;
mod dispatch;
mod feed;
#[cfg(test)]
mod fetch;
mod hub;
mod join;
mod lane;
mod planner;
mod pointers;
mod row_queue;
mod sizes;
mod values;
mod words;

pub use a_stream::AStream;
pub use cache::Cache;
pub use dispatch::Dispatcher;
pub use feed::Feed;
pub use hub::LineHub;
pub use join::{JoinRows, Source};
pub use lane::{CHUNK, LaneFetch};
pub use planner::Planner;
pub use pointers::PointerFetch;
pub(super) use values::Chosen as ChosenValues;
pub use values::Values;
pub use words::WordStream;
