//! The sparse engine: it is named like its registers already.

use super::EngineSlot;
use crate::spgemm::Cluster;
use mattock_spec::CardConfig;
use mattock_spec::regs::spgemm;
use std::rc::Rc;

/// The sparse engine of a card, if it has one.
pub(super) fn slot(card: &CardConfig) -> Option<EngineSlot> {
    let module = Rc::new(Cluster::of(card)?);
    Some(EngineSlot { map: spgemm::MAP, more: None, module, bus_bytes: card.memory.bus_bytes })
}
