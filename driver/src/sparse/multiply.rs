//! Sparse products.

use crate::card::Staging;
use crate::{Card, Csr, Error};
use mattock_spec::Semiring;
use mattock_spec::command::{Command, CsrAddresses, SpgemmCommand};
use mattock_spec::regs::{ErrorCode, SpgemmCaps, ValueType, spgemm};
use mattock_spec::semiring::SEMIRINGS;

/// Positions of the arguments of [`Card::spgemm`], for [`Error::InvalidArg`].
const ARG_A: usize = 1;
const ARG_B: usize = 2;

/// A type of values the card multiplies.
pub trait SparseValue: Copy + sealed::Sealed {
    /// Its name in a command.
    const TYPE: ValueType;
    /// The value as it lies in memory.
    fn to_bits(self) -> u32;
    /// A value from memory.
    fn from_bits(bits: u32) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for i32 {}
    impl Sealed for f32 {}
}

impl SparseValue for i32 {
    const TYPE: ValueType = ValueType::I32;
    fn to_bits(self) -> u32 {
        self as u32
    }
    fn from_bits(bits: u32) -> Self {
        bits as i32
    }
}

impl SparseValue for f32 {
    const TYPE: ValueType = ValueType::F32;
    fn to_bits(self) -> u32 {
        f32::to_bits(self)
    }
    fn from_bits(bits: u32) -> Self {
        f32::from_bits(bits)
    }
}

/// How a sparse product is computed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpgemmOptions {
    /// Most bytes of card memory for the columns and values of C; all there is when `None`.
    pub memory_budget: Option<u64>,
    /// Seed of the card's hash; the card's own when `None`. Any seed gives the same C.
    pub seed: Option<u32>,
    /// What stands for multiplication and addition.
    pub semiring: Semiring,
}

/// What a sparse product cost, by the card's own counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpgemmStats {
    /// Clock cycles from the start of the command to its last write response.
    pub cycles: u64,
    /// Products merged into C.
    pub products: u64,
    /// Table halves drained.
    pub windows: u64,
    /// Products that went through the spill path.
    pub spills: u64,
    /// Row segments computed again.
    pub restarts: u64,
    /// Cycles a bank refused a product because its entry was in the adder; 0 by design.
    pub hazard_stalls: u64,
    /// Bytes read from memory, whole bus beats.
    pub bytes_read: u64,
    /// Bytes written to memory, whole bus beats.
    pub bytes_written: u64,
    /// Line requests the B cache answered itself.
    pub cache_hits: u64,
    /// Line requests the B cache fetched.
    pub cache_misses: u64,
}

impl Card {
    /// Computes `C = A * B` over a semiring, plus and times by default; C is canonical: columns rise within each row, and an
    /// entry is there where any product is, zero or not.
    ///
    /// Sums of `i32` wrap; of floats, the lesser or the greater of a number and NaN is the number. The order of additions depends on timing, so sums of `f32` may differ from another
    /// card's within rounding.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] and [`Error::Unsupported`] before anything is sent; [`Error::OutOfMemory`] when operands or
    /// C do not fit, with the bytes C needed when the card gave up; [`Error::DeviceFault`], [`Error::Timeout`] and
    /// those of the transport.
    pub fn spgemm<T: SparseValue>(
        &mut self,
        a: &Csr<T>,
        b: &Csr<T>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T>, SpgemmStats), Error> {
        if a.cols() != b.rows() {
            let what = format!("it has {} rows, A has {} columns", b.rows(), a.cols());
            return Err(Error::invalid_arg(ARG_B, what));
        }
        let Some(caps) = self.capabilities().spgemm.filter(|caps| caps.has(T::TYPE)) else {
            let have = match self.capabilities().spgemm {
                None => "no SpGEMM engine".to_owned(),
                Some(caps) => {
                    let types = ValueType::ALL.into_iter().filter(|t| caps.has(*t));
                    types.map(|t| t.format().name()).collect::<Vec<_>>().join(", ")
                }
            };
            return Err(Error::Unsupported {
                asked: format!("spgemm of {}", T::TYPE.format()),
                have,
            });
        };
        if !caps.has_semiring(options.semiring) {
            let have = SEMIRINGS.iter().filter(|s| caps.has_semiring(**s)).map(|s| s.name());
            return Err(Error::Unsupported {
                asked: format!("spgemm over {}", options.semiring),
                have: have.collect::<Vec<_>>().join(", "),
            });
        }
        let sizes = Sizes::new(a, b, &caps)?;
        if sizes.rows == 0 {
            return Ok((Csr::empty(0, b.cols())?, SpgemmStats::default()));
        }
        self.staged(|card, staging| card.spgemm_staged(a, b, options, &sizes, &caps, staging))
    }

    fn spgemm_staged<T: SparseValue>(
        &mut self,
        a: &Csr<T>,
        b: &Csr<T>,
        options: &SpgemmOptions,
        sizes: &Sizes,
        caps: &SpgemmCaps,
        staging: &mut Staging,
    ) -> Result<(Csr<T>, SpgemmStats), Error> {
        let a_at = stage(self, staging, a)?;
        let b_at = stage(self, staging, b)?;
        let row_pointers = staging.room(self, 4 * (u64::from(sizes.rows) + 1))?;
        let capacity = self.capacity(options, sizes);
        let columns = staging.room(self, 4 * u64::from(capacity))?;
        let values = staging.room(self, 4 * u64::from(capacity))?;
        let command = SpgemmCommand {
            value: T::TYPE,
            semiring: options.semiring,
            rows: sizes.rows,
            inner: sizes.inner,
            cols: sizes.cols,
            nnz_a: sizes.nnz_a,
            nnz_b: sizes.nnz_b,
            c_capacity: capacity,
            seed: options.seed.unwrap_or(caps.seed),
            a: a_at,
            b: b_at,
            c: CsrAddresses { row_pointers, columns, values },
        };
        let completion = self.run("spgemm", &Command::Spgemm(command), sizes.cycle_limit())?;
        if completion.code == ErrorCode::CapacityExceeded {
            // What the card had needed when it gave up: C may be larger still.
            let need = 8 * u64::from(completion.info.max(capacity.saturating_add(1)));
            return Err(Error::OutOfMemory { need, have: 8 * u64::from(capacity) });
        }
        if !completion.is_ok() {
            return Err(crate::card::run::fault(&completion));
        }
        let nnz = completion.result as usize;
        if completion.result > capacity {
            let what = format!("{nnz} entries where {capacity} have room");
            return Err(Error::BadResult { what });
        }
        let row_ptr = self.fetch_words(row_pointers, sizes.rows as usize + 1)?;
        let col_idx = self.fetch_words(columns, nnz)?;
        let values = self.fetch_words(values, nnz)?.into_iter().map(T::from_bits).collect();
        let row_ptr = row_ptr.into_iter().map(u64::from).collect();
        let c = Csr::new(a.rows(), b.cols(), row_ptr, col_idx, values)
            .map_err(|e| Error::BadResult { what: e.to_string() })?;
        let mut stats = SpgemmStats { cycles: completion.cycles, ..SpgemmStats::default() };
        self.counters(|regs| {
            stats.products = regs.wide(spgemm::PRODUCTS_LO, spgemm::PRODUCTS_HI);
            stats.bytes_read = regs.wide(spgemm::BYTES_READ_LO, spgemm::BYTES_READ_HI);
            stats.bytes_written = regs.wide(spgemm::BYTES_WRITTEN_LO, spgemm::BYTES_WRITTEN_HI);
            stats.windows = regs.word(spgemm::WINDOWS);
            stats.spills = regs.word(spgemm::SPILLS);
            stats.restarts = regs.word(spgemm::RESTARTS);
            stats.hazard_stalls = regs.word(spgemm::HAZARD_STALLS);
            stats.cache_hits = regs.word(spgemm::CACHE_HITS);
            stats.cache_misses = regs.word(spgemm::CACHE_MISSES);
        })?;
        Ok((c, stats))
    }

    /// Entries of C there is room for: as many as C can have, the budget allows, and memory holds.
    fn capacity(&self, options: &SpgemmOptions, sizes: &Sizes) -> u32 {
        let entries = |bytes: u64| u32::try_from(bytes / 8).unwrap_or(u32::MAX);
        let budget = options.memory_budget.map_or(u32::MAX, entries);
        // Two pieces of one free range, each rounded up to whole lines.
        let there = entries(self.available().saturating_sub(128));
        sizes.most_entries.min(budget).min(there)
    }
}

/// Sizes of a product, in range.
struct Sizes {
    rows: u32,
    inner: u32,
    cols: u32,
    nnz_a: u32,
    nnz_b: u32,
    products: u64,
    /// C cannot have more entries.
    most_entries: u32,
}

impl Sizes {
    fn new<T>(a: &Csr<T>, b: &Csr<T>, caps: &SpgemmCaps) -> Result<Sizes, Error> {
        let word = |index, what: &str, value: usize| {
            let too_many = |_| format!("it has {value} {what}, at most {} are allowed", u32::MAX);
            u32::try_from(value).map_err(|e| Error::invalid_arg(index, too_many(e)))
        };
        let most_cols = 1u64 << caps.index_bits.min(32);
        if b.cols() as u64 > most_cols {
            let what = format!("it has {} columns, this card takes {most_cols}", b.cols());
            return Err(Error::invalid_arg(ARG_B, what));
        }
        // One product for each entry of A and each entry of the row of B it meets.
        let row = |&col: &u32| b.row_nnz(col as usize) as u64;
        let products = a.col_idx().iter().map(row).sum::<u64>();
        let area = (a.rows() as u64).saturating_mul(b.cols() as u64);
        Ok(Sizes {
            rows: word(ARG_A, "rows", a.rows())?,
            inner: word(ARG_A, "columns", a.cols())?,
            cols: word(ARG_B, "columns", b.cols())?,
            nnz_a: word(ARG_A, "entries", a.nnz())?,
            nnz_b: word(ARG_B, "entries", b.nnz())?,
            products,
            most_entries: u32::try_from(products.min(area)).unwrap_or(u32::MAX),
        })
    }

    /// Cycles after which something must be wrong: many times what the worst memory would take.
    fn cycle_limit(&self) -> u64 {
        let entries = u64::from(self.nnz_a) + u64::from(self.nnz_b) + u64::from(self.rows);
        let work = self.products.saturating_add(entries);
        work.saturating_mul(64).saturating_add(1_000_000)
    }
}

fn stage<T: SparseValue>(
    card: &mut Card,
    staging: &mut Staging,
    matrix: &Csr<T>,
) -> Result<CsrAddresses, Error> {
    // The sizes were checked: every row pointer is at most the number of entries.
    let row_pointers = matrix.row_ptr().iter().map(|p| *p as u32);
    Ok(CsrAddresses {
        row_pointers: staging.copy_words(card, row_pointers)?,
        columns: staging.copy_words(card, matrix.col_idx().iter().copied())?,
        values: staging.copy_words(card, matrix.values().iter().map(|v| v.to_bits()))?,
    })
}
