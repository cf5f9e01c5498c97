//! The program of a card's own processor: judge ring entries one after the other, with the command logic of
//! `mattock-firmware`.
//!
//! While an engine runs, the next command is judged and armed behind it; the rings' hardware writes every record. Nothing
//! here can panic: the panic handler calls a function that does not exist, so the program would not link.
#![no_std]
#![no_main]

mod memory;

use mattock_firmware::{Engine, Limits, Regs, image, judge};
use mattock_spec::command::{Descriptor, Rejected, Source};
use mattock_spec::regs::local::{
    ALIVE, ANSWER, ANSWER_INFO, DENSE, DENSE_HIGH, PROGRAM, STATUS,
};
use mattock_spec::regs::local;
use memory::{read, window, write};

/// Where the processor begins, with an empty stack at the end of its memory.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.start")]
extern "C" fn start() -> ! {
    let limits: &Limits = memory::limits();
    write(PROGRAM.address(), image::PROGRAM_VERSION);
    loop {
        let status = read(STATUS.address());
        if STATUS::READY.get(status) == 1 {
            serve(status, limits);
        } else {
            write(ALIVE.address(), 1);
        }
    }
}

/// Judges the entry in the window and starts or answers it.
#[inline(always)]
fn serve(status: u32, limits: &Limits) {
    let entry = Entry { clean_tail: STATUS::TAIL.get(status) == 0 };
    let rejected = match Descriptor::read(&entry) {
        Ok(_) if STATUS::FETCH.get(status) != 0 => {
            return refuse(STATUS::FETCH.get(status), entry.word(16));
        }
        Ok(descriptor) => {
            match judge(&descriptor, &Block, limits, &mut Card) {
                Ok(Some(_)) => return,
                Ok(None) => return write(ANSWER.address(), 0),
                Err(rejected) => rejected,
            }
        }
        Err(rejected) => rejected,
    };
    let Rejected { code, info } = rejected;
    refuse(code as u32, info);
}

#[cold]
#[inline(never)]
fn refuse(code: u32, info: u32) {
    write(ANSWER_INFO.address(), info);
    write(ANSWER.address(), code);
}

/// The ring entry in its window; hardware has looked at its reserved bytes.
struct Entry {
    clean_tail: bool,
}

impl Source for Entry {
    #[inline(always)]
    fn bytes(&self) -> usize {
        64
    }

    #[inline(always)]
    fn word(&self, at: usize) -> u32 {
        window::<16>(local::ENTRY_BASE)[at / 4 % 16]
    }

    #[inline(always)]
    fn is_zero(&self, _: usize, _: usize) -> bool {
        self.clean_tail
    }

    #[inline(always)]
    fn first_set(&self, from: usize) -> usize {
        from
    }
}

/// The parameter block in its window. A type without content, so that every function knows where it is.
struct Block;

impl Source for Block {
    #[inline(always)]
    fn bytes(&self) -> usize {
        Entry { clean_tail: true }.word(4) as usize
    }

    #[inline(always)]
    fn word(&self, at: usize) -> u32 {
        window::<128>(local::BLOCK_BASE)[at / 4 % 128]
    }

    #[inline(always)]
    fn is_plain_dense(&self, mask: u32, high: u32) -> bool {
        let glance = read(DENSE.address());
        glance & (DENSE::WIDE.mask() | DENSE::LOW.put(mask)) == 0 && read(DENSE_HIGH.address()) < high
    }

    #[inline(always)]
    fn is_clean_dense(&self) -> bool {
        read(DENSE.address()) & DENSE::SET.mask() == 0
    }

    #[inline(always)]
    fn first_set(&self, from: usize) -> usize {
        from
    }
}

/// The card's registers, as its own processor sees them.
struct Card;

impl Regs for Card {
    #[inline(always)]
    fn read(&mut self, offset: u32) -> u32 {
        read(local::BAR0_BASE + offset)
    }

    #[inline(always)]
    fn write(&mut self, offset: u32, value: u32) {
        write(local::BAR0_BASE + offset, value);
    }

    /// Waits until no command is armed: the registers are those of the one after.
    #[inline(always)]
    fn is_free(&mut self, engine: Engine) -> bool {
        let armed = match engine {
            Engine::Gemm => STATUS::GEMM_ARMED,
            Engine::Spgemm => STATUS::SPGEMM_ARMED,
        };
        while read(STATUS.address()) & armed.mask() != 0 {
            write(ALIVE.address(), 1);
        }
        true
    }
}

unsafe extern "C" {
    fn a_panic_is_reachable() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never linked; see above.
    unsafe { a_panic_is_reachable() }
}
