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
mod validate;

pub use engine::{Engine, Running, finish, start};
pub use validate::validate;

use mattock_spec::command::{Command, Completion, Descriptor, Rejected};
use mattock_spec::regs::{Capabilities, ErrorCode};

/// 32-bit registers by BAR0 byte offset.
pub trait Regs {
    /// Reads one register.
    fn read(&mut self, offset: u32) -> u32;
    /// Writes one register.
    fn write(&mut self, offset: u32, value: u32);
}

impl<R: Regs + ?Sized> Regs for &mut R {
    fn read(&mut self, offset: u32) -> u32 {
        (**self).read(offset)
    }

    fn write(&mut self, offset: u32, value: u32) {
        (**self).write(offset, value);
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
pub fn accept(entry: &[u8], block: &[u8], caps: &Capabilities, regs: &mut impl Regs) -> Accepted {
    let opcode = entry.first().copied().unwrap_or(0);
    let answer = |queue, rejected: Rejected| {
        Accepted::Answered(Completion {
            cookie: Descriptor::cookie_of(entry),
            cycles: 0,
            code: rejected.code,
            info: rejected.info,
            result: 0,
            opcode,
            queue,
            phase: false,
        })
    };
    let descriptor = match Descriptor::decode(entry) {
        Ok(descriptor) => descriptor,
        Err(rejected) => return answer(0, rejected),
    };
    match submit(&descriptor, block, caps, regs) {
        Ok(Some(engine)) => Accepted::Started(Running { engine, descriptor }),
        Ok(None) => answer(descriptor.queue, Rejected { code: ErrorCode::None, info: 0 }),
        Err(rejected) => answer(descriptor.queue, rejected),
    }
}

/// The engine that runs the command; `None` when the command is complete without one.
fn submit(
    descriptor: &Descriptor,
    block: &[u8],
    caps: &Capabilities,
    regs: &mut impl Regs,
) -> Result<Option<Engine>, Rejected> {
    if descriptor.parameter_bytes as usize != block.len() {
        return Err(Rejected { code: ErrorCode::BadLength, info: descriptor.parameter_bytes });
    }
    let command = Command::decode(descriptor.opcode, block)?;
    validate(&command, caps)?;
    start(&command, regs)
}
