//! One sparse command: operands in card memory, room for the result, the run.

use super::join::{JoinBlocks, Joins};
use super::split::Split;
use super::{SparseSum, SparseValue, SpgemmOptions, SpgemmStats};
use crate::buffer::CardMemory;
use crate::card::{Failure, Job, Step};
use crate::device::Inner;
use crate::{Csr, Error};
use mattock_spec::command::{Command, CsrAddresses, SpgemmCommand, SpgemmPart};
use mattock_spec::regs::{ErrorCode, SpgemmCaps, ValueType};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// Positions of the operands of every sparse product, for [`Error::InvalidArg`].
const ARG_A: usize = 1;
const ARG_B: usize = 2;

/// The card's sparse engine, if it computes with such values.
pub(super) fn engine(inner: &Inner, value: ValueType, call: &str) -> Result<SpgemmCaps, Error> {
    let have = match inner.shared.caps.spgemm {
        Some(caps) if caps.has(value) => return Ok(caps),
        None => "no SpGEMM engine".to_owned(),
        Some(caps) => {
            let types = ValueType::ALL.iter().filter(|t| caps.has(**t));
            types.map(|t| t.format().name()).collect::<Vec<_>>().join(", ")
        }
    };
    Err(Error::Unsupported { asked: format!("{call} of {}", value.format()), have })
}

/// Sizes of a product of rows of A with B, in range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) rows: u32,
    inner: u32,
    cols: u32,
    nnz_a: u32,
    nnz_b: u32,
    value_bytes: u32,
    pub(super) products: u64,
    /// Elements of a mask and an addend.
    joined: u64,
    /// C cannot have more entries.
    pub(super) most_entries: u64,
}

impl Sizes {
    pub(super) fn new<T>(
        a: &Csr<T>,
        b: &Csr<T>,
        rows: Range<usize>,
        caps: &SpgemmCaps,
    ) -> Result<Sizes, Error> {
        if a.cols() != b.rows() {
            let what = format!("it has {} rows, A has {} columns", b.rows(), a.cols());
            return Err(Error::invalid_arg(ARG_B, what));
        }
        let word = |index, what: &str, value: usize| {
            let too_many = |_| format!("it has {value} {what}, at most {} are allowed", u32::MAX);
            u32::try_from(value).map_err(|e| Error::invalid_arg(index, too_many(e)))
        };
        let most_cols = 1u64 << caps.index_bits.min(32);
        if b.cols() as u64 > most_cols {
            let what = format!("it has {} columns, this card takes {most_cols}", b.cols());
            return Err(Error::invalid_arg(ARG_B, what));
        }
        let entries = entries(a, &rows);
        let products = products(&a.col_idx()[entries.clone()], b);
        let area = (rows.len() as u64).saturating_mul(b.cols() as u64);
        Ok(Sizes {
            rows: word(ARG_A, "rows", rows.len())?,
            inner: word(ARG_A, "columns", a.cols())?,
            cols: word(ARG_B, "columns", b.cols())?,
            nnz_a: word(ARG_A, "entries", entries.len())?,
            nnz_b: word(ARG_B, "entries", b.nnz())?,
            value_bytes: size_of::<T>() as u32,
            products,
            joined: 0,
            most_entries: products.min(area),
        })
    }

    /// With what joins the product: how many entries C can have then, and how much work that is.
    pub(super) fn with<T, S>(
        self,
        a: &Csr<T>,
        b: &Csr<T>,
        joins: &Joins<'_, S>,
        rows: Range<usize>,
    ) -> Sizes {
        if joins.mask.is_none() && joins.addend.is_none() {
            return self;
        }
        let most = |row| joins.most(row, products(a.row(row).0, b), b.cols() as u64);
        let (most_entries, joined) = rows.fold((0u64, 0u64), |(entries, joined), row| {
            (entries.saturating_add(most(row)), joined + joins.elements(row))
        });
        Sizes { most_entries, joined, ..self }
    }

    /// A row between the first and the last that halves the work.
    pub(super) fn middle<T>(&self, a: &Csr<T>, b: &Csr<T>, rows: Range<usize>) -> usize {
        let mut before = 0;
        for row in rows.clone() {
            before += products(a.row(row).0, b) + 1;
            if before >= self.products.saturating_add(rows.len() as u64) / 2 {
                return (row + 1).clamp(rows.start + 1, rows.end - 1);
            }
        }
        rows.start + rows.len() / 2
    }

    /// Cycles after which something must be wrong: many times what the worst memory would take.
    fn cycle_limit(&self) -> u64 {
        let entries = u64::from(self.nnz_a) + u64::from(self.nnz_b) + u64::from(self.rows);
        let work = self.products.saturating_add(self.joined).saturating_add(entries);
        work.saturating_mul(64).saturating_add(1_000_000)
    }

    /// Bytes of card memory that operands and the largest possible C take.
    pub(super) fn workspace(&self) -> u64 {
        let csr = |rows: u32, entries: u64, value_bytes: u32| {
            let entry = 4 + u64::from(value_bytes);
            (4 * (u64::from(rows) + 1)).saturating_add(entries.saturating_mul(entry))
        };
        let operands = csr(self.rows, self.nnz_a.into(), self.value_bytes)
            + csr(self.inner, self.nnz_b.into(), self.value_bytes);
        operands.saturating_add(csr(self.rows, self.most_entries, 4))
    }
}

/// One product for each entry of A and each entry of the row of B it meets.
pub(super) fn products<T>(columns: &[u32], b: &Csr<T>) -> u64 {
    columns.iter().map(|&col| b.row_nnz(col as usize) as u64).sum()
}

fn entries<T>(a: &Csr<T>, rows: &Range<usize>) -> Range<usize> {
    a.row_ptr()[rows.start] as usize..a.row_ptr()[rows.end] as usize
}

/// Rows of a matrix in card memory.
pub(super) struct Block {
    /// Which of the matrix's entries they are.
    pub(super) entries: Range<usize>,
    row_pointers: CardMemory,
    columns: CardMemory,
    values: CardMemory,
}

impl Block {
    /// Copies row pointers and columns, and makes room for values.
    pub(super) fn structure<T>(
        inner: &Arc<Inner>,
        matrix: &Csr<T>,
        rows: Range<usize>,
    ) -> Result<Block, Error> {
        Block::copy(inner, matrix, rows, true)
    }

    /// Copies row pointers and columns of a matrix whose values nobody asks for.
    pub(super) fn pattern<T>(
        inner: &Arc<Inner>,
        matrix: &Csr<T>,
        rows: Range<usize>,
    ) -> Result<Block, Error> {
        Block::copy(inner, matrix, rows, false)
    }

    fn copy<T>(
        inner: &Arc<Inner>,
        matrix: &Csr<T>,
        rows: Range<usize>,
        valued: bool,
    ) -> Result<Block, Error> {
        let entries = entries(matrix, &rows);
        // The sizes were checked: every row pointer is at most the number of entries.
        let pointers = &matrix.row_ptr()[rows.start..=rows.end];
        let pointers: Vec<u32> = pointers.iter().map(|p| (p - pointers[0]) as u32).collect();
        let columns = &matrix.col_idx()[entries.clone()];
        let copy = |data: &[u32]| {
            let memory = words(inner, data.len() as u64)?;
            memory.write(0, bytemuck::cast_slice(data))?;
            Ok::<_, Error>(memory)
        };
        let (row_pointers, columns) = (copy(&pointers)?, copy(columns)?);
        let bytes = if valued { size_of_val(&matrix.values()[entries.clone()]) } else { 0 };
        let values = inner.memory((bytes as u64).max(1))?;
        Ok(Block { entries, row_pointers, columns, values })
    }

    /// Copies values, as many as there are entries.
    pub(super) fn set_values<T: SparseValue>(&self, values: &[T]) -> Result<(), Error> {
        self.values.write(0, bytemuck::cast_slice(values))
    }

    pub(super) fn addresses(&self) -> CsrAddresses {
        CsrAddresses {
            row_pointers: self.row_pointers.address(),
            columns: self.columns.address(),
            values: self.values.address(),
        }
    }

    pub(super) fn ranges(&self) -> [Range<u64>; 3] {
        [&self.row_pointers, &self.columns, &self.values].map(CardMemory::range)
    }
}

/// Room for C.
pub(super) struct ResultRoom {
    rows: u32,
    capacity: u32,
    memory: Block,
    /// The parts that lie there one after the other, and their table in card memory.
    parts: Option<(Split, CardMemory)>,
    /// Entries of C once the card has written it.
    nnz: Cell<u32>,
}

impl ResultRoom {
    pub(super) fn nnz(&self) -> u32 {
        self.nnz.get()
    }

    pub(super) fn row_ptr(&self) -> Result<Vec<u32>, Error> {
        if let Some((split, _)) = &self.parts {
            return self.row_ptr_of_parts(split);
        }
        let row_ptr = fetch::<u32>(&self.memory.row_pointers, self.rows as usize + 1)?;
        let rises = row_ptr.first() == Some(&0) && row_ptr.is_sorted();
        if !rises || row_ptr.last() != Some(&self.nnz()) {
            let what = format!("row pointers of {} entries are not from 0 to that", self.nnz());
            return Err(Error::BadResult { what });
        }
        Ok(row_ptr)
    }

    /// Row pointers of the whole from those of the parts; a row that was cut has entries in several.
    fn row_ptr_of_parts(&self, split: &Split) -> Result<Vec<u32>, Error> {
        let words: Vec<u32> = fetch(&self.memory.row_pointers, split.pointers as usize)?;
        // Where each row ends: for now, how many entries it has.
        let mut row_ptr = vec![0u32; self.rows as usize + 1];
        for part in &split.parts {
            let rows = (part.end_row - part.first_row) as usize;
            let pointers = &words[part.pointer_offset as usize..][..=rows];
            if pointers[0] != 0 || !pointers.is_sorted() || pointers[rows] > part.capacity {
                let SpgemmPart { first_row, end_row, capacity, .. } = part;
                let what = format!(
                    "row pointers of rows {first_row} to {end_row} do not rise from 0 to at most {capacity}"
                );
                return Err(Error::BadResult { what });
            }
            for (i, pair) in pointers.windows(2).enumerate() {
                row_ptr[part.first_row as usize + 1 + i] += pair[1] - pair[0];
            }
        }
        let mut sum = 0;
        for end in &mut row_ptr {
            sum += *end;
            *end = sum;
        }
        if sum != self.nnz() {
            let what = format!("parts of {sum} entries make a product of {}", self.nnz());
            return Err(Error::BadResult { what });
        }
        Ok(row_ptr)
    }

    pub(super) fn columns(&self) -> Result<Vec<u32>, Error> {
        self.entries(&self.memory.columns)
    }

    pub(super) fn values<T: SparseSum>(&self) -> Result<Vec<T>, Error> {
        self.entries(&self.memory.values)
    }

    /// The words of an array that hold entries, in the order of C.
    fn entries<W: bytemuck::Pod>(&self, array: &CardMemory) -> Result<Vec<W>, Error> {
        let Some((split, _)) = &self.parts else { return fetch(array, self.nnz() as usize) };
        let mut all = Vec::with_capacity(self.nnz() as usize);
        for part in &split.parts {
            let last = u64::from(part.pointer_offset) + u64::from(part.end_row - part.first_row);
            let mut entries = 0u32;
            self.memory.row_pointers.read(4 * last, bytemuck::bytes_of_mut(&mut entries))?;
            let entries = entries.min(part.capacity) as usize;
            let mut data = vec![W::zeroed(); entries];
            array.read(4 * u64::from(part.entry_offset), bytemuck::cast_slice_mut(&mut data))?;
            all.append(&mut data);
        }
        Ok(all)
    }
}

fn fetch<T: bytemuck::Pod>(memory: &CardMemory, words: usize) -> Result<Vec<T>, Error> {
    let mut data = vec![T::zeroed(); words];
    memory.read(0, bytemuck::cast_slice_mut(&mut data))?;
    Ok(data)
}

/// Room for so many 32-bit words.
fn words(inner: &Arc<Inner>, count: u64) -> Result<CardMemory, Error> {
    inner.memory(count.saturating_mul(4).max(1))
}

/// What the commands of one call share: the engine, and B in card memory.
pub(super) struct Run<'r, T> {
    pub(super) inner: &'r Arc<Inner>,
    pub(super) caps: SpgemmCaps,
    pub(super) options: SpgemmOptions,
    b: &'r Block,
    value: PhantomData<T>,
}

impl<'r, T: SparseValue> Run<'r, T> {
    pub(super) fn new(
        inner: &'r Arc<Inner>,
        caps: SpgemmCaps,
        options: &SpgemmOptions,
        b: &'r Block,
    ) -> Self {
        Run { inner, caps, options: *options, b, value: PhantomData }
    }

    /// Room for C: for all that each part can have, if the budget allows and memory holds it. Else one cluster will have to
    /// do; then for `entries` when they are known, or for as many as C can have, the budget allows, and memory holds.
    pub(super) fn result(
        &self,
        sizes: &Sizes,
        split: &Split,
        entries: Option<u32>,
    ) -> Result<ResultRoom, Error> {
        if let Some(room) = self.room_for_parts(sizes, split) {
            return Ok(room);
        }
        let row_pointers = words(self.inner, u64::from(sizes.rows) + 1)?;
        let capacity = match entries {
            Some(entries) => entries,
            None => {
                let fit = |bytes: u64| u32::try_from(bytes / 8).unwrap_or(u32::MAX);
                let budget = self.options.memory_budget.map_or(u32::MAX, fit);
                // Two pieces of one free range, each rounded up to whole lines.
                let there = fit(self.inner.available().saturating_sub(128));
                u32::try_from(sizes.most_entries).unwrap_or(u32::MAX).min(budget).min(there)
            }
        };
        let columns = words(self.inner, capacity.into())?;
        let values = words(self.inner, capacity.into())?;
        let memory = Block { entries: 0..0, row_pointers, columns, values };
        Ok(ResultRoom { rows: sizes.rows, capacity, memory, parts: None, nnz: Cell::new(0) })
    }

    fn room_for_parts(&self, sizes: &Sizes, split: &Split) -> Option<ResultRoom> {
        let bytes = split.entries.checked_mul(8)?;
        let within = self.options.memory_budget.is_none_or(|budget| bytes <= budget);
        // Offsets and capacities are words of 32 bits.
        let capacity = u32::try_from(split.entries).ok()?;
        u32::try_from(split.pointers).ok()?;
        if split.parts.len() < 2 || !within {
            return None;
        }
        // What does not fit is no error here.
        let table = split.table();
        let list = self.inner.memory(table.len() as u64).ok()?;
        list.write(0, &table).ok()?;
        let row_pointers = words(self.inner, split.pointers).ok()?;
        let columns = words(self.inner, split.entries).ok()?;
        let values = words(self.inner, split.entries).ok()?;
        let memory = Block { entries: 0..0, row_pointers, columns, values };
        let parts = Some((split.clone(), list));
        Some(ResultRoom { rows: sizes.rows, capacity, memory, parts, nnz: Cell::new(0) })
    }

    /// Multiplies a block of A with B, joined by the same rows of other matrices, and waits.
    pub(super) fn multiply(
        &self,
        a: &Block,
        joins: &JoinBlocks,
        sizes: &Sizes,
        c: &ResultRoom,
    ) -> Result<SpgemmStats, Error> {
        let capacity = c.capacity;
        let command = SpgemmCommand {
            value: T::TYPE,
            semiring: self.options.semiring,
            ordered: self.options.needs_order(T::TYPE),
            rows: sizes.rows,
            inner: sizes.inner,
            cols: sizes.cols,
            nnz_a: sizes.nnz_a,
            nnz_b: sizes.nnz_b,
            c_capacity: capacity,
            seed: self.options.seed.unwrap_or(self.caps.seed),
            a: a.addresses(),
            b: self.b.addresses(),
            c: c.memory.addresses(),
            part_table: c.parts.as_ref().map_or(0, |(_, table)| table.address()),
            parts: c.parts.as_ref().map_or(0, |(split, _)| split.parts.len() as u32),
        };
        let shared = &self.inner.shared;
        let mut touches = [a.ranges(), self.b.ranges(), c.memory.ranges()].concat();
        touches.extend(joins.ranges());
        touches.extend(c.parts.iter().map(|(_, table)| table.range()));
        let mut card = shared.lock();
        let limit = card.limit(sizes.cycle_limit(), self.inner.options.timeout);
        let command = joins.command(command).map_or(Command::Spgemm(command), Command::Joined);
        let steps = [Step { command, limit }].into();
        let id = card.submit(Job { op: "spgemm", steps, touches });
        drop(card);
        let Some(outcome) = shared.finish(id, None) else {
            return Err(Error::Cancelled); // without a deadline there is always an outcome
        };
        let done = outcome.map_err(|failure| match failure {
            // What the card had needed when it gave up: C may be larger still.
            Failure::Fault(fault) if fault.code == ErrorCode::CapacityExceeded => {
                let need = 8 * u64::from(fault.info.max(capacity.saturating_add(1)));
                Error::OutOfMemory { need, have: 8 * u64::from(capacity) }
            }
            failure => failure.into(),
        })?;
        if done.result > capacity {
            let what = format!("{} entries where {capacity} have room", done.result);
            return Err(Error::BadResult { what });
        }
        c.nnz.set(done.result);
        Ok(done.spgemm)
    }
}
