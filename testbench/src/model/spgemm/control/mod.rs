//! Windows, replays and column ranges: `mattock_hw::spgemm::control`.

mod cuts;
mod expect;
mod plans;
mod ranges;
mod sequencer;
mod table;

pub(super) use expect::{Expect, ExpectIn, PRODUCT_BITS};
pub(super) use plans::{Plans, PlansIn};
pub(super) use sequencer::{Sequencer, SequencerIn, SequencerOut};
pub(super) use table::{Close, Open, WindowTable, WindowTableIn};
