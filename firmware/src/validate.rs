//! What can be known to be wrong before an engine starts.

use crate::limits::{GemmLimits, Limits};
use mattock_spec::command::{
    BatchBlock, BatchEntry, GemmBatch, GemmBlock, GemmCommand, JoinedProduct, Opcode, Rejected,
    Source, SpgemmBlock, SpgemmCommand, SpgemmPart,
};
use mattock_spec::epilogue::{EpilogueCaps, EpilogueStep};
use mattock_spec::format::MAX_TUPLES;
use mattock_spec::regs::epilogue::STEPS as EPILOGUE;
use mattock_spec::regs::gemm::MODE;
use mattock_spec::regs::join::STEPS as JOIN;
use mattock_spec::regs::spgemm::MODE as sparse;
use mattock_spec::regs::{ErrorCode, Field, ValueType};

/// All steps of a dense product.
const STEPS: u32 =
    MODE::LOAD_A.mask() | MODE::LOAD_B.mask() | MODE::COMPUTE.mask() | MODE::STORE.mask();

fn no_engine(opcode: Opcode) -> Rejected {
    Rejected { code: ErrorCode::BadOpcode, info: opcode as u32 }
}

fn bad_address(at: u32) -> Rejected {
    Rejected { code: ErrorCode::BadAddress, info: at }
}

/// Checks a dense product against what the card can do.
///
/// # Errors
/// The first fault, as the completion will report it: no such engine (`BAD_OPCODE`), type tuple,
/// value type, semiring or steps not built in (`UNSUPPORTED_MODE`), dimensions (`BAD_SHAPE`), alignment and address range
/// (`BAD_ADDRESS`), on-chip space (`TOO_LARGE`).
#[inline(always)]
pub(crate) fn gemm<S: Source + ?Sized>(
    c: &GemmBlock<'_, S>,
    limits: &Limits,
) -> Result<(), Rejected> {
    let engine = &limits.gemm;
    if engine.tuples == 0 {
        return Err(no_engine(Opcode::Gemm));
    }
    let mode = c.mode();
    let has = |field: Field| mode & field.mask() != 0;
    let unsupported = Rejected { code: ErrorCode::UnsupportedMode, info: mode };
    let tuple = MODE::TUPLE.get(mode);
    if tuple >= engine.tuples || mode & STEPS == 0 {
        return Err(unsupported);
    }
    // Below the number of tuples, which is that of the entries at most.
    let index = tuple as usize % MAX_TUPLES;
    let (bits, depth) = (engine.bits[index], engine.depth[index]);
    let (m, n, k) = (c.m(), c.n(), c.k());
    if k > depth {
        return Err(Rejected { code: ErrorCode::BadShape, info: GemmCommand::OFFSET_K });
    }
    let memory =
        Memory { source: c.source(), last: limits.last_address, align_mask: engine.align_mask };
    let operand = |at, (rows, columns), col_major, bits, own| {
        let (count, length) = if col_major { (columns, rows) } else { (rows, columns) };
        if memory.strided(at, count, length, bits, own) { Ok(()) } else { Err(bad_address(at)) }
    };
    epilogue(c, limits)?;
    // What is not large and lies in the lower half of a large address space needs no exact end: that is most commands,
    // and saves the card's processor half of its time.
    let half = limits.last_address[1] >> 1;
    let (d_lines, d_length) = if has(MODE::D_COL_MAJOR) { (n, m) } else { (m, n) };
    let d_stride = c.source().word(GemmCommand::OFFSET_D as usize + 8);
    let apart = d_lines <= 1 || d_length.wrapping_mul(bits >> 16) <= d_stride.wrapping_mul(8);
    if c.source().is_plain_dense(engine.align_mask, half) && apart && mode & STEPS == STEPS {
        return Ok(());
    }
    if has(MODE::LOAD_A) {
        operand(GemmCommand::OFFSET_A, (m, k), has(MODE::A_COL_MAJOR), bits & 0xff, false)?;
    }
    if has(MODE::LOAD_B) {
        operand(GemmCommand::OFFSET_B, (k, n), has(MODE::B_COL_MAJOR), bits >> 8 & 0xff, false)?;
    }
    if has(MODE::STORE) {
        operand(GemmCommand::OFFSET_D, (m, n), has(MODE::D_COL_MAJOR), bits >> 16, true)?;
    }
    // An operand that another command loads or uses, and a result that another command stores or
    // computed, must lie on chip as a whole.
    if mode & STEPS != STEPS { fits(c, engine) } else { Ok(()) }
}

/// Checks many dense products. Their matrices may begin at any element, so that small ones can lie close together.
///
/// # Errors
/// As [`gemm`]: a card that takes no batches, or not all steps, `UNSUPPORTED_MODE`; results that overlap, `BAD_ADDRESS`. What a
/// list says is for the card to check.
pub(crate) fn batch<S: Source + ?Sized>(
    c: &BatchBlock<'_, S>,
    limits: &Limits,
) -> Result<(), Rejected> {
    let (product, engine) = (&c.product, &limits.gemm);
    if engine.tuples == 0 {
        return Err(no_engine(Opcode::Gemm));
    }
    if limits.batch == 0 {
        return Err(Rejected { code: ErrorCode::UnsupportedMode, info: c.many() });
    }
    let mode = product.mode();
    let tuple = MODE::TUPLE.get(mode);
    if tuple >= engine.tuples || mode & STEPS != STEPS {
        return Err(Rejected { code: ErrorCode::UnsupportedMode, info: mode });
    }
    let index = tuple as usize % MAX_TUPLES;
    let (bits, depth) = (engine.bits[index], engine.depth[index]);
    let (m, n, k) = (product.m(), product.n(), product.k());
    if k > depth {
        return Err(Rejected { code: ErrorCode::BadShape, info: GemmCommand::OFFSET_K });
    }
    epilogue(product, limits)?;
    let reachable = u64::from(limits.last_address[0]) | u64::from(limits.last_address[1]) << 32;
    let holds = |base: u64, bytes: Option<u64>, align: u32| {
        let end = bytes.and_then(|bytes| base.checked_add(bytes.saturating_sub(1)));
        end.is_some_and(|end| end <= reachable) && base.is_multiple_of(align.into())
    };
    let products = c.products();
    if products == 0 {
        return Ok(());
    }
    for (i, at, (rows, columns), col_major, bits) in [
        (0, GemmCommand::OFFSET_A, (m, k), MODE::A_COL_MAJOR, bits & 0xff),
        (1, GemmCommand::OFFSET_B, (k, n), MODE::B_COL_MAJOR, bits >> 8 & 0xff),
        (2, GemmCommand::OFFSET_D, (m, n), MODE::D_COL_MAJOR, bits >> 16),
    ] {
        let turned = mode & col_major.mask() != 0;
        let (lines, length) = if turned { (columns, rows) } else { (rows, columns) };
        if lines == 0 || length == 0 {
            continue;
        }
        let (base, stride) = product.operand(at);
        let (stride, next) = (u64::from(stride), u64::from(c.next(i)));
        let align = (bits / 8).max(1);
        let line = (u64::from(length) * u64::from(bits)).div_ceil(8);
        let extent = (u64::from(lines - 1) * stride).saturating_add(line);
        let own = i == 2;
        let apart = lines == 1 || stride >= line;
        let aligned = stride.is_multiple_of(align.into()) && next.is_multiple_of(align.into());
        if own && !(apart && aligned) {
            return Err(bad_address(at));
        }
        if c.is_listed() {
            continue;
        }
        let last = u64::from(products - 1) * next;
        // One after the other, or lines of one between those of another.
        let beside = lines > 1 && next >= line && last.saturating_add(line) <= stride;
        if own && products > 1 && next < extent && !beside {
            return Err(bad_address(GemmBatch::OFFSET_NEXT + 4 * i as u32));
        }
        if !holds(base, last.checked_add(extent), align) {
            return Err(bad_address(at));
        }
    }
    let entries = u64::from(products) * u64::from(BatchEntry::BYTES);
    if c.is_listed() && !holds(c.list(), Some(entries), BatchEntry::LIST_ALIGN) {
        return Err(bad_address(GemmBatch::OFFSET_LIST));
    }
    Ok(())
}

/// Checks the steps of an epilogue and where its parameters lie. What they say is the driver's to check: any value gives
/// some result.
#[inline(always)]
fn epilogue<S: Source + ?Sized>(c: &GemmBlock<'_, S>, limits: &Limits) -> Result<(), Rejected> {
    let steps = c.epilogue_steps();
    if steps == 0 {
        return Ok(());
    }
    if steps & !limits.epilogue.steps != 0 {
        return Err(Rejected { code: ErrorCode::UnsupportedMode, info: steps });
    }
    let columns = if MODE::D_COL_MAJOR.get(c.mode()) == 1 { c.m() } else { c.n() };
    let records = EPILOGUE::COLUMNS.get(steps) == 1;
    if records && columns > limits.epilogue.columns {
        return Err(Rejected { code: ErrorCode::TooLarge, info: columns });
    }
    let (base, bytes) = (c.epilogue(), EpilogueCaps::block_bytes(steps, columns));
    let reachable = u64::from(limits.last_address[0]) | u64::from(limits.last_address[1]) << 32;
    let reached = base.checked_add(bytes - 1).is_some_and(|last| last <= reachable);
    let aligned = base.is_multiple_of(EpilogueStep::HEADER_BYTES.into());
    if aligned && reached { Ok(()) } else { Err(bad_address(GemmCommand::OFFSET_EPILOGUE)) }
}

#[cold]
#[inline(never)]
fn fits<S: Source + ?Sized>(c: &GemmBlock<'_, S>, engine: &GemmLimits) -> Result<(), Rejected> {
    let mode = c.mode();
    let partial = |step: Field| step.get(mode) != MODE::COMPUTE.get(mode);
    let [rows, cols] = engine.tile;
    let ([a_room, b_room, d_room], [a_bits, b_bits, acc_bits]) = (engine.buffer, engine.widest);
    if partial(MODE::LOAD_A) {
        within(c.m(), rows, c.k(), a_bits, a_room)?;
    }
    if partial(MODE::LOAD_B) {
        within(c.n(), cols, c.k(), b_bits, b_room)?;
    }
    if partial(MODE::STORE) {
        within(c.m(), rows, whole_tiles(c.n(), cols), acc_bits, d_room)?;
    }
    Ok(())
}

/// Whether an operand fits its buffer, as [`GemmCaps::a_bytes`](mattock_spec::regs::GemmCaps::a_bytes) counts, in
/// words: more than 2^32 bytes in a step of depth saturate, and fit no buffer anyway.
#[inline(never)]
fn within(lines: u32, tile: u32, depth: u32, bits: u32, room: u32) -> Result<(), Rejected> {
    let step = u64::from(whole_tiles(lines, tile)) * u64::from(bits);
    let step = u32::try_from(step.div_ceil(8)).unwrap_or(u32::MAX);
    let bytes = u64::from(step) * u64::from(depth);
    if bytes <= room.into() {
        return Ok(());
    }
    Err(Rejected { code: ErrorCode::TooLarge, info: u32::try_from(bytes).unwrap_or(u32::MAX) })
}

/// `lines` rounded up to whole tiles; saturates.
#[inline(never)]
fn whole_tiles(lines: u32, tile: u32) -> u32 {
    lines.div_ceil(tile.max(1)).saturating_mul(tile)
}

/// Checks a sparse product against what the card can do.
///
/// # Errors
/// As [`gemm`].
#[inline(always)]
pub(crate) fn spgemm<S: Source + ?Sized>(
    c: &SpgemmBlock<'_, S>,
    limits: &Limits,
) -> Result<(), Rejected> {
    let engine = &limits.spgemm;
    if engine.values == 0 {
        return Err(no_engine(Opcode::Spgemm));
    }
    let (value, semiring) = (sparse::VALUE.get(c.mode()), sparse::SEMIRING.get(c.mode()));
    let bytes = 1 << (engine.values >> (2 * value) & 3) >> 1;
    if bytes == 0 || engine.semirings >> semiring & 1 == 0 {
        return Err(Rejected { code: ErrorCode::UnsupportedMode, info: c.mode() });
    }
    let asks_order = c.source().may_be_ordered() && sparse::ORDERED.get(c.mode()) != 0;
    if asks_order && limits.ordered == 0 {
        return Err(Rejected { code: ErrorCode::UnsupportedMode, info: c.mode() });
    }
    let bad_shape = |at| Err(Rejected { code: ErrorCode::BadShape, info: at });
    let (rows, inner, cols) = (c.rows(), c.inner(), c.cols());
    let (nnz_a, nnz_b, room) = (c.nnz_a(), c.nnz_b(), c.c_capacity());
    if cols.saturating_sub(1) > engine.last_column {
        return bad_shape(SpgemmCommand::OFFSET_COLS);
    }
    if u64::from(nnz_a) > u64::from(rows) * u64::from(inner) {
        return bad_shape(SpgemmCommand::OFFSET_NNZ_A);
    }
    if u64::from(nnz_b) > u64::from(inner) * u64::from(cols) {
        return bad_shape(SpgemmCommand::OFFSET_NNZ_B);
    }
    let memory =
        Memory { source: c.source(), last: limits.last_address, align_mask: engine.align_mask };
    let first = SpgemmCommand::OFFSET_ADDRESSES;
    memory.matrix(first, rows, nnz_a, bytes)?;
    memory.matrix(first + 24, inner, nnz_b, bytes)?;
    memory.matrix(first + 48, rows, room, 4)?;
    if c.parts() > engine.parts {
        return bad_shape(SpgemmCommand::OFFSET_PARTS);
    }
    let table = SpgemmCommand::OFFSET_PART_TABLE;
    if !memory.holds(table, u64::from(c.parts()) * SpgemmPart::BYTES as u64) {
        return Err(bad_address(table));
    }
    Ok(())
}

/// Checks what joins a sparse product.
///
/// # Errors
/// As [`gemm`]: steps the card was not built for, or a choice of a mask without a mask, `UNSUPPORTED_MODE`.
pub(crate) fn joins<S: Source + ?Sized>(
    c: &SpgemmBlock<'_, S>,
    limits: &Limits,
) -> Result<(), Rejected> {
    let steps = c.join_steps();
    let has = |field: Field| steps & field.mask() != 0;
    let alone = !has(JOIN::MASK) && (has(JOIN::COMPLEMENT) || has(JOIN::BY_VALUE));
    // Values of a mask and an addend are words, and so those of A and B must be.
    let words =
        ValueType::from_u8(sparse::VALUE.get(c.mode()) as u8).is_some_and(|t| t.bytes() == 4);
    let valued = has(JOIN::BY_VALUE) || has(JOIN::ACCUMULATE);
    if steps == 0 || steps & !limits.joins != 0 || alone || valued && !words {
        return Err(Rejected { code: ErrorCode::UnsupportedMode, info: steps });
    }
    let align_mask = limits.spgemm.align_mask;
    let memory = Memory { source: c.source(), last: limits.last_address, align_mask };
    let (mask, addend) = (JoinedProduct::OFFSET_NNZ_MASK, JoinedProduct::OFFSET_NNZ_ADDEND);
    for (step, nnz, at, addresses) in [
        (JOIN::MASK, c.nnz_mask(), mask, JoinedProduct::OFFSET_MASK),
        (JOIN::ACCUMULATE, c.nnz_addend(), addend, JoinedProduct::OFFSET_ADDEND),
    ] {
        if has(step) {
            if u64::from(nnz) > u64::from(c.rows()) * u64::from(c.cols()) {
                return Err(Rejected { code: ErrorCode::BadShape, info: at });
            }
            memory.matrix(addresses, c.rows(), nnz, 4)?;
        }
    }
    Ok(())
}

/// The addresses of a block, and the card's address space as an engine reaches it.
struct Memory<'a, S: ?Sized> {
    source: &'a S,
    last: [u32; 2],
    align_mask: u32,
}

impl<S: Source + ?Sized> Memory<'_, S> {
    /// Whether `count` lines of `length` elements are aligned and addressable: their address lies at `at`, the bytes from
    /// one to the next 8 bytes further on. Lines of a result (`own`) must not overlap, or it would depend on the order of
    /// writes.
    #[inline(never)]
    fn strided(&self, at: u32, count: u32, length: u32, bits: u32, own: bool) -> bool {
        if count == 0 || length == 0 {
            return true; // never accessed, so its address means nothing
        }
        let line = (u64::from(length) * u64::from(bits)).div_ceil(8);
        let stride = self.source.word(at as usize + 8);
        let many = count > 1;
        if many && (stride & self.align_mask != 0 || own && u64::from(stride) < line) {
            return false;
        }
        // Below 2^64: the product of two numbers below 2^32, plus less than 2^35.
        let bytes = (u64::from(count - 1) * u64::from(stride)).saturating_add(line);
        self.holds(at, bytes)
    }

    /// Whether `bytes` from the address at `at` on are aligned and addressable; none are anywhere.
    #[inline(never)]
    fn holds(&self, at: u32, bytes: u64) -> bool {
        if bytes == 0 {
            return true;
        }
        let base = self.source.wide(at as usize);
        let Some(last) = base.checked_add(bytes - 1) else { return false };
        let reachable = u64::from(self.last[0]) | u64::from(self.last[1]) << 32;
        last <= reachable && base as u32 & self.align_mask == 0
    }

    /// Checks the three arrays of a matrix, whose values take so many bytes each.
    #[inline(never)]
    fn matrix(&self, mut at: u32, lines: u32, entries: u32, bytes: u32) -> Result<(), Rejected> {
        let entries = u64::from(entries);
        for size in [4 * (u64::from(lines) + 1), 4 * entries, u64::from(bytes) * entries] {
            if !self.holds(at, size) {
                return Err(bad_address(at));
            }
            at += 8;
        }
        Ok(())
    }
}
