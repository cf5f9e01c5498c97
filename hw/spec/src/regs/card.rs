//! Identity, interrupts and reset: the block every card has.

use super::table::registers;

/// What [`ID`](const@ID) reads on every card of ours: ASCII `MAC1`.
pub const MAGIC: u32 = 0x4d41_4331;

/// Version of this specification that a card implements. Software refuses another major number.
pub const VERSION_MAJOR: u32 = 0;
/// Additions since the major number changed.
pub const VERSION_MINOR: u32 = 1;

registers! {
    "card" at 0x0000 size 0x0400
    "Identity, interrupts and reset. A driver reads ID first and refuses any other value."

    ID 0x00 Ro "Reads 0x4d41_4331 on every card of ours; all ones when the card is gone." {
        MAGIC 0 32 "ASCII `MAC1`."
    }
    VERSION 0x04 Ro "Version of the specification this card implements." {
        MINOR 0 16 "Additions since the major number changed."
        MAJOR 16 16 "A driver refuses a major number it does not know."
    }
    DIGEST_LO 0x08 Ro "Digest of the configuration the card was generated from, low half." {
        DIGEST 0 32 "Bits 31:0 of the 64-bit FNV-1a digest."
    }
    DIGEST_HI 0x0c Ro "Digest of the configuration, high half." {
        DIGEST 0 32 "Bits 63:32."
    }
    CAP_PTR 0x10 Ro "Where the list of capabilities begins." {
        OFFSET 0 16 "BAR0 offset of the first capability header."
    }
    STATUS 0x14 Ro "State of the engines at a glance." {
        GEMM_BUSY 0 1 "The GEMM engine runs a command."
        SPGEMM_BUSY 1 1 "The SpGEMM engine runs a command."
    }
    IRQ_STATUS 0x18 W1c "Causes of the interrupt; the level output is high while an enabled bit is set." {
        GEMM_DONE 0 1 "A GEMM command ended, well or not."
        SPGEMM_DONE 1 1 "An SpGEMM command ended, well or not."
    }
    IRQ_ENABLE 0x1c Rw "Which causes raise the interrupt; 0 after reset." {
        GEMM_DONE 0 1 "Enables IRQ_STATUS.GEMM_DONE."
        SPGEMM_DONE 1 1 "Enables IRQ_STATUS.SPGEMM_DONE."
    }
    CYCLES_LO 0x20 Ro "Engine clock cycles since reset, low half. Read HI, LO, HI until HI repeats." {
        COUNT 0 32 "Bits 31:0."
    }
    CYCLES_HI 0x24 Ro "Engine clock cycles since reset, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    SCRATCH 0x28 Rw "Keeps what was written, for tests of the path to the card." {
        VALUE 0 32 "No effect on the hardware."
    }
    SOFT_RESET 0x2c Wo "Stops the engines, waits for outstanding bus transfers, clears their state." {
        GO 0 1 "Write 1. STATUS reads 0 again when the reset is complete."
    }
}
