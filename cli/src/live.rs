//! Cards that are there already: a PCI card, or one that another process simulates.

use mattock::{Capabilities, Device};
use mattock_spec::config::{ArrayKind, GemmConfig, SpgemmConfig};
use mattock_spec::regs::ValueType;
use mattock_spec::semiring::SEMIRINGS;
use mattock_spec::{CardConfig, JoinStep};

use crate::card::Chosen;
use crate::error::Failure;

/// An open card.
#[derive(Clone, Debug)]
pub(crate) struct Live(Device);

impl Live {
    /// The card.
    pub(crate) fn device(&self) -> Device {
        self.0.clone()
    }
}

/// Opens the card at `url` and asks it what it is.
///
/// # Errors
/// Those of the driver.
pub(crate) fn open(url: &str) -> Result<Chosen, Failure> {
    let card = Device::open(url)?;
    let config = described(card.capabilities())?;
    let live = Some(Live(card));
    Ok(Chosen { config, origin: url.to_owned(), live })
}

/// A configuration with all that a card says about itself; what it does not say is as in a reference card.
fn described(caps: &Capabilities) -> Result<CardConfig, Failure> {
    let mut config =
        CardConfig::reference("small").map_err(|error| Failure::config(&error, "small", ""))?;
    config.name = "card".into();
    config.clock_mhz = caps.clock_khz / 1000;
    config.memory.bus_bytes = caps.bus_bytes;
    config.memory.address_bits = caps.address_bits;
    config.gemm = config.gemm.zip(caps.gemm).map(|(base, caps)| GemmConfig {
        rows: caps.rows * caps.depth / caps.interleave,
        cols: caps.cols,
        array: match (caps.depth, caps.rows) {
            (1, _) => base.array,
            (_, 1) => ArrayKind::Tree,
            _ => ArrayKind::Cube,
        },
        tuples: caps.tuples.iter().collect(),
        a_kib: caps.a_kib,
        b_kib: caps.b_kib,
        result_kib: caps.result_kib,
        align: caps.align,
        ..base
    });
    config.spgemm = config.spgemm.zip(caps.spgemm).map(|(base, caps)| SpgemmConfig {
        clusters: caps.clusters,
        lanes: caps.lanes,
        banks: caps.banks,
        ways: caps.ways,
        entries_per_half: caps.entries_per_half,
        index_bits: caps.index_bits,
        cache_kib: caps.cache_kib,
        row_slots: caps.row_slots,
        align: caps.align,
        adder_latency: caps.adder_latency,
        seed: caps.seed,
        values: ValueType::ALL.iter().copied().filter(|value| caps.has(*value)).collect(),
        semirings: SEMIRINGS.iter().copied().filter(|s| caps.has_semiring(*s)).collect(),
        ordered: caps.ordered,
        joins: (JoinStep::NAMES.iter().map(|(_, step)| *step))
            .filter(|step| caps.has_join(*step))
            .collect(),
        ..base
    });
    Ok(config)
}
