//! Writes the capability list of a card to be generated.

use super::{CAPABILITY_BASE, CapabilityId, words};
use crate::config::{CardConfig, Control};
use crate::regs::{controller, queue};

/// The words of the capability window of a card, to be placed at [`CAPABILITY_BASE`]. `CAP_PTR`
/// reads `CAPABILITY_BASE`; words past the end of the list read 0.
pub fn capability_rom(card: &CardConfig) -> Vec<u32> {
    let mut entries = vec![
        (CapabilityId::Clock, vec![words::CLOCK_KHZ.put(card.clock_mhz * 1000)]),
        (
            CapabilityId::Memory,
            vec![
                words::BUS_BYTES.put(card.memory.bus_bytes)
                    | words::ADDRESS_BITS.put(card.memory.address_bits),
            ],
        ),
    ];
    if let Some(g) = &card.gemm {
        let mut body = vec![
            words::ROWS.put(g.tile_rows())
                | words::LOG2_K_SPLIT.put(g.k_split.ilog2())
                | words::COLS.put(g.cols)
                | words::LOG2_DEPTH.put(g.depth().ilog2()),
            words::A_KIB.put(g.a_kib)
                | words::LOG2_INTERLEAVE.put(g.interleave().ilog2())
                | words::B_KIB.put(g.b_kib),
            words::RESULT_KIB.put(g.result_kib)
                | words::TUPLES.put(g.tuples.len() as u32)
                | words::GEMM_ALIGN.put(g.align),
        ];
        body.extend(g.tuples.iter().map(|t| {
            let formats = [t.a, t.b, t.acc, t.d].into_iter().zip(words::TUPLE);
            formats.fold(0, |word, (f, field)| word | field.put(f.wire_code().into()))
        }));
        entries.push((CapabilityId::Gemm, body));
        if let Some(caps) = g.epilogue_caps() {
            let body = vec![words::STEPS.put(caps.steps), words::RECORDS.put(caps.columns)];
            entries.push((CapabilityId::Epilogue, body));
        }
        if g.batch {
            entries.push((CapabilityId::Batch, vec![words::STRIDED.put(1) | words::LISTED.put(1)]));
        }
    }
    if let Some(s) = &card.spgemm {
        let values = s.values.iter().fold(0, |mask, v| mask | 1 << *v as u32);
        entries.push((
            CapabilityId::Spgemm,
            vec![
                words::CLUSTERS.put(s.clusters)
                    | words::LANES.put(s.lanes)
                    | words::BANKS.put(s.banks)
                    | words::WAYS.put(s.ways),
                words::ENTRIES.put(s.entries_per_half) | words::INDEX_BITS.put(s.index_bits),
                words::CACHE_KIB.put(s.cache_kib) | words::ROW_SLOTS.put(s.row_slots),
                words::SPGEMM_ALIGN.put(s.align)
                    | words::VALUES.put(values)
                    | words::ADDER_LATENCY.put(s.adder_latency),
                words::SEED.put(s.seed),
                words::SEMIRINGS.put(s.semirings.iter().fold(0, |mask, s| mask | 1 << *s as u32))
                    | words::JOINS.put(s.joins.iter().fold(0, |mask, s| mask | 1 << *s as u32))
                    | words::ORDERED.put(s.ordered.into()),
            ],
        ));
    }
    if card.control == Control::Riscv {
        let word = words::MEMORY_KIB.put(controller::MEMORY_BYTES / 1024)
            | words::TARGET.put(controller::TARGET)
            | words::LOG2_RING.put(queue::MAX_ENTRIES.ilog2());
        entries.push((CapabilityId::Controller, vec![word]));
    }
    let (mut rom, last) = (Vec::new(), entries.len() - 1);
    for (i, (id, body)) in entries.into_iter().enumerate() {
        let length = body.len() as u32 + 1;
        let next = CAPABILITY_BASE + 4 * (rom.len() as u32 + length);
        rom.push(
            words::ID.put(id as u32)
                | words::LENGTH.put(length)
                | words::NEXT.put(if i == last { 0 } else { next }),
        );
        rom.extend(body);
    }
    rom
}
