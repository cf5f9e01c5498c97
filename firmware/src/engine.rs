//! Engine registers: load and start, and read how a command ended.
//!
//! Straight-line code on purpose: a loop over a table of registers is rebuilt on the stack for each
//! command and more than doubles the controller's clocks per command.

use crate::Regs;
use mattock_spec::command::{
    BatchBlock, Completion, Counters, Descriptor, GemmBlock, GemmCommand, JoinedProduct, Rejected,
    Source, SpgemmBlock, SpgemmCommand,
};
use mattock_spec::regs::{ErrorCode, Reg, batch, epilogue, gemm, join, spgemm};

/// Which engine runs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Dense.
    Gemm,
    /// Sparse.
    Spgemm,
}

/// A command an engine is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Who runs it.
    pub engine: Engine,
    /// Its ring entry.
    pub descriptor: Descriptor,
}

/// Loads a validated dense product into its engine and starts it. The block is laid out like the registers, so words go
/// from one to the other as they are. A card that has an epilogue is told its steps
/// every time, or it would keep the last ones, and one that takes batches that this is none.
///
/// # Errors
/// `BUSY` when the engine still runs another command; nothing is written then.
#[inline(always)]
pub(crate) fn start_gemm<S: Source + ?Sized>(
    c: &GemmBlock<'_, S>,
    has_epilogue: bool,
    has_batch: bool,
    regs: &mut impl Regs,
) -> Result<(), Rejected> {
    refuse_busy(Engine::Gemm, regs)?;
    if has_batch {
        put(regs, batch::MANY, 0);
    }
    load_gemm(c, has_epilogue, regs);
    Ok(())
}

#[inline(always)]
fn load_gemm<S: Source + ?Sized>(c: &GemmBlock<'_, S>, has_epilogue: bool, regs: &mut impl Regs) {
    if has_epilogue {
        let steps = c.epilogue_steps();
        put(regs, epilogue::STEPS, steps);
        if steps != 0 {
            put(regs, epilogue::BLOCK_LO, c.epilogue() as u32);
            put(regs, epilogue::BLOCK_HI, (c.epilogue() >> 32) as u32);
        }
    }
    let block = c.source();
    put(regs, gemm::MODE, c.mode());
    put(regs, gemm::M, c.m());
    put(regs, gemm::N, c.n());
    put(regs, gemm::K, c.k());
    let mut operand = |at: u32, low: Reg, high: Reg, stride: Reg| {
        let at = at as usize;
        put(regs, low, block.word(at));
        put(regs, high, block.word(at + 4));
        put(regs, stride, block.word(at + 8));
    };
    operand(GemmCommand::OFFSET_A, gemm::A_LO, gemm::A_HI, gemm::A_STRIDE);
    operand(GemmCommand::OFFSET_B, gemm::B_LO, gemm::B_HI, gemm::B_STRIDE);
    operand(GemmCommand::OFFSET_D, gemm::D_LO, gemm::D_HI, gemm::D_STRIDE);
    put(regs, gemm::START, gemm::START::GO.put(1));
}

/// As [`start_gemm`], for many products.
///
/// # Errors
/// As there.
pub(crate) fn start_batch<S: Source + ?Sized>(
    c: &BatchBlock<'_, S>,
    has_epilogue: bool,
    regs: &mut impl Regs,
) -> Result<(), Rejected> {
    refuse_busy(Engine::Gemm, regs)?;
    put(regs, batch::PRODUCTS, c.products());
    put(regs, batch::A_NEXT, c.next(0));
    put(regs, batch::B_NEXT, c.next(1));
    put(regs, batch::D_NEXT, c.next(2));
    put(regs, batch::LIST_LO, c.list() as u32);
    put(regs, batch::LIST_HI, (c.list() >> 32) as u32);
    put(regs, batch::MANY, c.many());
    load_gemm(&c.product, has_epilogue, regs);
    Ok(())
}

/// As [`start_gemm`], for a sparse product that nothing joins.
///
/// # Errors
/// As there.
#[inline(always)]
pub(crate) fn start_spgemm<S: Source + ?Sized>(
    c: &SpgemmBlock<'_, S>,
    has_joins: bool,
    regs: &mut impl Regs,
) -> Result<(), Rejected> {
    refuse_busy(Engine::Spgemm, regs)?;
    if has_joins {
        put(regs, join::STEPS, 0);
    }
    load_spgemm(c, regs);
    Ok(())
}

/// As [`start_spgemm`], for a product that more matrices join.
///
/// # Errors
/// As there.
pub(crate) fn start_joined<S: Source + ?Sized>(
    c: &SpgemmBlock<'_, S>,
    regs: &mut impl Regs,
) -> Result<(), Rejected> {
    refuse_busy(Engine::Spgemm, regs)?;
    // Three words, one that is reserved, and twelve of addresses, one after the other in both.
    for word in (0..16).filter(|word| *word != 3) {
        let value = c.source().word((JoinedProduct::OFFSET_STEPS + 4 * word) as usize);
        regs.write(join::STEPS.address() + 4 * word, value);
    }
    load_spgemm(c, regs);
    Ok(())
}

const _: () = assert!(
    join::MASK_PTR_LO.address() - join::STEPS.address()
        == JoinedProduct::OFFSET_MASK - JoinedProduct::OFFSET_STEPS
        && join::ADDEND_VAL_HI.address() == join::STEPS.address() + 4 * 15
);

#[inline(always)]
fn load_spgemm<S: Source + ?Sized>(c: &SpgemmBlock<'_, S>, regs: &mut impl Regs) {
    put(regs, spgemm::MODE, c.mode());
    put(regs, spgemm::ROWS, c.rows());
    put(regs, spgemm::INNER, c.inner());
    put(regs, spgemm::COLS, c.cols());
    put(regs, spgemm::SEED, c.seed());
    put(regs, spgemm::NNZ_A, c.nnz_a());
    put(regs, spgemm::NNZ_B, c.nnz_b());
    put(regs, spgemm::C_CAPACITY, c.c_capacity());
    // Eighteen words of addresses and three of the parts, one after the other in both.
    for word in 0..21 {
        let at = 4 * word;
        let value = c.source().word((SpgemmCommand::OFFSET_ADDRESSES + at) as usize);
        regs.write(spgemm::A_PTR_LO.address() + at, value);
    }
    put(regs, spgemm::START, spgemm::START::GO.put(1));
}

const _: () = assert!(spgemm::PARTS.address() == spgemm::A_PTR_LO.address() + 4 * 20);

fn refuse_busy(engine: Engine, regs: &mut impl Regs) -> Result<(), Rejected> {
    if regs.is_free(engine) {
        return Ok(());
    }
    Err(Rejected { code: ErrorCode::Busy, info: 0 })
}

impl Engine {
    /// Its STATUS register.
    pub const fn status(self) -> Reg {
        match self {
            Engine::Gemm => gemm::STATUS,
            Engine::Spgemm => spgemm::STATUS,
        }
    }
}

/// Both engines lay out STATUS alike.
const _: () = assert!(
    gemm::STATUS::BUSY.mask() == spgemm::STATUS::BUSY.mask()
        && gemm::STATUS::DONE.mask() == spgemm::STATUS::DONE.mask()
        && gemm::STATUS::ERROR.mask() == spgemm::STATUS::ERROR.mask()
);

/// The completion of a running command; `None` while its engine is busy.
///
/// The caller bounds how often it asks. An engine that is neither busy nor done was reset under the
/// command: `ABORTED`. An error code this software does not know becomes `INTERNAL`, with the
/// STATUS word as its info.
pub fn finish(running: &Running, regs: &mut impl Regs) -> Option<Completion> {
    let (status, info, cycles, result, counters) = match running.engine {
        Engine::Gemm => (
            idle_status(regs, gemm::STATUS)?,
            regs.read(gemm::ERROR_INFO.address()),
            get_wide(regs, gemm::CYCLES_LO, gemm::CYCLES_HI),
            0,
            gemm_counters(regs),
        ),
        Engine::Spgemm => (
            idle_status(regs, spgemm::STATUS)?,
            regs.read(spgemm::ERROR_INFO.address()),
            get_wide(regs, spgemm::CYCLES_LO, spgemm::CYCLES_HI),
            regs.read(spgemm::NNZ_C.address()),
            spgemm_counters(regs),
        ),
    };
    let (code, info) = if gemm::STATUS::DONE.get(status) == 0 {
        (ErrorCode::Aborted, 0)
    } else {
        match ErrorCode::from_u8(gemm::STATUS::ERROR.get(status) as u8) {
            Some(code) => (code, info),
            None => (ErrorCode::Internal, status),
        }
    };
    Some(Completion {
        cookie: running.descriptor.cookie,
        cycles,
        code,
        info,
        result,
        opcode: running.descriptor.opcode as u8,
        queue: running.descriptor.queue,
        counters,
        phase: false,
    })
}

fn gemm_counters(regs: &mut impl Regs) -> Counters {
    Counters {
        bytes_read: get_wide(regs, gemm::BYTES_READ_LO, gemm::BYTES_READ_HI),
        bytes_written: get_wide(regs, gemm::BYTES_WRITTEN_LO, gemm::BYTES_WRITTEN_HI),
        products: get_wide(regs, gemm::MACS_LO, gemm::MACS_HI),
        compute_cycles: get_wide(regs, gemm::COMPUTE_CYCLES_LO, gemm::COMPUTE_CYCLES_HI),
        ..Counters::default()
    }
}

fn spgemm_counters(regs: &mut impl Regs) -> Counters {
    Counters {
        bytes_read: get_wide(regs, spgemm::BYTES_READ_LO, spgemm::BYTES_READ_HI),
        bytes_written: get_wide(regs, spgemm::BYTES_WRITTEN_LO, spgemm::BYTES_WRITTEN_HI),
        products: get_wide(regs, spgemm::PRODUCTS_LO, spgemm::PRODUCTS_HI),
        compute_cycles: 0,
        windows: regs.read(spgemm::WINDOWS.address()),
        spills: regs.read(spgemm::SPILLS.address()),
        restarts: regs.read(spgemm::RESTARTS.address()),
        hazard_stalls: regs.read(spgemm::HAZARD_STALLS.address()),
        cache_hits: regs.read(spgemm::CACHE_HITS.address()),
        cache_misses: regs.read(spgemm::CACHE_MISSES.address()),
    }
}

fn idle_status(regs: &mut impl Regs, register: Reg) -> Option<u32> {
    let status = regs.read(register.address());
    (gemm::STATUS::BUSY.get(status) == 0).then_some(status)
}

fn put(regs: &mut impl Regs, register: Reg, value: u32) {
    regs.write(register.address(), value);
}

/// A counter of an idle engine, so that its halves belong together.
fn get_wide(regs: &mut impl Regs, low: Reg, high: Reg) -> u64 {
    u64::from(regs.read(low.address())) | u64::from(regs.read(high.address())) << 32
}
