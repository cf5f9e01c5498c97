//! Reads a card's identity and capability list, treating every word as hostile: it cannot leave the
//! window, loop, or panic.

use super::{
    CAPABILITY_BASE, CAPABILITY_WORDS, Capabilities, CapabilityError, CapabilityId, ControllerCaps,
    GemmCaps, SpgemmCaps, words,
};
use crate::epilogue::EpilogueCaps;
use crate::format::{Format, Tuple, TupleList};
use crate::regs::Field;
use crate::regs::card::{self, MAGIC, VERSION_MAJOR};
use crate::semiring::Semiring;

impl Capabilities {
    /// Reads identity and capability list. `read` takes a BAR0 offset.
    ///
    /// # Errors
    /// The card is refused; see [`CapabilityError`]. No answer of `read` makes this panic, loop or
    /// read outside the card block and the capability window.
    pub fn parse(mut read: impl FnMut(u32) -> u32) -> Result<Capabilities, CapabilityError> {
        match read(card::ID.address()) {
            MAGIC => {}
            u32::MAX => return Err(CapabilityError::NoAnswer),
            id => return Err(CapabilityError::NotACard { id }),
        }
        let version = read(card::VERSION.address());
        let major = card::VERSION::MAJOR.get(version);
        if major != VERSION_MAJOR {
            return Err(CapabilityError::Version { card: major });
        }
        let mut found = Capabilities {
            version_minor: card::VERSION::MINOR.get(version),
            digest: u64::from(read(card::DIGEST_LO.address()))
                | u64::from(read(card::DIGEST_HI.address())) << 32,
            clock_khz: 0,
            bus_bytes: 0,
            address_bits: 0,
            gemm: None,
            spgemm: None,
            batch: false,
            epilogue: None,
            controller: None,
        };
        let mut seen = 0u32;
        let mut offset = card::CAP_PTR::OFFSET.get(read(card::CAP_PTR.address()));
        // A header takes at least a word, so a longer walk has come by some word twice.
        for _ in 0..CAPABILITY_WORDS {
            if offset == 0 {
                return found.complete();
            }
            let entry = Entry::at(offset, &mut read)?;
            if (1..32).contains(&entry.id) {
                if seen >> entry.id & 1 == 1 {
                    return Err(CapabilityError::Repeated { id: entry.id });
                }
                seen |= 1 << entry.id;
            }
            found.take(&entry, &mut read)?;
            offset = entry.next;
        }
        Err(CapabilityError::Endless)
    }

    fn take(
        &mut self,
        entry: &Entry,
        read: &mut impl FnMut(u32) -> u32,
    ) -> Result<(), CapabilityError> {
        let word = |read: &mut _, index| entry.word(read, index);
        if entry.id == CapabilityId::Clock as u32 {
            self.clock_khz = words::CLOCK_KHZ.get(word(read, 1)?);
        } else if entry.id == CapabilityId::Memory as u32 {
            let w = word(read, 1)?;
            self.bus_bytes = power_of_two(words::BUS_BYTES, w)?;
            self.address_bits = in_range(words::ADDRESS_BITS, w, 16, 64)?;
        } else if entry.id == CapabilityId::Gemm as u32 {
            self.gemm = Some(entry.gemm(read)?);
        } else if entry.id == CapabilityId::Spgemm as u32 {
            self.spgemm = Some(entry.spgemm(read)?);
        } else if entry.id == CapabilityId::Epilogue as u32 {
            let steps = words::STEPS.get(word(read, 1)?);
            let columns = in_range(words::RECORDS, word(read, 2)?, 1, 1 << 24)?;
            self.epilogue = Some(EpilogueCaps { steps, columns });
        } else if entry.id == CapabilityId::Batch as u32 {
            self.batch =
                words::STRIDED.get(word(read, 1)?) & words::LISTED.get(word(read, 1)?) == 1;
        } else if entry.id == CapabilityId::Controller as u32 {
            let w = word(read, 1)?;
            self.controller = Some(ControllerCaps {
                memory_kib: in_range(words::MEMORY_KIB, w, 1, u32::MAX)?,
                target: words::TARGET.get(w),
                ring_entries: 1 << in_range(words::LOG2_RING, w, 1, 15)?,
            });
        }
        Ok(())
    }

    fn complete(self) -> Result<Capabilities, CapabilityError> {
        if self.bus_bytes == 0 {
            return Err(CapabilityError::Missing { entry: "its memory port" });
        }
        if self.gemm.is_none() && self.spgemm.is_none() {
            return Err(CapabilityError::Missing { entry: "any engine" });
        }
        Ok(self)
    }
}

/// One entry of the list, known to lie inside the window.
struct Entry {
    offset: u32,
    id: u32,
    length: u32,
    next: u32,
}

impl Entry {
    fn at(offset: u32, read: &mut impl FnMut(u32) -> u32) -> Result<Entry, CapabilityError> {
        let end = CAPABILITY_BASE + 4 * CAPABILITY_WORDS;
        if !offset.is_multiple_of(4) || !(CAPABILITY_BASE..end).contains(&offset) {
            return Err(CapabilityError::BadPointer { offset });
        }
        let header = read(offset);
        let (id, length, next) =
            (words::ID.get(header), words::LENGTH.get(header), words::NEXT.get(header));
        if length == 0 || offset + 4 * length > end {
            return Err(CapabilityError::BadLength { offset, length });
        }
        Ok(Entry { offset, id, length, next })
    }

    fn word(&self, read: &mut impl FnMut(u32) -> u32, index: u32) -> Result<u32, CapabilityError> {
        if index >= self.length {
            return Err(CapabilityError::BadLength { offset: self.offset, length: self.length });
        }
        Ok(read(self.offset + 4 * index))
    }

    fn gemm(&self, read: &mut impl FnMut(u32) -> u32) -> Result<GemmCaps, CapabilityError> {
        let (shape, pads, more) = (self.word(read, 1)?, self.word(read, 2)?, self.word(read, 3)?);
        let mut tuples = TupleList::default();
        for i in 0..words::TUPLES.get(more) {
            let w = self.word(read, 4 + i)?;
            let mut formats = [Format::I32; 4];
            for (format, field) in formats.iter_mut().zip(words::TUPLE) {
                let code = field.get(w);
                *format = Format::from_wire_code(code as u8)
                    .ok_or(CapabilityError::BadValue { field: field.name, value: code })?;
            }
            let [a, b, acc, d] = formats;
            if !tuples.push(Tuple { a, b, acc, d }) {
                return Err(CapabilityError::BadValue {
                    field: "TUPLES",
                    value: words::TUPLES.get(more),
                });
            }
        }
        Ok(GemmCaps {
            rows: in_range(words::ROWS, shape, 1, 1 << 11)?,
            k_split: 1 << words::LOG2_K_SPLIT.get(shape),
            cols: in_range(words::COLS, shape, 1, 1 << 11)?,
            depth: 1 << words::LOG2_DEPTH.get(shape),
            interleave: 1 << words::LOG2_INTERLEAVE.get(pads),
            a_kib: in_range(words::A_KIB, pads, 1, u32::MAX)?,
            b_kib: in_range(words::B_KIB, pads, 1, u32::MAX)?,
            result_kib: in_range(words::RESULT_KIB, more, 1, u32::MAX)?,
            align: power_of_two(words::GEMM_ALIGN, more)?,
            tuples,
        })
    }

    fn spgemm(&self, read: &mut impl FnMut(u32) -> u32) -> Result<SpgemmCaps, CapabilityError> {
        let (shape, table, cache, types, seed) = (
            self.word(read, 1)?,
            self.word(read, 2)?,
            self.word(read, 3)?,
            self.word(read, 4)?,
            self.word(read, 5)?,
        );
        let plus_times = words::SEMIRINGS.put(1 << Semiring::PlusTimes as u32);
        let algebra = if self.length > 6 { self.word(read, 6)? } else { plus_times };
        Ok(SpgemmCaps {
            clusters: in_range(words::CLUSTERS, shape, 1, u32::MAX)?,
            lanes: in_range(words::LANES, shape, 1, u32::MAX)?,
            banks: in_range(words::BANKS, shape, 1, u32::MAX)?,
            ways: in_range(words::WAYS, shape, 1, u32::MAX)?,
            entries_per_half: in_range(words::ENTRIES, table, 1, u32::MAX)?,
            index_bits: in_range(words::INDEX_BITS, table, 1, 32)?,
            cache_kib: words::CACHE_KIB.get(cache),
            row_slots: in_range(words::ROW_SLOTS, cache, 1, u32::MAX)?,
            align: power_of_two(words::SPGEMM_ALIGN, types)?,
            values: words::VALUES.get(types),
            adder_latency: words::ADDER_LATENCY.get(types),
            seed: words::SEED.get(seed),
            semirings: words::SEMIRINGS.get(algebra),
            joins: words::JOINS.get(algebra),
            ordered: words::ORDERED.get(algebra) == 1,
        })
    }
}

fn in_range(field: Field, word: u32, low: u32, high: u32) -> Result<u32, CapabilityError> {
    match field.get(word) {
        value if (low..=high).contains(&value) => Ok(value),
        value => Err(CapabilityError::BadValue { field: field.name, value }),
    }
}

fn power_of_two(field: Field, word: u32) -> Result<u32, CapabilityError> {
    match field.get(word) {
        value if value.is_power_of_two() => Ok(value),
        value => Err(CapabilityError::BadValue { field: field.name, value }),
    }
}
