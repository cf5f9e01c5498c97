//! The sparse engine: it is named like its registers already.

use super::EngineSlot;
use crate::spgemm::{Cluster, Clusters};
use mattock_spec::CardConfig;
use mattock_spec::regs::{join, spgemm};
use rtl_gen::Module;
use std::rc::Rc;

/// The sparse engine of a card, if it has one.
pub(super) fn slot(card: &CardConfig) -> Option<EngineSlot> {
    let cluster = Cluster::of(card)?;
    let (masters, joins) = (cluster.config.clusters, cluster.config.joins.clone());
    let module: Rc<dyn Module> = match masters {
        1 => Rc::new(cluster),
        count => Rc::new(Clusters { cluster: Cluster { parted: true, ..cluster }, count }),
    };
    let more = (!joins.is_empty()).then_some(join::MAP).into_iter().collect();
    let bus_bytes = card.memory.bus_bytes;
    let masters = masters as usize;
    Some(EngineSlot {
        map: spgemm::MAP,
        more,
        module,
        bus_bytes,
        masters,
        direct: false,
        words: false,
    })
}
