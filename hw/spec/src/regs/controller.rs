//! The card's own processor: its program, its life, the test at power-up.

use super::table::registers;

/// BAR0 offset of the window onto the processor's memory, open while `CONTROL.RUN` is 0.
pub const MEMORY_BASE: u32 = 0x3000;
/// Bytes of the processor's memory.
pub const MEMORY_BYTES: u32 = 0x1000;
/// What the processor executes: RV32IMC.
pub const TARGET: u32 = 1;
/// Clock cycles without a sign of life after which the processor counts as dead.
pub const WATCHDOG_CYCLES: u32 = 1 << 14;

registers! {
    "controller" at 0x0c00 size 0x0400
    "The processor of a card whose command logic runs on the card. Software writes a program into the window at 0x3000, reads it back, and sets RUN. While RUN is 0 the engines obey the host, as on cards without a processor."

    CONTROL 0x00 Rw "Holds or runs the processor." {
        RUN 0 1 "0 holds the processor in reset and opens the window onto its memory; 1 runs it from address 0."
    }
    STATUS 0x04 Ro "What the processor does." {
        ALIVE 0 1 "The program has said that it runs; cleared by RUN = 0 and by a soft reset."
        TRAP 1 1 "It met an instruction or an address it cannot execute and has stopped."
        WATCHDOG 2 1 "It gave no sign of life for 16384 clock cycles; cleared by RUN = 0."
    }
    PROGRAM 0x08 Ro "What the program says it is, once ALIVE is set." {
        VERSION 0 32 "Version of the program, as in the header of its image."
    }
    ENTRIES 0x0c Ro "Ring entries the program has judged since it was started." {
        COUNT 0 32 "Modulo 2^32."
    }
    REFUSED 0x10 Ro "Ring entries among them that it refused." {
        COUNT 0 32 "Modulo 2^32."
    }
    SELFTEST 0x14 Rw "The test of the processor's memory at power-up, at most 20000 clock cycles." {
        SKIP 0 1 "Write 1 to end the test at once; it then counts as not passed."
    }
    SELFTEST_RESULT 0x18 Ro "How the test at power-up went." {
        DONE 0 1 "It has ended."
        PASSED 1 1 "Every word kept every pattern."
        ADDRESS 8 16 "Byte address of the first word that did not."
        CYCLES 24 8 "Clock cycles the test took, in units of 256."
    }
}
