//! The capability list: what a card says about itself.
//!
//! A read-only window of words in BAR0. Each entry begins with a header naming what it describes,
//! how long it is and where the next one begins; a driver skips entries it does not know. The
//! parser treats every word as hostile: it cannot leave the window, loop, or panic.

use super::card::{self, MAGIC, VERSION_MAJOR};
use super::table::Field;
use crate::format::{Format, Tuple, TupleList};
use core::fmt;

/// BAR0 offset of the capability window.
pub const CAPABILITY_BASE: u32 = 0x0400;
/// Words in the capability window.
pub const CAPABILITY_WORDS: u32 = 256;

const fn field(name: &'static str, low: u32, width: u32, doc: &'static str) -> Field {
    Field { name, low, width, doc }
}

/// Fields of capability words, by the word they stand in.
pub(super) mod words {
    use super::{Field, field};

    pub(in super::super) const ID: Field = field("ID", 0, 8, "What the entry describes.");
    pub(in super::super) const LENGTH: Field =
        field("LENGTH", 8, 8, "Words of the entry, header included.");
    pub(in super::super) const NEXT: Field =
        field("NEXT", 16, 16, "BAR0 offset of the next header; 0 ends the list.");

    pub(in super::super) const CLOCK_KHZ: Field =
        field("KHZ", 0, 32, "Nominal engine clock in kHz.");

    pub(in super::super) const BUS_BYTES: Field =
        field("BUS_BYTES", 0, 8, "Data bus width of the AXI4 masters in bytes.");
    pub(in super::super) const ADDRESS_BITS: Field =
        field("ADDRESS_BITS", 8, 8, "Address bits of the AXI4 masters.");

    pub(in super::super) const ROWS: Field = field("ROWS", 0, 16, "PE rows.");
    pub(in super::super) const COLS: Field = field("COLS", 16, 16, "PE columns.");
    pub(in super::super) const A_KIB: Field = field("A_KIB", 0, 16, "A scratchpad in KiB.");
    pub(in super::super) const B_KIB: Field = field("B_KIB", 16, 16, "B scratchpad in KiB.");
    pub(in super::super) const RESULT_KIB: Field =
        field("RESULT_KIB", 0, 16, "Result buffer in KiB.");
    pub(in super::super) const TUPLES: Field =
        field("TUPLES", 16, 8, "Number of type tuples, one word each from word 4 on.");
    pub(in super::super) const GEMM_ALIGN: Field =
        field("ALIGN", 24, 8, "Addresses and strides are multiples of this.");
    pub(in super::super) const TUPLE: [Field; 4] = [
        field("A", 0, 8, "Format of A."),
        field("B", 8, 8, "Format of B."),
        field("ACC", 16, 8, "Format of the accumulator."),
        field("D", 24, 8, "Format of D."),
    ];

    pub(in super::super) const CLUSTERS: Field = field("CLUSTERS", 0, 8, "Clusters.");
    pub(in super::super) const LANES: Field = field("LANES", 8, 8, "Lanes per cluster.");
    pub(in super::super) const BANKS: Field = field("BANKS", 16, 8, "Hash banks per cluster.");
    pub(in super::super) const WAYS: Field = field("WAYS", 24, 8, "Entries per bucket.");
    pub(in super::super) const ENTRIES: Field =
        field("ENTRIES_PER_HALF", 0, 24, "Hash table entries per half.");
    pub(in super::super) const INDEX_BITS: Field =
        field("INDEX_BITS", 24, 8, "Bits of a column index.");
    pub(in super::super) const CACHE_KIB: Field =
        field("CACHE_KIB", 0, 16, "B cache per cluster in KiB.");
    pub(in super::super) const ROW_SLOTS: Field = field("ROW_SLOTS", 16, 16, "Rows per window.");
    pub(in super::super) const SPGEMM_ALIGN: Field =
        field("ALIGN", 0, 8, "Array addresses are multiples of this.");
    pub(in super::super) const VALUES: Field =
        field("VALUES", 8, 8, "Bit n set: MODE.VALUE = n is built in.");
    pub(in super::super) const ADDER_LATENCY: Field =
        field("ADDER_LATENCY", 16, 8, "Cycles of the floating-point adder.");
    pub(in super::super) const SEED: Field = field("SEED", 0, 32, "Hash seed after reset.");
}

/// What an entry of the capability list describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CapabilityId {
    /// Clock rate.
    Clock = 1,
    /// Memory port.
    Memory = 2,
    /// Dense engine.
    Gemm = 3,
    /// Sparse engine.
    Spgemm = 4,
}

impl CapabilityId {
    /// Upper-case name and the entry's words after the header.
    #[cfg(feature = "std")]
    pub(super) const TABLE: [(CapabilityId, &'static str, &'static [&'static [Field]]); 4] = [
        (CapabilityId::Clock, "CLOCK", &[&[words::CLOCK_KHZ]]),
        (CapabilityId::Memory, "MEMORY", &[&[words::BUS_BYTES, words::ADDRESS_BITS]]),
        (
            CapabilityId::Gemm,
            "GEMM",
            &[
                &[words::ROWS, words::COLS],
                &[words::A_KIB, words::B_KIB],
                &[words::RESULT_KIB, words::TUPLES, words::GEMM_ALIGN],
                &words::TUPLE,
            ],
        ),
        (
            CapabilityId::Spgemm,
            "SPGEMM",
            &[
                &[words::CLUSTERS, words::LANES, words::BANKS, words::WAYS],
                &[words::ENTRIES, words::INDEX_BITS],
                &[words::CACHE_KIB, words::ROW_SLOTS],
                &[words::SPGEMM_ALIGN, words::VALUES, words::ADDER_LATENCY],
                &[words::SEED],
            ],
        ),
    ];
}

/// Type of the values of a sparse product, the number in `SPGEMM.MODE.VALUE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ValueType {
    /// 32-bit integers; sums and products wrap.
    I32 = 0,
    /// IEEE binary32; the order of the additions depends on timing.
    F32 = 1,
}

impl ValueType {
    /// Every value type, by number.
    pub const ALL: [ValueType; 2] = [ValueType::I32, ValueType::F32];

    /// The number format of the values.
    pub const fn format(self) -> Format {
        match self {
            ValueType::I32 => Format::I32,
            ValueType::F32 => Format::F32,
        }
    }

    /// The value type of a number; `None` when this software does not know it.
    pub fn from_u8(number: u8) -> Option<ValueType> {
        ValueType::ALL.get(usize::from(number)).copied()
    }
}

/// What a card with a GEMM engine says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmCaps {
    /// PE rows.
    pub rows: u32,
    /// PE columns.
    pub cols: u32,
    /// A scratchpad in KiB.
    pub a_kib: u32,
    /// B scratchpad in KiB.
    pub b_kib: u32,
    /// Result buffer in KiB.
    pub result_kib: u32,
    /// Addresses and strides are multiples of this many bytes.
    pub align: u32,
    /// Type tuples, in the order `MODE.TUPLE` counts them.
    pub tuples: TupleList,
}

impl GemmCaps {
    /// Bytes of the A scratchpad that an M x K operand fills: whole tiles of `rows`, every element
    /// in the widest A storage of any tuple.
    pub fn a_bytes(&self, m: u32, k: u32) -> u128 {
        let bits = self.tuples.iter().map(|t| t.a.storage_bits()).max().unwrap_or(0);
        tiled_bytes(m, self.rows, k, bits)
    }

    /// Bytes of the B scratchpad that a K x N operand fills.
    pub fn b_bytes(&self, k: u32, n: u32) -> u128 {
        let bits = self.tuples.iter().map(|t| t.b.storage_bits()).max().unwrap_or(0);
        tiled_bytes(n, self.cols, k, bits)
    }

    /// Bytes of the result buffer that an M x N result fills: whole tiles, every element in the
    /// widest accumulator of any tuple.
    pub fn result_bytes(&self, m: u32, n: u32) -> u128 {
        let bits = self.tuples.iter().map(|t| t.acc.storage_bits()).max().unwrap_or(0);
        let columns = u128::from(n).div_ceil(u128::from(self.cols)) * u128::from(self.cols);
        tiled_bytes(m, self.rows, 1, bits) * columns
    }
}

fn tiled_bytes(lines: u32, tile: u32, depth: u32, bits: u32) -> u128 {
    let lines = u128::from(lines).div_ceil(u128::from(tile)) * u128::from(tile);
    (lines * u128::from(bits)).div_ceil(8) * u128::from(depth)
}

/// What a card with a SpGEMM engine says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpgemmCaps {
    /// Clusters.
    pub clusters: u32,
    /// Lanes per cluster.
    pub lanes: u32,
    /// Hash banks per cluster.
    pub banks: u32,
    /// Entries per bucket.
    pub ways: u32,
    /// Hash table entries per half.
    pub entries_per_half: u32,
    /// Bits of a column index.
    pub index_bits: u32,
    /// B cache per cluster in KiB.
    pub cache_kib: u32,
    /// Rows per window.
    pub row_slots: u32,
    /// Array addresses are multiples of this many bytes.
    pub align: u32,
    /// Bit n set: value type number n is built in.
    pub values: u32,
    /// Cycles of the floating-point adder.
    pub adder_latency: u32,
    /// Hash seed after reset.
    pub seed: u32,
}

impl SpgemmCaps {
    /// Whether the card computes with values of this type.
    pub fn has(&self, value: ValueType) -> bool {
        self.values >> value as u32 & 1 == 1
    }
}

/// Everything a driver reads from a card before using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Minor version of the specification.
    pub version_minor: u32,
    /// Digest of the card's configuration.
    pub digest: u64,
    /// Nominal engine clock in kHz; 0 when the card does not say.
    pub clock_khz: u32,
    /// Data bus width of the AXI4 masters in bytes.
    pub bus_bytes: u32,
    /// Address bits of the AXI4 masters.
    pub address_bits: u32,
    /// The dense engine.
    pub gemm: Option<GemmCaps>,
    /// The sparse engine.
    pub spgemm: Option<SpgemmCaps>,
}

/// Why a card is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapabilityError {
    /// ID read all ones: nothing answers there.
    NoAnswer,
    /// ID is not ours.
    NotACard {
        /// What ID read.
        id: u32,
    },
    /// The card speaks another major version.
    Version {
        /// Major version of the card.
        card: u32,
    },
    /// A header lies outside the capability window or is not word aligned.
    BadPointer {
        /// The BAR0 offset.
        offset: u32,
    },
    /// An entry is too short for what it describes or passes the window's end.
    BadLength {
        /// BAR0 offset of its header.
        offset: u32,
        /// The length it gave, in words.
        length: u32,
    },
    /// The list does not end.
    Endless,
    /// An entry appears twice.
    Repeated {
        /// Its number.
        id: u32,
    },
    /// A field holds a value no card of this version has.
    BadValue {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// The card does not describe its memory port, or has no engine.
    Missing {
        /// Name of the entry.
        entry: &'static str,
    },
}

impl fmt::Display for CapabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoAnswer => f.write_str("the card does not answer: ID reads 0xffffffff"),
            Self::NotACard { id } => {
                write!(f, "this is no Mattock card: ID reads {id:#010x} instead of {MAGIC:#010x}")
            }
            Self::Version { card } => write!(
                f,
                "the card speaks specification version {card}, this software {VERSION_MAJOR}; use matching releases"
            ),
            Self::BadPointer { offset } => {
                write!(f, "the capability list points outside its window, to {offset:#x}")
            }
            Self::BadLength { offset, length } => {
                write!(
                    f,
                    "the capability at {offset:#x} gives an impossible length, {length} words"
                )
            }
            Self::Endless => f.write_str("the capability list does not end"),
            Self::Repeated { id } => write!(f, "capability {id} appears twice"),
            Self::BadValue { field, value } => {
                write!(f, "the capability field {field} has the impossible value {value}")
            }
            Self::Missing { entry } => write!(f, "the card does not describe {entry}"),
        }
    }
}

impl core::error::Error for CapabilityError {}

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
            rows: in_range(words::ROWS, shape, 1, 1 << 15)?,
            cols: in_range(words::COLS, shape, 1, 1 << 15)?,
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

/// The words of the capability window of a card, to be placed at [`CAPABILITY_BASE`]. `CAP_PTR`
/// reads `CAPABILITY_BASE`; words past the end of the list read 0.
#[cfg(feature = "std")]
pub fn capability_rom(card: &crate::config::CardConfig) -> Vec<u32> {
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
            words::ROWS.put(g.rows) | words::COLS.put(g.cols),
            words::A_KIB.put(g.a_kib) | words::B_KIB.put(g.b_kib),
            words::RESULT_KIB.put(g.result_kib)
                | words::TUPLES.put(g.tuples.len() as u32)
                | words::GEMM_ALIGN.put(g.align),
        ];
        body.extend(g.tuples.iter().map(|t| {
            let formats = [t.a, t.b, t.acc, t.d].into_iter().zip(words::TUPLE);
            formats.fold(0, |word, (f, field)| word | field.put(f.wire_code().into()))
        }));
        entries.push((CapabilityId::Gemm, body));
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
            ],
        ));
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
