//! What a card can do, as plain words: all that validation asks.

use mattock_spec::command::SpgemmPart;
use mattock_spec::epilogue::EpilogueCaps;
use mattock_spec::format::MAX_TUPLES;
use mattock_spec::regs::{Capabilities, GemmCaps, SpgemmCaps, ValueType};
use mattock_spec::{JoinStep, Semiring};

/// Facts about a card, drawn from its capability list. On the card's own processor the driver puts them behind
/// the program, because the processor has neither room nor time to read the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Limits {
    /// The last bus address, low half first.
    pub last_address: [u32; 2],
    /// The dense engine.
    pub gemm: GemmLimits,
    /// The sparse engine.
    pub spgemm: SpgemmLimits,
    /// What the dense engine can do to sums on their way to memory.
    pub epilogue: EpilogueLimits,
    /// The bits of `JOIN.STEPS` that the sparse engine knows.
    pub joins: u32,
    /// Not 0: the sparse engine adds in order when asked to.
    pub ordered: u32,
    /// 1 when a command of the dense engine may be many products.
    pub batch: u32,
}

/// Facts about the dense engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct GemmLimits {
    /// Type tuples; 0 when there is no such engine.
    pub tuples: u32,
    /// Addresses and strides are multiples of this, less 1.
    pub align_mask: u32,
    /// PE rows and columns.
    pub tile: [u32; 2],
    /// Bytes of the scratchpads of A and B and of the result buffer.
    pub buffer: [u32; 3],
    /// Bits of an element there: the widest of any tuple.
    pub widest: [u32; 3],
    /// Per tuple: bits of an element of A, B and D in memory, a byte each.
    pub bits: [u32; MAX_TUPLES],
    /// Per tuple: most products of one sum; all ones when any number will do.
    pub depth: [u32; MAX_TUPLES],
}

/// Facts about the epilogue of the dense engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct EpilogueLimits {
    /// Bits of its steps that the card knows; 0 when there is none.
    pub steps: u32,
    /// Most columns with parameters of their own.
    pub columns: u32,
}

/// Facts about the sparse engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SpgemmLimits {
    /// Two bits for each type of values, bit 2n the lower one of type n: 1, 2, 3 for 1, 2, 4 bytes each, 0 for a type that is
    /// not built in. 0 when there is no such engine.
    pub values: u32,
    /// Bit n set: semiring number n.
    pub semirings: u32,
    /// Addresses are multiples of this, less 1.
    pub align_mask: u32,
    /// Most columns less 1.
    pub last_column: u32,
    /// Most parts of a product; 0 with one cluster.
    pub parts: u32,
}

impl Limits {
    /// Words of the facts in the processor's memory.
    pub const WORDS: usize = size_of::<Limits>() / 4;

    /// The facts about a card.
    pub fn of(caps: &Capabilities) -> Limits {
        let last = u64::MAX >> (64 - caps.address_bits.clamp(1, 64));
        Limits {
            last_address: [last as u32, (last >> 32) as u32],
            gemm: caps.gemm.as_ref().map(GemmLimits::of).unwrap_or_default(),
            spgemm: caps.spgemm.as_ref().map(SpgemmLimits::of).unwrap_or_default(),
            epilogue: caps.epilogue.as_ref().map(EpilogueLimits::of).unwrap_or_default(),
            joins: caps.spgemm.map_or(0, |caps| JoinStep::mask(caps.joins)),
            ordered: caps.spgemm.is_some_and(|caps| caps.ordered).into(),
            batch: caps.batch.into(),
        }
    }

    /// The facts as words, in the order of the fields.
    pub fn words(&self) -> [u32; Self::WORDS] {
        let (g, s, e) = (&self.gemm, &self.spgemm, &self.epilogue);
        let [low, high] = self.last_address;
        let head = [low, high, g.tuples, g.align_mask];
        let fields = head.iter().chain(&g.tile).chain(&g.buffer).chain(&g.widest);
        let fields = fields.chain(&g.bits).chain(&g.depth);
        let sparse = [s.values, s.semirings, s.align_mask, s.last_column, s.parts];
        let tail =
            sparse.into_iter().chain([e.steps, e.columns, self.joins, self.ordered, self.batch]);
        let mut words = [0; Self::WORDS];
        words.iter_mut().zip(fields.copied().chain(tail)).for_each(|(word, field)| *word = field);
        words
    }
}

impl GemmLimits {
    fn of(caps: &GemmCaps) -> GemmLimits {
        let mut limits = GemmLimits {
            align_mask: caps.align - 1,
            tile: [caps.rows, caps.cols],
            buffer: [caps.a_kib, caps.b_kib, caps.result_kib].map(|kib| kib.saturating_mul(1024)),
            ..GemmLimits::default()
        };
        for (i, tuple) in caps.tuples.iter().enumerate() {
            let bits = [tuple.a, tuple.b, tuple.d].map(|format| format.storage_bits());
            limits.bits[i] = bits[0] | bits[1] << 8 | bits[2] << 16;
            let depth =
                tuple.depth_limit().map_or(u32::MAX, |d| u32::try_from(d).unwrap_or(u32::MAX));
            limits.depth[i] = depth;
            let stored = [caps.element_bits(), caps.element_bits(), tuple.acc.storage_bits()];
            for (widest, bits) in limits.widest.iter_mut().zip(stored) {
                *widest = bits.max(*widest);
            }
            limits.tuples = i as u32 + 1;
        }
        limits
    }
}

impl EpilogueLimits {
    fn of(caps: &EpilogueCaps) -> EpilogueLimits {
        EpilogueLimits { steps: caps.mask(), columns: caps.columns }
    }
}

impl SpgemmLimits {
    fn of(caps: &SpgemmCaps) -> SpgemmLimits {
        SpgemmLimits {
            values: (ValueType::ALL.iter().filter(|value| caps.has(**value)))
                .fold(0, |all, value| all | (1 + value.bytes().ilog2()) << (2 * *value as u32)),
            semirings: (0..16)
                .filter(|n| Semiring::from_u8(*n).is_some())
                .fold(0, |mask, n| mask | 1 << n)
                & caps.semirings,
            align_mask: caps.align - 1,
            last_column: u32::MAX >> (32 - caps.index_bits.clamp(1, 32)),
            // The card counts the words of the table in 32 bits.
            parts: if caps.clusters > 1 { u32::MAX / SpgemmPart::BYTES as u32 } else { 0 },
        }
    }
}
