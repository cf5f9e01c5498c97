//! The command logic of a card: check a command, start an engine, account for its end.
//!
//! The same code runs in three places: inside the host driver against engine registers over the bus
//! (`control = "host"`), on the card's own controller, and in unit tests against a fake register
//! page. Where registers are is all that differs, so that is the only abstraction: [`Regs`].
//!
//! ```text
//!  ring entry, parameter block ──► accept ──► Started(Running) ──► finish ──► Completion
//!                                     └─────► Answered(Completion)
//! ```
//!
//! Nothing here allocates, loops over data of a command's size, or can panic.
#![no_std]

mod engine;
pub mod image;
mod limits;
mod validate;

pub use engine::{Engine, Running, finish};
pub use limits::{EpilogueLimits, GemmLimits, Limits, SpgemmLimits};

use mattock_spec::command::{
    BatchBlock, Completion, Counters, Descriptor, GemmBatch, GemmBlock, JoinedProduct, Opcode,
    Rejected, Source, SpgemmBlock,
};
use mattock_spec::regs::{ErrorCode, gemm};

/// 32-bit registers by BAR0 byte offset.
pub trait Regs {
    /// Reads one register.
    fn read(&mut self, offset: u32) -> u32;
    /// Writes one register.
    fn write(&mut self, offset: u32, value: u32);

    /// Whether the engine's registers may be written for the next command. On a card that can arm a command behind
    /// the one that runs this may wait; elsewhere it is whether the engine is idle.
    fn is_free(&mut self, engine: Engine) -> bool {
        gemm::STATUS::BUSY.get(self.read(engine.status().address())) == 0
    }
}

impl<R: Regs + ?Sized> Regs for &mut R {
    fn read(&mut self, offset: u32) -> u32 {
        (**self).read(offset)
    }

    fn write(&mut self, offset: u32, value: u32) {
        (**self).write(offset, value);
    }

    fn is_free(&mut self, engine: Engine) -> bool {
        (**self).is_free(engine)
    }
}

/// What became of a ring entry: exactly one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Accepted {
    /// An engine runs it; [`finish`] will give its completion.
    Started(Running),
    /// It is over already: refused, or nothing to do.
    Answered(Completion),
}

/// Takes a ring entry and the parameter block it points to: decodes, validates and starts it.
///
/// Every fault of the entry or block becomes a [`Completion`] that carries the entry's cookie.
pub fn accept(entry: &[u8], block: &[u8], limits: &Limits, regs: &mut impl Regs) -> Accepted {
    let answer = |queue, rejected: Rejected| {
        Accepted::Answered(Completion {
            cookie: Descriptor::cookie_of(entry),
            cycles: 0,
            code: rejected.code,
            info: rejected.info,
            result: 0,
            opcode: entry.first().copied().unwrap_or(0),
            queue,
            counters: Counters::default(),
            phase: false,
        })
    };
    let descriptor = match Descriptor::decode(entry) {
        Ok(descriptor) => descriptor,
        Err(rejected) => return answer(0, rejected),
    };
    match judge(&descriptor, block, limits, regs) {
        Ok(Some(engine)) => Accepted::Started(Running { engine, descriptor }),
        Ok(None) => answer(descriptor.queue, Rejected { code: ErrorCode::None, info: 0 }),
        Err(rejected) => answer(descriptor.queue, rejected),
    }
}

/// Decodes the parameter block of a ring entry, validates the command and starts it; gives the engine that runs it,
/// `None` when the command is complete without one.
///
/// # Errors
/// The first fault, as the completion will report it.
#[inline(always)]
pub fn judge<S: Source + ?Sized>(
    descriptor: &Descriptor,
    block: &S,
    limits: &Limits,
    regs: &mut impl Regs,
) -> Result<Option<Engine>, Rejected> {
    let length = Rejected { code: ErrorCode::BadLength, info: descriptor.parameter_bytes };
    if descriptor.parameter_bytes as usize != block.bytes() {
        return Err(length);
    }
    match descriptor.opcode {
        Opcode::Nop if block.bytes() == 0 => Ok(None),
        Opcode::Nop => Err(length),
        Opcode::Gemm if block.may_be_batch() && block.bytes() == GemmBatch::BYTES => {
            let command = BatchBlock::check(block)?;
            validate::batch(&command, limits)?;
            let has_epilogue = limits.epilogue.steps != 0;
            engine::start_batch(&command, has_epilogue, regs).map(|()| Some(Engine::Gemm))
        }
        Opcode::Gemm => {
            let command = GemmBlock::check(block)?;
            validate::gemm(&command, limits)?;
            let has_epilogue = block.may_have_epilogue() && limits.epilogue.steps != 0;
            let has_batch = block.may_be_batch() && limits.batch != 0;
            engine::start_gemm(&command, has_epilogue, has_batch, regs).map(|()| Some(Engine::Gemm))
        }
        Opcode::Spgemm if block.may_be_joined() && block.bytes() == JoinedProduct::BYTES => {
            let command = SpgemmBlock::check_joined(block)?;
            validate::spgemm(&command, limits)?;
            validate::joins(&command, limits)?;
            engine::start_joined(&command, regs).map(|()| Some(Engine::Spgemm))
        }
        Opcode::Spgemm => {
            let command = SpgemmBlock::check(block)?;
            validate::spgemm(&command, limits)?;
            let has_joins = block.may_be_joined() && limits.joins != 0;
            engine::start_spgemm(&command, has_joins, regs).map(|()| Some(Engine::Spgemm))
        }
    }
}
