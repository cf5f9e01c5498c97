//! From A's rows to products' operands: `mattock_hw::spgemm::front`.

mod a_stream;
mod cache;
mod dispatch;
mod hub;
mod lane;
mod planner;
mod pointers;
mod row_queue;
mod sizes;
mod words;

pub(super) use a_stream::{AStream, AStreamIn};
pub(super) use cache::{Cache, CacheShape};
pub(super) use dispatch::Dispatcher;
pub(super) use hub::LineHub;
pub(super) use lane::{Element, Lane, LaneIn, LaneShape, Limits, Share};
pub(super) use planner::{Planner, PlannerIn, PlannerOut};
pub(super) use pointers::{PointerFetch, PointersIn};
pub(super) use words::{WordStream, WordsIn};
