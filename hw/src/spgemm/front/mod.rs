//! The front end: from three CSR arrays in memory to products waiting at the lanes.

mod a_stream;
#[cfg(test)]
mod bench;
mod cache;
mod feed;
mod dispatch;
mod hub;
mod lane;
mod planner;
mod pointers;
mod words;

pub use a_stream::AStream;
pub use cache::Cache;
pub use feed::Feed;
pub use dispatch::Dispatcher;
pub use hub::LineHub;
pub use lane::{CHUNK, LaneFetch};
pub use planner::Planner;
pub use pointers::PointerFetch;
pub use words::WordStream;
