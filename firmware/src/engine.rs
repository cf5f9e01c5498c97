//! Engine registers: load and start, and read how a command ended.
//!
//! Straight-line code on purpose: a loop over a table of registers is rebuilt on the stack for each
//! command and more than doubles the controller's clocks per command.

use crate::Regs;
use mattock_spec::command::{
    Command, Completion, Descriptor, GemmCommand, Rejected, SpgemmCommand,
};
use mattock_spec::regs::{ErrorCode, Reg, gemm, spgemm};

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

/// Loads a validated command into its engine and starts it. `None` when no engine is needed.
///
/// # Errors
/// `BUSY` when the engine still runs another command; nothing is written then.
pub fn start(command: &Command, regs: &mut impl Regs) -> Result<Option<Engine>, Rejected> {
    match command {
        Command::Nop => Ok(None),
        Command::Gemm(c) => start_gemm(c, regs).map(|()| Some(Engine::Gemm)),
        Command::Spgemm(c) => start_spgemm(c, regs).map(|()| Some(Engine::Spgemm)),
    }
}

fn start_gemm(c: &GemmCommand, regs: &mut impl Regs) -> Result<(), Rejected> {
    refuse_busy(regs.read(gemm::STATUS.address()))?;
    put(regs, gemm::MODE, c.mode());
    put(regs, gemm::M, c.m);
    put(regs, gemm::N, c.n);
    put(regs, gemm::K, c.k);
    put_wide(regs, gemm::A_LO, gemm::A_HI, c.a);
    put(regs, gemm::A_STRIDE, c.a_stride);
    put_wide(regs, gemm::B_LO, gemm::B_HI, c.b);
    put(regs, gemm::B_STRIDE, c.b_stride);
    put_wide(regs, gemm::D_LO, gemm::D_HI, c.d);
    put(regs, gemm::D_STRIDE, c.d_stride);
    put(regs, gemm::START, gemm::START::GO.put(1));
    Ok(())
}

fn start_spgemm(c: &SpgemmCommand, regs: &mut impl Regs) -> Result<(), Rejected> {
    refuse_busy(regs.read(spgemm::STATUS.address()))?;
    put(regs, spgemm::MODE, c.mode());
    put(regs, spgemm::ROWS, c.rows);
    put(regs, spgemm::INNER, c.inner);
    put(regs, spgemm::COLS, c.cols);
    put(regs, spgemm::SEED, c.seed);
    put(regs, spgemm::NNZ_A, c.nnz_a);
    put(regs, spgemm::NNZ_B, c.nnz_b);
    put(regs, spgemm::C_CAPACITY, c.c_capacity);
    put_wide(regs, spgemm::A_PTR_LO, spgemm::A_PTR_HI, c.a.row_pointers);
    put_wide(regs, spgemm::A_COL_LO, spgemm::A_COL_HI, c.a.columns);
    put_wide(regs, spgemm::A_VAL_LO, spgemm::A_VAL_HI, c.a.values);
    put_wide(regs, spgemm::B_PTR_LO, spgemm::B_PTR_HI, c.b.row_pointers);
    put_wide(regs, spgemm::B_COL_LO, spgemm::B_COL_HI, c.b.columns);
    put_wide(regs, spgemm::B_VAL_LO, spgemm::B_VAL_HI, c.b.values);
    put_wide(regs, spgemm::C_PTR_LO, spgemm::C_PTR_HI, c.c.row_pointers);
    put_wide(regs, spgemm::C_COL_LO, spgemm::C_COL_HI, c.c.columns);
    put_wide(regs, spgemm::C_VAL_LO, spgemm::C_VAL_HI, c.c.values);
    put(regs, spgemm::START, spgemm::START::GO.put(1));
    Ok(())
}

/// Both engines lay out STATUS alike; the assertion below keeps it so.
fn refuse_busy(status: u32) -> Result<(), Rejected> {
    if gemm::STATUS::BUSY.get(status) == 1 {
        return Err(Rejected { code: ErrorCode::Busy, info: 0 });
    }
    Ok(())
}

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
    let (status, info, cycles, result) = match running.engine {
        Engine::Gemm => (
            idle_status(regs, gemm::STATUS)?,
            regs.read(gemm::ERROR_INFO.address()),
            get_wide(regs, gemm::CYCLES_LO, gemm::CYCLES_HI),
            0,
        ),
        Engine::Spgemm => (
            idle_status(regs, spgemm::STATUS)?,
            regs.read(spgemm::ERROR_INFO.address()),
            get_wide(regs, spgemm::CYCLES_LO, spgemm::CYCLES_HI),
            regs.read(spgemm::NNZ_C.address()),
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
        phase: false,
    })
}

fn idle_status(regs: &mut impl Regs, register: Reg) -> Option<u32> {
    let status = regs.read(register.address());
    (gemm::STATUS::BUSY.get(status) == 0).then_some(status)
}

fn put(regs: &mut impl Regs, register: Reg, value: u32) {
    regs.write(register.address(), value);
}

fn put_wide(regs: &mut impl Regs, low: Reg, high: Reg, value: u64) {
    put(regs, low, value as u32);
    put(regs, high, (value >> 32) as u32);
}

/// A counter of an idle engine, so that its halves belong together.
fn get_wide(regs: &mut impl Regs, low: Reg, high: Reg) -> u64 {
    u64::from(regs.read(low.address())) | u64::from(regs.read(high.address())) << 32
}
